"""A witness over HTTP/1.1: one thread, answers sent only after what they rest on has been flushed to the disk.

Requests that arrive together share one flush. HTTP itself is h11's; everything a stranger may use up has a limit here.
"""

import asyncio
import contextlib
import signal
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h11

from audit.errors import AuditError, Poisoned
from audit.witness.judge import Answer, Witness
from audit.witness.protocol import MAX_BODY

MAX_HEADER: Final = 8192
MAX_CONNECTIONS: Final = 512
REQUEST_S: Final = 10.0
"""A request must be here in whole this long after its first octet."""
IDLE_S: Final = 60.0
_MAX_UNREAD: Final = 65_536
_MAX_PORT: Final = 65_535
_ADD: Final = b"/add-checkpoint"
_NEWEST: Final = b"/checkpoint/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What strangers may use up."""

    connections: int = MAX_CONNECTIONS
    request_s: float = REQUEST_S
    idle_s: float = IDLE_S


class Server:
    """Takes requests to the witness and answers back, with one flush between them."""

    def __init__(self, witness: Witness, limits: Limits = Limits()) -> None:
        """Serve ``witness``; ``run`` makes it listen."""
        self._witness = witness
        self._limits = limits
        self._open: dict[_Connection, None] = {}
        """Connections, those that have waited longest without a whole request first."""
        self._silent: dict[_Connection, None] = {}
        """Those of them that have asked nothing yet, the oldest first."""
        self._answers: list[tuple[_Connection, Answer]] = []
        self._told = 0.0
        self._warned = 0.0

    async def run(self, listen: str, ready: Callable[[str], None]) -> None:
        """Serve until SIGTERM or SIGINT; raises ``Poisoned`` where the state cannot be written any more."""
        loop = asyncio.get_running_loop()
        self._end: asyncio.Future[None] = loop.create_future()
        loop.set_exception_handler(self._warn)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        server, where = await self._listen(loop, listen)
        ready(where)
        sweeper = loop.call_later(1, self._sweep)
        try:
            await self._end
        finally:
            sweeper.cancel()
            server.close()
            for connection in list(self._open):
                connection.abort()

    async def _listen(self, loop: asyncio.AbstractEventLoop, listen: str) -> tuple[asyncio.Server, str]:
        def connection() -> _Connection:
            return _Connection(self, loop.time)

        if listen.startswith("unix:"):
            path = Path(listen.removeprefix("unix:"))
            _remove_stale(path)
            return await loop.create_unix_server(connection, path, backlog=1024), listen
        host, _, port = listen.rpartition(":")
        if not host or not port.isascii() or not port.isdecimal() or len(port) > 5 or int(port) > _MAX_PORT:
            raise AuditError(f"{listen!r} is no place to listen", hint="write 127.0.0.1:8470, [::1]:8470 or unix:PATH")
        server = await loop.create_server(connection, host.strip("[]"), int(port), backlog=1024)
        return server, f"{host}:{server.sockets[0].getsockname()[1]}"

    def _stop(self) -> None:
        if not self._end.done():
            self._end.set_result(None)

    def _sweep(self) -> None:
        """Close what has been silent or slow for too long."""
        loop = asyncio.get_running_loop()
        for connection in [one for one in self._open if one.late(loop.time(), self._limits)]:
            connection.abort()
        loop.call_later(1, self._sweep)

    def joined(self, connection: "_Connection") -> None:
        """Take a new connection; when there are too many, one that has asked nothing makes room, the oldest first."""
        if len(self._open) >= self._limits.connections:
            victim = next(iter(self._silent or self._open))
            self.left(victim)
            victim.abort()
        self._open[connection] = self._silent[connection] = None

    def left(self, connection: "_Connection") -> None:
        """Forget a connection."""
        self._open.pop(connection, None)
        self._silent.pop(connection, None)

    def asked(self, connection: "_Connection", request: h11.Request, body: bytes) -> None:
        """Judge a whole request now, and answer after the next flush."""
        self.left(connection)
        self._open[connection] = None
        self._answers.append((connection, self._answer(request, body)))
        if len(self._answers) == 1:
            asyncio.get_running_loop().call_soon(self._flush)

    def _answer(self, request: h11.Request, body: bytes) -> Answer:
        target = request.target
        if target == _ADD:
            if request.method != b"POST":
                return Answer(status=405, body=b"add-checkpoint takes POST\n")
            return self._witness.add_checkpoint(body)
        if target.startswith(_NEWEST) and request.method in (b"GET", b"HEAD"):
            return self._witness.checkpoint(target.removeprefix(_NEWEST).decode("ascii", "replace"))
        return Answer(status=404, body=b"there is POST /add-checkpoint and GET /checkpoint/SHA256-OF-ORIGIN\n")

    def _flush(self) -> None:
        answers, self._answers = self._answers, []
        try:
            self._witness.state.flush()
        except Poisoned as exc:
            # Nobody gets an answer: what we would say may not be true after the next start.
            if not self._end.done():
                self._end.set_exception(exc)
            return
        for connection, answer in answers:
            if answer.evidence:
                self._tell(answer)
            connection.answer(answer)

    def _tell(self, answer: Answer) -> None:
        """Keep for the operator what a log has signed and cannot explain; one line a second at most."""
        now = asyncio.get_running_loop().time()
        if now - self._told >= 1:
            self._told = now
            sys.stderr.write(f"refused with {answer.status}: {answer.evidence}\n")

    def _warn(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Say what the loop could not do, one line a second at most: whoever floods us must not fill the journal."""
        now = loop.time()
        if now - self._warned >= 1:
            self._warned = now
            because = ascii(context.get("exception") or "")
            sys.stderr.write(f"{context.get('message', 'a connection failed')}: {because}\n")


class _Connection(asyncio.Protocol):
    """One client: octets to requests, answers to octets."""

    def __init__(self, server: Server, clock: Callable[[], float]) -> None:
        self._server = server
        self._clock = clock
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER)
        self._transport: asyncio.Transport | None = None
        self._request: h11.Request | None = None
        self._body = bytearray()  # one piece: chunks of two octets each would cost twenty times what they carry
        self._waiting = False
        self._begun = False
        self._deaf = False
        self._since = clock()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a stream server makes
        self._transport = transport
        self._server.joined(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if not self._begun:
            self._begun, self._since = True, self._clock()
        self._http.receive_data(data)
        self._advance()

    def eof_received(self) -> bool:
        if self._deaf:
            return False
        self._http.receive_data(b"")
        self._advance()
        return True

    def late(self, now: float, limits: Limits) -> bool:
        """Whether this client has had its time."""
        return now - self._since > (limits.request_s if self._begun else limits.idle_s)

    def abort(self) -> None:
        """Drop the client without a word."""
        self._server.left(self)
        if self._transport is not None:
            self._transport.abort()

    def answer(self, answer: Answer) -> None:
        """Send an answer, and take up what the client has sent meanwhile."""
        self._waiting = self._begun = False
        self._since = self._clock()
        try:
            self._send(answer)
        except h11.LocalProtocolError:
            # Some corner of HTTP that we do not serve: it must not cost the others in this flush their answers.
            self.abort()
        if self._transport is None or self._transport.is_closing():
            return
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self._transport.close()
            return
        self._http.start_next_cycle()
        self._request, self._body = None, bytearray()
        self._begun = bool(self._http.trailing_data[0])
        self._transport.resume_reading()
        self._advance()

    def _advance(self) -> None:
        """Read as much of the next request as there is."""
        try:
            while not self._waiting and self._transport is not None and self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError as exc:
            self._turn_away(exc.error_status_hint, str(exc))

    def _take(self, event: object) -> bool:
        """Take one event; returns whether there may be another."""
        if isinstance(event, h11.Request):
            self._request = event
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > MAX_BODY:
                self._turn_away(413, f"a request has at most {MAX_BODY} bytes")
                return False
        elif isinstance(event, h11.EndOfMessage) and self._request is not None and self._transport is not None:
            self._waiting = True
            self._transport.pause_reading()
            self._server.asked(self, self._request, bytes(self._body))
            return False
        else:
            self._wait_for_more(event)
            return False
        return True

    def _wait_for_more(self, event: object) -> None:
        if self._transport is None:
            return
        if isinstance(event, h11.ConnectionClosed):
            self._transport.close()
        elif event is h11.NEED_DATA and self._http.they_are_waiting_for_100_continue:
            go_on = self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
            self._transport.write(go_on or b"")

    def _turn_away(self, status: int, because: str) -> None:
        """Say why, where HTTP still allows it, and close.

        What the client is still sending is thrown away until it stops or its time is over: closing on it at once would
        be a reset, and take our words with it.
        """
        self._deaf = True
        with contextlib.suppress(h11.LocalProtocolError):
            self._send(Answer(status=status, body=because.encode() + b"\n"), close=True)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()

    def _send(self, answer: Answer, *, close: bool = False) -> None:
        if self._transport is None:
            return
        headers = [("content-type", answer.kind), ("content-length", str(len(answer.body)))]
        if close:
            headers.append(("connection", "close"))
        whole = self._http.send(h11.Response(status_code=answer.status, headers=headers)) or b""
        if self._request is None or self._request.method != b"HEAD":
            whole += self._http.send(h11.Data(data=answer.body)) or b""
        whole += self._http.send(h11.EndOfMessage()) or b""
        self._transport.write(whole)
        if self._transport.get_write_buffer_size() > _MAX_UNREAD:
            self._transport.abort()


def _remove_stale(path: Path) -> None:
    """Remove the socket of a witness that is gone; whoever listens still is left alone."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise AuditError(f"{path} is there, and is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise AuditError(f"somebody listens on {path} already")
