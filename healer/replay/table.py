"""Comma-separated values: a column of times, and one column a series, named as rules name it."""

import csv
import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from healer.errors import HealerError
from healer.model.observation import Series
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.replay.names import written
from healer.replay.track import Extent, Track

ROWS = 10_000
"""Rows of a stretch."""
_TIME = ("time", "timestamp", "at", "ts")
_FLAGS = {"true": 1.0, "false": 0.0}


class Table:
    """A CSV file with a header such as ``time,cpu.used,"disk.used{mount=""/""}"``; an empty cell is no sample."""

    def __init__(self, path: Path) -> None:
        """Reads it once through, for its times. Raises HealerError, with the line, for what is no such table."""
        self._path = path
        self._ignored: dict[str, str] = {}
        with self._opened() as file:
            rows = csv.reader(file)
            self._series = self._header(self._first(rows))
            start, end = math.inf, -math.inf
            for times, _ in self._read(rows):
                start, end = min(start, times[0]), max(end, times[-1])
        if end < start:
            raise HealerError(f"{path} has no rows")
        known = tuple(one for one in self._series if one is not None)
        self.extent = Extent(start=start, end=end, series=known, ignored=self._ignored)

    def stretches(self) -> Iterator[Sequence[Track]]:
        """Some thousand rows after the other; raises HealerError, with the line, where a cell is no value."""
        with self._opened() as file:
            rows = csv.reader(file)
            next(rows, None)
            for number, (times, cells) in enumerate(self._read(rows)):
                columns = itertools.zip_longest(self._series, zip(*cells, strict=True), fillvalue=())
                yield [
                    track
                    for series, column in columns
                    if isinstance(series, Series) and (track := self._track(series, times, column, number * ROWS))
                ]

    def _opened(self) -> TextIO:
        try:
            return self._path.open(encoding="utf-8-sig", newline="")
        except OSError as exc:
            raise HealerError(f"{self._path} cannot be read: {exc.strerror}") from exc

    def _first(self, rows: Iterator[list[str]]) -> list[str]:
        try:
            return next(rows, [])
        except (UnicodeDecodeError, csv.Error) as exc:
            raise HealerError(f"{self._path}:1: {exc}") from exc

    def _header(self, names: Sequence[str]) -> list[Series | None]:
        if len(names) < 2 or names[0].strip().lower() not in _TIME:
            raise HealerError(f"{self._path}:1: no header of a table", hint="it begins with time,cpu.used,...")
        found: list[Series | None] = []
        for name in names[1:]:
            try:
                series = written(name)
            except HealerError as exc:
                self._ignored[name[:80]] = exc.message
                found.append(None)
                continue
            if series in found:
                raise HealerError(f"{self._path}:1: two columns are {series}")
            found.append(series)
        return found

    def _read(self, rows: Iterator[list[str]]) -> Iterator[tuple[list[float], list[list[str]]]]:
        """Times and cells, some thousand rows at once; times have to rise."""
        width, last, line = len(self._series) + 1, -math.inf, 1
        try:
            while some := list(itertools.islice(rows, ROWS)):
                times = []
                for row in some:
                    line += 1
                    if len(row) != width:
                        raise HealerError(f"{self._path}:{line}: {len(row)} cells where the header has {width}")
                    times.append(at := self._time(row[0], line))
                    if at <= last:
                        raise HealerError(f"{self._path}:{line}: its time is not after that of the row before")
                    last = at
                yield times, [row[1:] for row in some]
        except (UnicodeDecodeError, csv.Error) as exc:
            raise HealerError(f"{self._path}: after line {line}: {exc}") from exc

    def _time(self, text: str, line: int) -> float:
        try:
            at = float(text)
        except ValueError:
            try:
                moment = datetime.fromisoformat(text.strip())
            except ValueError:
                hint = "seconds since 1970, or 2026-11-20T12:00:00Z"
                raise HealerError(f"{self._path}:{line}: {text[:40]!r} is no time", hint=hint) from None
            at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if not 0 < at < 1e11:
            raise HealerError(f"{self._path}:{line}: {text[:40]!r} is no time", hint="seconds since 1970")
        return at

    def _track(self, series: Series, times: Sequence[float], column: Sequence[str], row: int) -> Track | None:
        if series.metric in METRICS and METRICS[series.metric].unit is Unit.WORD:
            kept = [(at, cell) for at, cell in zip(times, column, strict=True) if cell]
            return (
                Track(series=series, times=[at for at, _ in kept], values=[word for _, word in kept]) if kept else None
            )
        try:
            values = [float(cell) for cell in column]  # no empty cell: the usual case
        except ValueError:
            numbers = [self._value(series, cell, row + place + 2) for place, cell in enumerate(column)]
            kept_at = [at for at, value in zip(times, numbers, strict=True) if value is not None]
            found = [value for value in numbers if value is not None]
            return Track(series=series, times=kept_at, values=found) if found else None
        return Track(series=series, times=times, values=values)

    def _value(self, series: Series, cell: str, line: int) -> float | None:
        text = cell.strip()
        if not text:
            return None
        try:
            return _FLAGS.get(text.lower()) if text.lower() in _FLAGS else float(text)
        except ValueError:
            raise HealerError(f"{self._path}:{line}: {series}: {text[:40]!r} is no number") from None
