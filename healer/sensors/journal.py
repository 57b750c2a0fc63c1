"""Entries of the journal: how many of which priority, and how often named patterns match, told the moment they come."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from healer.clock import Clock
from healer.drivers import bookmarks
from healer.drivers.interface import DriverError
from healer.drivers.journal_entries import Entry, Filter
from healer.drivers.journalctl import Journal, Subscriber
from healer.drivers.slot import Slot
from healer.errors import SensorError
from healer.model.kinds.journal import PRIORITIES
from healer.model.observation import Reading, labels
from healer.model.target import EMPTY, Target
from healer.sensors.interface import Push, TargetSensor
from healer.sensors.sane import Sieve
from healer.sensors.tally import Tally

_log = logging.getLogger("healer.sensors.journal")
_NONE = "no entry has come"
_TURN, _TURNS = 0.05, 30
"""Seconds between two glances at whether all that was waiting has been read, and how many there are in one look."""
_SELDOM = 60.0
"""Seconds between two notes of how far a journal was read in which nothing was found."""
LONGEST = 4096
"""Characters of a message that are looked at: journalctl gives no more."""


class JournalSensor(TargetSensor):
    """Keys of the target: ``units``, ``identifiers``, ``priority``, ``patterns``, ``directory``.

    That the journal cannot be followed says nothing about what is written into it: then all is unknown. ``kept_in``:
    folder where it notes its place, so that a restart misses nothing and counts nothing twice; None keeps nothing.
    """

    def __init__(self, target: Target, journal: Journal, clock: Clock, kept_in: Path | None = None) -> None:
        super().__init__(target, every=5.0)
        spec = target.spec
        self._journal, self._clock = journal, clock
        self._wants = Filter(
            units=frozenset(_unit(name) for name in spec.get("units") or ()),
            identifiers=frozenset(spec.get("identifiers") or ()),
            priority=PRIORITIES.index(str(spec.get("priority") or "debug")),
        )
        self._tally = Tally(target.id, spec.get("patterns") or EMPTY, most=LONGEST)
        self._kept = kept_in / "journal" / f"{target.name}.json" if kept_in else None
        self._noted = ("", 0)
        self._slot = Slot(target.id)
        self._counts = [0] * len(PRIORITIES)
        self._told: tuple[tuple[int, ...], float] | None = None
        self._last: float | None = None
        self._new: list[str] = []
        """Messages of the batch that is under way."""
        self._cut = self._gaps = 0
        self._push: Push | None = None
        self._subscriber: Subscriber | None = None

    async def open(self, push: Push) -> None:
        """Go on where an earlier run stopped, or begin now."""
        self._push = push
        kept = await self._slot.call(lambda: bookmarks.read(self._kept) if self._kept else {})
        self._take_up(kept)
        cursor, seen = kept.get("cursor"), kept.get("seen")
        self._gaps = self._journal.gaps
        self._subscriber = self._journal.subscribe(
            self._wants,
            self._take,
            self._flush,
            cursor=cursor if isinstance(cursor, str) else "",
            seen=float(seen) if type(seen) is int and seen > 0 else 0.0,
        )

    async def close(self) -> None:
        """Hear no more, and note the place."""
        if self._subscriber is not None:
            self._journal.unsubscribe(self._subscriber)
            await self._note(self._subscriber)
            self._subscriber = None

    async def look(self, now: float) -> Sequence[Reading]:
        """Tell what has come so far; what matches a pattern was told when it came."""
        await self._check()
        subscriber = self._subscriber
        if subscriber is None or not await self._is_ready(subscriber):
            raise SensorError("what was written while nobody read is still being read")
        await self._check()  # while we waited, it may have ended
        await self._note(subscriber)
        sieve = Sieve(now, self.marks)
        sieve.number("journal.up", value=1)
        self._tell_entries(sieve)
        lag = self._journal.lag
        sieve.number("journal.lag", lag or 0.0)
        sieve.number("journal.lagging", lag is not None)
        sieve.number("journal.cut", self._cut + self._journal.cut)
        sieve.number("journal.gaps", self._journal.gaps)
        unsure = "entries were skipped unread" if self._journal.gaps != self._gaps else ""
        self._gaps = self._journal.gaps
        self._tally.tell(sieve, "journal", unsure=unsure)
        self.garbage += sieve.garbage
        return sieve.readings

    async def _check(self) -> None:
        try:
            await self._journal.health()
        except DriverError as exc:
            raise SensorError(exc.message, hint=exc.hint) from exc

    @staticmethod
    async def _is_ready(subscriber: Subscriber) -> bool:
        """Whether it has all that was waiting, within a moment: there is seldom much."""
        for _ in range(_TURNS):
            if subscriber.ready:
                return True
            await asyncio.sleep(_TURN)
        return subscriber.ready

    def _tell_entries(self, sieve: Sieve) -> None:
        before, self._told = self._told, (tuple(self._counts), sieve.at)
        for place, word in enumerate(PRIORITIES[: self._wants.priority + 1]):
            marks = labels(target=self.target, priority=word)
            sieve.number("journal.entries", self._counts[place], marks)
            if before is None or sieve.at <= before[1]:
                sieve.unknown("journal.entry_rate", "a rate needs two looks", marks)
            else:
                new = self._counts[place] - before[0][place]
                sieve.number("journal.entry_rate", new / (sieve.at - before[1]), marks)
        if self._last is None:
            sieve.unknown("journal.silence", _NONE)
        else:
            sieve.number("journal.silence", max(0.0, sieve.at - self._last))

    def _take(self, entry: Entry) -> None:
        self._counts[entry.priority] += 1
        self._last = self._clock.now()
        if entry.message is None:
            self._cut += 1
        else:
            self._new.append(entry.message)

    def _flush(self) -> None:
        """Look for patterns in what came together, and tell at once when one was found."""
        if not self._new:
            return
        now = self._clock.now()
        # A message of several lines is looked at line by line, as a file would be.
        text, self._new = "\n".join(self._new), []
        if not self._tally.block(text, now) or self._push is None:
            return
        if self._subscriber is not None and self._subscriber.ready:
            sieve = Sieve(now, self.marks)
            self._tally.tell(sieve, "journal", rates=False)
            self._push(sieve.readings)

    # ------------------------------------------------------------------------------------ over a restart

    def _take_up(self, kept: dict[str, Any]) -> None:
        self._tally.take_up(kept.get("patterns"), self._clock.now(), self._clock.wall())
        counts = kept.get("entries")
        if isinstance(counts, list) and len(counts) == len(PRIORITIES):
            self._counts = [one if type(one) is int and 0 <= one < 2**53 else 0 for one in counts]

    async def _note(self, subscriber: Subscriber) -> None:
        """Write the place down, where it has changed."""
        kept_in = self._kept
        place = (subscriber.cursor, int(subscriber.seen // _SELDOM))
        if kept_in is None or place == self._noted:
            return
        self._noted = place
        found = {
            "cursor": subscriber.cursor,
            "seen": int(subscriber.seen),
            "entries": list(self._counts),
            "patterns": self._tally.state(self._clock.now(), self._clock.wall()),
        }
        try:
            await self._slot.call(lambda: bookmarks.write(kept_in, found))
        except (OSError, SensorError) as exc:
            _log.warning("journal.not-noted", extra={"target": self.target, "because": str(exc)})


def _unit(name: str) -> str:
    """A unit's full name: what has no suffix is a service, as for systemctl."""
    suffixes = (".service", ".socket", ".timer", ".mount", ".path", ".scope", ".slice", ".target", ".swap", ".device")
    return name if name.endswith((*suffixes, ".automount")) else f"{name}.service"
