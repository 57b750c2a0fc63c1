"""Which units may meet in an expression: a size compared with a bare number is a mistake, not a guess."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from healer.model.unit import Unit
from healer.rules.syntax import (
    Age,
    Aggregate,
    Arithmetic,
    Compare,
    Expr,
    ExpressionError,
    Matcher,
    Number,
    Over,
    Select,
    Trend,
    Unary,
    Word,
    is_number,
    is_word,
    walk,
)


class Declared(Protocol):
    """What the vocabulary says about a metric, as far as expressions care."""

    @property
    def unit(self) -> Unit: ...  # noqa: D102 - a protocol's field


Vocabulary = Mapping[str, Unit] | Mapping[str, Declared]
"""Metric name -> its unit, or a declaration that has a ``unit`` (and may have ``labels`` and ``words``)."""

OWN: Mapping[str, Unit] = {
    "harmony": Unit.SCORE,
    "organ.score": Unit.SCORE,
    "organ.health": Unit.WORD,
    "target.state": Unit.WORD,
    "target.bad": Unit.FLAG,
    "target.flaps": Unit.RATIO,
    "rule.state": Unit.WORD,
}
"""What the core itself feeds, known whatever the vocabulary says."""


def own(metric: str, matchers: tuple[Matcher, ...]) -> Select:
    """Series that the core itself feeds."""
    return Select(metric=metric, matchers=matchers, unit=OWN[metric])


def as_word(expr: Expr) -> Expr:
    """The same, as a word where it is a metric that nobody declared."""
    return replace(expr, unit=Unit.WORD) if isinstance(expr, Select) and expr.unit is Unit.NUMBER else expr


ORDERED = ("<", "<=", ">", ">=")
SIZED = (Unit.BYTES, Unit.SECONDS, Unit.BYTES_PER_SECOND)
_EXAMPLE = {Unit.BYTES: "MiB", Unit.SECONDS: "s", Unit.BYTES_PER_SECOND: "MiB"}
_RATES = {Unit.COUNT: Unit.PER_SECOND, Unit.BYTES: Unit.BYTES_PER_SECOND}
_COUNTING = ("changes", "count", "count_over", "grew")
_MEANS = ("avg", "avg_over")


def unit_in(vocabulary: Vocabulary, metric: str) -> Unit | None:
    """The unit of a metric; None when nobody declared it."""
    declared = vocabulary.get(metric)
    if declared is None:
        return OWN.get(metric)
    return declared if isinstance(declared, Unit) else declared.unit


def names_in(vocabulary: Vocabulary, metric: str, what: str) -> tuple[str, ...]:
    """The ``labels`` or ``words`` a declaration lists; empty when it lists none."""
    listed: Iterable[str] = getattr(vocabulary.get(metric), what, ())
    return tuple(listed)


def unit_of(expr: Expr) -> Unit | None:
    """The unit of a numeric expression; None where any number fits."""
    match expr:
        case Number():
            return expr.unit
        case Select():
            return None if expr.unit is Unit.NUMBER else expr.unit
        case Age() | Trend(function="eta"):
            return Unit.SECONDS
        case Over() | Aggregate():
            return _of_function(expr.function, unit_of(expr.of))
        case Trend() | Unary():
            return unit_of(expr.of)
        case Arithmetic():
            return _of_arithmetic(expr.op, unit_of(expr.left), unit_of(expr.right))
    return None


def _of_function(function: str, unit: Unit | None) -> Unit | None:
    if function in _COUNTING:
        return Unit.COUNT
    if function == "rate":
        return _RATES.get(unit) if unit else None
    if unit is Unit.FLAG:
        return Unit.RATIO if function in _MEANS else Unit.COUNT
    return unit


def _of_arithmetic(op: str, left: Unit | None, right: Unit | None) -> Unit | None:
    if op in "+-":
        return left or right
    if op == "*":
        return left if right in (None, Unit.RATIO) else right if left in (None, Unit.RATIO) else None
    if (left, right) == (Unit.BYTES, Unit.SECONDS):
        return Unit.BYTES_PER_SECOND
    return left if right in (None, Unit.RATIO) and left is not right else None


def check_sum(node: Arithmetic) -> None:
    """Raise ExpressionError where bytes are added to seconds."""
    left, right = unit_of(node.left), unit_of(node.right)
    if node.op in "*/":
        _check_factor(node)
    if node.op in "+-" and left and right and not _alike(left, right):
        raise ExpressionError(
            f"{_said(left)} {node.op} {_said(right)} means nothing", hint="both sides need one unit", offset=node.at
        )
    for unit, other in ((left, node.right), (right, node.left)):
        if node.op in "+-" and unit is not Unit.FLAG and is_bare(other):
            _check_bare(unit, other)


def _check_factor(node: Arithmetic) -> None:
    """An interval times what may be negative or unknown would be one nobody can follow: only constants."""
    for one, other in ((node.left, node.right), (node.right, node.left)):
        if is_interval(one) and (not constant(other) or (node.op == "/" and one is node.right)):
            raise ExpressionError(
                "a forecast is multiplied or divided by a number only", hint="compare it alone", offset=node.at
            )


def is_interval(expr: Expr) -> bool:
    """Whether a forecast is part of the number."""
    return any(isinstance(node, Trend) for node in walk(expr))


def check_limit(select: Select, limit: Number) -> None:
    """Raise ExpressionError where a series cannot cross a limit, since it has another unit."""
    check_compare(Compare(op=">=", left=select, right=limit, at=limit.at))


def check_compare(node: Compare) -> None:
    """Raise ExpressionError where the two sides cannot be compared, or where a unit is missing."""
    if is_word(node.left) or is_word(node.right):
        _check_words(node)
        return
    for side in (node.left, node.right):
        if not is_number(side):
            raise ExpressionError("a condition cannot be compared", hint="use and, or, not, xor", offset=side.at)
    if node.op in ("matches", "contains"):
        raise ExpressionError(f"{node.op} compares words, not numbers", hint="use ==, !=, <, <=, >, >=", offset=node.at)
    if node.op in ("==", "!=") and (is_interval(node.left) or is_interval(node.right)):
        raise ExpressionError("a forecast is never exactly so", hint="use <, <=, > or >=", offset=node.at)
    for one, other in ((node.left, node.right), (node.right, node.left)):
        if is_bare(other):
            _check_bare(unit_of(one), other)
    _check_units(node)


def checked(node: Compare, vocabulary: Vocabulary) -> Compare:
    """The comparison, when its sides fit (`check_compare`) and its word is one the metric can have."""
    check_compare(node)
    for one, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(one, Select) and isinstance(other, Word) and node.op in ("==", "!="):
            known = names_in(vocabulary, one.metric, "words")
            if known and other.text not in known:
                raise ExpressionError(
                    f"{one.metric} is never {other.text!r}", hint=near(other.text, known), offset=other.at
                )
    return node


def near(word: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """A near miss, or the whole list where it is short."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"one of: {', '.join(known)}" if len(known) <= 32 else ""


def is_bare(expr: Expr) -> bool:
    """Whether it is made of constants without a unit only."""
    return all(
        isinstance(part, (Arithmetic, Unary)) or (isinstance(part, Number) and part.unit is None) for part in walk(expr)
    )


def constant(expr: Expr) -> float | None:
    """The value of a (possibly negated) constant; None for anything else."""
    if isinstance(expr, Unary) and expr.op == "-":
        inner = constant(expr.of)
        return None if inner is None else -inner
    return expr.value if isinstance(expr, Number) else None


def _check_bare(unit: Unit | None, bare: Expr) -> None:
    value = constant(bare)
    if unit in SIZED and value != 0:
        shown = "" if value is None else f"{value:g}"
        raise ExpressionError(
            f"missing unit: it is compared with {_said(unit)}",
            hint=f"did you mean {shown}{_EXAMPLE[unit]}?",
            offset=bare.at,
        )
    if value is None:
        return
    if unit is Unit.RATIO and abs(value) > 1:
        either = f" or {value * 100:g}%" if abs(value) < 10 else ""
        raise ExpressionError(
            "a ratio is 0 to 1, or in percent", hint=f"did you mean {value:g}%{either}?", offset=bare.at
        )
    if unit is Unit.FLAG and value not in (0, 1):
        raise ExpressionError("a flag is 0 or 1", hint="did you mean == 1?", offset=bare.at)


def _check_units(node: Compare) -> None:
    left, right = unit_of(node.left), unit_of(node.right)
    if left is None or right is None or _alike(left, right):
        return
    if {left, right} == {Unit.SCORE, Unit.RATIO}:
        raise ExpressionError("a score is 0 to 100, not a ratio", hint="write it without %", offset=node.at)
    raise ExpressionError(
        f"{_said(left)} compared with {_said(right)}", hint="both sides need one unit", offset=node.at
    )


def _alike(left: Unit, right: Unit) -> bool:
    # 10MiB is the only way to write a size, and so the way to write a size per second.
    return left is right or {left, right} == {Unit.BYTES, Unit.BYTES_PER_SECOND} or {left, right} <= _COUNTS


_COUNTS = {Unit.COUNT, Unit.FLAG}


def _check_words(node: Compare) -> None:
    if node.op in ORDERED:
        raise ExpressionError("words have no order", hint="use ==, !=, matches or contains", offset=node.at)
    for side in (node.left, node.right):
        if not is_word(side):
            raise ExpressionError(
                "a word is compared with a number", hint='put words in quotes: "running"', offset=side.at
            )
    if node.op in ("matches", "contains") and not isinstance(node.right, Word):
        raise ExpressionError(f"{node.op} needs a text in quotes on its right", offset=node.right.at)


def _said(unit: Unit) -> str:
    return {"flag": "a flag", "ratio": "a ratio", "score": "a score", "count": "a count"}.get(
        unit.value, unit.value.replace("_", " ")
    )
