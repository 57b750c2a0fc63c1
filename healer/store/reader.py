"""Reading history: every sample in order of time, or one metric in buckets; in short reads that hold nobody up."""

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Connection, Engine, Row, Select, bindparam, func, select

from healer.model.observation import Labels, Series
from healer.store import buckets, columns
from healer.store.chunks import DAY, ROLLED, SLOT
from healer.store.engine import DamagedError, told
from healer.store.kept import FIVE_MINUTES, HOUR, Bucket, IncidentRecord, Line, Words
from healer.store.schema import chunk, incident, sample, series

_FEW: Final = 500
"""Series that are named to the database one by one; of more, all are read and the others passed over."""
FAR: Final = 1e15
"""A wall second that no integer column need hold."""
Moment = tuple[Series, float, float | str]
"""One value of one series and its wall second, as a stream of all of them gives it: plain, for there are millions."""
_AT_ONCE: Final = 60
"""Chunks decoded at once where there are few series: half a day of ten."""

LEVELS: Final = (0, FIVE_MINUTES, HOUR)

Values = tuple[list[float], list[Any]]
"""Times, and what was seen at them."""


class Reader:
    """Reads one state.db. Every method raises HealerError where it cannot be read, DamagedError where it lies."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine, self._path = engine, path

    def series(
        self, metrics: Collection[str] | None = None, wanted: Mapping[str, str] | None = None
    ) -> dict[int, Series]:
        """The series of these metrics (None: of all) that have these labels among theirs, by their numbers."""
        query = select(series.c.id, series.c.metric, series.c.labels).order_by(series.c.metric, series.c.labels)
        if metrics is not None and len(metrics) <= _FEW:
            query = query.where(series.c.metric.in_(metrics))
        with self._reading() as connection:
            rows = connection.execute(query).all()
        found = {
            row.id: Series(row.metric, self._labels(row.labels))
            for row in rows
            if metrics is None or row.metric in metrics
        }
        asked = set((wanted or {}).items())
        return {number: one for number, one in found.items() if asked <= set(one.labels)}

    def stream(self, known: Mapping[int, Series], start: float = 0.0, end: float = math.inf) -> Iterator[Moment]:
        """Every sample of these series from ``start`` to ``end`` (both included), in order of time.

        Holds a few slots of two hours in memory, and a read transaction for as long as it takes to fetch those.
        """
        if not known:
            return
        with self._reading() as connection:
            slots = _slots(connection, start, end, known)
        together = max(1, _AT_ONCE // len(known))
        for place in range(0, len(slots), together):
            some = slots[place : place + together]
            with self._reading() as connection:
                lines = self._columns(connection, known, some[0], some[-1])
            yield from _merged(known, lines, (start, end))

    def stretches(
        self, known: Mapping[int, Series], start: float = 0.0, end: float = math.inf
    ) -> Iterator[list[tuple[Series, list[float], list[Any]]]]:
        """The same in whole columns, slot after slot, for who need not touch every sample: series, times, values."""
        if not known:
            return
        with self._reading() as connection:
            slots = _slots(connection, start, end, known)
        for slot in slots:
            with self._reading() as connection:
                held = self._columns(connection, known, slot, slot)
            yield [
                (
                    known[number],
                    [at for times, _ in parts for at in times],
                    [one for _, values in parts for one in values],
                )
                for number, found in held.items()
                if (parts := list(_inside(found, (start, end))))
            ]

    def lines(self, known: Mapping[int, Series], start: float, end: float, step: float) -> list[Line]:
        """These series in buckets of ``step`` seconds, from the coarsest level that still shows them.

        What is too old for that level comes from the next coarser one, in its own stretches.
        """
        fitting = [level for level in LEVELS if level <= max(step, 0)]
        held: dict[int, list[Bucket | Words]] = {number: [] for number in known}
        upper = end
        # One transaction: what is rolled up meanwhile would be missed, or told twice.
        with self._reading() as connection:
            for level in LEVELS[len(fitting) - 1 :] if known else ():
                lower = max(start, _oldest(connection, level))
                if lower <= upper:
                    self._gather(connection, held, known, level, (lower, upper), step)
                    upper = math.nextafter(lower, -math.inf)
        return [
            Line(series=known[number], buckets=tuple(sorted(found, key=lambda one: one.at)))
            for number, found in held.items()
            if found
        ]

    def span(self) -> tuple[float, float] | None:
        """The wall seconds between which samples are kept, to the slot; None where there are none."""
        with self._reading() as connection:
            first = _oldest(connection, 0)
            packed = connection.execute(select(func.max(chunk.c.slot)).where(chunk.c.level == 0)).scalar()
            fresh = connection.execute(select(func.max(sample.c.at))).scalar()
        last = [float(one) for one in (fresh, None if packed is None else packed + SLOT) if one is not None]
        return (first, max(last)) if last else None

    def incidents(self, since: float = 0.0, *, limit: int = 1000) -> list[IncidentRecord]:
        """The incidents opened at or after a wall second, the newest first."""
        query = select(incident).where(incident.c.opened >= since).order_by(incident.c.opened.desc()).limit(limit)
        with self._reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [IncidentRecord(**row) for row in rows]

    # ------------------------------------------------------------------------------------------ samples

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with told(self._path), self._engine.connect() as connection:
            yield connection

    def _columns(
        self, connection: Connection, known: Mapping[int, Series], first: int, last: int, *, unrolled: bool = False
    ) -> dict[int, list[Values]]:
        """Chunks and rows of the slots from ``first`` to ``last``, as columns by series."""
        packed = _of(select(chunk), chunk.c.series_id, known).where(
            chunk.c.level == 0, chunk.c.slot >= first, chunk.c.slot <= last
        )
        if unrolled:
            packed = packed.where(chunk.c.rolled != ROLLED)
        rows = _of(select(sample), sample.c.series_id, known).where(sample.c.at >= first, sample.c.at < last + SLOT)
        chunks = connection.execute(packed.order_by(chunk.c.slot, chunk.c.id)).all()
        fresh = connection.execute(rows.order_by(sample.c.series_id, sample.c.at)).all()
        found: dict[int, list[Values]] = {}
        for row in chunks:
            if row.series_id in known:
                found.setdefault(row.series_id, []).append(self._unpacked(row))
        for number, held in groupby(fresh, lambda row: row.series_id):
            if number in known:
                pairs = [(row.at, row.word if row.value is None else row.value) for row in held]
                found.setdefault(number, []).append(([at for at, _ in pairs], [value for _, value in pairs]))
        return found

    def _unpacked(self, row: Row[Any]) -> Values:
        try:
            return (
                columns.unpack_times(row.times, row.amount, row.slot),
                columns.unpack_values(row.body, row.amount),
            )
        except (columns.ColumnError, TypeError) as exc:
            raise DamagedError(f"{self._path} is damaged: chunk {row.id}: {exc}") from exc

    # ------------------------------------------------------------------------------------------ buckets

    def _gather(
        self,
        connection: Connection,
        held: dict[int, list[Bucket | Words]],
        known: Mapping[int, Series],
        level: int,
        span: tuple[float, float],
        step: float,
    ) -> None:
        """Add the buckets of one level between two wall seconds, both included."""
        width = max(step, level, 1.0)
        numbers = self._rolled(connection, known, level, span) if level else {}
        words: dict[int, list[Words]] = {}
        for slot in _slots(connection, *span, known, unrolled=bool(level)):
            for number, found in self._columns(connection, known, slot, slot, unrolled=bool(level)).items():
                for times, values in _inside(found, span):
                    if isinstance(values[0], str):
                        words.setdefault(number, []).extend(buckets.worded(times, values, width))
                    else:
                        numbers.setdefault(number, []).extend(buckets.bucketed(times, values, width))
        for number, fine in numbers.items():
            held[number].extend(buckets.widened(fine, width))
        for number, said in words.items():
            held[number].extend(buckets.joined_words(said, width))

    def _rolled(
        self, connection: Connection, known: Mapping[int, Series], level: int, span: tuple[float, float]
    ) -> dict[int, list[Bucket]]:
        """What was rolled up to a level, in buckets that begin between two wall seconds."""
        wanted = _of(select(chunk), chunk.c.series_id, known).where(
            chunk.c.level == level, chunk.c.slot > span[0] - DAY, chunk.c.slot <= min(span[1], FAR)
        )
        rows = connection.execute(wanted.order_by(chunk.c.slot, chunk.c.id)).all()
        found: dict[int, list[Bucket]] = {}
        for row in rows:
            if row.series_id not in known:
                continue
            try:
                made = buckets.unpack(columns.unpack_times(row.times, row.amount, row.slot), row.body)
            except (columns.ColumnError, TypeError) as exc:
                raise DamagedError(f"{self._path} is damaged: chunk {row.id}: {exc}") from exc
            fitting = (one for one in made if span[0] - level < one.at <= span[1])
            found.setdefault(row.series_id, []).extend(fitting)
        return found

    def _labels(self, text: str) -> Labels:
        try:
            return tuple(sorted((str(name), str(value)) for name, value in json.loads(text).items()))
        except (ValueError, TypeError, AttributeError) as exc:
            raise DamagedError(f"{self._path} is damaged: {text[:80]!r} are no labels") from exc


_NEXT = select(sample.c.at).where(sample.c.at >= bindparam("at")).order_by(sample.c.at).limit(1)
_FIRST = select(func.min(chunk.c.slot)).where(chunk.c.level == bindparam("level"))


def _slots(
    connection: Connection, start: float, end: float, known: Mapping[int, Series], *, unrolled: bool = False
) -> list[int]:
    """The slots in which anything of these series was kept."""
    wanted = _of(select(chunk.c.slot).distinct(), chunk.c.series_id, known).where(
        chunk.c.level == 0, chunk.c.slot > max(start, 0.0) - SLOT, chunk.c.slot <= min(end, FAR)
    )
    if unrolled:
        wanted = wanted.where(chunk.c.rolled != ROLLED)
    found = set(connection.execute(wanted).scalars())
    at = start
    # From slot to slot by the index, instead of over all rows.
    while (first := connection.execute(_NEXT, {"at": at}).scalar()) is not None and first <= end:
        found.add(int(first // SLOT * SLOT))
        at = first // SLOT * SLOT + SLOT
    return sorted(found)


def _oldest(connection: Connection, level: int) -> float:
    """The wall second from which on a level knows everything; infinite where it has nothing."""
    known = [connection.execute(_FIRST, {"level": one}).scalar() for one in {0, level}]
    known.append(connection.execute(_NEXT, {"at": 0.0}).scalar())
    return min((float(one) for one in known if one is not None), default=math.inf)


def _of(query: Select[Any], column: Column[int], known: Mapping[int, Series]) -> Select[Any]:
    """Ask for these series only, where they are few enough to be named."""
    return query.where(column.in_(known)) if len(known) <= _FEW else query


def _merged(
    known: Mapping[int, Series], lines: Mapping[int, list[Values]], span: tuple[float, float]
) -> Iterator[Moment]:
    """All columns as one, in order of time; what came at the same moment in the order of the series."""
    who: list[Series] = []
    times: list[float] = []
    values: list[float | str] = []
    for number, one in known.items():
        for at, held in _inside(lines.get(number, ()), span):
            times += at
            values += held
            who += [one] * len(at)
    # Of floats only, and in runs that are sorted already: four times faster than merging heaps of tuples.
    order = sorted(range(len(times)), key=times.__getitem__)
    return zip(map(who.__getitem__, order), map(times.__getitem__, order), map(values.__getitem__, order), strict=True)


def _inside(found: Sequence[Values], span: tuple[float, float]) -> Iterator[Values]:
    """The columns of one series between two wall seconds, in order; a moment that was kept twice counts once."""
    found = sorted(found, key=lambda one: one[0][0]) if len(found) > 1 else found
    if any(after[0][0] <= before[0][-1] for before, after in pairwise(found)):
        found = list(_untangled(found))
    for times, values in found:
        first, after = bisect_left(times, span[0]), bisect_right(times, span[1])
        if first < after:
            yield times[first:after], values[first:after]


def _untangled(found: Sequence[Values]) -> Iterator[Values]:
    kept: tuple[dict[int, tuple[float, Any]], ...] = ({}, {})
    for times, values in found:
        for at, value in zip(times, values, strict=True):
            kept[isinstance(value, str)].setdefault(round(at * 1000), (at, value))
    for one in kept:
        if one:
            ordered = sorted(one.values(), key=lambda pair: pair[0])
            yield [at for at, _ in ordered], [value for _, value in ordered]
