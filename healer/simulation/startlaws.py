"""The laws of what starts a rule, held against what the log says of events, of people, and of incidents."""

from collections.abc import Iterator

from healer.simulation.oracle import Entry, Evidence
from healer.simulation.starts import COUNT, FOR_GOOD, ONCE, TOPIC, WITHIN

SLACK = 0.002


def _opened(evidence: Evidence, rule: str) -> Iterator[Entry]:
    for entry in evidence.entries:
        if entry.kind == "state" and entry["rule"] == rule and (entry["from"], entry["to"]) == ("pending", "firing"):
            yield entry


def events_are_counted(evidence: Evidence) -> None:
    """So many fitting events of one person, in one life, came close together before an event rule starts."""
    for opening in _opened(evidence, "told"):
        evidence.house.chance.reach("started by events")
        heard: dict[str, list[float]] = {}
        for entry in evidence.entries:
            if entry.at > opening.at + SLACK:  # the request is sealed after what it led to, in the same moment
                break
            if entry.kind == "lifecycle" and entry["phase"] == "start":
                heard = {}  # a restart forgets
            elif _told(entry, str(opening["target"])):
                heard.setdefault(str(entry["args"]["data"]["who"]), []).append(entry.at)
        # An incident that was open may have kept it waiting since.
        if not any(_close_together(times) for times in heard.values()):
            evidence.blame("events counted", f"{opening['subject']} began after {heard or 'no event at all'}")


def _close_together(times: list[float]) -> bool:
    return any(later - first <= WITHIN + SLACK for first, later in zip(times, times[COUNT - 1 :], strict=False))


def _told(entry: Entry, target: str) -> bool:
    if entry.kind != "request" or entry["verb"] != "event" or entry["answer"] != "accepted":
        return False
    args = entry["args"]
    data = args["data"]
    return bool(args["topic"] == TOPIC and data["n"] >= 1 and data.get("target", target) == target)


def once_within(evidence: Evidence) -> None:
    """No two starts for one target and one person within the time, restarts and reboots included."""
    last: dict[tuple[str, str], Entry] = {}
    for entry in evidence.entries:
        if entry.kind != "state" or not str(entry["subject"]).startswith("trigger:"):
            continue
        if entry["to"] != "used":
            evidence.house.chance.reach("start went stale")
            continue
        key = (str(entry["subject"]), str(entry["data"]["group"]))
        # Where a clock jumped, elapsed time across boots is void: then it may be later than it says, never sooner.
        if key in last and entry.at - last[key].at < ONCE - SLACK:
            evidence.blame("once within", f"{key} started {entry.at - last[key].at:.1f} s after the last time")
        if key in last:
            evidence.house.chance.reach("started again later")
        last[key] = entry


def only_when_asked(evidence: Evidence) -> None:
    """A manual rule starts in the very moment in which somebody asks for it, and at no other."""
    asked = {
        entry.at
        for entry in evidence.entries
        if entry.kind == "request" and (entry["verb"], _subject(entry)) == _BY_HAND
    }
    for opening in _opened(evidence, "by-hand"):
        evidence.house.chance.reach("started by hand")
        if not any(abs(opening.at - at) <= SLACK for at in asked):
            evidence.blame("only when asked", f"{opening['subject']} began, and nobody had asked for it")


_BY_HAND = ("trigger", "by-hand")


def _subject(entry: Entry) -> str:
    return str((entry["args"] or {}).get("subject", ""))


def no_standing_orders(evidence: Evidence) -> None:
    """What something else started ends where a gate says no for good, and is tried once where a person asked."""
    refused: dict[str, str] = {}
    tried: dict[str, int] = {}
    for entry in evidence.entries:
        corr = str(entry["corr"])
        if entry.kind == "state" and entry["from"] == "pending":
            corr = str(entry["subject"]).partition(":")[2]
            tried[corr] = 0
            refused.pop(corr, None)
        elif entry["rule"] not in {"told", "by-hand"} or corr not in tried:
            continue
        elif entry.kind == "withheld" and entry["gate"] in FOR_GOOD:
            evidence.house.chance.reach("start withheld for good")
            refused[corr] = str(entry["gate"])
        elif entry.kind == "intent":
            if corr in refused:
                evidence.blame("standing orders", f"{entry['id']} acts, though {refused[corr]} had said no")
            tried[corr] += not evidence.deeds[entry.leaf].without_effect
            if entry["rule"] == "by-hand" and tried[corr] > 1:
                evidence.blame("standing orders", f"{entry['id']} tries again what was asked for once")


START_LAWS = (events_are_counted, once_within, only_when_asked, no_standing_orders)
