"""The maintenance gate: inside a window nothing is done to what it selects; looking goes on."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from healer.gates.interface import Question, Refusal
from healer.model.active import is_active, next_look
from healer.model.memory import Maintenance
from healer.model.recurrence import from_json
from healer.model.target import Target

CRITERIA = ("all", "target", "kind", "name", "organ", "group", "label", "except")
"""What a selector may ask for."""


def ask(question: Question) -> Refusal | None:
    """Refuse inside any window that selects the target."""
    for key, window in question.memory.maintenance.items():
        if selects(window.selector, question.target) and is_open(window, question.wall_us):
            left = left_open(window, question.wall_us)
            return Refusal(
                because=f"maintenance {key} by {window.owner}: {window.reason} ({left:.0f} s left)",
                until=question.now + left,
                proposal=f"if the work is done: healer maintenance end {key}",
            )
    return None


def is_open(window: Maintenance, wall_us: int) -> bool:
    """Whether a window covers anything at that moment: between its ends and, where it comes again, at its hours."""
    if not window.from_us <= wall_us < window.until_us:
        return False
    return not window.recurrence or is_active(from_json(window.recurrence), wall_us / 1e6)


def left_open(window: Maintenance, wall_us: int) -> float:
    """Seconds for which an open window stays open at least."""
    ends = window.until_us / 1e6
    if window.recurrence:
        ends = min(ends, next_look(from_json(window.recurrence), wall_us / 1e6))
    return max(0.0, ends - wall_us / 1e6)


def selects(selector: Mapping[str, Any], target: Target) -> bool:
    """Whether a window covers a target: all that is asked for must hold, and none of its exceptions.

    ``{"all": true}`` covers everything; an empty selector, or one of exceptions alone, covers nothing. Words nobody
    knows raise ValueError: what they would have meant may not be guessed.
    """
    asked = {name: want for name, want in selector.items() if name in _HOLDS}
    if unknown := set(selector) - set(CRITERIA):
        raise ValueError(f"a selector has no {', '.join(sorted(unknown))}")
    if any(fnmatchcase(target.id, glob) or fnmatchcase(target.name, glob) for glob in _texts(selector.get("except"))):
        return False
    if selector.get("all") is True:
        return True
    return bool(asked) and all(_HOLDS[name](target, want) for name, want in asked.items())


def _texts(value: object) -> list[str]:
    """One text or a list of them."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def _any(*facts: str) -> Callable[[object], bool]:
    return lambda want: any(fnmatchcase(fact, glob) for glob in _texts(want) for fact in facts)


def _labelled(target: Target, want: object) -> bool:
    if not isinstance(want, Mapping) or not want:
        return False
    known = dict(target.labels)
    return all(name in known and fnmatchcase(known[name], str(value)) for name, value in want.items())


_HOLDS: Mapping[str, Callable[[Target, object], bool]] = {
    "target": lambda target, want: _any(target.id)(want),
    "kind": lambda target, want: _any(target.kind)(want),
    "name": lambda target, want: _any(target.name)(want),
    "organ": lambda target, want: _any(target.organ)(want),
    "group": lambda target, want: _any(*target.groups)(want),
    "label": _labelled,
}
