"""The maintenance gate: inside a window nothing is done to what it selects; looking goes on."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from healer.gates.interface import Question, Refusal
from healer.model.target import Target

CRITERIA = ("all", "target", "kind", "organ", "group")
"""What a selector may ask for."""


def ask(question: Question) -> Refusal | None:
    """Refuse inside any window that selects the target."""
    for key, window in question.memory.maintenance.items():
        if question.wall_us < window.until_us and selects(window.selector, question.target):
            left = (window.until_us - question.wall_us) / 1e6
            return Refusal(
                because=f"maintenance {key} by {window.owner}: {window.reason} ({left:.0f} s left)",
                until=question.now + left,
            )
    return None


def selects(selector: Mapping[str, Any], target: Target) -> bool:
    """Whether a window covers a target. ``{"all": true}`` covers everything; an empty selector covers nothing."""
    if selector.get("all") is True:
        return True
    facts = {"target": (target.id,), "kind": (target.kind,), "organ": (target.organ,), "group": target.groups}
    asked = [(facts[name], str(want)) for name, want in selector.items() if name in facts]
    return bool(asked) and all(any(fnmatchcase(fact, want) for fact in have) for have, want in asked)
