"""Every HTTP call of the agent, with a bound on time, size and redirects; the only importer of httpx."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, urljoin, urlsplit

from healer import blocking
from healer.clock import Clock
from healer.drivers.leaving_out import leaving_out
from healer.drivers.reach import OURS, LookupFailedError, Resolver, said
from healer.errors import HealerError
from healer.model.target import EMPTY

if TYPE_CHECKING:
    import httpcore
    import httpx

MOST_BODY = 1 << 20
"""Bytes of an answer that are read; the rest is left with its sender."""
MOST_HEAD = 192 << 10
"""Bytes until an answer has begun: h11 bounds one set of headers, not how many come before the answer's own."""
MOST_REDIRECTS = 5
_HEADERS: Mapping[str, str] = {
    "accept": "*/*",
    "accept-encoding": "identity",  # no bomb to unpack, and what is counted is what was sent
    "connection": "close",
    "user-agent": "healer",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of repeated ones the last."""
    body: bytes
    """As sent (never decompressed), at most as long as asked for."""
    complete: bool
    """False: there was more."""
    took: float
    """Seconds, from the start (names looked up included) to the last byte."""


class HttpError(HealerError):
    """No answer.

    ``kind`` is dns, refused, timeout, tls, protocol, redirects, local or request. ``fact`` says that it tells
    something about the server (refused, hung); without it we only know that we could not look (our resolver, our
    network). ``sent`` says that the request may have arrived: what it does may have happened.
    """

    def __init__(self, message: str, *, kind: str, fact: bool, sent: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.fact = fact
        self.sent = sent


@dataclass(slots=True, kw_only=True)
class _Try:
    """One request as it goes out, to one address."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    most: int
    verify: bool
    uds: str
    sent: bool = False
    stream: "httpcore.AsyncNetworkStream | None" = None
    answered: bool = False
    """The headers of the answer have come; what comes now is its body."""
    head: int = 0
    """Bytes read before that."""
    visited: list[str] = field(default_factory=list)


class Http:
    """The one client. A fresh connection per request: a probe must see that the server still takes one.

    ``httpx`` is imported at the first request (20 MB that a host without probes never pays).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._transports: dict[tuple[bool, bool, str], httpx.AsyncHTTPTransport] = {}
        self._resolver = Resolver()

    async def open(self) -> None:
        """Import httpx off the loop, so that the first request does not hold it for a tenth of a second."""
        await blocking.call(_load)

    async def ask(  # noqa: PLR0913 - one keyword for each property of a request
        self, url: str, *, method: str = "GET", headers: Mapping[str, str] = EMPTY, body: bytes = b"",
        timeout: float = 5.0, most: int = MOST_BODY, redirects: int = MOST_REDIRECTS, verify: bool = True,
        uds: str = "",
    ) -> Reply:  # fmt: skip
        """Ask once; raises HttpError.

        ``timeout`` (seconds) bounds the whole of it: names, redirects and a server that sends a byte a minute. Of the
        body at most ``most`` bytes are read. Redirects are followed for GET and HEAD only, and headers are not taken
        to another origin. ``uds`` is a Unix socket to ask instead of the address in ``url``.
        """
        start = self._clock.now()
        going = _Try(
            method=method,
            url=url,
            headers=headers,
            body=body,
            most=most,
            verify=verify,
            uds=uds,
        )
        most_redirects = redirects if method in ("GET", "HEAD") else 0
        try:
            async with asyncio.timeout(timeout):
                reply = await self._follow(going, most_redirects)
        except TimeoutError as exc:
            raise HttpError(
                f"no whole answer from {_shown(going.url)} within {timeout:g} s", kind="timeout", fact=True,
                sent=going.sent,
            ) from exc  # fmt: skip
        return Reply(
            status=reply.status, headers=reply.headers, body=reply.body, complete=reply.complete,
            took=self._clock.now() - start,
        )  # fmt: skip

    async def close(self) -> None:
        """Let go of what is open."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()

    async def _follow(self, going: _Try, most: int) -> Reply:
        while True:
            reply = await self._once(going)
            where = reply.headers.get("location", "")
            if reply.status not in _REDIRECTS or not where or most == 0:
                return reply
            going.visited.append(going.url)
            _redirect(going, where)
            if going.url in going.visited or len(going.visited) > most:
                raise HttpError(f"{_shown(going.url)}: redirects in a circle, or too many", kind="redirects", fact=True)

    async def _once(self, going: _Try) -> Reply:
        """Ask the first address that takes a connection."""
        parts = _split(going.url)
        addresses = [""] if going.uds else await self._addresses(parts)
        last: HttpError | None = None
        for address in addresses:
            try:
                return await self._exchange(going, address)
            except HttpError as exc:
                if exc.sent or exc.kind not in ("refused", "local"):
                    raise
                last = exc
        raise last or HttpError(f"{parts.hostname} has no address", kind="dns", fact=False)

    async def _addresses(self, parts: SplitResult) -> list[str]:
        try:
            found = await self._resolver.addresses(parts.hostname or "", 0)
        except LookupFailedError as exc:
            raise HttpError(exc.message, kind="dns", fact=False) from exc
        return [str(address[0]) for _, address in found]

    async def _exchange(self, going: _Try, address: str) -> Reply:
        parts = _split(going.url)
        transport = await self._transport(secure=parts.scheme == "https", verify=going.verify, uds=going.uds)
        going.answered, going.head = False, 0
        with _told(going):
            try:
                response = await transport.handle_async_request(_request(going, parts, address))
            except BaseException:
                # A TLS handshake that is cancelled leaves its socket open (httpcore 1.0.9), as long as the loop runs.
                await _hang_up(going)
                raise
            try:
                body, complete = await _read(response, going.most)
            finally:
                await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(status=response.status_code, headers=headers, body=body, complete=complete, took=0.0)

    async def _transport(self, *, secure: bool, verify: bool, uds: str) -> "httpx.AsyncHTTPTransport":
        """One per kind of trust; reading the host's certificates takes 20 ms: in a thread, and only for TLS."""
        key = (secure, verify, uds)
        if key not in self._transports:
            context = await blocking.call(lambda: _context(secure=secure, verify=verify))
            httpx = _load()
            made = httpx.AsyncHTTPTransport(
                verify=context,
                trust_env=False,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
                uds=uds or None,
            )
            self._transports.setdefault(key, made)
        return self._transports[key]


def _load() -> ModuleType:
    with leaving_out("httpx._main", of="httpx"):  # its command line brings rich and pygments along: 3 MB
        import httpx
    import sniffio  # noqa: F401 - httpcore tries to import it at every request: a failed try walks all of sys.path

    return httpx


def _split(url: str) -> SplitResult:
    """The parts of an address; raises HttpError where it is none of HTTP's."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise HttpError(f"'{_shown(url)}' is no address: {exc}", kind="request", fact=False) from exc
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise HttpError(f"'{_shown(url)}' is no http or https address", kind="request", fact=False)
    return parts


def _shown(url: str) -> str:
    """An address as it may be told: without its query, and without what stands before an @."""
    head = url.partition("?")[0]
    scheme, sep, rest = head.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{sep}{authority.rpartition('@')[2]}{slash}{path}"[:200]


def _headers(going: _Try, netloc: str) -> dict[str, str]:
    given = {name.lower(): value for name, value in going.headers.items()}
    return {**_HEADERS, "host": netloc.rpartition("@")[2], **given}


def _redirect(going: _Try, where: str) -> None:
    old, new = _split(going.url), urljoin(going.url, where)
    parts = _split(new)
    if (parts.scheme, parts.netloc) != (old.scheme, old.netloc):
        going.headers = EMPTY  # they may hold a secret that is meant for the first server only
    going.url = new


def _context(*, secure: bool, verify: bool) -> ssl.SSLContext:
    if not secure:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: plain HTTP never asks it
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _request(going: _Try, parts: SplitResult, address: str) -> "httpx.Request":
    import httpx

    url = httpx.URL(going.url)
    return httpx.Request(
        going.method,
        url.copy_with(host=address) if address else url,
        headers=_headers(going, parts.netloc),
        content=going.body or None,
        extensions={"sni_hostname": parts.hostname or "", "trace": _tracing(going)},
    )


def _tracing(going: _Try) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    async def trace(event: str, facts: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.connect_unix_socket.complete"):
            going.stream = facts["return_value"]
            _bound(going, facts["return_value"])
        elif event == "connection.start_tls.complete":
            _bound(going, facts["return_value"])
        elif event == "http11.send_request_headers.started":
            going.sent = True
        elif event == "http11.receive_response_headers.complete":
            going.answered = True

    return trace


def _bound(going: _Try, stream: "httpcore.AsyncNetworkStream") -> None:
    """Let no more be read from it than an answer may take to begin: a storm of 100 Continue would hold the loop."""
    import httpcore

    read = stream.read

    async def bounded(max_bytes: int, timeout: float | None = None) -> bytes:
        octets = await read(max_bytes, timeout)
        if not going.answered:
            going.head += len(octets)
            if going.head > MOST_HEAD:
                raise httpcore.RemoteProtocolError(f"{MOST_HEAD >> 10} KiB came, and no answer has begun")
        return octets

    stream.read = bounded  # type: ignore[method-assign]  # this one connection's; it is not used again


async def _hang_up(going: _Try) -> None:
    stream, going.stream = going.stream, None
    if stream is not None:
        with suppress(OSError):
            await stream.aclose()


async def _read(response: "httpx.Response", most: int) -> tuple[bytes, bool]:
    body = bytearray()
    async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > most:
                return bytes(body[:most]), False
    return bytes(body), True


@contextmanager
def _told(going: _Try) -> Iterator[None]:
    """Turn every way httpx has to fail into one of ours."""
    httpx = _load()
    where = _shown(going.url)
    try:
        yield
    except httpx.ConnectError as exc:
        raise _not_connected(where, exc, sent=going.sent) from exc
    except httpx.NetworkError as exc:
        raise HttpError(f"{where}: the connection broke: {exc}", kind="protocol", fact=True, sent=going.sent) from exc
    except httpx.RemoteProtocolError as exc:
        raise HttpError(f"{where}: no proper HTTP: {exc}", kind="protocol", fact=True, sent=going.sent) from exc
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
        raise HttpError(f"{where}: cannot be asked: {exc}", kind="request", fact=False, sent=going.sent) from exc


def _not_connected(where: str, exc: BaseException, *, sent: bool) -> HttpError:
    chain = list(_causes(exc))
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            because = getattr(cause, "verify_message", "") or cause.reason or str(cause)
            return HttpError(f"{where}: TLS failed: {because}", kind="tls", fact=True, sent=sent)
    for cause in chain:
        if isinstance(cause, OSError) and cause.errno:
            ours = cause.errno in OURS
            kind = "local" if ours else "refused"
            return HttpError(f"{where}: no connection: {said(cause.errno)}", kind=kind, fact=not ours, sent=sent)
    return HttpError(f"{where}: no connection: {exc}", kind="refused", fact=True, sent=sent)


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__
