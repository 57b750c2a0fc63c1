"""The laws of changes that are put back, held against what the log says of incidents and the world of its knobs."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from healer.simulation.oracle import Deed, Entry, Evidence

SLACK = 0.002
PAUSE = 5.0
"""Seconds after a try; doubled after each that failed but the first."""
MOST = 5
"""Tries that may fail, until a person is told."""
IN_TIME = 100.0
"""Seconds of calm after an incident within which what it changed must be put back."""
_NOTHING_DONE = frozenset({"stale", "cancelled", "refused", "skipped"})


@dataclass(slots=True)
class _Change:
    """A change of a rule as the log tells of it."""

    deed: Deed
    failed: int = 0
    """Tries to put it back that failed, since a person last looked."""
    last: float | None = None
    """When one of them ended last, or when another one, that came to nothing, began."""
    stuck: bool = False

    @property
    def corr(self) -> str:
        return str(self.deed.intent["corr"])


@dataclass(slots=True)
class _Story:
    """What is open and what is changed while the log is read from its beginning."""

    open: set[str] = field(default_factory=set)
    closed: dict[str, float] = field(default_factory=dict)
    """When incidents were last over."""
    changes: dict[str, _Change] = field(default_factory=dict)
    """By the id of the intent that made it; the newest last."""
    over: dict[str, str] = field(default_factory=dict)
    """What became of those that are not to be put back any more."""

    def take(self, entry: Entry, evidence: Evidence) -> None:
        """Read one entry on."""
        if entry.kind == "state":
            self._state(entry)
        elif entry.kind == "intent" and (change := self.changes.get(entry["undoes"])):
            change.last = entry.at
        elif entry.kind == "outcome" and (deed := evidence.deeds.get(entry["of"])):
            self._outcome(entry, deed)

    def _state(self, entry: Entry) -> None:
        kind, _, name = str(entry["subject"]).partition(":")
        if kind == "incident" and entry["to"] == "inactive":
            self.open.discard(name)
            self.closed[name] = entry.at
        elif kind == "incident":
            self.open.add(name)
        elif kind == "change" and (change := self.changes.get(name)):
            change.failed, change.last, change.stuck = 0, None, entry["to"] == "stuck"
            if entry["to"] == "gone":
                self._end(name, "is gone")

    def _outcome(self, entry: Entry, deed: Deed) -> None:
        name, done = str(deed.intent["id"]), entry["result"] == "done"
        if change := self.changes.get(deed.undoes):
            if done:
                self._end(deed.undoes, "was put back already")
            elif entry["result"] not in _NOTHING_DONE:
                change.failed, change.last = change.failed + 1, entry.at
        elif done and entry["undo"] and deed.undoes == "":
            if deed.intent["rule"]:
                self.changes[name] = _Change(deed)
            else:
                self.over[name] = "is a person's own change"

    def _end(self, name: str, because: str) -> None:
        del self.changes[name]
        self.over[name] = because


def _told(evidence: Evidence) -> Iterator[tuple[_Story, Entry]]:
    """Each intent that puts something back, with how things stood."""
    story = _Story()
    for entry in evidence.entries:
        if entry.kind == "intent" and entry["undoes"]:
            yield story, entry
        story.take(entry, evidence)


def put_back_in_order(evidence: Evidence) -> None:
    """Only what rules have changed, once, the newest of a target first, and only when its incident is over."""
    reach = evidence.house.chance.reach
    for story, entry in _told(evidence):
        name, change = entry["id"], story.changes.get(entry["undoes"])
        if change is None:
            because = story.over.get(entry["undoes"], "changed nothing")
            evidence.blame("put back once", f"{name}: {entry['undoes']} {because}")
            continue
        if change.corr in story.open:
            evidence.blame("put back late", f"{name} puts back {entry['undoes']}, and {change.corr} is open")
        same = [key for key, one in story.changes.items() if one.deed.intent["target"] == entry["target"]]
        if same[-1] != entry["undoes"]:
            evidence.blame("put back in order", f"{name} puts back {entry['undoes']} before {same[-1]}")
        if len(same) > 1:
            reach("several changes put back")


def put_back_with_pauses(evidence: Evidence) -> None:
    """What could not be put back is tried again after a pause that grows, and so many times only."""
    for story, entry in _told(evidence):
        change = story.changes.get(entry["undoes"])
        if change is None or change.last is None:
            continue
        evidence.house.chance.reach("put back at another try")
        pause, gap = PAUSE * 2.0 ** max(0, change.failed - 1), entry.at - change.last
        if gap < pause - SLACK:
            evidence.blame("put back with pauses", f"{entry['id']} came {gap:.3f} s after try {change.failed}")
        if change.failed >= MOST or change.stuck:
            evidence.blame("put back with pauses", f"{entry['id']} is try {change.failed + 1}, and nobody was told")


def never_while_it_is_open(evidence: Evidence) -> None:
    """An incident that began again before the effect keeps what it has changed."""
    moves: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for entry in evidence.entries:
        kind, _, name = str(entry["subject"]).partition(":") if entry.kind == "state" else ("", "", "")
        if kind == "incident":
            moves[name].append((entry.at, entry["to"] != "inactive"))
    makers = {str(deed.intent["id"]): deed for deed in evidence.deeds.values()}
    for deed, effect in evidence.acts():
        if not deed.undoes or deed.undoes not in makers:
            continue
        corr = str(makers[deed.undoes].intent["corr"])
        # What was sealed in the very moment of the effect may have come too late for it.
        before = bisect_left(moves[corr], (effect.began - SLACK,))
        if before and moves[corr][before - 1][1]:
            evidence.blame("put back late", f"{deed.intent['id']} put back {deed.undoes} while {corr} was open")


def put_back_as_it_was(evidence: Evidence) -> None:
    """A knob is turned back to where it stood before the change, and only from where the change had left it."""
    makers = {str(deed.intent["id"]): deed for deed in evidence.deeds.values()}
    for deed, effect in evidence.acts():
        if not deed.undoes or effect.turned is None:
            continue
        evidence.house.chance.reach("put back")
        made = [one.turned for one in makers[deed.undoes].effects if one.turned] if deed.undoes in makers else []
        before, after = effect.turned
        if before == after and all(before != left for _, left in made):
            evidence.house.chance.reach("left as a person had it")
        elif made != [(after, before)]:
            because = f"{deed.intent['id']} turned {before} to {after}, and {deed.undoes} had turned {made}"
            evidence.blame("put back as it was", because)
    for deed in evidence.deeds.values():
        verified = any(one["result"] == "verified" for one in deed.verdicts)
        if deed.undoes and verified and not any(one.turned for one in deed.effects):
            evidence.blame("honest verdict", f"{deed.intent['id']} was verified, and nothing was read back")


def put_back_in_the_end(evidence: Evidence) -> None:
    """When all is calm again nothing stays changed but what an open incident, or a person, wants so."""
    if evidence.house.clock.at < evidence.end - SLACK:
        return
    story = _Story()
    for entry in evidence.entries:
        story.take(entry, evidence)
    waiting: set[str] = set()
    for name, change in reversed(story.changes.items()):
        since, target = max(story.closed.get(change.corr, 0.0), evidence.calm), str(change.deed.intent["target"])
        if change.corr in story.open:
            waiting.add(target)  # and what is older waits with it
        elif target not in waiting and evidence.end - since > IN_TIME and _parents_are_well(evidence, target):
            evidence.blame("put back in the end", f"{name} on {target} still stands, {change.corr} is long over")


def _parents_are_well(evidence: Evidence, target: str) -> bool:
    world = evidence.house.world
    return all(world.healthy(parent) for parent in world.things[target].target.requires)


UNDO_LAWS = (
    put_back_in_order,
    put_back_with_pauses,
    never_while_it_is_open,
    put_back_as_it_was,
    put_back_in_the_end,
)
