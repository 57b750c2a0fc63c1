"""What an engine tells as it happens: one stream for all who listen, taken up again where it broke off."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from healer.drivers.containers import RESUMED, Container, Event, Greeting, OddError, read_event
from healer.errors import HealerError

Listener = Callable[[Event], None]
_RETRY = (0.2, 1.0, 5.0)
"""Seconds before the events are asked for again; the last goes on."""
_MOST_ASKED = 4096
_ASKED = 120 * 10**9
"""Nanoseconds after which a death is not put down to a signal sent through the engine: HUP is one, too."""


class Stream(Iterable[object], Protocol):
    """The engine's events as they come, until it is closed."""

    def close(self) -> None:
        """End it, from any thread."""


class Source(Protocol):
    """The engine, as far as it is listened to. All raise HealerError, and block."""

    def greet_now(self) -> Greeting:
        """Who it is, and what its clock says."""

    def stream_now(self, since: int) -> Stream:
        """Everything from this nanosecond on: what is past first, then what comes."""

    def inspect_now(self, name: str) -> Container | None:
        """A container by name or id."""


class Events:
    """Listeners, and the one thread that hears for them.

    What happened while the engine was away is told as ``late``, with the container as it is *now*: an old death told as
    a new one would have something healed that is well. After each break every listener's own container is told once as
    `RESUMED`, whatever the engine remembers: a restarted one remembers nothing.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._listeners: list[tuple[Listener, str]] = []
        self._stop: threading.Event | None = None
        self._again = threading.Event()
        self._stream: Stream | None = None
        self._engine = ""
        self._last = 0
        self._asked: dict[str, int] = {}
        """Ids that somebody asked to end, oldest first, and when."""
        self.breaks = 0
        """Times the stream ended or could not be had, since the first listener came."""
        self.open = False
        """Whether it stands now."""
        self.changed = ""
        """Says so where another engine answered than before."""

    @property
    def wanted(self) -> bool:
        """Whether somebody listens."""
        return bool(self._listeners)

    def subscribe(self, listener: Listener, name: str = "") -> Callable[[], None]:
        """Hear of what happens, on the loop's thread, until the returned function is called.

        ``name``: the container that is told after a break; without one nothing is.
        """
        entry = (listener, name)
        self._listeners.append(entry)
        if self._stop is None:
            self._stop = threading.Event()
            loop = asyncio.get_running_loop()
            # A thread of its own: it lasts as long as the agent, and a daemon never holds the end of the process.
            threading.Thread(target=self._hear, args=(self._stop, loop), name="docker-events", daemon=True).start()
        return lambda: self._unsubscribe(entry)

    def _unsubscribe(self, entry: tuple[Listener, str]) -> None:
        with contextlib.suppress(ValueError):
            self._listeners.remove(entry)
        if not self._listeners:
            self.close()

    def close(self) -> None:
        """Tell nobody any more."""
        self._listeners.clear()
        if self._stop is not None:
            self._stop.set()
            self._stop = None
        self.hurry()
        self.interrupt()

    def hurry(self) -> None:
        """The engine answers again: do not wait any longer."""
        self._again.set()

    def interrupt(self) -> None:
        """Break the stream off; it is taken up again while somebody listens. A dead connection may look alive."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(Exception):  # the SDK reaches into urllib3 here: whatever it says, we are done
                stream.close()

    # ------------------------------------------------------------------------------------------ in the thread

    def _hear(self, stop: threading.Event, loop: asyncio.AbstractEventLoop) -> None:
        misses = 0
        while not stop.is_set():
            self._again.clear()  # before the try: who hurries meanwhile must not be slept over
            try:
                for event, listener in self._events(stop):
                    misses = 0
                    loop.call_soon_threadsafe(self._tell, event, listener)
            except HealerError:
                misses += 1
            except RuntimeError:
                return  # the loop is closed
            finally:
                self.open = False
            if not stop.is_set():
                self.breaks += 1
                self._again.wait(_RETRY[min(misses, len(_RETRY) - 1)])

    def _events(self, stop: threading.Event) -> Iterator[tuple[Event, Listener | None]]:
        """Each with the one it is for; None: for all. Raises HealerError when the engine cannot be heard."""
        hello = self._source.greet_now()
        first, same = not self._engine, hello.engine == self._engine
        if not first and not same:
            self.changed = f"another engine answers than before ({hello.engine[:12]}, not {self._engine[:12]})"
        self._engine = hello.engine
        self._last = max(self._last, hello.at) if first or not same else self._last
        stream = self._stream = self._source.stream_now(self._last + 1)
        if stop.is_set():
            self.interrupt()
            return
        self.open = True
        if not first:
            yield from self._resumed()
        for raw in stream:
            if (event := read_event(raw)) is not None:
                self._last = max(self._last, event.at)
                yield self._understood(event, late=event.at <= hello.at), None

    def _resumed(self) -> Iterator[tuple[Event, Listener]]:
        for listener, name in tuple(self._listeners):
            found = self._source.inspect_now(name) if name else None
            if found is not None:
                event = Event(what=RESUMED, id=found.id, name=found.name, exit_code=None, container=found, late=True)
                yield event, listener

    def _understood(self, event: Event, *, late: bool) -> Event:
        """With what only the order of events tells, and the container as it is."""
        if event.what == "kill":
            self._asked.pop(event.id, None)
            self._asked[event.id] = event.at
            if len(self._asked) > _MOST_ASKED:
                self._asked.pop(next(iter(self._asked)))
        asked = event.at - self._asked.get(event.id, -_ASKED) < _ASKED
        if event.what in ("start", "destroy"):
            self._asked.pop(event.id, None)
        if event.what == "die" and not late:
            return replace(event, asked=asked)
        try:
            found = self._source.inspect_now(event.id)
        except OddError:
            found = None
        return replace(event, container=found, late=late, asked=asked)

    def _tell(self, event: Event, listener: Listener | None) -> None:
        for one, _ in tuple(self._listeners):
            if listener is None or one is listener:
                one(event)
