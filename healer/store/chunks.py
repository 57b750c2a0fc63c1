"""Upkeep of history, in small steps: rows are packed into chunks, chunks into buckets, and what is old is let go."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from healer.store import buckets, columns
from healer.store.kept import FIVE_MINUTES, HOUR, Bucket, Keep
from healer.store.schema import chunk, incident, sample, series

SLOT: Final = 7200
"""Seconds of samples in one chunk."""
DAY: Final = 86400
"""Seconds of buckets in one chunk."""
UNROLLED: Final = 0
ROLLED: Final = 1
"""Its buckets were made."""
WORDY: Final = 2
"""Words: there are no buckets of them."""
GRACE: Final = 60.0
"""Seconds after the end of a slot in which what was seen in it may still come."""
AT_ONCE: Final = 1000
"""Rows of one series packed in one transaction."""
PRUNED_AT_ONCE: Final = 200
"""Chunks let go in one transaction."""

Transaction = Callable[[], AbstractContextManager[Connection]]


def upkeep(begin: Transaction, now: float, keep: Keep) -> Iterator[int]:
    """Pack, roll up and let go, a few milliseconds of work at a time; yields after each transaction what it did.

    ``begin`` opens one. Nothing is lost where this is left off, or the machine dies: each step is whole.
    """
    yield from _settle_all(begin, (now - GRACE) // SLOT * SLOT)
    yield from _roll_all(begin, (now - GRACE) // DAY * DAY)
    yield from prune(begin, now, keep)


def _settle_all(begin: Transaction, before: float) -> Iterator[int]:
    last = 0
    while True:
        with begin() as connection:
            found = connection.execute(_UNSETTLED, {"last": last, "before": before}).scalar()
            if found is None:
                return
            done = settle(connection, found, before)
        last = found - 1  # it may have more
        yield done


_UNSETTLED = (
    select(series.c.id)
    .where(series.c.id > bindparam("last"))
    .where(exists().where(sample.c.series_id == series.c.id, sample.c.at < bindparam("before")))
    .order_by(series.c.id)
    .limit(1)
)


def settle(connection: Connection, series_id: int, before: float) -> int:
    """Pack the oldest rows of a series into chunks; returns how many."""
    wanted = select(sample.c.at, sample.c.value, sample.c.word).where(
        sample.c.series_id == series_id, sample.c.at < before
    )
    rows = connection.execute(wanted.order_by(sample.c.at).limit(AT_ONCE)).all()
    if len(rows) == AT_ONCE and (whole := _whole(rows)):
        rows = rows[:whole]  # half of a slot would be a chunk of its own
    made = [packed(series_id, slot, times, values) for slot, times, values in _by_slot(rows)]
    if made:
        connection.execute(insert(chunk), made)
        connection.execute(delete(sample).where(sample.c.series_id == series_id, sample.c.at <= rows[-1].at))
    return len(rows)


def _whole(rows: Sequence[Any]) -> int:
    """How many of the rows lie in slots before the last one among them."""
    end = rows[-1].at // SLOT * SLOT
    return next(place for place in range(len(rows), -1, -1) if place == 0 or rows[place - 1].at < end)


def packed(series_id: int, slot: int, times: Sequence[float], values: Sequence[Any]) -> dict[str, object]:
    """The chunk of one series' slot; ``values`` are all numbers or all words."""
    words = isinstance(values[0], str)
    return {
        "series_id": series_id,
        "level": 0,
        "slot": slot,
        "amount": len(times),
        "rolled": WORDY if words else UNROLLED,
        "times": columns.pack_times(times, slot),
        "body": columns.pack_words(values) if words else columns.pack_numbers(values),
    }


def _by_slot(rows: Sequence[Any]) -> Iterator[tuple[int, list[float], list[Any]]]:
    for slot, held in itertools.groupby(rows, lambda row: int(row.at // SLOT * SLOT)):
        kept = list(held)
        if numbers := [row for row in kept if row.word is None]:
            yield slot, [row.at for row in numbers], [row.value for row in numbers]
        if words := [row for row in kept if row.word is not None]:
            yield slot, [row.at for row in words], [row.word for row in words]


def _roll_all(begin: Transaction, before: float) -> Iterator[int]:
    while True:
        with begin() as connection:
            found = connection.execute(_UNROLLED, {"before": before}).first()
            if found is None:
                return
            done = roll(connection, found.series_id, found.slot // DAY * DAY)
        yield done


_NOT_ROLLED: Final[ColumnElement[int]] = literal_column(str(UNROLLED))
"""Written out: the index of those does not serve a parameter."""
_UNROLLED = (
    select(chunk.c.series_id, chunk.c.slot)
    .where(chunk.c.rolled == _NOT_ROLLED, chunk.c.slot < bindparam("before"))
    .limit(1)
)


def roll(connection: Connection, series_id: int, day: int) -> int:
    """Make the buckets of a series' day; returns of how many chunks. One that is damaged gives none."""
    wanted = select(chunk).where(
        chunk.c.rolled == _NOT_ROLLED, chunk.c.series_id == series_id, chunk.c.slot >= day, chunk.c.slot < day + DAY
    )
    rows = connection.execute(wanted.order_by(chunk.c.slot, chunk.c.id)).all()
    fine: list[Bucket] = []
    for row in rows:
        try:
            times = columns.unpack_times(row.times, row.amount, row.slot)
            fine += buckets.bucketed(times, columns.unpack_numbers(row.body, row.amount), FIVE_MINUTES)
        except (columns.ColumnError, TypeError):
            continue
    for width in (FIVE_MINUTES, HOUR):
        if made := buckets.widened(fine, width):
            connection.execute(insert(chunk).values(**_rolled(series_id, width, day, made)))
    connection.execute(update(chunk).where(chunk.c.id.in_([row.id for row in rows])).values(rolled=ROLLED))
    return len(rows)


def _rolled(series_id: int, width: int, day: int, made: list[Bucket]) -> dict[str, object]:
    return {
        "series_id": series_id,
        "level": width,
        "slot": day,
        "amount": len(made),
        "rolled": ROLLED,
        "times": columns.pack_times([one.at for one in made], day),
        "body": buckets.pack(made),
    }


def prune(begin: Transaction, now: float, keep: Keep) -> Iterator[int]:
    """Let go of what is older than it is kept, but of no more than the oldest day of each level in one call.

    A clock that jumps years ahead costs a day of history each time this is called, instead of all of it.
    """
    five_minutes = max(keep.raw, keep.five_minutes)  # a coarser level never ends before a finer one
    for level, seconds in ((0, keep.raw), (FIVE_MINUTES, five_minutes), (HOUR, max(five_minutes, keep.hour))):
        with begin() as connection:
            oldest = connection.execute(select(func.min(chunk.c.slot)).where(chunk.c.level == level)).scalar()
        if oldest is not None:
            width = DAY if level else SLOT
            yield from _drop(begin, level, min(now - seconds - width, oldest + DAY))
    with begin() as connection:
        closed = delete(incident).where(incident.c.closed < now - max(keep.raw, keep.hour))
        yield connection.execute(closed).rowcount
    with begin() as connection:
        yield connection.execute(_NAMELESS).rowcount


_NAMELESS = delete(series).where(
    series.c.id.not_in(select(sample.c.series_id)), series.c.id.not_in(select(chunk.c.series_id))
)


def _drop(begin: Transaction, level: int, before: float) -> Iterator[int]:
    old = select(chunk.c.id).where(chunk.c.level == level, chunk.c.slot <= before).limit(PRUNED_AT_ONCE)
    while True:
        with begin() as connection:
            gone = connection.execute(delete(chunk).where(chunk.c.id.in_(old))).rowcount
        yield gone
        if gone < PRUNED_AT_ONCE:
            return
