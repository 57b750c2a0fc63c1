"""Redis (and Valkey): one supervised connection that looks and hands share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from healer.clock import Clock
from healer.drivers.interface import Driver, DriverError, DriverStatus
from healer.drivers.link import AT_ONCE, Changed, Link
from healer.drivers.reach import OURS, Resolver
from healer.drivers.redis_info import Info, read_info
from healer.drivers.redis_wire import FACTS, Place, RedisError, Wire, connect, garbage, open_streams, told

T = TypeVar("T")

OLDEST = 5
"""REPLICAOF is there since this version."""
_GREETING = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look saw."""

    latency: float
    """Seconds a PING took."""
    refusal: str
    """What it answered to a PING in place of PONG; empty where it was one."""
    code: str
    info: Info


class Redis(Driver):
    """One server. ``timeout`` in seconds bounds a connection being made, and each exchange."""

    def __init__(
        self, name: str, place: Place, clock: Clock, *, timeout: float = 5.0, changed: Changed | None = None
    ) -> None:
        self.name = name
        self.place = place
        self._clock = clock
        self._timeout = timeout
        self._resolver = Resolver()
        self._link: Link[Wire] = Link(
            name,
            connect=lambda: connect(place, self._resolver, timeout=timeout),
            close=_close,
            clock=clock,
            timeout=timeout,
            pauses=AT_ONCE,
            changed=changed,
        )

    async def look(self) -> Seen:
        """Ask how it is; raises RedisError."""
        return await self._kept(self._look)

    async def wire(self) -> Wire:
        """The connection, seen to be alive; raises RedisError. What is done on it is done to one process."""

        async def knock(wire: Wire) -> Wire:
            await wire.replies([("PING",)])
            return wire

        return await self._kept(knock)

    async def primary_answers(self, host: str, port: int) -> str:
        """How another server answers a knock: what it said first, or ``hung up``; empty where nothing is heard of it.

        Raises RedisError where we could not look. Nobody logs in there.
        """
        elsewhere = Place(host=host, port=port)
        try:
            async with asyncio.timeout(self._timeout):
                reader, writer = await open_streams(elsewhere, self._resolver, None, timeout=self._timeout)
                try:
                    writer.write(b"PING\r\n")
                    said = (await reader.read(_GREETING)).decode("utf-8", "replace").strip()
                except OSError:
                    said = ""  # it took the connection, and threw it away: somebody is there
                finally:
                    writer.transport.abort()
        except TimeoutError:
            return ""
        except OSError as exc:
            if exc.errno in OURS:
                raise told(exc, elsewhere) from exc
            return ""
        return said or "hung up"

    # ---------------------------------------------------------------------------------------- connection

    def status(self) -> DriverStatus:
        """How the connection is doing."""
        return self._link.status()

    async def health(self) -> None:
        """Send a PING; a refusal will do."""
        await self.wire()

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()

    async def _kept(self, use: Callable[[Wire], Awaitable[T]]) -> T:
        """Use the connection; where an old one turns out to be gone, that is no news about the server: a new one tells.

        Servers hang up on clients that were idle for long.
        """
        old = self._link.connected
        try:
            return await self._used(use)
        except RedisError as exc:
            if not (old and exc.lost):
                raise
        return await self._used(use)

    async def _used(self, use: Callable[[Wire], Awaitable[T]]) -> T:
        try:
            wire = await self._link.get()
        except RedisError:
            raise
        except DriverError as exc:
            raise RedisError(exc.message, hint=exc.hint, fact=exc.fact, sent=exc.sent) from exc
        try:
            return await use(wire)
        finally:
            if not wire.alive:
                self._link.lost(wire, f"{self.place}: the connection broke")

    async def _look(self, wire: Wire) -> Seen:
        start = self._clock.now()
        pong = (await wire.replies([("PING",)]))[0]
        latency = self._clock.now() - start
        if isinstance(pong, RedisError):
            if pong.code not in FACTS or pong.code == "BUSY":
                raise pong
        elif pong != b"PONG":
            raise garbage(self.place)
        info = await self.info(wire)
        refused = isinstance(pong, RedisError)
        return Seen(
            latency=latency, refusal=pong.message if refused else "", code=pong.code if refused else "", info=info
        )

    async def info(self, wire: Wire) -> Info:
        """Its figures; raises RedisError."""
        info = read_info(await wire.ask("INFO"))
        if not info.generation or not info.version:
            raise garbage(self.place)
        if info.major < OLDEST:
            raise RedisError(f"{self.place} is Redis {info.version}", hint=f"{OLDEST} is the oldest that is known here")
        self._link.version = info.version
        return info


async def _close(wire: Wire) -> None:
    wire.end()
