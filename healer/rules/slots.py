"""The numbers conditions are made of: each a selector, perhaps over a window, perhaps over several series."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from healer.model.unit import Unit
from healer.rules import trend
from healer.rules.compile import Input, is_age
from healer.rules.lines import Due, Family, Line, StudyKey
from healer.rules.season import Season
from healer.rules.syntax import Age, Aggregate, Anomaly, Expr, Over, Select, Trend
from healer.rules.trend import Interval
from healer.rules.windows import percentile

if TYPE_CHECKING:
    from healer.rules.evaluate import Entry

NAN = math.nan
_BREATH = 0.001
"""Seconds after which an age exactly at its limit is looked at again: then it is past it."""
_TICK = 1.0
"""Seconds between looks at an age whose limits are not constants."""

SlotKey = tuple[Input, bool, float]
_OF_ONE = (Age, Over, Trend, Anomaly)
"""What is computed of one series."""
_NOTHING = Select(metric="", unit=Unit.NUMBER)


class Slot(Due):
    """One value in the evaluator's table, shared by every expression that asks for the same."""

    __slots__ = (
        "baseline",
        "entries",
        "family",
        "index",
        "key",
        "lines",
        "over",
        "partial",
        "select",
        "side",
        "simple",
        "since",
        "source",
        "study",
        "watchers",
        "word",
    )

    def __init__(self, key: SlotKey, index: int, family: Family) -> None:
        super().__init__()
        wanted, self.baseline, self.since = key
        self.key = key
        self.index = index
        self.family = family
        self.source = wanted.source
        self.partial = wanted.partial
        self.word = wanted.word
        inner = self.source.of if isinstance(self.source, Aggregate) else self.source
        self.side = wanted.side
        self.over = inner if isinstance(inner, _OF_ONE) else None
        self.select: Select = _select(inner)
        self.study: StudyKey | None = _study(inner)
        self.simple = isinstance(self.source, Select)
        """The plain newest value of one series: the case that has to be fast."""
        self.lines: list[Line] = []
        self.entries: dict[Entry, None] = {}
        self.watchers = 0
        """Entries that want to hear of every sample."""

    @property
    def seconds(self) -> float:
        """Length of its window; 0 when it has none."""
        return self.over.seconds if isinstance(self.over, Over) else 0.0

    def compute(self, now: float) -> float | str:
        """Its value at ``now``; NaN when unknown."""
        if self.family.overflow and not self.partial:
            return NAN
        live = [line for line in self.lines if not line.gone]
        if not isinstance(self.source, Aggregate):
            return self.read(live[0], now) if len(live) == 1 else NAN
        return self._aggregate(self.source.function, live, now)

    def _aggregate(self, function: str, live: Sequence[Line], now: float) -> float:
        values = [value for line in live if isinstance(value := self.read(line, now), float) and value == value]  # noqa: PLR0124 - NaN is not itself
        if not values or (len(values) < len(live) and not self.partial):
            return NAN
        value = _ACROSS[function](values)
        # Infinity is a number where it says that something never happens, and nowhere else.
        return value if value - value == 0 or self.study else NAN

    def read(self, line: Line, now: float) -> float | str:
        """What one series contributes; NaN when unknown (stale, before the re-arm, a first sample, the wrong type)."""
        if isinstance(self.over, Age):
            # Not known is just what an age is about; only the never-seen has none.
            return now - line.at if line.at > self.since else NAN
        if not line.known or line.at <= self.since:
            return NAN
        if self.baseline and line.count < 2:
            return NAN
        if isinstance(self.over, Over):
            return self._measure(self.over, line)
        if self.study is not None:
            return self._estimate(line)
        return line.value if isinstance(line.value, str) is self.word else NAN

    def _measure(self, over: Over, line: Line) -> float:
        if line.ring is None:
            return NAN
        if over.function == "grew":
            return line.ring.grew(over.seconds, since=self.since)
        return line.ring.measure(over.function, over.seconds, since=self.since, max_gap=line.max_age)

    def _estimate(self, line: Line) -> float:
        """What a study of the series says of its newest sample."""
        study = line.studies.get(self.study or ("", 0.0))
        if isinstance(study, Season):
            return NAN if isinstance(line.value, str) else study.score(line.at, line.value)
        return self.interval(line)[_SIDES[self.side]]

    def interval(self, line: Line) -> Interval:
        """What a forecast says of one series: low, likely, high; NaN while there is no trend."""
        study = line.studies.get(self.study or ("", 0.0))
        found = None
        if isinstance(study, trend.Trend) and isinstance(self.over, Trend):
            given = self.over.given.value
            if self.over.function == "eta":
                found = study.eta(given, now=line.at, since=self.since, falling=self.family.falls)
            else:
                found = study.forecast(given, now=line.at, since=self.since)
        return (NAN, NAN, NAN) if found is None else found

    def ends(self) -> Interval:
        """What a forecast says, of all its known series together where it is of several: low, likely, high."""
        live = [self.interval(line) for line in self.lines if not line.gone and line.known]
        known = [found for found in live if found[0] == found[0]]
        if not known or not isinstance(self.source, Aggregate):
            return known[0] if len(live) == len(known) == 1 else (NAN, NAN, NAN)
        low, likely, high = (_ACROSS[self.source.function](side) for side in zip(*known, strict=True))
        return low, likely, high

    def next_turn(self, now: float) -> float:
        """When an age passes one of the limits it is compared with; infinity when it is no age."""
        if not is_age(self.source):
            return math.inf
        times = [
            _turn(line.at, limits, now) for line in self.lines if line.at > self.since for limits in self._limits()
        ]
        return min(times, default=math.inf)

    def _limits(self) -> set[tuple[float, ...] | None]:
        return {
            edges
            for entry in self.entries
            for item, edges in zip(entry.program.inputs, entry.program.edges, strict=True)
            if item == self.key[0]
        }


_SIDES = {"low": 0, "": 1, "high": 2}


def _select(inner: Expr) -> Select:
    """The series it looks at; none where it looks at no series."""
    if isinstance(inner, _OF_ONE):
        return inner.of
    return inner if isinstance(inner, Select) else _NOTHING


def metric_of(source: Expr) -> str:
    """The metric a source looks at; empty where it looks at none."""
    return _select(source.of if isinstance(source, Aggregate) else source).metric


def _study(inner: Expr) -> StudyKey | None:
    if isinstance(inner, Trend):
        return "trend", inner.history
    return ("season", inner.season) if isinstance(inner, Anomaly) else None


def _turn(at: float, limits: tuple[float, ...] | None, now: float) -> float:
    if limits is None:
        return now + _TICK
    return min((max(at + limit, now + _BREATH) for limit in limits if now - at <= limit), default=math.inf)


_ACROSS: dict[str, Callable[[Sequence[float]], float]] = {
    "max": max,
    "min": min,
    "sum": sum,
    "avg": lambda values: sum(values) / len(values),
    "count": lambda values: float(len(values)),
    "p95": lambda values: percentile([(value, 1) for value in values], 0.95),
}
