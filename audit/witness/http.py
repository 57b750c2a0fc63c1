"""One HTTP question with a deadline and a limit: a witness may be slow, hostile or not one at all."""

import http.client
import io
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from audit.clock import Clock
from audit.errors import AuditError
from audit.witness.protocol import OutOfReach

MAX_ANSWER: Final = 262_144
"""Octets in an answer, its header included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, whatever it was."""

    status: int
    kind: str
    """The media type, in lower case, without parameters."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a witness listens."""

    scheme: str
    host: str
    """A host, or the path of a Unix socket."""
    port: int
    prefix: str

    @classmethod
    def parse(cls, url: str) -> "Place":
        """Read ``http://HOST[:PORT][/PREFIX]``, ``https://...`` or ``unix:PATH``; raises ``AuditError``."""
        if url.startswith("unix:/"):
            return cls(scheme="unix", host=url.removeprefix("unix:"), port=0, prefix="")
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (ValueError, KeyError) as exc:
            raise _no_place(url) from exc
        if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc or not url.isascii():
            raise _no_place(url)
        return cls(scheme=parts.scheme, host=parts.hostname, port=port, prefix=parts.path.rstrip("/"))


def _no_place(url: str) -> AuditError:
    shown = url.rpartition("@")[2][:80]  # what stands before may be a secret
    return AuditError(f"{shown!r} is no witness's URL", hint="write http://HOST:PORT or unix:/PATH")


def ask(place: Place, path: str, body: bytes | None, *, timeout_s: float, clock: Clock) -> Reply:
    """POST ``body`` (GET where there is none) and return the reply; redirects are replies like others.

    Raises ``OutOfReach`` where there is no whole reply of at most ``MAX_ANSWER`` octets within ``timeout_s`` seconds.
    Looking up a host's name is the resolver's business and not bounded here.
    """
    connection = _Connection(place, _Deadline(timeout_s, clock))
    headers = {} if body is None else {"Content-Type": "application/octet-stream"}
    try:
        connection.request("GET" if body is None else "POST", place.prefix + path, body, headers)
        response = connection.getresponse()
        kind = (response.getheader("content-type") or "").partition(";")[0].strip().lower()
        # Never as much as the peer announces: room for it would be made before the first octet is here.
        received = response.read(MAX_ANSWER + 1)
        if response.length:
            raise http.client.IncompleteRead(received, response.length)
        return Reply(status=response.status, kind=kind, body=received)
    except (OSError, http.client.HTTPException, ValueError) as exc:
        because = str(exc) or type(exc).__name__
        raise OutOfReach(f"no answer from {place.host}: {because[:200]}") from exc
    finally:
        connection.close()
        connection.hang_up()


class _Deadline:
    """How much time is left for everything together."""

    def __init__(self, timeout_s: float, clock: Clock) -> None:
        self._clock = clock
        self._end = clock.mono_us() + round(timeout_s * 1e6)

    def left_s(self) -> float:
        """Return the seconds left; raises ``TimeoutError`` where there are none."""
        left = (self._end - self._clock.mono_us()) / 1e6
        if left <= 0:
            raise TimeoutError("no whole answer within the time")
        return left


class _Connection(http.client.HTTPConnection):
    """A connection whose every step counts against one deadline."""

    def __init__(self, place: Place, deadline: _Deadline) -> None:
        super().__init__(place.host if place.scheme != "unix" else "localhost", place.port or None)
        self._place = place
        self._deadline = deadline
        self._opened: socket.socket | None = None

    def connect(self) -> None:
        """Open the socket, by name or by path."""
        self._opened = _opened(self._place, self._deadline)
        # http.client asks no more of a socket than _Socket has.
        self.sock = _Socket(self._opened, self._deadline)

    def hang_up(self) -> None:
        """Close the socket for good."""
        if self._opened is not None:
            self._opened.close()


def _opened(place: Place, deadline: _Deadline) -> socket.socket:
    if place.scheme == "unix":
        unix = socket.socket(socket.AF_UNIX)
        unix.settimeout(deadline.left_s())
        try:
            unix.connect(place.host)
        except OSError:
            unix.close()
            raise
        return unix
    opened = socket.create_connection((place.host, place.port), deadline.left_s())
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if place.scheme == "http":
        return opened
    import ssl

    opened.settimeout(deadline.left_s())
    return ssl.create_default_context().wrap_socket(opened, server_hostname=place.host)


class _Socket:
    """What ``http.client`` needs of a socket, under the deadline."""

    def __init__(self, inner: socket.socket, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._inner.settimeout(self._deadline.left_s())
        self._inner.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._inner, self._deadline))

    def close(self) -> None:
        """Do nothing yet: http.client lets go of the socket before it has read what the peer said last."""


class _Reader(io.RawIOBase):
    """The socket's octets, as long as there is time and they are not too many."""

    def __init__(self, inner: socket.socket, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline
        self._left = MAX_ANSWER

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # BufferedReader gives a memoryview
        self._inner.settimeout(self._deadline.left_s())
        count = self._inner.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise OSError(f"the answer is larger than {MAX_ANSWER} bytes")
        return count
