"""Which targets a condition about states means, as written: criteria that a selection has too."""

from collections.abc import Mapping

from healer.model.kinds.catalog import KINDS
from healer.model.organism import ORGANS
from healer.rules.syntax import Chosen, ExpressionError
from healer.rules.units import near

CRITERIA = ("kind", "name", "organ", "group", "label", "except")
_CLOSED: Mapping[str, tuple[str, ...] | Mapping[str, object]] = {"kind": KINDS, "organ": ORGANS}


def chosen(how: str, word: str, criteria: Mapping[str, str]) -> Chosen:
    """``any``, ``all`` or ``none`` of the targets with these criteria is in state ``word``; raises ExpressionError.

    ``group``, ``label`` (``name=value``) and ``except`` take several, with commas between.
    """
    if not any(text.strip("*") for key, text in criteria.items() if key != "except"):
        raise ExpressionError("this selects every target there is", hint='give kind="…", organ, group, label or name')
    for key, text in criteria.items():
        if not text or not all(listed(text)):
            raise ExpressionError(f"{key} is empty", hint=f'{key}="…"')
        if key in _CLOSED and text not in _CLOSED[key]:
            raise ExpressionError(f"there is no {key} {text!r}", hint=near(text, _CLOSED[key]))
        if key == "label" and not all("=" in pair for pair in listed(text)):
            raise ExpressionError("a label needs its value", hint='label="name=value"')
    return Chosen(how=how, word=word, criteria=tuple(criteria.items()))


def listed(text: str) -> tuple[str, ...]:
    """The parts of a text with commas."""
    return tuple(part.strip() for part in text.split(","))
