"""Samples of one series kept for windows of time, in bounded memory whatever the pace and the length."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

NAN = math.nan
COVERED = 0.9
"""Share of a window that must have been observed; less is UNKNOWN, never a guess from the first seconds."""
CELLS = 2048
"""Samples closer together than a window / CELLS share one cell."""


@dataclass(slots=True)
class Cell:
    """One sample, or several that came too close together to keep apart."""

    slot: int
    first_at: float
    last_at: float
    first: float | str
    last: float | str
    low: float
    high: float
    total: float
    count: int = 1
    rise: float = 0.0
    """Increase inside the cell; a fall is a counter that began again at 0."""
    changes: int = 0
    step_rise: float = 0.0
    """Increase from the cell before."""
    step_change: int = 0


class Ring:
    """The recent samples of one series."""

    __slots__ = ("_cells", "_longest")

    def __init__(self, seconds: float) -> None:
        self._cells: deque[Cell] = deque()
        self._longest = seconds

    def keep(self, seconds: float) -> None:
        """Remember at least this long."""
        self._longest = max(self._longest, seconds)

    def __len__(self) -> int:
        return len(self._cells)

    def add(self, at: float, value: float | str) -> None:
        """Take a sample; one older than the newest is left out."""
        slot = int(at * CELLS / self._longest)
        before = self._cells[-1] if self._cells else None
        if before is not None and at < before.last_at:
            return
        if before is not None and before.slot == slot:
            _merge(before, at, value)
            return
        self._cells.append(_cell(slot, at, value, before))
        # One cell older than the window stays: it proves that the window was observed from its start.
        while len(self._cells) > 2 and self._cells[1].first_at < at - self._longest:
            self._cells.popleft()

    def grew(self, seconds: float, *, since: float) -> float:
        """1 when a counter rose within the last ``seconds`` up to the newest sample; NaN when nobody can tell yet.

        That it rose is known at once; that it did not, when 90 % of the window was observed after ``since``. What it
        rose by in a hole is in the sample after it, so holes are no matter.
        """
        cells = [cell for cell in self._cells if cell.first_at > since]
        if not cells:
            return NAN
        start = cells[-1].last_at - seconds
        if any(cell.rise > 0 for cell in cells if cell.last_at > start):
            return 1.0
        if any(cell.step_rise > 0 for cell in cells[1:] if cell.first_at > start):
            return 1.0
        return 0.0 if cells[0].first_at <= start + (1 - COVERED) * seconds else NAN

    def measure(self, function: str, seconds: float, *, since: float, max_gap: float) -> float:
        """The function over the last ``seconds`` up to the newest sample; NaN when the window is incomplete.

        Incomplete: fewer than two samples, less than 90 % of it observed, a hole longer than ``max_gap`` seconds, or
        samples at or before ``since`` (a re-arm) needed to fill it.
        """
        cells = [cell for cell in self._cells if cell.first_at > since]
        if not cells:
            return NAN
        start = cells[-1].last_at - seconds
        inside = [cell for cell in cells if cell.first_at >= start]
        before = cells[len(cells) - len(inside) - 1 : len(cells) - len(inside)] if len(inside) < len(cells) else []
        observed = before + inside
        if observed[0].first_at > start + (1 - COVERED) * seconds or sum(cell.count for cell in inside) < 2:
            return NAN
        if any(late.first_at - early.last_at > max_gap for early, late in pairwise(observed)):
            return NAN
        value = _FUNCTIONS[function](inside)
        return value if value - value == 0 else NAN


def _cell(slot: int, at: float, value: float | str, before: Cell | None) -> Cell:
    number = NAN if isinstance(value, str) else value
    cell = Cell(slot, at, at, value, value, number, number, number)
    if before is not None:
        cell.step_rise, cell.step_change = _rise(before.last, value), int(before.last != value)
    return cell


def _merge(cell: Cell, at: float, value: float | str) -> None:
    cell.rise += _rise(cell.last, value)
    cell.changes += cell.last != value
    cell.count += 1
    cell.last_at, cell.last = at, value
    if not isinstance(value, str):
        cell.low, cell.high, cell.total = min(cell.low, value), max(cell.high, value), cell.total + value


def _rise(old: float | str, new: float | str) -> float:
    if isinstance(old, str) or isinstance(new, str):
        return 0.0
    return new - old if new >= old else new


def percentile(values: Sequence[tuple[float, int]], share: float) -> float:
    """Nearest-rank percentile of (value, weight) pairs; NaN of nothing."""
    left = share * sum(weight for _, weight in values)
    for value, weight in sorted(values):
        left -= weight
        if left <= 0:
            return value
    return NAN


def _span(cells: Sequence[Cell]) -> float:
    return cells[-1].last_at - cells[0].first_at


def _increase(cells: Sequence[Cell]) -> float:
    return sum(cell.rise for cell in cells) + sum(cell.step_rise for cell in cells[1:])


def _rate(cells: Sequence[Cell]) -> float:
    span = _span(cells)
    return _increase(cells) / span if span > 0 else NAN


def _delta(cells: Sequence[Cell]) -> float:
    first, last = cells[0].first, cells[-1].last
    return NAN if isinstance(first, str) or isinstance(last, str) else last - first


def _changes(cells: Sequence[Cell]) -> float:
    return float(sum(cell.changes for cell in cells) + sum(cell.step_change for cell in cells[1:]))


def _sum(cells: Sequence[Cell]) -> float:
    return sum(cell.total for cell in cells)


def _count(cells: Sequence[Cell]) -> float:
    return float(sum(cell.count for cell in cells))


_FUNCTIONS: dict[str, Callable[[Sequence[Cell]], float]] = {
    "avg_over": lambda cells: _sum(cells) / _count(cells),
    "max_over": lambda cells: max(cell.high for cell in cells),
    "min_over": lambda cells: min(cell.low for cell in cells),
    "sum_over": _sum,
    "count_over": _count,
    "p95_over": lambda cells: percentile([(cell.total / cell.count, cell.count) for cell in cells], 0.95),
    "rate": _rate,
    "delta": _delta,
    "changes": _changes,
}
