"""Log files: how often named patterns match in what is newly written, whatever rotates them."""

import contextlib
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from healer.clock import Clock
from healer.drivers import bookmarks
from healer.drivers.followed import LONGEST_LINE, Mark
from healer.drivers.slot import Slot
from healer.drivers.tail import Bounds, Step, Tail
from healer.errors import SensorError
from healer.model.observation import Reading
from healer.model.target import EMPTY, Target
from healer.sensors.interface import TargetSensor
from healer.sensors.sane import Sieve
from healer.sensors.tally import Tally

_log = logging.getLogger("healer.sensors.log")

MOST_READ = 4 << 20
"""Octets read in one look."""
MOST_TIME = 0.5
"""Seconds of reading in one look."""
_ONE_AT_A_TIME = threading.Lock()
"""Threads of many logs that are flooded together would leave the loop a small share of the interpreter."""
_SUMS = ("skipped", "cut", "turned", "gaps")


class LogSensor(TargetSensor):
    """Keys of the target: ``path``, ``patterns``, ``backlog`` (bytes), ``link``.

    ``kept_in``: folder where it notes what it has read, so that a restart counts nothing twice; None keeps nothing.
    What was written before the first look of all is no news. That there is no file is a fact; that it may not be read
    makes all unknown.
    """

    def __init__(self, target: Target, clock: Clock, kept_in: Path | None = None) -> None:
        super().__init__(target, every=2.0)
        spec = target.spec
        self._clock = clock
        self._path = str(spec["path"])
        self._backlog = int(spec.get("backlog") or 64 << 20)
        self._tally = Tally(target.id, spec.get("patterns") or EMPTY, most=LONGEST_LINE)
        self._tail = Tail(self._path, link=bool(spec.get("link")), now=clock.now)
        self._kept = kept_in / "log" / f"{target.name}.json" if kept_in else None
        self._noted: Mapping[str, Any] | None = None
        self._lines = 0
        self._sums = dict.fromkeys(_SUMS, 0)
        self._slot = Slot(self._path)

    async def look(self, now: float) -> Sequence[Reading]:
        """Read in a thread: a disk can hang, and a backlog takes its time."""
        return await self._slot.call(lambda: self._look(now))

    async def close(self) -> None:
        """Note where it stopped, and let go of the files; one that hangs is left to its thread."""
        with contextlib.suppress(SensorError):
            await self._slot.call(self._close)

    def _close(self) -> None:
        self._note()
        self._tail.close()
        self._noted = None

    def _look(self, now: float) -> Sequence[Reading]:
        if self._noted is None:
            self._take_up(now)
        until = self._clock.now() + MOST_TIME
        bounds = Bounds(most=MOST_READ, backlog=self._backlog, enough=lambda: self._clock.now() > until)
        step = self._tail.read(lambda block: self._take(block, now), bounds)
        for name in _SUMS:
            self._sums[name] += getattr(step, name)
        self._note()
        return self._tell(now, step)

    def _take(self, block: str, now: float) -> None:
        with _ONE_AT_A_TIME:
            self._lines += block.count("\n") + 1
            self._tally.block(block, now)

    def _tell(self, now: float, step: Step) -> Sequence[Reading]:
        sieve = Sieve(now, self.marks)
        sieve.number("log.up", step.files > 0)
        sieve.word("log.message", step.troubles[0] if step.troubles else "" if step.files else "there is no such file")
        sieve.number("log.files", step.files)
        if step.written is None:
            sieve.unknown("log.silence", "there is no such file")
        else:
            sieve.number("log.silence", max(0.0, self._clock.wall() - step.written))
        sieve.number("log.lines", self._lines)
        sieve.number("log.lag", step.lag)
        sieve.number("log.lagging", step.lag > LONGEST_LINE)
        for name in _SUMS:
            sieve.number(f"log.{name}", self._sums[name])
        unsure = f"{step.skipped} octets were skipped unread" if step.skipped else ""
        if step.gaps:
            unsure = "a file went away with lines nobody had read"
        self._tally.tell(sieve, "log", unsure=unsure)
        self.garbage += sieve.garbage
        return sieve.readings

    # ------------------------------------------------------------------------------------ over a restart

    def _take_up(self, now: float) -> None:
        """Go on where an earlier run stopped, where that was on the same path."""
        kept = bookmarks.read(self._kept) if self._kept else {}
        if kept.get("path") == self._path:
            self._tail.resume([mark for one in _listed(kept.get("files")) if (mark := _mark(one)) is not None])
            self._tally.take_up(kept.get("patterns"), now, self._clock.wall())
            lines = kept.get("lines")
            self._lines = lines if type(lines) is int and 0 <= lines < 2**53 else 0
        self._noted = EMPTY

    def _note(self) -> None:
        """Write down what was read, where that changed."""
        if self._kept is None or self._noted is None:
            return
        found = {"path": self._path, "files": [asdict(mark) for mark in self._tail.marks()], "lines": self._lines}
        if found == self._noted:
            return
        try:
            bookmarks.write(self._kept, {**found, "patterns": self._tally.state(self._clock.now(), self._clock.wall())})
        except OSError as exc:
            # A restart then reads on from an older place: worse than nothing lost, and no reason to be blind.
            _log.warning("log.not-noted", extra={"target": self.target, "because": exc.strerror})
            return
        self._noted = found


_SHAPES = {field.name: field.type for field in fields(Mark)}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mark(value: object) -> Mark | None:
    """A mark as it was written down; None for what is none."""
    if not isinstance(value, dict) or value.keys() != _SHAPES.keys():
        return None
    if any(type(value[name]) is not shape for name, shape in _SHAPES.items()):
        return None
    fits = 0 <= value["offset"] < 2**63 and 0 <= value["head"] <= LONGEST_LINE
    return Mark(**value) if fits else None
