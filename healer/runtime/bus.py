"""The local event bus: dotted topics, globs, bounded subscribers that lose with a count."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

_log = logging.getLogger("healer.bus")

Callback = Callable[[str, Mapping[str, Any]], None]
RING = 1024
"""Events kept for those who come later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One event as it went over the bus."""

    number: int
    """From 1, without gaps: a subscriber sees what it lost."""
    topic: str
    data: Mapping[str, Any]
    at: float


@dataclass(slots=True)
class Subscription:
    """A bounded queue of events; the oldest is lost when it is full, and counted."""

    glob: str
    size: int = 256
    lost: int = 0
    _queue: deque[Heard] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, heard: Heard) -> None:
        """Take one event in."""
        if len(self._queue) >= self.size:
            self._queue.popleft()
            self.lost += 1
        self._queue.append(heard)
        self._wake.set()

    async def get(self) -> Heard:
        """The next event, waiting for it where there is none."""
        while not self._queue:
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()


class Bus:
    """Topics to subscribers. A callback that raises is dropped and reported; the others go on."""

    def __init__(self) -> None:
        self._callbacks: list[tuple[str, Callback]] = []
        self._subscriptions: list[Subscription] = []
        self.ring: deque[Heard] = deque(maxlen=RING)
        self.count = 0

    def on(self, glob: str, callback: Callback) -> Callable[[], None]:
        """Call back for every topic that matches; returns what ends it."""
        pair = (glob, callback)
        self._callbacks.append(pair)
        return lambda: self._callbacks.remove(pair) if pair in self._callbacks else None

    def subscribe(self, glob: str, size: int = 256) -> Subscription:
        """A queue of every topic that matches; end it with `unsubscribe`."""
        subscription = Subscription(glob=glob, size=size)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def publish(self, topic: str, data: Mapping[str, Any], at: float) -> None:
        """Tell everybody who listens."""
        self.count += 1
        heard = Heard(number=self.count, topic=topic, data=data, at=at)
        self.ring.append(heard)
        for subscription in self._subscriptions:
            if fnmatchcase(topic, subscription.glob):
                subscription.put(heard)
        for pair in list(self._callbacks):
            if fnmatchcase(topic, pair[0]):
                self._call(pair, heard)

    def _call(self, pair: tuple[str, Callback], heard: Heard) -> None:
        try:
            pair[1](heard.topic, heard.data)
        except Exception:  # noqa: BLE001 - a listener's bug is the listener's; the bus goes on without it
            _log.warning("bus.callback-dropped", extra={"glob": pair[0], "topic": heard.topic}, exc_info=True)
            if pair in self._callbacks:
                self._callbacks.remove(pair)
