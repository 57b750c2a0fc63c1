"""The journal, followed by one journalctl for all who want entries of it."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from healer.clock import Clock
from healer.drivers.interface import Driver, DriverError, DriverStatus
from healer.drivers.journal_entries import FIELDS, Entry, Filter, Place, matches, place, read
from healer.drivers.journal_feed import Ears, Feed
from healer.drivers.link import Changed, Link
from healer.errors import ActionError

PROGRAM = ("journalctl",)
"""What is run, up to its options."""
BACKLOG = 64 << 20
"""Octets that may be read without coming to the end; then the rest is skipped, and told."""
QUIET = 0.5
"""Seconds of silence after which all that was waiting has been read."""
_DENIED = ("insufficient permissions", "not seeing messages", "Permission denied")
MARGIN = 5.0
"""Seconds by which what is written may come late."""
_MAY_NOT, _HINT = "the journal may not be read", "add the account to the group systemd-journal"
_NO_FILES = "No journal files were found"
_NO_CURSOR = "Failed to seek to cursor"


@dataclass(slots=True, eq=False, kw_only=True)
class Subscriber:
    """Somebody who wants entries."""

    wants: Filter
    take: Callable[[Entry], None]
    flush: Callable[[], None]
    """Called after each batch of entries."""
    cursor: str
    """Of the last entry it was given, in this run or an earlier one; empty: it wants what comes from now on."""
    since: float
    """Wall second from which on it wants entries, where it was given none yet."""
    came: float
    """Wall second at which it came."""
    seen: float = 0.0
    """Wall second up to which it has all that it wants, also where that was nothing."""
    place: Place | None = field(init=False)
    ready: bool = False
    """It has been given all that was waiting when it came."""

    def __post_init__(self) -> None:
        self.place = place(self.cursor)
        if self.place is None:
            self.cursor = ""

    @property
    def at(self) -> float:
        """Wall second from which on it wants entries."""
        return max(self.since if self.place is None else self.place.at, self.seen)

    def offer(self, entry: Entry) -> None:
        """Give it an entry it was not given yet, if it wants it."""
        if self.place is None:
            if entry.place.at < max(self.since, self.seen):
                return
        elif not entry.place.is_past(self.place):
            return
        self.cursor, self.place = entry.cursor, entry.place
        self.ready = self.ready or entry.place.at >= self.came
        if self.wants.passes(entry):
            self.take(entry)


class _Seat:
    """What the link holds: the child may be another one while it is the same connection."""

    def __init__(self) -> None:
        self.feed: Feed | None = None


class Journal(Driver):
    """One journal: this host's, or that of a folder. ``changed`` hears of losses and returns."""

    def __init__(self, clock: Clock, *, directory: str = "", changed: Changed | None = None) -> None:
        self.name = f"journal:{directory}" if directory else "journal"
        self.gaps = 0
        """Times entries were skipped, or may have been lost."""
        self.cut = 0
        """Entries passed over since they were too large."""
        self.lag: float | None = None
        """Seconds the last entry is old, while more are waiting; None when all are read."""
        self._clock, self._directory = clock, directory
        self._link: Link[_Seat] = Link(
            self.name, connect=self._connect, close=self._let_go, clock=clock, changed=changed, timeout=5.0
        )
        self._subscribers: list[Subscriber] = []
        self._stale = False
        """Another child is needed: for others, or from another place on."""
        self._behind = 0
        self._heard = False
        """The child that runs has told of an entry."""
        self._quiet: asyncio.TimerHandle | None = None
        self._one = asyncio.Lock()

    def status(self) -> DriverStatus:
        """How it is doing."""
        return self._link.status()

    async def health(self) -> None:
        """See to it that it is followed for all subscribers; raises DriverError."""
        async with self._one:
            seat = await self._link.get()
            if self._stale or seat.feed is None:
                await self._sit(seat)
            elif self._quiet is None:
                self._wait_for_quiet(seat)
        if seat.feed is not None and seat.feed.held:
            raise DriverError(
                f"journalctl (pid {seat.feed.pid}) was stopped by a signal", hint="send it CONT, or end it"
            )
        self._note_time(seat)
        said = seat.feed.said if seat.feed else ""
        if _is_denied(said):
            raise DriverError(f"{_MAY_NOT}: {_first(said)}", hint=_HINT)
        if _NO_FILES in said and not self._heard:
            raise DriverError("there is no journal yet", hint="does journald run, and does it keep what it is told?")

    def _note_time(self, seat: _Seat) -> None:
        """Where all is read, nobody has to begin with what is older, however long ago his last entry was."""
        if seat.feed is not None and self.lag is None:
            for one in self._subscribers:
                if one.ready:
                    one.seen = max(one.seen, self._clock.wall() - MARGIN)

    def subscribe(
        self,
        wants: Filter,
        take: Callable[[Entry], None],
        flush: Callable[[], None],
        *,
        cursor: str = "",
        seen: float = 0.0,
    ) -> Subscriber:
        """Take on somebody; `health` sees to the rest. What came after ``cursor``, and after ``seen``, is given too."""
        wall = self._clock.wall()
        since = min(seen, wall) or wall
        made = Subscriber(
            wants=wants, take=take, flush=flush, cursor=cursor, since=since, came=wall, seen=min(seen, wall)
        )
        before = matches(one.wants for one in self._subscribers)
        self._subscribers.append(made)
        if made.place or matches(one.wants for one in self._subscribers) != before or len(self._subscribers) == 1:
            self._stale = True
        return made

    def unsubscribe(self, one: Subscriber) -> None:
        """Give it nothing any more."""
        with contextlib.suppress(ValueError):
            self._subscribers.remove(one)

    async def close(self) -> None:
        """End the child."""
        self._subscribers.clear()
        if self._quiet is not None:
            self._quiet.cancel()
        await self._link.close()

    # ------------------------------------------------------------------------------------------ the child

    async def _connect(self) -> _Seat:
        seat = _Seat()
        await self._sit(seat)
        return seat

    async def _let_go(self, seat: _Seat) -> None:
        feed, seat.feed = seat.feed, None
        if feed is not None:
            feed.end()

    async def _sit(self, seat: _Seat) -> None:
        """Put a child there that tells what all want, from where the one who has read least stopped."""
        await self._let_go(seat)
        ears = Ears(
            lines=lambda lines, more: self._lines(seat, lines, more),
            cut=self._too_long,
            ended=lambda feed, said: self._ended(seat, feed, said),
        )
        try:
            seat.feed = await Feed.started(self._words(), ears)
        except ActionError as exc:
            raise DriverError(f"the journal cannot be followed: {exc.message}", hint=exc.hint) from exc
        self._stale, self._heard, self._behind = False, False, 0
        self._wait_for_quiet(seat)

    def _words(self) -> Sequence[str]:
        first = min(self._subscribers, key=lambda one: one.at, default=None)
        if first is not None and first.place is not None and first.place.at >= first.seen:
            start = f"--after-cursor={first.cursor}"
        else:
            # Whole seconds: what somebody was given already he is not given again.
            start = f"--since=@{int(self._clock.wall() if first is None else first.at)}"
        where = (f"--directory={self._directory}",) if self._directory else ()
        fields = ",".join(FIELDS)
        shape = ("--output=json", f"--output-fields={fields}", "--follow", "--no-tail", "--no-pager")
        return (*PROGRAM, *shape, *where, start, *matches(one.wants for one in self._subscribers))

    def _ended(self, seat: _Seat, feed: Feed, said: str) -> None:
        if seat.feed is not feed:
            return
        seat.feed = None
        if self._quiet is not None:
            self._quiet.cancel()  # the silence of one that is gone says nothing
            self._quiet = None
        if _NO_CURSOR in said:
            self._forget_places()
        because = f"journalctl ended: {_first(said) or 'it said nothing'}"
        self._link.lost(seat, f"{_MAY_NOT}: {_first(said)} ({_HINT})" if _is_denied(said) else because)

    def _forget_places(self) -> None:
        """Nobody can go on where it was: all go on from now, and are told that something may be missing."""
        self.gaps += 1
        for one in self._subscribers:
            one.cursor, one.place, one.since = "", None, self._clock.wall()
            one.seen = 0.0

    # ---------------------------------------------------------------------------------------- its entries

    def _lines(self, seat: _Seat, lines: Sequence[bytes], more: bool) -> None:  # noqa: FBT001 - of one caller
        entry: Entry | None = None
        for line in lines:
            found = read(line)
            if found is None:
                self.cut += bool(line)
                continue
            entry, self._heard = found, True
            for one in self._subscribers:
                one.offer(entry)
        if not more:
            self.lag = None
        elif entry is not None:
            self.lag = max(0.0, self._clock.wall() - entry.place.at)
        self._behind = self._behind + sum(map(len, lines)) if more else 0
        if self._behind > BACKLOG:
            self._forget_places()
            self._behind, self.lag = 0, None
            if seat.feed is not None:
                seat.feed.end()  # the next look begins anew
                seat.feed = None
        if not more:
            self._wait_for_quiet(seat)
        for one in tuple(self._subscribers):
            one.flush()

    def _too_long(self) -> None:
        self.cut += 1

    def _wait_for_quiet(self, seat: _Seat) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None
        if not all(one.ready for one in self._subscribers):
            self._quiet = asyncio.get_running_loop().call_later(QUIET, self._is_quiet, seat)

    def _is_quiet(self, seat: _Seat) -> None:
        self._quiet = None
        if seat.feed is None:
            return
        if not seat.feed.waits:
            self._wait_for_quiet(seat)  # it has not come to the end yet
            return
        for one in self._subscribers:
            one.ready = True


def _is_denied(said: str) -> bool:
    return any(word in said for word in _DENIED)


def _first(said: str) -> str:
    return next((line.strip()[:200] for line in said.splitlines() if line.strip()), "")
