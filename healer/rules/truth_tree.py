"""Why a condition is what it is: the tree with the truth, value and age of every part."""

import math
from dataclasses import dataclass

from healer.model.truth import Truth
from healer.rules.compile import Input, Source, compile_bound, compile_condition, compile_number
from healer.rules.ears import Ear
from healer.rules.evaluate import Evaluator, shown
from healer.rules.lines import NAN, Line
from healer.rules.slots import Slot
from healer.rules.syntax import (
    Age,
    Aggregate,
    Anomaly,
    Calendar,
    Chosen,
    Expr,
    Heard,
    Number,
    Over,
    Select,
    Trend,
    Word,
    is_condition,
)
from healer.rules.trend import Interval
from healer.rules.units import is_interval
from healer.rules.unparse import unparse

_TRUTHS = (Truth.FALSE, Truth.TRUE, Truth.UNKNOWN)
_MARKS = {Truth.TRUE: "✓", Truth.FALSE: "✗", Truth.UNKNOWN: "?", None: "·"}
_SOURCES = (Select, Over, Age, Trend, Anomaly, Aggregate)


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthNode:
    """One part of a condition, as it was at the last evaluation."""

    source: str
    truth: Truth | None = None
    """None where the part is a number or a word."""
    value: str = ""
    """Of a number or a word, for people; ``unknown`` when it is."""
    age: float | None = None
    """Seconds since the newest sample behind it; None when there is none."""
    because: str = ""
    """Why it is unknown."""
    children: tuple["TruthNode", ...] = ()


def explain(evaluator: Evaluator, key: str, now: float) -> TruthNode:
    """The truth tree of a condition (or the parts of a number). Raises KeyError for a key never added."""
    slots = {slot.key[0]: slot for slot in evaluator.inputs(key)}
    return _node(evaluator, evaluator.expression(key), slots, now)


def render(node: TruthNode) -> str:
    """The tree as indented lines."""
    return "\n".join(_lines(node, 0))


def _lines(node: TruthNode, depth: int) -> list[str]:
    said = node.truth.value if node.truth else node.value
    age = f", {node.age:.1f} s ago" if node.age is not None else ""
    because = f" ({node.because})" if node.because else ""
    line = f"{'  ' * depth}{_MARKS[node.truth]} {node.source}: {said}{age}{because}"
    return [line, *(text for child in node.children for text in _lines(child, depth + 1))]


def _node(evaluator: Evaluator, expr: Expr, slots: dict[Input, Slot], now: float) -> TruthNode:
    if isinstance(expr, _SOURCES):
        return _leaf(evaluator, expr, slots, now)
    if isinstance(expr, Heard | Calendar | Chosen):
        return _said_by_nobody(expr, slots, now)
    children = tuple(
        _node(evaluator, child, slots, now) for child in expr.children() if not isinstance(child, (Number, Word))
    )
    if not is_condition(expr):
        return TruthNode(source=unparse(expr), value=_value(evaluator, expr, slots, now), children=children)
    program = compile_condition(expr)
    arguments = [_argument(evaluator, wanted, slots, now) for wanted in program.inputs]
    truth = _TRUTHS[program.decide(*arguments, *program.constants)]
    return TruthNode(source=unparse(expr), truth=truth, children=children)


def _value(evaluator: Evaluator, expr: Expr, slots: dict[Input, Slot], now: float) -> str:
    if is_interval(expr):
        low, high = _bounds(evaluator, expr, slots, now)
        return _interval((low, low, high))
    program = compile_number(expr)
    arguments = [_argument(evaluator, wanted, slots, now) for wanted in program.inputs]
    return _said(program.value(*arguments, *program.constants))


def _bounds(evaluator: Evaluator, expr: Expr, slots: dict[Input, Slot], now: float) -> tuple[float, float]:
    """The least and the most that a number with forecasts in it can be; NaN when unknown."""
    found: list[float] = []
    for low in (True, False):
        program = compile_bound(expr, low=low)
        arguments = [_end(evaluator, wanted, slots, now) for wanted in program.inputs]
        found.append(program.value(*arguments, *program.constants))
    return found[0], found[1]


def _end(evaluator: Evaluator, wanted: Input, slots: dict[Input, Slot], now: float) -> float | str:
    slot = _slot(wanted.source, slots)
    if not wanted.side or slot is None:
        return _argument(evaluator, wanted, slots, now)
    return slot.ends()[0 if wanted.side == "low" else 2]


def _argument(evaluator: Evaluator, wanted: Input, slots: dict[Input, Slot], now: float) -> float | str:
    if slot := slots.get(wanted):
        return evaluator.argument(slot)
    other = _slot(wanted.source, slots)
    # The same series are wired for the other bound only: what all of them say can be computed from there.
    return other.compute(now) if other and not other.partial else NAN


def _slot(source: Source, slots: dict[Input, Slot]) -> Slot | None:
    alike = [slot for wanted, slot in slots.items() if wanted.source == source]
    return min(alike, key=lambda slot: slot.partial, default=None)


def _said_by_nobody(expr: Heard | Calendar | Chosen, slots: dict[Input, Slot], now: float) -> TruthNode:
    """A condition about no series."""
    if isinstance(expr, Chosen):
        return TruthNode(source=unparse(expr), truth=Truth.UNKNOWN, because="no target is selected")
    slot = slots.get(Input(expr))
    value = slot.compute(now) if slot else NAN
    truth = Truth.TRUE if value == 1 else Truth.FALSE if value == 0 else Truth.UNKNOWN
    because = "" if truth is not Truth.UNKNOWN else _SILENT[isinstance(slot, Ear)]
    age = now - slot.last if isinstance(slot, Ear) and math.isfinite(slot.last) else None
    return TruthNode(source=unparse(expr), truth=truth, age=age, because=because)


_SILENT = {True: "not listened for so long", False: "the time of day is not known"}


def _leaf(evaluator: Evaluator, expr: Source, slots: dict[Input, Slot], now: float) -> TruthNode:
    slot = _slot(expr, slots)
    if slot is None:
        return TruthNode(source=unparse(expr), value="unknown", because="not evaluated yet")
    value = evaluator.argument(slot)
    known = value == value  # noqa: PLR0124 - NaN is not itself
    seen = [line.at for line in slot.lines if line.count]
    members = _members(slot, now) if isinstance(expr, Aggregate) else ()
    return TruthNode(
        source=unparse(expr),
        value=_interval(slot.ends())
        if isinstance(slot.over, Trend) and known
        else _said(value)
        if known
        else "unknown",
        age=max(0.0, now - max(seen)) if seen else None,
        because="" if known else why(slot, now),
        children=members,
    )


def _interval(ends: Interval) -> str:
    """A forecast, from one end to the other."""
    low, _, high = ends
    return _said(low) if low == high or math.isnan(low) else f"{_said(low)} to {_said(high)}"


def _members(slot: Slot, now: float) -> tuple[TruthNode, ...]:
    return tuple(_member(slot, line, now) for line in slot.lines if not line.gone)


def _member(slot: Slot, line: Line, now: float) -> TruthNode:
    value = slot.read(line, now)
    known = value == value  # noqa: PLR0124 - NaN is not itself
    return TruthNode(
        source=str(line.series),
        value=_interval(slot.interval(line)) if isinstance(slot.over, Trend) and known else _said(value),
        age=max(0.0, now - line.at) if line.count else None,
        because="" if known else _line_why(slot, line),
    )


def why(slot: Slot, now: float) -> str:
    """Why a slot has no value."""
    live = [line for line in slot.lines if not line.gone]
    if slot.family.overflow:
        return "more series than the agent keeps"
    if not live:
        return "no such series"
    if isinstance(slot.source, Aggregate):
        blind = [line for line in live if (value := slot.read(line, now)) != value]
        return f"{len(blind)} of {len(live)} series unknown"
    if len(live) > 1:
        return f"{len(live)} series match: choose one by its labels, or use max, min, avg, sum, count or p95"
    return _line_why(slot, live[0])


def _line_why(slot: Slot, line: Line) -> str:
    if not line.count:
        return line.because
    if line.at <= slot.since:
        return "no sample since the re-arm"
    if not line.known:
        return line.because
    if slot.baseline and line.count < 2:
        return "the first sample does not count"
    if slot.seconds:
        return "the window is incomplete"
    if slot.study:
        return "no trend yet" if slot.study[0] == "trend" else "its first season is not over"
    return "a number was expected" if not slot.word else "a word was expected"


def _said(value: float | str) -> str:
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN is not itself
        return "unknown"
    if isinstance(value, float) and math.isinf(value):
        return "never"
    return f'"{value}"' if isinstance(value, str) else shown(value)
