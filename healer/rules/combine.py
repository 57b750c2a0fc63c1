"""Conditions put together: what ``all``, ``any``, ``at_least`` and their kin mean, in YAML and in text alike."""

from collections.abc import Sequence
from fractions import Fraction

from healer.rules.syntax import All, Any, Count, Expr, ExpressionError, Not, Weighted, Xor, is_condition
from healer.rules.unparse import unparse


def all_of(items: Sequence[Expr]) -> Expr:
    """Every one holds."""
    return All(items=conditions(items, "all"))


def any_of(items: Sequence[Expr]) -> Expr:
    """At least one holds."""
    return Any(items=conditions(items, "any"))


def not_of(item: Expr) -> Expr:
    """It is known not to hold."""
    return Not(of=conditions([item], "not")[0])


def none_of(items: Sequence[Expr]) -> Expr:
    """None holds (NOR)."""
    return Not(of=Any(items=conditions(items, "none")))


def not_all(items: Sequence[Expr]) -> Expr:
    """At least one is known not to hold (NAND)."""
    return Not(of=All(items=conditions(items, "not_all")))


def xor_of(left: Expr, right: Expr) -> Expr:
    """Exactly one of the two; UNKNOWN as soon as one of them is."""
    one, other = conditions([left, right], "xor")
    return Xor(left=one, right=other)


def exactly(n: int, items: Sequence[Expr]) -> Expr:
    """Exactly n hold."""
    return count("exactly", n, items)


def at_least(n: int, items: Sequence[Expr]) -> Expr:
    """N or more hold."""
    return count("at_least", n, items)


def at_most(n: int, items: Sequence[Expr]) -> Expr:
    """N or fewer hold."""
    return count("at_most", n, items)


def weighted(threshold: float, items: Sequence[tuple[float, Expr]]) -> Expr:
    """The weights of those that hold add up to ``threshold`` or more; raises ExpressionError when they never can."""
    whole = conditions([item for _, item in items], "weighted")
    weights = tuple(float(weight) for weight, _ in items)
    if not all(0 < weight < float("inf") for weight in (*weights, threshold)):
        raise ExpressionError("weights and threshold are numbers above 0")
    if exact(threshold) > sum(exact(weight) for weight in weights):
        raise ExpressionError(
            f"the weights add up to less than the threshold {threshold:g}", hint="it could never be true"
        )
    return Weighted(threshold=float(threshold), weights=weights, items=whole)


def exact(value: float) -> Fraction:
    """The decimal number that was written, so that 0.1 + 0.7 reaches 0.8."""
    return Fraction(repr(float(value)))


def conditions(items: Sequence[Expr], word: str) -> tuple[Expr, ...]:
    """The items, when there is at least one and each is a condition; else ExpressionError."""
    if not items:
        raise ExpressionError(f"{word}: an empty list means nothing", hint="give it at least one condition")
    for item in items:
        if not is_condition(item):
            raise ExpressionError(
                f"{unparse(item)} is no condition", hint="compare it, for example == 1 or > 80%", offset=item.at
            )
    return tuple(items)


def count(how: str, n: float, items: Sequence[Expr]) -> Expr:
    """``exactly``, ``at_least`` or ``at_most`` n of the items."""
    whole = conditions(items, how)
    if n != int(n) or not 0 <= n <= len(whole):
        raise ExpressionError(f"{how} {n:g} of {len(whole)}: it is decided before anyone looks", hint="check n")
    return Count(how=how, n=int(n), items=whole)
