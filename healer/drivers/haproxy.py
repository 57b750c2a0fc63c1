"""HAProxy by its stats socket: a connection for each question, every order read back.

A connection is not kept: the socket takes ten at a time unless it is told otherwise, people need some of them, and a
fresh one shows that HAProxy still takes it. What is asked in one line comes from one moment.
"""

import asyncio
import errno
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from healer.clock import Clock
from healer.drivers import haproxy_answers as answers
from healer.drivers.haproxy_answers import Backend, Process
from healer.drivers.interface import Driver, DriverError, DriverStatus
from healer.drivers.reach import OURS, said
from healer.drivers.visits import Visits
from healer.model.address import numeric

T = TypeVar("T")

MOST = 4 << 20
"""Octets of an answer; a thousand servers are half a megabyte."""
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)
"""As HAProxy lets proxies and servers be named; so none can smuggle in a second command."""
_HINT_ADMIN = "the socket needs `level admin` to be given orders"
_HINTS: Mapping[int, str] = {
    errno.EACCES: "may this account use the socket? (`mode`, `user` and `group` of its `stats socket` line)",
    errno.ENOENT: "does HAProxy run, and is this the path of its `stats socket` line?",
    errno.ECONNREFUSED: "does HAProxy run?",
}


class AbsentError(DriverError):
    """HAProxy answers, and knows no such backend or server."""


class Haproxy(Driver):
    """One HAProxy. ``at`` is the path of its stats socket, or ``address:port`` of a loopback one. Seconds."""

    def __init__(self, name: str, at: str, clock: Clock, *, timeout: float = 5.0) -> None:
        self.name = name
        self._at = at
        self._timeout = timeout
        self._visits = Visits(name, clock)

    # ----------------------------------------------------------------------------------------- questions

    async def process(self) -> Process:
        """The HAProxy behind the socket; raises DriverError."""
        return await self._read("show info", lambda sections: answers.read_process(sections[0] if sections else ""))

    async def backend(self, name: str) -> Backend:
        """One backend and its servers, of one moment; raises DriverError, AbsentError."""
        _check(name)
        # 6: backends (2) and servers (4), -1: all of them.
        line = f"show info;show stat {name} 6 -1;show servers state {name}"
        return await self._read(line, lambda sections: answers.read_backend(name, sections))

    # -------------------------------------------------------------------------------------------- orders

    async def set_state(self, backend: str, server: str, state: str) -> None:
        """Order ready, drain or maint; raises DriverError (``sent``: it may have been taken all the same)."""
        await self._order(f"set server {_check(backend)}/{_check(server)} state {state}")

    async def set_weight(self, backend: str, server: str, weight: int) -> None:
        """Order a weight, 0 to 256; raises DriverError."""
        await self._order(f"set server {_check(backend)}/{_check(server)} weight {weight}")

    async def _order(self, line: str) -> None:
        refusal = await self._read(line, lambda sections: answers.refused("".join(sections)))
        if refusal:
            denied = refusal.startswith(answers.DENIED)
            raise DriverError(f"HAProxy refused: {refusal[:200]}", hint=_HINT_ADMIN if denied else "", fact=not denied)

    # ---------------------------------------------------------------------------------------- connection

    def status(self) -> DriverStatus:
        """How it went the last time."""
        return self._visits.status

    async def health(self) -> None:
        """Ask what it is."""
        await self.process()

    async def close(self) -> None:
        """Nothing is held between two questions."""
        self._visits.end()

    async def _read(self, line: str, read: Callable[[Sequence[str]], T]) -> T:
        """Ask, and read the sections of the answer; raises DriverError, AbsentError."""
        try:
            octets = await self._ask(line)
            found = read(answers.whole(octets))
        except answers.Absent as exc:
            self._visits.answered()
            raise AbsentError(f"{exc} (HAProxy at {self._at})", fact=True) from exc
        except answers.Garbage as exc:
            self._visits.failed(str(exc))
            raise DriverError(f"HAProxy at {self._at}: {exc}"[:300], fact=True, sent=True) from exc
        except DriverError as exc:
            self._visits.failed(exc.message)
            raise
        self._visits.answered()
        return found

    async def _ask(self, line: str) -> bytes:
        family, address = _address(self._at)
        sent = False
        try:
            async with asyncio.timeout(self._timeout):
                with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
                    await asyncio.get_running_loop().sock_connect(sock, address)
                    sent = True
                    return await _exchange(sock, line.encode("ascii") + b"\n")
        except TimeoutError as exc:
            raise DriverError(
                f"HAProxy at {self._at}: no whole answer within {self._timeout:g} s", fact=True, sent=sent
            ) from exc
        except OSError as exc:
            raise _failed(self._at, exc, sent=sent) from exc


async def _exchange(sock: socket.socket, line: bytes) -> bytes:
    """Say one line and hear the answer to its end; raises OSError, answers.Garbage."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, line)
    answer = bytearray()
    while octets := await loop.sock_recv(sock, 65536):
        answer += octets
        if len(answer) > MOST:
            raise answers.Garbage(f"an answer longer than {MOST >> 20} MiB")
    return bytes(answer)


def _failed(at: str, exc: OSError, *, sent: bool) -> DriverError:
    number = exc.errno or errno.EIO
    hint = _HINTS.get(number, "")
    # A missing socket is a HAProxy that never ran as well as a path that is wrong: nobody can tell.
    fact = number not in OURS and number != errno.ENOENT
    return DriverError(f"HAProxy at {at}: {said(number)}", hint=hint, fact=fact, sent=sent)


def _address(at: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    if at.startswith("/"):
        return socket.AF_UNIX, at
    host, port = numeric(at)
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, port)


def _check(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise DriverError(f"'{name[:60]}' is no name of HAProxy's")
    return name
