"""Reach another host: look up its name without holding the loop, and tell our own troubles from its."""

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import Any

from healer.drivers.slot import Slot
from healer.errors import HealerError, SensorError

OURS = frozenset(
    {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM,
     errno.EACCES, errno.EPERM}
)  # fmt: skip
"""Errors of this host or its network: they tell nothing about the other."""
_MOST_LOOKUPS = 8
_MOST_ADDRESSES = 4
Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A family, and what its ``connect`` takes: host and port first."""


class LookupFailedError(HealerError):
    """A name that could not be looked up: our resolver's trouble until proved otherwise."""


class Resolver:
    """Looks up names in threads of our own.

    The loop's resolver uses threads that hold the end of the process, and a dead name server takes half a minute.
    """

    def __init__(self) -> None:
        self._slots: dict[str, Slot] = {}

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """At most four addresses to try in turn; raises LookupFailedError."""
        try:
            literal = ipaddress.ip_address(host)
        except ValueError:
            return await self._look_up(host, port)
        family = socket.AF_INET if literal.version == 4 else socket.AF_INET6
        return [(family, (str(literal), port))]

    async def _look_up(self, host: str, port: int) -> Sequence[Address]:
        slot = self._slots.setdefault(host, Slot(f"looking up {host}", most=_MOST_LOOKUPS))
        try:
            found = await slot.call(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as exc:
            because = exc.strerror if isinstance(exc, OSError) else "it is no name"
            raise LookupFailedError(f"cannot look up {host}: {because}") from exc
        except SensorError as exc:
            raise LookupFailedError(exc.message) from exc
        return [(info[0], info[4]) for info in found][:_MOST_ADDRESSES]


def said(number: int | None) -> str:
    """The error in words."""
    return os.strerror(number) if number else "no connection"
