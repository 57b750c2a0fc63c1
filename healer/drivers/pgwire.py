"""Just enough of PostgreSQL's wire protocol to tell whose fault it is that no session can be had.

libpq says in one (translated) sentence that it failed. Asking the server the first two questions of the protocol
ourselves tells a server that is down, hung or starting from one that lives and does not let *us* in.
Source: PostgreSQL documentation, "Frontend/Backend Protocol", message formats.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from healer.drivers.interface import DriverError
from healer.drivers.reach import OURS, LookupFailedError, Resolver, said

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_PROTOCOL = 196608
"""3.0: every version since 2003 speaks it."""
_MOST = 65536
_TERMINATE = struct.pack("!ci", b"X", 4)
_FACTS = ("53", "57", "58", "F0", "XX")
"""Classes of SQLSTATE that tell something about the server: exhausted resources, shutting down or
starting, failed I/O, broken files, internal errors. All others are about what we asked, or who we are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where a server takes connections."""

    host: str
    """A name, an address, or the absolute path of the folder that holds its Unix socket."""
    port: int = 5432

    @property
    def path(self) -> str:
        """Its Unix socket; empty where it is reached over the network."""
        return f"{self.host}/.s.PGSQL.{self.port}" if self.host.startswith("/") else ""

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def is_fact(sqlstate: str) -> bool:
    """Say whether an error of this SQLSTATE is the server's own state, not our rights or our question."""
    return sqlstate[:2] in _FACTS


async def greet(door: Door, resolver: Resolver, *, timeout: float) -> None:
    """See that the server takes a new connection and answers on it; raises DriverError.

    It costs the server one process for a moment and leaves no line in its log.
    """
    async with _open(door, resolver, timeout) as (reader, writer):
        writer.write(SSL_REQUEST)
        answer = await reader.read(2)
    if not answer:
        raise DriverError(f"{door} hung up without a word", fact=True)
    # One letter, yes or no, and silence after it; an old server's error goes on. A banner (SSH-2.0...) goes on, too.
    if answer not in {b"S", b"N"} and not answer.startswith(b"E"):
        raise DriverError(f"what answers at {door} is not PostgreSQL", fact=True)


async def blame(door: Door, resolver: Resolver, *, user: str, dbname: str, timeout: float) -> None:
    """Return when the server is well, so that a connection that failed is our own trouble; raises DriverError if not.

    Begins a session without encryption and ends it before anybody has proved who they are: nothing secret is sent.
    """
    words = b"".join(part.encode() + b"\0" for part in ("user", user, "database", dbname, "application_name", "healer"))
    body = struct.pack("!i", _PROTOCOL) + words + b"\0"
    async with _open(door, resolver, timeout) as (reader, writer):
        writer.write(struct.pack("!i", len(body) + 4) + body)
        kind, text = await _message(reader, door)
        with contextlib.suppress(OSError):
            writer.write(_TERMINATE)
    if kind == b"E":
        fields = error_fields(text)
        if is_fact(fields.get("C", "")):
            raise DriverError(f"{door}: {fields.get('M', 'no reason given')[:200]}", fact=True)
    elif kind not in b"RNv":
        raise DriverError(f"what answers at {door} is not PostgreSQL", fact=True)


async def look_up(door: Door, resolver: Resolver, *, timeout: float) -> Sequence[str]:
    """Its addresses, none for a Unix socket; raises DriverError, which is never a fact: names are our resolver's."""
    if door.path:
        return ()
    try:
        async with asyncio.timeout(timeout):
            return [str(address[0]) for _, address in await resolver.addresses(door.host, door.port)]
    except LookupFailedError as exc:
        raise DriverError(exc.message, hint=exc.hint) from exc
    except TimeoutError as exc:
        raise DriverError(f"looking up {door.host} took longer than {timeout:g} s") from exc


async def _message(reader: asyncio.StreamReader, door: Door) -> tuple[bytes, bytes]:
    try:
        head = await reader.readexactly(5)
        kind, length = head[:1], struct.unpack("!i", head[1:])[0]
        if not 4 <= length <= _MOST:
            raise DriverError(f"what answers at {door} is not PostgreSQL", fact=True)
        return kind, await reader.readexactly(length - 4)
    except asyncio.IncompleteReadError as exc:
        raise DriverError(f"{door} hung up in the middle of a word", fact=True) from exc


def error_fields(text: bytes) -> dict[str, str]:
    """Fields of an ErrorResponse by their letter: C is the SQLSTATE, M the message. Never raises."""
    return {part[:1].decode("latin-1"): part[1:].decode("utf-8", "replace") for part in text.split(b"\0") if part}


@contextlib.asynccontextmanager
async def _open(
    door: Door, resolver: Resolver, timeout: float
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    addresses = await look_up(door, resolver, timeout=timeout)
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await _connect(door, addresses)
            yield reader, writer
    except TimeoutError as exc:
        raise DriverError(f"{door} did not answer within {timeout:g} s", fact=True) from exc
    except OSError as exc:
        # Without a number it is not the kernel's word about the other side: a path too long for a socket.
        fact = exc.errno is not None and exc.errno not in OURS
        raise DriverError(f"{door}: {said(exc.errno)}", fact=fact) from exc
    finally:
        if writer is not None:
            writer.transport.abort()


async def _connect(door: Door, addresses: Sequence[str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the first address that takes it; raises OSError of the last."""
    if not addresses:
        return await asyncio.open_unix_connection(door.path, limit=_MOST)
    last = OSError()
    for address in addresses:
        try:
            return await asyncio.open_connection(address, door.port, limit=_MOST)
        except OSError as exc:
            last = exc
    raise last
