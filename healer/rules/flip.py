"""The smallest change that would make a condition true, or not true: which of its comparisons, and by how much."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from healer.model.truth import Truth
from healer.model.unit import Unit
from healer.rules.combine import exact
from healer.rules.evaluate import Evaluator
from healer.rules.syntax import All, Any, Compare, Count, Expr, Not, Number, Weighted, Word, Xor
from healer.rules.truth_tree import TruthNode, explain
from healer.rules.units import unit_of
from healer.rules.unparse import decimal, unparse

_SIZES = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
_TIMES = (("d", 86400.0), ("h", 3600.0), ("m", 60.0))
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_COMBINED = (Not, All, Any, Xor, Count, Weighted)
_NOT = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE, Truth.UNKNOWN: Truth.UNKNOWN}
_FAR = 1e9
_PHRASE = {"==": "", "!=": "anything but "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Nudge:
    """One comparison that would have to come out otherwise."""

    source: str
    """The comparison as it is written."""
    have: str
    """What it is about and what that is now: ``disk.free is 9.4 %``."""
    need: str
    """What it would have to be: ``< 9 %``."""
    distance: float
    """How far that is, relative to the larger of both; more than any where nobody can say."""

    def __str__(self) -> str:
        return f"{self.have}, {self.need} is needed"


Way = tuple[Nudge, ...]
"""Everything that has to change together."""
_MOST_TOGETHER = 6
_MOST_TRIED = 20_000


def to(evaluator: Evaluator, key: str, now: float, *, true: bool) -> Way | None:
    """The fewest, then the nearest, changes that make a condition TRUE (or FALSE); None where no few can.

    Raises KeyError for a key never added.
    """
    return cheapest(evaluator.expression(key), explain(evaluator, key, now), true=true)


def cheapest(expr: Expr, node: TruthNode, *, true: bool) -> Way | None:
    """As `to`, from a tree and what was found of each of its parts."""
    wanted = Truth.TRUE if true else Truth.FALSE
    atoms = dict(_atoms(expr, node))
    truths = {atom: part.truth or Truth.UNKNOWN for atom, part in atoms.items()}
    turns = [
        (atom, turn, _nudge(atom, atoms[atom], true=turn)) for atom in atoms for turn in _turns(atom, truths[atom])
    ]
    tried = 0
    for size in range(min(_MOST_TOGETHER, len(atoms)) + 1):
        found: list[Way] = []
        for some in itertools.combinations(turns, size):
            if (tried := tried + 1) > _MOST_TRIED:
                return None
            turned = {atom: Truth.TRUE if turn else Truth.FALSE for atom, turn, _ in some}
            if len(turned) == size and _kleene(expr, truths | turned) is wanted:
                found.append(tuple(nudge for _, _, nudge in some))
        if found:
            return min(found, key=lambda way: sum(one.distance for one in way))
    return None


def _atoms(expr: Expr, node: TruthNode) -> Iterator[tuple[Expr, TruthNode]]:
    """What conditions are combined of, each with what was found of it; the same one written twice is one."""
    if not isinstance(expr, _COMBINED):
        yield expr, node
        return
    for child, part in zip(expr.children(), node.children, strict=True):
        yield from _atoms(child, part)


def _turns(atom: Expr, truth: Truth) -> tuple[bool, ...]:
    """What it could come out as instead."""
    if isinstance(atom, Compare) and isinstance(atom.left, Number | Word) and isinstance(atom.right, Number | Word):
        return ()  # two constants: nothing that could happen changes it
    return tuple(turn for turn, is_so in ((True, Truth.TRUE), (False, Truth.FALSE)) if truth is not is_so)


def _kleene(expr: Expr, truths: Mapping[Expr, Truth]) -> Truth:
    """The truth of a condition, were its atoms so."""
    if not isinstance(expr, _COMBINED):
        return truths[expr]
    parts = [_kleene(child, truths) for child in expr.children()]
    if isinstance(expr, Not):
        return _NOT[parts[0]]
    if isinstance(expr, Xor):
        return Truth.UNKNOWN if Truth.UNKNOWN in parts else _truth_of(parts[0] is not parts[1])
    weights = [exact(weight) for weight in expr.weights] if isinstance(expr, Weighted) else [Fraction(1)] * len(parts)
    least = sum(weight for weight, part in zip(weights, parts, strict=True) if part is Truth.TRUE)
    most = least + sum(weight for weight, part in zip(weights, parts, strict=True) if part is Truth.UNKNOWN)
    low, high = _bounds(expr, len(parts))
    if low <= least and most <= high:
        return Truth.TRUE
    return Truth.FALSE if most < low or least > high else Truth.UNKNOWN


def _bounds(expr: Expr, size: int) -> tuple[Fraction | float, Fraction | float]:
    """Between which sums of what holds the combination holds, both inclusive."""
    match expr:
        case All():
            return size, size
        case Any():
            return 1, size
        case Weighted():
            return exact(expr.threshold), math.inf
        case Count(how="exactly"):
            return expr.n, expr.n
        case Count(how="at_least"):
            return expr.n, math.inf
    return 0, expr.n if isinstance(expr, Count) else 0


def _truth_of(holds: bool) -> Truth:  # noqa: FBT001 - it is all there is to say
    return Truth.TRUE if holds else Truth.FALSE


def _nudge(atom: Expr, node: TruthNode, *, true: bool) -> Nudge:
    if isinstance(atom, Compare):
        return _compare(atom, node, true=true)
    word = "true" if true else "false"
    return Nudge(source=node.source, have=f"{node.source} is {_said_truth(node)}", need=word, distance=_FAR)


def _compare(expr: Compare, node: TruthNode, *, true: bool) -> Nudge:
    swap = isinstance(expr.left, Number | Word)
    subject, bound = (expr.right, expr.left) if swap else (expr.left, expr.right)
    found = node.children[0] if node.children else node
    op = expr.op if true else _OPPOSITE.get(expr.op, f"not {expr.op}")
    if swap:
        op = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
    unit = unit_of(subject)
    value, limit = _number(found.value), _limit(bound, node)
    have = f"{unparse(subject)} is {_said(value, unit) if value is not None else found.value}"
    if found.because:
        have += f" ({found.because})"
    said = (
        unparse(bound)
        if isinstance(bound, Number | Word)
        else _said(limit, unit)
        if limit is not None
        else unparse(bound)
    )
    need = f"{_PHRASE.get(op, op + ' ')}{said}"
    return Nudge(source=node.source, have=have, need=need, distance=_distance(value, limit))


def _limit(bound: Expr, node: TruthNode) -> float | None:
    if isinstance(bound, Number):
        return bound.value
    return _number(node.children[-1].value) if len(node.children) > 1 else None


def _distance(value: float | None, limit: float | None) -> float:
    if value is None or limit is None:
        return _FAR
    return abs(value - limit) / max(abs(value), abs(limit), 1e-9)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _said_truth(node: TruthNode) -> str:
    return node.truth.value if node.truth else node.value


def _said(value: float, unit: Unit | None) -> str:
    """A number for people, in the unit rules are written in."""
    if unit is Unit.RATIO:
        return f"{decimal(float(f'{value * 100:.4g}'))}%"
    table = _SIZES if unit is Unit.BYTES else _TIMES if unit is Unit.SECONDS else ()
    for name, size in table:
        if abs(value) >= size:
            return f"{decimal(float(f'{value / size:.4g}'))}{name}"
    return decimal(float(f"{value:.4g}")) + {Unit.BYTES: "B", Unit.SECONDS: "s"}.get(unit or Unit.NUMBER, "")
