"""A month of 200 metrics at ten seconds: octets on the disk, how long the loop waits, and reading it again.

The first day goes the whole way: batches into rows by the writer's thread, upkeep beside a loop that is watched. The
other days are packed straight into chunks by the same code, or this would take an hour. The metrics are those of a
host: what stands still, what wanders, what jumps; every sixth is pure noise, which no encoding makes small.
"""

import asyncio
import math
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import insert

from bench.figures import at_least, at_most, percentile, quick, told
from healer import blocking
from healer.history import History
from healer.model.observation import Observation
from healer.model.unit import Unit
from healer.store.archive import Archive
from healer.store.chunks import DAY, SLOT, packed, upkeep
from healer.store.kept import Keep
from healer.store.schema import chunk
from healer.store.store import Store

METRICS, EVERY, DAYS = 200, 10, 30
BEGIN = 1_700_006_400
TARGET_MB, TARGET_LAG_MS, TARGET_QUERY_MS = 150.0, 10.0, 300.0
MONTH = METRICS * DAY // EVERY * DAYS
TARGET_STREAM = MONTH / 60.0  # all of it within a minute
KINDS = 12


def walk(chance: random.Random, kind: int) -> Iterator[float]:
    """What a metric of a host says, look after look."""
    held, step = chance.random(), 0
    while True:
        step += 1
        match kind:
            case 0 | 1 | 2:
                yield 1.0 if chance.random() > 1e-4 else 0.0  # up or not
            case 3:
                held += 1e-7  # a disk that fills
                yield held
            case 4 | 5:
                held = abs(held + chance.gauss(0, 1e-4))  # memory, in pages of a whole
                yield round(held * 4e6) / 4e6
            case 6:
                yield round(abs(chance.gauss(5, 2)), 1) / 100  # per cent of a processor
            case 7:
                held = abs(held + (0.5 - held) * 0.05 + chance.gauss(0, 0.05))
                yield round(held, 2)  # load
            case 8:
                yield float(chance.randrange(3)) if chance.random() < 0.1 else 0.0  # errors, queues
            case 9:
                yield 50 + 40 * math.sin(step / 1400) + chance.gauss(0, 1)  # what follows the day
            case 10:
                yield chance.lognormvariate(-6, 0.5)  # a latency
            case _:
                yield chance.random()  # noise


def looks(chance: random.Random, start: int, seconds: int) -> list[float]:
    """Every ten seconds, give or take what a busy host does."""
    return [at + chance.random() / 200 for at in range(start, start + seconds, EVERY)]


class Month:
    """One store, filled."""

    def __init__(self, path: Path, days: int) -> None:
        self.path, self.days = path, days
        self.chance = random.Random(7)
        self.series = [walk(random.Random(number), number % KINDS) for number in range(METRICS)]

    async def first_day(self) -> dict[str, object]:
        """As the agent does it; returns what the loop felt of it."""
        history = History(self.path, resolution=0.0, linger=0.2)
        history.start()
        hours = 2 if quick() else 24
        for hour in range(hours):
            for at in looks(self.chance, BEGIN + hour * 3600, 3600):
                seen = [
                    Observation(metric=f"bench.m{number}", value=next(one), unit=Unit.NUMBER, at=at)
                    for number, one in enumerate(self.series)
                ]
                history.record(seen, now=0.0, wall=0.0)
                if round(at) % 1000 < EVERY:
                    await blocking.call(lambda: history.flush(60.0))
        await blocking.call(lambda: history.flush(60.0))
        idle = await lags(asyncio.sleep(3.0))
        history.tidy(BEGIN + DAY + 3600.0, Keep())
        start = time.monotonic()
        busy = await lags(blocking.call(lambda: history.flush(600.0)))
        took = time.monotonic() - start
        written, lost = history.written, history.lost
        history.close()
        assert lost == 0, lost
        return {
            "samples": written,
            "upkeep_s": round(took, 2),
            "loop_late_p99_ms": at_most(percentile(busy, 0.99), TARGET_LAG_MS, percentile(idle, 0.99)),
            "loop_late_max_ms": round(max(busy), 2),
            "idle_late_p99_ms": round(percentile(idle, 0.99), 3),
        }

    def other_days(self) -> None:
        store = Store(self.path)
        numbers = {one.metric: number for number, one in store.reader.series().items()}
        for day in range(1, self.days):
            for slot in range(BEGIN + day * DAY, BEGIN + (day + 1) * DAY, SLOT):
                times = looks(self.chance, slot, SLOT)
                made = [
                    packed(numbers[f"bench.m{number}"], slot, times, [next(one) for _ in times])
                    for number, one in enumerate(self.series)
                ]
                with store.begin() as connection:
                    connection.execute(insert(chunk), made)
            for _ in upkeep(store.begin, BEGIN + (day + 1) * DAY + 100.0, Keep()):
                pass
            print(f"\rday {day + 1} of {self.days}", end="", file=sys.stderr)
        store.close()


async def lags(work: Coroutine[None, None, object]) -> list[float]:
    """Milliseconds by which a sleep of one is late while some work goes on elsewhere."""
    late: list[float] = []
    async with asyncio.TaskGroup() as group:
        going = group.create_task(work)
        while not going.done():
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append((time.perf_counter() - start - 0.001) * 1e3)
    return late


def used(path: Path) -> int:
    """Octets of the file without the pages that wait to be used again (of the first day's rows)."""
    with closing(sqlite3.connect(path)) as raw:
        pages, free, size = (
            raw.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
        )
    return int(pages - free) * int(size)


def timed(archive: Archive, days: float, end: float) -> float:
    """Milliseconds until one metric of so many days is there in a thousand buckets."""
    start = time.perf_counter()
    step = max(10.0, days * DAY / 1000)
    (line,) = archive.lines("bench.m9", {}, start=end - days * DAY, end=end, step=step)
    assert line.buckets
    return (time.perf_counter() - start) * 1e3


def measure() -> dict[str, object]:
    days = 2 if quick() else DAYS
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as folder:
        month = Month(Path(folder) / "state.db", days)
        day = asyncio.run(month.first_day())
        month.other_days()
        samples = int(str(day["samples"])) + (days - 1) * MONTH // DAYS
        size = used(month.path) / 1e6
        end = float(BEGIN + days * DAY)
        with Archive(Path(folder)) as archive:
            spans = [span for span in (0.125, 1.0, 7.0, 30.0) if span <= days]
            queries = {f"{span:g}d": round(timed(archive, span, end), 1) for span in spans}
            start = time.perf_counter()
            count = sum(1 for _ in archive.samples(start=end - DAY))
            rate = count / (time.perf_counter() - start)
    return {
        "metrics": METRICS,
        "days": days,
        "size_mb": at_most(round(size * MONTH / samples, 1), TARGET_MB, measured_mb=round(size, 1)),
        "octets_per_sample": round(size * 1e6 / samples, 2),
        "first_day": day,
        "query_ms": at_most(max(queries.values()), TARGET_QUERY_MS, each=queries),
        "streamed_per_s": at_least(rate, TARGET_STREAM),
    }


if __name__ == "__main__":
    told(measure)
