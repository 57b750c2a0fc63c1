"""Which recorded samples can make a difference: a month has fifty million, and rules compare them with few bounds.

A sample counts when it falls between other bounds than the one before; when it ends, or follows, a hole; and always
where a rule looks at every sample (windows, ages, counts of samples). The others would be observed and change nothing.
"""

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from healer.model.observation import Series
from healer.replay.track import Track
from healer.rules.lines import matches
from healer.rules.syntax import Aggregate, Compare, Expr, Select, Word, walk
from healer.rules.units import constant

SLICE = 360
"""Samples that are judged at once by their least and greatest."""
ALL = (math.nan,)
"""In place of bounds: every sample counts."""


@dataclass(slots=True)
class Wanted:
    """What is asked about series, gathered from conditions."""

    bounds: dict[Select, set[float]] = field(default_factory=dict)
    """Numbers each selector is compared with."""
    whole: set[Select] = field(default_factory=set)
    """Selectors of which every sample counts."""

    def add(self, expr: Expr, *, every: bool = False) -> None:
        """Take a condition (or a number) in; ``every``: its samples are counted."""
        plain: set[int] = set()
        for node in walk(expr):
            if isinstance(node, Compare) and not every:
                plain |= {id(select) for select in self._compared(node)}
            elif isinstance(node, Select) and id(node) not in plain:
                self.whole.add(node)

    def _compared(self, node: Compare) -> Iterator[Select]:
        """Selectors that are compared with nothing but a constant; an extreme of several is compared as each is."""
        for side, other in ((node.left, node.right), (node.right, node.left)):
            limit = 0.0 if isinstance(other, Word) else constant(other)
            inner = side.of if isinstance(side, Aggregate) and side.function in {"max", "min"} else side
            if isinstance(inner, Select) and limit is not None:
                self.bounds.setdefault(inner, set()).add(limit)
                yield inner

    def of(self, series: Series) -> tuple[float, ...] | None:
        """Bounds of a series, rising; ALL for every sample; None where nobody asks."""
        if any(matches(select, series) for select in self.whole if select.metric == series.metric):
            return ALL
        asked = [
            limits
            for select, limits in self.bounds.items()
            if select.metric == series.metric and matches(select, series)
        ]
        return tuple(sorted(set().union(*asked))) if asked else None


@dataclass(slots=True, kw_only=True)
class Cursor:
    """Where a series stood at the end of a stretch."""

    bounds: tuple[float, ...]
    gap: float = 0.0
    """Seconds without a sample that are a hole; 0: not known yet."""
    refresh: float = 0.0
    """Of values at or above ``high``, at least one in so many seconds counts; 0: none has to."""
    high: float = math.inf
    bucket: tuple[int, int] | str | None = None
    at: float = -math.inf
    """Of the last sample, whether it counted or not."""
    fed: float = -math.inf
    seen: int = 0
    lost: bool = True

    @property
    def every(self) -> bool:
        """Whether every sample counts."""
        return self.bounds is ALL


LOST = -1
"""In place of a sample: from here on nobody knows."""


def relevant(track: Track, cursor: Cursor) -> Iterator[tuple[float, int]]:
    """(time, place) of each sample that counts, rising; LOST as the place where a hole has lasted too long."""
    times, values = track.times, track.values
    place = 0
    while place < len(times):
        end = min(place + SLICE, len(times))
        if cursor.seen >= 2 and not (cursor.every or cursor.lost or _high(cursor)) and _dull(track, place, end, cursor):
            cursor.at = times[end - 1]
        else:
            for number in range(place, end):
                if not cursor.lost and times[number] - cursor.at > cursor.gap:
                    cursor.lost = True
                    yield cursor.at + cursor.gap, LOST
                if _counts(times[number], values[number], cursor):
                    yield times[number], number
        place = end


def ended(cursor: Cursor, now: float) -> float | None:
    """When a series was lost whose next sample has not come by ``now``; None where it was not, or that is told."""
    if cursor.lost or now - cursor.at <= cursor.gap:
        return None
    cursor.lost = True
    return cursor.at + cursor.gap


def _counts(at: float, value: float | str, cursor: Cursor) -> bool:
    bucket = None if cursor.every else _bucket(value, cursor.bounds)
    counts = (
        cursor.every
        or cursor.lost
        or bucket != cursor.bucket
        or cursor.seen < 2
        or (not isinstance(value, str) and value >= cursor.high and at - cursor.fed >= cursor.refresh > 0)
    )
    cursor.bucket, cursor.at, cursor.lost = bucket, at, False
    if counts:
        cursor.fed = at
        cursor.seen += 1
    return counts


def _high(cursor: Cursor) -> bool:
    """Whether the sample before was so high that it has to be told again and again."""
    if not cursor.refresh or not isinstance(cursor.bucket, tuple):
        return False
    return cursor.bucket[1] > bisect.bisect_left(cursor.bounds, cursor.high)


def _dull(track: Track, place: int, end: int, cursor: Cursor) -> bool:
    """Whether a slice lies where the sample before it lay, without a hole."""
    part = track.values[place:end]
    if isinstance(part[0], str):
        if any(word != cursor.bucket for word in part):
            return False
    elif _bucket(min(part), cursor.bounds) != cursor.bucket or _bucket(max(part), cursor.bounds) != cursor.bucket:
        return False
    before = cursor.at
    for at in track.times[place:end]:
        if at - before > cursor.gap:
            return False
        before = at
    return True


def _bucket(value: float | str, bounds: Sequence[float]) -> tuple[int, int] | str:
    """Between which bounds a number lies; a word is its own."""
    if isinstance(value, str):
        return value
    return bisect.bisect_left(bounds, value), bisect.bisect_right(bounds, value)
