"""Knock at a TCP port: whether it takes a connection in time, and how fast."""

import asyncio
import errno
import socket
from collections.abc import Sequence
from typing import Any

from healer.clock import Clock
from healer.drivers.reach import OURS, LookupFailedError, Resolver, said
from healer.errors import SensorError
from healer.model.observation import Reading
from healer.model.target import Target
from healer.sensors.interface import TargetSensor
from healer.sensors.sane import Sieve

_MARGIN = 0.5


class TcpSensor(TargetSensor):
    """Keys of the target: ``host``, ``port``. Refused and timed out are facts; a name not found is unknown."""

    def __init__(self, target: Target, clock: Clock) -> None:
        super().__init__(target, margin=_MARGIN)
        self._clock = clock
        self._host = str(target.spec.get("host") or "127.0.0.1")
        self._port = int(target.spec["port"])
        self._resolver = Resolver()

    async def look(self, now: float) -> Sequence[Reading]:
        """Connect to the first address that lets us, and hang up."""
        sieve = Sieve(now, self.marks)
        start = self._clock.now()
        try:
            async with asyncio.timeout(self.patience):
                because = await self._knock()
        except TimeoutError:
            because = f"no connection within {self.patience:g} s"
        sieve.number("tcp.ok", not because)
        if because:
            sieve.unknown("tcp.latency", because)
        else:
            sieve.number("tcp.latency", self._clock.now() - start)
        return sieve.readings

    async def _knock(self) -> str:
        """Empty when a connection stood, else why not; raises SensorError where that says nothing of the target."""
        try:
            addresses = await self._resolver.addresses(self._host, self._port)
        except LookupFailedError as exc:
            raise SensorError(exc.message) from exc
        failure: int | None = None
        for family, address in addresses:
            failure = await _connect(family, address)
            if failure is None:
                return ""
        if failure in OURS:
            raise SensorError(f"cannot reach out: {said(failure)}")
        return f"no connection: {said(failure)}"


async def _connect(family: socket.AddressFamily, address: tuple[Any, ...]) -> int | None:
    """None when a connection stood, else the error."""
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        try:
            await asyncio.get_running_loop().sock_connect(sock, address)
            # A port nobody listens on can be drawn as our own: then we have connected to ourselves.
            return errno.ECONNREFUSED if sock.getsockname() == sock.getpeername() else None
        except OSError as exc:
            return exc.errno or errno.EIO
