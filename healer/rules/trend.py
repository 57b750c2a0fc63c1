"""Where a series is heading: a robust line through its recent past, with what is not known of it as an interval."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

HISTORY = 3600.0
"""Seconds of samples a forecast rests on, unless it says."""
POINTS = 64
"""Samples kept of a history, whatever its length and the pace of the sensor."""
LEAST = 16
"""Points without which nobody can tell a line."""
COVERED = 0.5
"""Share of the history that must have been seen since it began (anew)."""
HOLE = 0.25
"""Share of the history that may be missing in one piece; a longer hole, and the trend begins anew."""
_NEAR = 5
"""Points on either side of which a step is the difference: two of them may be wild."""
_BURST = 0.25
"""Share of the points that may be up (or down) for a while and come back, and be left out."""

Interval = tuple[float, float, float]
"""Low, likely, high."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """What the points agree on: a level in the middle of them, and how fast it changes."""

    middle: float
    """The second of the level."""
    level: float
    band: float
    """Half the width of what the points scatter."""
    slopes: Interval

    def at(self, second: float) -> Interval:
        """Where the series is at a second after the middle."""
        low, likely, high = (self.level + slope * (second - self.middle) for slope in self.slopes)
        return low - self.band, likely, high + self.band

    def until(self, limit: float, start: float) -> Interval:
        """Seconds from ``start`` until it has risen to ``limit``: 0 when it is there, infinity for never."""
        low, likely, high = self.at(start)
        slow, usual, fast = self.slopes
        return _until(limit, high, fast), _until(limit, likely, usual), _until(limit, low, slow)

    def turned(self) -> "Line":
        """The same, upside down."""
        low, likely, high = self.slopes
        return Line(self.middle, -self.level, self.band, (-high, -likely, -low))


def _until(limit: float, level: float, slope: float) -> float:
    if level >= limit:
        return 0.0
    return (limit - level) / slope if slope > 0 else math.inf


class Trend:
    """The recent past of one series, thinned to `POINTS` samples, and the line through it."""

    __slots__ = ("_for", "_history", "_line", "_points")

    def __init__(self, history: float) -> None:
        self._history = history
        self._points: deque[Point] = deque(maxlen=2 * POINTS)
        self._for: tuple[float, float] | None = None
        self._line: Line | None = None

    def __len__(self) -> int:
        return len(self._points)

    def add(self, at: float, value: float | str) -> None:
        """Take a sample; one that comes too soon after the last kept one, or before it, is left out."""
        if isinstance(value, str):
            return
        points = self._points
        if points:
            gap = at - points[-1][0]
            # A hair less, so that a sensor that is early now and then does not lose every second sample.
            if gap < self._history / POINTS * 0.9:
                return
            if gap > self._history * HOLE:
                points.clear()
        points.append((at, value))
        while points[0][0] < at - self._history:
            points.popleft()

    def forget(self) -> None:
        """Begin anew."""
        self._points.clear()
        self._for = None

    def forecast(self, ahead: float, *, now: float, since: float) -> Interval | None:
        """Where it will be ``ahead`` seconds after ``now``; None when the past does not say."""
        line = self._through(since)
        return None if line is None else _sane(line.at(now + ahead))

    def eta(self, limit: float, *, now: float, since: float, falling: bool) -> Interval | None:
        """Seconds after ``now`` until it has risen (fallen) to the limit; None when the past does not say.

        0 when it is there or beyond, infinity when it does not head there.
        """
        line = self._through(since)
        if line is None:
            return None
        return _sane(line.turned().until(-limit, now) if falling else line.until(limit, now))

    def _through(self, since: float) -> Line | None:
        """The line, computed once per point; only points after ``since`` (a re-arm) count."""
        newest = self._points[-1][0] if self._points else -math.inf
        if self._for != (newest, since):
            self._for = (newest, since)
            self._line = through([point for point in self._points if point[0] > since], self._history * COVERED)
        return self._line


def _sane(found: Interval) -> Interval | None:
    return None if any(math.isnan(value) for value in found) else found


def through(points: Sequence[Point], span: float) -> Line | None:
    """The line through points that cover at least ``span`` seconds; None when they do not, or have none.

    Bursts are left out, and a lasting step (a clean-up, a rotated log) begins the trend anew. The slope is Theil and
    Sen's median, which a quarter of wild points does not move. How sure it is: its 95 % interval by Kendall's
    statistic, widened to the slopes of the first and the second half, since a curve is no line.
    """
    points = _since_the_last_step(points)
    if len(points) < LEAST or points[-1][0] - points[0][0] < span:
        return None
    half = len(points) // 2
    low, likely, high = _slope(points)
    halves = [_slope(part)[1] for part in (points[:half], points[half:])]
    middle = median(at for at, _ in points)
    levels = [value - likely * (at - middle) for at, value in points]
    level = median(levels)
    band = 3 * 1.4826 * median(abs(value - level) for value in levels)  # three standard deviations, were it Gaussian
    line = Line(middle, level, band, (min(low, *halves), likely, max(high, *halves)))
    if not math.isfinite(sum(line.slopes) + level + band) or _leaving(line, points[-2:]):
        return None
    return line


def _leaving(line: Line, newest: Sequence[Point]) -> bool:
    """Whether the newest points are all far off on one side: a burst or a step, and nobody can tell which yet."""
    far = line.band + 1e-9 * abs(line.level)
    off = [value - line.at(at)[1] for at, value in newest]
    return all(one > far for one in off) or all(one < -far for one in off)


def _slope(points: Sequence[Point]) -> Interval:
    """Median slope of all pairs, and its 95 % interval."""
    slopes = sorted(
        (value - before) / (at - earlier)
        for index, (at, value) in enumerate(points)
        for earlier, before in points[:index]
    )
    pairs, n = len(slopes), len(points)
    spread = 1.96 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(0, math.floor((pairs - spread) / 2))
    return slopes[low], median(slopes), slopes[pairs - 1 - low]


# ------------------------------------------------------------------------------------------------- steps


def _since_the_last_step(points: Sequence[Point]) -> Sequence[Point]:
    """The points of the newest trend, without its bursts."""
    kept: list[Point] = []
    begin = 0
    steps = _steps([value for _, value in points])
    while steps:
        (at, size), *steps = steps
        if steps and _undone(at, size, *steps[0], len(points)):
            kept += points[begin:at]
            begin = steps.pop(0)[0]
        else:
            kept, begin = [], at
    return [*kept, *points[begin:]]


def _undone(at: int, size: float, back_at: int, back: float, many: int) -> bool:
    """Whether a step is soon taken back: a burst."""
    return back_at - at <= many * _BURST and size * back < 0 and abs(size + back) <= 0.5 * max(abs(size), abs(back))


def _steps(values: Sequence[float]) -> list[tuple[int, float]]:
    """Where the level changes for good by at least half of all it ever moves, and by how much."""
    levels = [median(values[at : at + _NEAR]) for at in range(len(values) - _NEAR + 1)]
    sizes = [after - before for before, after in zip(levels, levels[_NEAR:], strict=False)]
    if not sizes:
        return []
    usual = median(map(abs, sizes))
    least = max(6 * usual, 0.5 * (max(levels) - min(levels)))
    found: list[tuple[int, float]] = []
    last = -_NEAR
    for at, size in enumerate(sizes, start=_NEAR):
        if abs(size) < least or size == 0:
            continue
        if at - last < _NEAR and found and found[-1][1] * size > 0:
            last = at
            if abs(size) > abs(found[-1][1]):
                found[-1] = (at, size)
            continue
        last = at
        found.append((at, size))
    return found
