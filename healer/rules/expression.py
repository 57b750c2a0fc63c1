"""The expression language: text (or combinations made by the loader) to a checked tree; knows no YAML."""

from collections.abc import Mapping

from healer.model.organism import ORGANS
from healer.rules.calls import ACROSS, CALLS, OVER
from healer.rules.combine import (
    all_of,
    any_of,
    at_least,
    at_most,
    exactly,
    none_of,
    not_all,
    not_of,
    weighted,
    xor_of,
)
from healer.rules.reader import COMPARISONS, Reader
from healer.rules.syntax import (
    Compare,
    Expr,
    ExpressionError,
    Number,
    Select,
    Word,
    bind,
    is_condition,
    is_number,
    is_word,
    mentions_target,
    selectors,
)
from healer.rules.units import Vocabulary, checked, near
from healer.rules.unparse import unparse

__all__ = [
    "ACROSS",
    "COMPARISONS",
    "FUNCTIONS",
    "OVER",
    "Expr",
    "ExpressionError",
    "all_of",
    "any_of",
    "at_least",
    "at_most",
    "bind",
    "exactly",
    "is_condition",
    "is_number",
    "mentions_target",
    "none_of",
    "not_all",
    "not_of",
    "parse",
    "selectors",
    "structured",
    "unparse",
    "weighted",
    "xor_of",
]

FUNCTIONS = tuple(CALLS)
STRUCTURED: Mapping[str, str] = {
    **{op: op for op in COMPARISONS},
    "equals": "==",
    "notEquals": "!=",
    "lessThan": "<",
    "lessOrEqual": "<=",
    "greaterThan": ">",
    "greaterOrEqual": ">=",
}


def parse(text: str, *, vocabulary: Vocabulary, lenient: bool = False) -> Expr:
    """Parse a condition, a number or a word (ask `is_condition`, `is_number`).

    ``vocabulary`` maps metric names to units. ``lenient`` lets undeclared metrics pass as plain numbers (or as words
    where they are compared with one). Raises ExpressionError with the offset, and a hint where there is one.
    """
    return Reader(text, vocabulary, lenient=lenient).all()


def structured(*, organ: str, vital: str, op: str, value: str | float, vocabulary: Vocabulary) -> Expr:
    """The form ``{organ: heart, vital: load, op: ">", value: 85%}`` that tools generate."""
    if organ not in ORGANS:
        raise ExpressionError(f"unknown organ {organ!r}", hint=near(organ, ORGANS))
    if op not in STRUCTURED:
        raise ExpressionError(f"unknown operator {op!r}", hint=near(op, STRUCTURED))
    left = parse(f"{organ}.{vital}", vocabulary=vocabulary)
    if not isinstance(left, Select):
        raise ExpressionError(f"{vital!r} is not the name of a vital")
    right: Expr = Number(value=float(value)) if isinstance(value, (int, float)) else _value(value, left, vocabulary)
    return checked(Compare(op=STRUCTURED[op], left=left, right=right), vocabulary)


def _value(text: str, left: Select, vocabulary: Vocabulary) -> Expr:
    if is_word(left):
        return Word(text=text)
    value = parse(text, vocabulary=vocabulary)
    if selectors(value) or not is_number(value):
        raise ExpressionError(f"{text!r} is not a number", hint="for example 85% or 10MiB")
    return value
