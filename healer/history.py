"""History: one writer thread in front of the store, so that the loop never waits for a disk."""

import logging
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from healer import blocking
from healer.errors import HealerError
from healer.model.observation import Observation, Reading, Series
from healer.model.unit import Unit
from healer.store.after import add_after
from healer.store.asked import Asked, answer
from healer.store.kept import IncidentRecord, Keep, Sample, Snapshot
from healer.store.store import DamagedError, OldSchemaError, Store, open_store, set_aside

log = logging.getLogger(__name__)

T = TypeVar("T")
_Job = Callable[[Store], None]

_MOST_JOBS = 1000
_MOST_SERIES = 20_000
_PAUSE = 0.02
"""Seconds between two steps of upkeep: each holds the interpreter for a few milliseconds, and the loop comes first."""
_UPGRADED_WITHIN = 60.0
_DAMAGED = 3


class Thinner:
    """Lets one value per series and ``resolution`` seconds pass, and every change of a word or a flag."""

    def __init__(self, resolution: float) -> None:
        self._resolution = resolution
        self._last: dict[Series, tuple[float, float | str]] = {}

    def passes(self, reading: Observation) -> bool:
        """Say whether this one is worth keeping."""
        series = reading.series
        last = self._last.get(series)
        if last is None and len(self._last) >= _MOST_SERIES:
            self._last.clear()  # keeps one value of each too many once in a while, instead of growing for ever
        turned = reading.unit in (Unit.WORD, Unit.FLAG) and last is not None and last[1] != reading.value
        if last is not None and not turned and 0 <= reading.at - last[0] < self._resolution:
            return False
        self._last[series] = (reading.at, reading.value)
        return True


class History:
    """Takes what is worth remembering, and gives it back. Nothing here ever waits on the loop's thread or raises there.

    What cannot be written (no room, no database, too much at once) is lost, counted in ``lost`` and told in
    ``trouble``: the sealed log is the memory, this is its index.
    """

    def __init__(self, path: Path, *, capacity: int = 50_000, linger: float = 5.0, resolution: float = 10.0) -> None:
        """Keep at most ``capacity`` samples waiting; write every ``linger`` seconds, thinned to ``resolution``."""
        self.path = path
        self.lost = 0
        """Samples and records that were not written."""
        self.written = 0
        """Samples and records that were."""
        self.trouble = ""
        """Why writing fails now; empty when it does not."""
        self.set_aside: list[str] = []
        """What was wrong with each state.db that was replaced by a new one since the start."""
        self._capacity = capacity
        self._linger = linger
        self._thin = Thinner(resolution)
        self._changed = threading.Condition()
        self._samples: list[Sample] = []
        self._jobs: list[_Job] = []
        self._busy = False
        self._hurry = False
        self._closing = False
        self._care: Iterator[int] | None = None
        self._old = ""
        """Why the file's older tables could not be upgraded: tried once in a run."""
        self._store: Store | None = None
        self._thread = threading.Thread(target=self._work, name="healer-history", daemon=True)

    def start(self) -> None:
        """Open the store (or set it aside and begin a new one) and start the writer. May block on the disk.

        Never raises: with no store the agent heals all the same, and ``trouble`` says why there is none.
        """
        try:
            self._opened()
        except (HealerError, OSError) as exc:
            self._say(str(exc))
        self._thread.start()

    def close(self, timeout: float = 2.0) -> bool:
        """Write what waits and stop; False when the disk did not take it within ``timeout`` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything handed in so far was tried; False when that took longer than ``timeout`` seconds."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(self._rests, timeout)

    def _rests(self) -> bool:
        return not (self._samples or self._jobs or self._busy or self._care)

    def record(self, readings: Iterable[Reading], *, now: float, wall: float) -> None:
        """Keep readings, thinned; ``now`` and ``wall`` are the same moment on the boot and the wall clock.

        What was unknown is not kept: a gap is a gap.
        """
        kept = [
            Sample(metric=one.metric, labels=one.labels, at=wall - (now - one.at), value=one.value)
            for one in readings
            if isinstance(one, Observation) and self._thin.passes(one)
        ]
        if not kept:
            return
        with self._changed:
            room = max(0, self._capacity - len(self._samples))
            self.lost += max(0, len(kept) - room)
            self._samples.extend(kept[:room])
            self._changed.notify_all()

    def save_snapshot(self, height: int, header: str, body: Mapping[str, Any], *, wall: float) -> None:
        """Keep the core's memory as of the block at ``height``; ``body`` is handed over, not to be changed any more."""
        self._put(lambda store: store.save_snapshot(height, header, body, taken=wall), hurry=True)

    def save_incident(self, record: IncidentRecord) -> None:
        """Keep an incident as it is now."""
        self._put(lambda store: store.save_incident(record))

    def tidy(self, now: float, keep: Keep) -> None:
        """Pack what is complete, and forget what is old by the wall second ``now``: step by step, as others let it."""

        def work(store: Store) -> None:
            if self._care is None:
                self._care = store.upkeep(now, keep)

        self._put(work)

    def latest_snapshot(self) -> Snapshot | None:
        """Find the snapshot to start from; None when there is none that can be trusted. Blocks: for the start only."""
        try:
            return None if self._store is None else self._store.latest_snapshot()
        except HealerError as exc:
            self._say(str(exc))
            return None

    async def samples(
        self, metric: str, since: float, *, until: float = math.inf, limit: int = 100_000
    ) -> list[Sample]:
        """Read the samples of a metric between two wall seconds; raises HealerError when the store cannot be read."""
        return await self._ask(lambda store: store.samples(metric, since, until=until, limit=limit))

    async def answer(self, asked: Asked) -> dict[str, Any]:
        """What a metric was, as one JSON document; raises HealerError like ``samples``."""
        return await self._ask(lambda store: answer(store.reader, asked))

    async def add_after(self, healings: list[dict[str, Any]]) -> None:
        """Fill in what became of the values that healings rested on; raises HealerError like ``samples``."""
        await self._ask(lambda store: add_after(store.reader, healings))

    async def incidents(self, since: float = 0.0, *, limit: int = 1000) -> list[IncidentRecord]:
        """Read the incidents opened since a wall second, newest first; raises HealerError like ``samples``."""
        return await self._ask(lambda store: store.incidents(since, limit=limit))

    async def _ask(self, question: Callable[[Store], T]) -> T:
        store = self._store
        if store is None:
            raise HealerError(f"there is no history: {self.trouble or 'it is not open'}")
        return await blocking.call(lambda: question(store))

    def _put(self, job: _Job, *, hurry: bool = False) -> None:
        """Hand a job to the writer; in a hurry where the next start would miss it: a crash asks nobody first."""
        with self._changed:
            if len(self._jobs) >= _MOST_JOBS:
                self.lost += 1
                return
            self._jobs.append(job)
            self._hurry = self._hurry or hurry
            self._changed.notify_all()

    # ------------------------------------------------------------------------------- the writer's thread

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._care is None:
                    self._changed.wait_for(lambda: self._samples or self._jobs or self._closing)
                # Linger, so that a second's looks become one transaction instead of fifty.
                pause = self._linger if self._care is None else min(_PAUSE, self._linger)
                self._changed.wait_for(lambda: self._closing or self._hurry, pause)
                samples, self._samples = self._samples, []
                jobs, self._jobs = self._jobs, []
                self._busy, self._hurry = True, False
                closing = self._closing
            for job, size in self._all(samples, jobs):
                self._do(job, size)
            if self._care is not None and not closing:
                self._take_care(self._care)
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                if closing and not (self._samples or self._jobs):
                    break
        if self._store is not None:
            self._store.close()

    def _all(self, samples: list[Sample], jobs: list[_Job]) -> Iterable[tuple[_Job, int]]:
        if samples:
            yield (lambda store: store.record(samples)), len(samples)
        for job in jobs:
            yield job, 1

    def _do(self, job: _Job, size: int) -> None:
        try:
            try:
                job(self._opened())
            except DamagedError as exc:
                self._replace(exc)
                job(self._opened())
        except Exception as exc:  # noqa: BLE001 - whatever one record did, the next one must still be written
            self._say(str(exc))
            with self._changed:
                self.lost += size
        else:
            self._say("")
            self.written += size

    def _take_care(self, care: Iterator[int]) -> None:
        """One step of upkeep."""
        try:
            if next(care, None) is None:
                self._care = None
        except DamagedError as exc:
            self._care = None
            self._replace(exc)
        except Exception as exc:  # noqa: BLE001 - upkeep is tried again in an hour; samples are written meanwhile
            self._care = None
            self._say(str(exc))

    def _opened(self) -> Store:
        if self._store is None:
            try:
                self._store, because = open_store(self.path)
            except OldSchemaError as exc:
                self._upgrade(exc)
                self._store, because = open_store(self.path)
            if because:
                self.set_aside.append(because)
        return self._store

    def _upgrade(self, old: OldSchemaError) -> None:
        """Have the older tables brought up to date, in a process that takes its libraries with it when it ends."""
        if self._old:
            raise HealerError(self._old, hint=old.hint)
        argv = [sys.executable, "-P", "-m", "healer.migrations", str(self.path)]
        try:
            done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=_UPGRADED_WITHIN)
        except (OSError, subprocess.TimeoutExpired) as exc:
            self._old = f"{old.message}, and that could not be done at the start: {exc}"
            raise HealerError(self._old, hint=old.hint) from exc
        if done.returncode == _DAMAGED:
            self.set_aside.append(f"{done.stderr.strip()}; it was set aside as {set_aside(self.path).name}")
        elif done.returncode:
            self._old = done.stderr.strip() or f"{old.message}, and the upgrade ended with {done.returncode}"
            raise HealerError(self._old, hint=old.hint)
        log.info("store.upgraded", extra={"path": str(self.path)})

    def _replace(self, damage: DamagedError) -> None:
        """Set aside what opened well and turned out to be damaged inside."""
        if self._store is not None:
            self._store.close()
            self._store, self._care = None, None
        aside = set_aside(self.path)
        self.set_aside.append(f"{damage.message}; it was set aside as {aside.name} and a new one begun")
        log.warning("store.set_aside", extra={"path": str(self.path), "because": self.set_aside[-1]})

    def _say(self, trouble: str) -> None:
        """Remember what is wrong, and log it once instead of once per batch."""
        if trouble and trouble != self.trouble:
            log.warning("history.failed", extra={"path": str(self.path), "because": trouble})
        self.trouble = trouble
