"""The laws of places, rollbacks, selections and hooks, held against what the book of ways brought about."""

from collections import defaultdict

from healer.simulation.oracle import Deed, Entry, Evidence
from healer.simulation.ways import SHARED, UNDONE


def places_are_kept(evidence: Evidence) -> None:
    """Where rules share a place, one action has it from its intent to its verdict."""
    held: Deed | None = None
    for deed in evidence.deeds.values():
        if deed.intent["rule"] not in SHARED or deed.quiet:
            continue
        if held is not None and not _over(held, deed):
            evidence.blame("places", f"{deed.intent['id']} began before {held.intent['id']} was over")
        held = deed


def _over(one: Deed, other: Deed) -> bool:
    closing = [*one.verdicts, *(one.outcomes if one.without_effect else ())]
    return any(entry.number < other.intent.number for entry in closing)


def taken_back_once(evidence: Evidence) -> None:
    """A rollback follows a step that was not verified, once in an incident."""
    last: dict[str, Deed] = {}
    done: set[tuple[str, int]] = set()
    opened: dict[str, int] = defaultdict(int)
    for entry in evidence.entries:
        if entry.kind == "state" and entry["from"] == "pending":
            opened[str(entry["subject"]).partition(":")[2]] += 1
        if entry.kind != "intent" or entry["rule"] not in UNDONE or str(entry["corr"]).startswith("hook:"):
            continue
        deed, corr = evidence.deeds[entry.leaf], str(entry["corr"])
        back, step = UNDONE[entry["rule"]]
        if entry["step"] == back and not deed.without_effect:
            before = last.get(corr)
            results = [one["result"] for one in before.verdicts] if before else []
            if before is None or before.intent["step"] != step or results in ([], ["verified"]):
                evidence.blame("rollback", f"{entry['id']} takes back what was {results or 'not done'}")
            if (corr, opened[corr]) in done:
                evidence.blame("rollback", f"{entry['id']} is a second one for {corr}")
            done.add((corr, opened[corr]))
            evidence.house.chance.reach("taken back")
        if not deed.without_effect:
            last[corr] = deed


def only_what_was_chosen(evidence: Evidence) -> None:
    """Of several targets, those alone are acted on that were sealed as chosen, in that order."""
    chosen: list[str] = []
    for entry in evidence.entries:
        if entry.kind == "state" and entry["subject"] == "incident:herd@http:front":
            chosen = _chosen(entry, chosen)
        elif entry.kind == "intent" and entry["rule"] == "herd" and not str(entry["corr"]).startswith("hook:"):
            evidence.house.chance.reach("several chosen")
            if not chosen or entry["target"] != chosen[0]:
                evidence.blame("chosen", f"{entry['id']} acts on {entry['target']}, chosen are {chosen}")


def _chosen(entry: Entry, chosen: list[str]) -> list[str]:
    data = entry["data"] or {}
    if "targets" in data:
        return list(data["targets"])
    return chosen[1:] if "item" in data else chosen


def hooks_hold_nothing(evidence: Evidence) -> None:
    """What accompanies an incident is a word, and no step of it."""
    for deed in evidence.deeds.values():
        if str(deed.intent["corr"]).startswith("hook:"):
            evidence.house.chance.reach("hook called")
            if not deed.quiet:
                evidence.blame("hooks", f"{deed.intent['id']} does more than tell")


WAYS_LAWS = (places_are_kept, taken_back_once, only_what_was_chosen, hooks_hold_nothing)
