"""What is known of each series now, and the index that finds the series of a selector."""

import math
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from healer.model.observation import Series
from healer.model.organism import ORGANS
from healer.model.unit import Unit
from healer.rules.compile import globbed
from healer.rules.season import Season
from healer.rules.syntax import Matcher, Select
from healer.rules.trend import Trend
from healer.rules.units import Declared, Vocabulary, unit_in
from healer.rules.windows import Ring

if TYPE_CHECKING:
    from healer.rules.slots import Slot

NAN = math.nan
NEVER = math.inf
StudyKey = tuple[str, float]
"""``trend`` or ``season``, and its seconds."""
Study = Trend | Season
LONGEST_WORD = 4096
_VITAL_AGE = 120.0
_OWN_AGE = 10.0


class Due:
    """Something with a deadline in the heap."""

    __slots__ = ("deadline", "queued")

    def __init__(self) -> None:
        self.deadline = NEVER
        self.queued = NEVER
        """The deadline of its one entry in the heap that counts; earlier entries of it are skipped."""


class Line(Due):
    """One series: its newest value, and who waits for it."""

    __slots__ = (
        "at",
        "because",
        "clock",
        "count",
        "family",
        "gone",
        "keeps",
        "known",
        "max_age",
        "ring",
        "series",
        "slots",
        "studies",
        "value",
    )

    def __init__(self, series: Series, family: "Family") -> None:
        super().__init__()
        self.series = series
        self.family = family
        self.value: float | str = NAN
        self.at = -NEVER
        """Sample time of the newest value, known or not by now."""
        self.clock = -sys.float_info.max
        """Newest time at which anything was said about it."""
        self.count = 0
        """Values seen, at different times; a conclusive one counts twice."""
        self.known = False
        self.gone = False
        """Unknown for so long that it no longer counts as a member of anything."""
        self.max_age = family.max_age
        self.because = "never seen"
        self.ring: Ring | None = None
        self.studies: dict[StudyKey, Study] = {}
        self.keeps: tuple[Ring | Study, ...] = ()
        """Ring and studies: whoever takes every sample."""
        self.slots: list[Slot] = []

    def need(self, seconds: float, study: StudyKey | None, past: "Past") -> None:
        """Keep samples for a window (0: none) and for a study, taken up from the past where there is one."""
        if seconds:
            self.ring = self.ring or Ring(seconds)
            self.ring.keep(seconds)
        if study and study not in self.studies:
            kind, length = study
            made = Trend(length) if kind == "trend" else Season(length)
            self.studies[study] = past.pop((self.series, study), made)
        self._rank()

    def tidy(self) -> None:
        """Drop what no slot needs any more."""
        if not any(slot.seconds for slot in self.slots):
            self.ring = None
        wanted = {slot.study for slot in self.slots}
        self.studies = {key: study for key, study in self.studies.items() if key in wanted}
        self._rank()

    def _rank(self) -> None:
        self.keeps = (*((self.ring,) if self.ring is not None else ()), *self.studies.values())


Past = dict[tuple[Series, StudyKey], Study]
"""Studies of a former evaluator that nobody has taken up yet."""


class Family:
    """All series of one metric, and the selectors that look at it."""

    def __init__(self, metric: str, vocabulary: Vocabulary) -> None:
        self.metric = metric
        self.overflow = False
        """More series than the agent keeps: nobody can say what a selector would have matched."""
        self.lines: dict[Series, Line] = {}
        self._by_target: dict[str, list[Line]] = {}
        self._slots: dict[str | None, list[Slot]] = {}
        self.unit = unit_in(vocabulary, metric)
        declared = vocabulary.get(metric)
        self.max_age: float = getattr(declared, "max_age", _default_age(metric))
        self.low, self.high = bounds(self.unit, declared)
        self.falls = bool(getattr(declared, "falls", False))

    def add(self, line: Line) -> list["Slot"]:
        """Take in a new series; returns the slots whose selector matches it."""
        self.lines[line.series] = line
        target = _label(line.series, "target")
        self._by_target.setdefault(target, []).append(line)
        waiting = [*self._slots.get(None, ()), *self._slots.get(target, ())]
        return [slot for slot in waiting if matches(slot.select, line.series)]

    def drop(self, line: Line) -> None:
        """Forget a series."""
        del self.lines[line.series]
        self._by_target[_label(line.series, "target")].remove(line)

    def watch(self, slot: "Slot") -> Iterator[Line]:
        """Register a slot; yields the series its selector matches now."""
        target = _exact_target(slot.select)
        self._slots.setdefault(target, []).append(slot)
        candidates: Iterable[Line] = self.lines.values() if target is None else self._by_target.get(target, ())
        return (line for line in candidates if matches(slot.select, line.series))

    def unwatch(self, slot: "Slot") -> None:
        """Let go of a slot."""
        self._slots[_exact_target(slot.select)].remove(slot)

    def slots(self) -> Iterator["Slot"]:
        """Every slot that looks at this metric."""
        return (slot for slots in self._slots.values() for slot in slots)

    def clean(self, value: object) -> float | str | None:
        """The value if it can be one of this metric; None for garbage (never NaN, never infinite, never a bool)."""
        if isinstance(value, str):
            return value if self.unit in (Unit.WORD, None) and len(value) <= LONGEST_WORD else None
        if self.unit is Unit.WORD or isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        # NaN is within no bounds; comparing an int that no float can hold is exact and raises nothing.
        return float(value) if self.low <= value <= self.high else None


def bounds(unit: Unit | None, declared: Unit | Declared | None) -> tuple[float, float]:
    """The least and the largest possible value of a metric, always finite."""
    natural = unit is None or unit in (Unit.CELSIUS, Unit.NUMBER, Unit.WORD)
    low = getattr(declared, "minimum", None if natural else 0.0)
    high = getattr(declared, "maximum", {Unit.FLAG: 1.0, Unit.SCORE: 100.0}.get(unit) if unit else None)
    largest = sys.float_info.max
    return (-largest if low is None else low, largest if high is None else high)


def _default_age(metric: str) -> float:
    # Vitals are fed by the core at the pace of its harmony check, not by a sensor every second.
    return _VITAL_AGE if metric.partition(".")[0] in ORGANS else _OWN_AGE


def _label(series: Series, name: str) -> str:
    return next((value for label, value in series.labels if label == name), "")


def _exact_target(select: Select) -> str | None:
    return next((matcher.value for matcher in select.matchers if matcher.label == "target" and matcher.op == "="), None)


def matches(select: Select, series: Series) -> bool:
    """Whether a selector means this series; a label that is not there is the empty text."""
    labels = dict(series.labels)
    return all(fits(matcher, labels.get(matcher.label, "")) for matcher in select.matchers)


def fits(matcher: Matcher, value: str) -> bool:
    """Whether one filter lets a label's (or an event's) text pass."""
    if matcher.value is None:
        return False  # about a target that nobody bound: it means no series
    if matcher.op == "=~":
        return globbed(value, matcher.value)
    return (value == matcher.value) is (matcher.op == "=")
