"""One connection to Redis (or Valkey), every reply bounded in time and size; the only importer of redis."""

import asyncio
import functools
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from healer import blocking
from healer.drivers.interface import EXTRAS, DriverError
from healer.drivers.reach import OURS, LookupFailedError, Resolver, said
from healer.errors import HealerError
from healer.model.target import Target
from healer.yamldoc.secret import Secret

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

T = TypeVar("T")

MOST = 16 << 20
"""Octets of the replies to one question; ten thousand clients are listed in 4 MiB."""
_CHARS = 200
_OF_NAMES = 0.8
"""Share of the time a connection may take that a name may take."""
FACTS = frozenset({"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "OOM"})
"""Refusals that tell how the server is; all others are about our rights, or about what we asked."""
_CROWDED = "max number of clients reached"
_HINT_RIGHTS = "see docs/kinds/redis.md for the rights it needs"
Word = str | bytes | int


class RedisError(DriverError):
    """Redis, or the way to it, said no. ``code`` is the first word of its refusal; empty where there was none."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        fact: bool = False,
        sent: bool = False,
        code: str = "",
        lost: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, fact=fact, sent=sent)
        self.code = code
        self.lost = lost
        """The connection broke, or was closed by the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """TLS, as the target's keys say it: PEM files."""

    ca: str = ""
    """Certificates the server's must come from; empty: those this host trusts."""
    cert: str = ""
    key: str = ""
    server_name: str = ""
    """The name it has to prove; empty: the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server is, and who we are there."""

    host: str = "127.0.0.1"
    port: int = 6379
    socket: str = ""
    """Path of its Unix socket; empty where it is reached over the network."""
    db: int = 0
    username: str = ""
    password: Secret | None = None
    """Read at each connection; None where none is needed."""
    tls: Trust | None = None

    @classmethod
    def of(cls, target: Target) -> Self:
        """The place its keys name."""
        spec = target.spec
        given: Mapping[str, Any] | None = spec.get("tls")
        tls = None if given is None else Trust(**{name: str(value) for name, value in given.items() if value})
        return cls(
            host=str(spec.get("host") or "127.0.0.1"), port=int(spec.get("port") or 6379),
            socket=str(spec.get("socket") or ""), db=int(spec.get("db") or 0),
            username=str(spec.get("username") or ""), password=spec.get("password"), tls=tls,
        )  # fmt: skip

    def __str__(self) -> str:
        return self.socket or f"{self.host}:{self.port}"


class _Bounded(asyncio.StreamReader):
    """A reader that counts: a reply announced as two gigabytes is refused before it comes."""

    taken = 0

    async def readexactly(self, n: int) -> bytes:
        """As ever, within the bound."""
        self._count(n)
        return await super().readexactly(n)

    async def readline(self) -> bytes:
        """As ever, within the bound."""
        line = await super().readline()
        self._count(len(line))
        return line

    def _count(self, octets: int) -> None:
        self.taken += octets
        if self.taken > MOST:
            raise ValueError(f"a reply longer than {MOST >> 20} MiB")


class Wire:
    """One connection, logged in. What cuts a question short, a deadline or being cancelled, ends it."""

    def __init__(self, connection: "AbstractConnection", reader: _Bounded, place: Place, timeout: float) -> None:
        self._connection = connection
        self._reader = reader
        self._place = place
        self._timeout = timeout
        self._lock = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Nothing has ended it, as far as we know."""
        return bool(self._connection.is_connected)

    async def ask(self, *words: Word) -> Any:  # noqa: ANN401 - as the reply is: bytes, int, list or None
        """The reply to one command; raises RedisError."""
        return (await self.batch([words]))[0]

    async def batch(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """The replies to commands sent together; raises RedisError of the first refusal, once all are read."""
        replies = await self.replies(commands)
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
        return replies

    async def replies(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """As `batch`, with each refusal in its place; raises RedisError where the connection fails."""
        async with self._lock:
            if not self.alive:
                raise RedisError(f"{self._place}: the connection is gone", fact=True, lost=True)
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._exchange(commands)
            except TimeoutError as exc:
                raise RedisError(
                    f"{self._place} gave no whole answer within {self._timeout:g} s", fact=True, sent=True
                ) from exc
            except RedisError:
                raise
            except Exception as exc:  # a library's parser on hostile octets: recursion, bad numbers, bad text
                raise told(exc, self._place, sent=True) from exc

    async def _exchange(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        from redis.exceptions import ConnectionError as Lost
        from redis.exceptions import ResponseError

        self._reader.taken = 0
        try:
            await self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
            replies: list[Any] = []
            for _ in commands:
                try:
                    replies.append(
                        await self._connection.read_response(disable_decoding=True, disconnect_on_error=False)
                    )
                except (ResponseError, Lost) as exc:
                    if not _is_refusal(exc):
                        raise
                    replies.append(_refused(exc, self._place))
        except BaseException:
            self.end()  # what is still on its way would be taken for the reply to the next question
            raise
        return replies

    def end(self) -> None:
        """Let go of the connection at once."""
        _drop(self._connection)


async def connect(place: Place, resolver: Resolver, *, timeout: float) -> Wire:
    """A connection that is logged in and has its database; raises RedisError. ``timeout`` (seconds): of an exchange."""
    await blocking.call(_library)
    try:
        password = place.password.reveal(os.environ) if place.password is not None else None
    except HealerError as exc:
        raise RedisError(exc.message, hint=exc.hint) from exc
    trust = place.tls
    context = None if trust is None else await blocking.call(lambda: _context(trust))
    try:
        reader, writer = await open_streams(place, resolver, context, timeout=timeout)
    except OSError as exc:
        raise told(exc, place) from exc
    connection = _joined(reader, writer, place, password, timeout)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]  # so the library has it
    except BaseException as exc:
        _drop(connection)
        if not isinstance(exc, Exception):
            raise
        failed = told(exc, place)
        if place.tls is not None and failed.lost:
            # In TLS 1.3 a certificate of ours that is refused shows only now, and sometimes as no more than this.
            failed = RedisError(f"{failed.message}, before we were in", hint="does it take our certificate?")
        raise failed from exc
    return Wire(connection, reader, place, timeout)


def _drop(connection: "AbstractConnection") -> None:
    """Let go of the socket now: a polite end of TLS would wait for a server that may be hung."""
    writer, connection._writer, connection._reader = connection._writer, None, None  # noqa: SLF001 - as its own close
    if writer is not None:
        writer.transport.abort()


def _library() -> None:
    """Import it off the loop; raises RedisError where it is not installed."""
    try:
        import redis.asyncio.connection  # noqa: F401 - it stays in sys.modules
    except ImportError as exc:
        raise RedisError("the library redis is not installed", hint=EXTRAS) from exc


@functools.cache
def _class() -> "type[AbstractConnection]":
    from redis.asyncio.connection import AbstractConnection

    class Joined(AbstractConnection):
        """The library's connection over streams we opened: by our own resolver, with our bound on what is read."""

        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

        async def _connect(self) -> None:
            if self.streams is None:
                raise ConnectionAbortedError("it is used up")  # never again in silence, on another process
            (self._reader, self._writer), self.streams = self.streams, None

        def _host_error(self) -> str:
            return "redis"

        def repr_pieces(self) -> list[tuple[str, str | int]]:
            return []

    return Joined


def _joined(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: Place, password: str | None, timeout: float
) -> "AbstractConnection":
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    connection: Any = _class()(
        db=place.db,
        username=place.username or None,
        password=password,
        protocol=2,
        driver_info=None,  # it would ask for one more right
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),  # the link is the one that tries again; the library's own took 3.4 s to give up
    )
    connection.streams = (reader, writer)
    return connection  # type: ignore[no-any-return]  # the class is made at run time


def _context(trust: Trust) -> ssl.SSLContext:
    """For TLS; raises RedisError where a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=trust.ca or None)
        if trust.cert:
            context.load_cert_chain(trust.cert, trust.key or None)
    except (OSError, ValueError) as exc:
        raise RedisError(f"cannot use the certificates: {exc}"[:_CHARS], hint="look at the keys under tls:") from exc
    return context


async def open_streams(
    place: Place, resolver: Resolver, context: ssl.SSLContext | None, *, timeout: float
) -> tuple[_Bounded, asyncio.StreamWriter]:
    """Streams to the first address that takes a connection; raises OSError of the last, or RedisError.

    The caller bounds the whole by ``timeout`` (seconds); a name that takes most of it is our resolver's fault.
    """
    if place.socket:
        return await _streams(lambda loop, make: loop.create_unix_connection(make, place.socket))
    try:
        async with asyncio.timeout(timeout * _OF_NAMES):
            addresses = await resolver.addresses(place.host, place.port)
    except TimeoutError as exc:
        raise RedisError(f"looking up {place.host} took longer than {timeout * _OF_NAMES:g} s") from exc
    except LookupFailedError as exc:
        raise RedisError(exc.message, hint=exc.hint) from exc
    name = None if context is None or place.tls is None else place.tls.server_name or place.host
    last = OSError()
    for _, (host, *_) in addresses:
        try:
            return await _streams(
                lambda loop, make, host=host: loop.create_connection(
                    make, str(host), place.port, ssl=context, server_hostname=name
                )
            )
        except OSError as exc:
            last = exc
    raise last


async def _streams(connect: Callable[..., Awaitable[Any]]) -> tuple[_Bounded, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = _Bounded(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await connect(loop, lambda: protocol)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def _is_refusal(exc: Exception) -> bool:
    """An error reply. To the library some of them (LOADING, NOAUTH) are lost connections; they are not."""
    from redis.exceptions import AuthenticationError, ResponseError

    return isinstance(exc, ResponseError | AuthenticationError) or bool(getattr(exc, "status_code", None))


def _refused(exc: Exception, place: Place) -> RedisError:
    """An error reply in our words. The library cuts the first word off those it knows."""
    text = str(exc)
    if _CROWDED in text:
        return RedisError(f"{place} refused: {_CROWDED}", fact=True, code="ERR")
    code = str(getattr(exc, "status_code", None) or text.partition(" ")[0])
    fact = code in FACTS
    message = text if text.startswith(code) else f"{code} {text}"
    hint = "" if fact else _HINT_RIGHTS
    return RedisError(f"{place} refused: {message}"[:_CHARS], hint=hint, fact=fact, sent=True, code=code)


def told(exc: BaseException, place: Place, *, sent: bool = False) -> RedisError:
    """Whose fault it is that a connection could not be made, or that it broke."""
    from redis import exceptions as theirs

    if isinstance(exc, RedisError):
        return exc
    if isinstance(exc, ssl.SSLError):
        because = getattr(exc, "verify_message", "") or exc.reason or str(exc)
        return RedisError(f"{place}: TLS failed: {because}"[:_CHARS], hint="look at the keys under tls:", sent=sent)
    if isinstance(exc, theirs.RedisError) and _is_refusal(exc):
        return _refused(exc, place)
    if isinstance(exc, theirs.TimeoutError | TimeoutError):
        return RedisError(f"{place} did not answer in time", fact=True, sent=sent)
    if isinstance(exc, theirs.ConnectionError):
        cause = exc.__cause__ or exc.__context__
        if isinstance(cause, ssl.SSLError):
            return told(cause, place, sent=sent)
        return RedisError(f"{place} hung up: {exc}"[:_CHARS], fact=True, sent=sent, lost=True)
    if isinstance(exc, OSError):
        return RedisError(f"{place}: {said(exc.errno)}", fact=exc.errno not in OURS, sent=sent, lost=True)
    return garbage(place)


def garbage(place: Place) -> RedisError:
    """It answers, and not as Redis does."""
    return RedisError(f"what answers at {place} does not speak as Redis does", fact=True, sent=True)
