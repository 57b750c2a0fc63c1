"""Ask a name server one question, and say who is to blame when there is no answer; the only importer of dnspython.

Only its messages are used: its own resolver would import an HTTP client, and hide which server said what.
"""

import asyncio
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from healer import blocking
from healer.clock import Clock
from healer.drivers.interface import DriverError
from healer.drivers.reach import OURS, said
from healer.model.address import numeric

if TYPE_CHECKING:
    from dns.message import Message

PORT = 53
MOST_ANSWERS = 256
_CONF = Path("/etc/resolv.conf")
_MOST_SERVERS = 3
"""As the C library takes of resolv.conf."""
_PATIENCE = 0.4
"""Share of the time after which a datagram is taken for lost, and sent again."""


class DnsError(DriverError):
    """No answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a name server said."""

    server: str
    """``address:port`` of who said it."""
    rcode: str
    """NOERROR, NXDOMAIN, SERVFAIL, REFUSED ... (RFC 1035, and IANA's list since)."""
    answers: tuple[str, ...]
    """Of the type asked for, as in a zone file, sorted."""
    ttl: int | None
    """Seconds the shortest-lived of them may be kept; None without any."""
    took: float
    """Seconds."""


class Dns:
    """Asks name servers, each question on a socket of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def open(self) -> None:
        """Import dnspython off the loop: it takes a tenth of a second."""
        await blocking.call(_load)

    async def ask(self, record: str, kind: str, *, server: str = "", timeout: float = 5.0) -> Answer:
        """The answer of ``server`` (``address`` or ``address:port``), else of the first of this host's that answers.

        Raises DnsError: silence and garbage are facts about a server that was named; about this host's own nobody
        can tell whether it is they or we.
        """
        servers = [_address(server)] if server else await blocking.call(_resolvers)
        start, last = self._clock.now(), DnsError("this host has no name server", fact=False)
        for address in servers:
            try:
                said_so = await self._one(record, kind, address, timeout / len(servers))
            except DnsError as exc:
                last = exc
            else:
                return _told(said_so, kind, address, self._clock.now() - start)
        raise DnsError(last.message, fact=last.fact and bool(server), hint=last.hint)

    async def _one(self, record: str, kind: str, address: tuple[str, int], timeout: float) -> "Message":
        import dns.exception

        question = _question(record, kind)
        where = _shown(address)
        try:
            async with asyncio.timeout(timeout):
                answer = await _by_datagram(question, address, timeout * _PATIENCE)
                if answer is None:
                    answer = await _by_stream(question, address)
        except TimeoutError as exc:
            raise DnsError(f"{where}: no answer within {timeout:g} s", fact=True) from exc
        except OSError as exc:
            because = said(exc.errno) if exc.errno else str(exc)
            raise DnsError(f"{where}: no answer: {because}", fact=exc.errno not in OURS) from exc
        except (dns.exception.DNSException, ValueError) as exc:
            raise DnsError(f"{where}: no proper answer: {exc}"[:200], fact=True) from exc
        return answer


def _load() -> None:
    import dns.message  # noqa: F401 - loaded for the first question


def _question(record: str, kind: str) -> "Message":
    import dns.exception
    import dns.message

    try:
        return dns.message.make_query(record, kind, use_edns=0, payload=1232)
    except dns.exception.DNSException as exc:
        raise DnsError(f"'{record}' cannot be asked for: {exc}"[:200], fact=False) from exc


async def _by_datagram(question: "Message", address: tuple[str, int], patience: float) -> "Message | None":
    """The answer in a datagram, None where it did not fit into one."""
    import dns.flags
    import dns.message

    loop, octets = asyncio.get_running_loop(), question.to_wire()
    with socket.socket(_family(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        await loop.sock_connect(sock, address)  # so that the kernel drops what others send
        while True:
            await loop.sock_sendall(sock, octets)
            try:
                async with asyncio.timeout(patience):
                    while True:
                        got = dns.message.from_wire(await loop.sock_recv(sock, 65535), ignore_trailing=True)
                        if question.is_response(got):
                            return None if got.flags & dns.flags.TC else got
            except TimeoutError:
                continue  # it was lost, or nobody is there: the whole has its own bound


async def _by_stream(question: "Message", address: tuple[str, int]) -> "Message":
    import dns.message

    loop = asyncio.get_running_loop()
    with socket.socket(_family(address), socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        await loop.sock_connect(sock, address)
        octets = question.to_wire()
        await loop.sock_sendall(sock, struct.pack("!H", len(octets)) + octets)
        (length,) = struct.unpack("!H", await _exactly(sock, 2))
        got = dns.message.from_wire(await _exactly(sock, length), ignore_trailing=True)
    if not question.is_response(got):
        raise ValueError("it answers another question")
    return got


async def _exactly(sock: socket.socket, count: int) -> bytes:
    octets = b""
    while len(octets) < count:
        more = await asyncio.get_running_loop().sock_recv(sock, count - len(octets))
        if not more:
            raise ValueError("the answer was cut off")
        octets += more
    return octets


def _told(got: "Message", kind: str, address: tuple[str, int], took: float) -> Answer:
    import dns.rcode
    import dns.rdatatype

    wanted = dns.rdatatype.from_text(kind)
    sets = [rrset for rrset in got.answer if rrset.rdtype == wanted]
    answers = sorted({_plain(rdata.to_text()) for rrset in sets for rdata in rrset})[:MOST_ANSWERS]
    return Answer(
        server=_shown(address),
        rcode=dns.rcode.to_text(got.rcode()),
        answers=tuple(answers),
        ttl=min((rrset.ttl for rrset in sets), default=None),
        took=took,
    )


def _plain(text: str) -> str:
    """A name without its last dot, so that people can write it as they are used to."""
    return text[:-1].lower() if text.endswith(".") else text


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _family(address: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def _address(text: str) -> tuple[str, int]:
    try:
        return numeric(text, PORT)
    except ValueError as exc:
        raise DnsError(f"no name server: {exc}", fact=False, hint="192.0.2.1 or 192.0.2.1:53") from exc


def _resolvers() -> Sequence[tuple[str, int]]:
    """This host's name servers; raises DnsError."""
    try:
        lines = _CONF.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as exc:
        raise DnsError(f"cannot read {_CONF}: {exc.strerror}", fact=False) from exc
    found = []
    for words in (line.split() for line in lines):
        if len(words) > 1 and words[0] == "nameserver":
            with suppress(ValueError):  # as the C library does with what is no address
                found.append(numeric(words[1].partition("%")[0], PORT))
    return found[:_MOST_SERVERS]
