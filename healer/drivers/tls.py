"""Shake hands with a TLS server and judge its certificate: chain, name and days apart; the certificate always shown.

OpenSSL judges the chain, in a handshake that verifies; where that fails a second one verifies nothing and brings the
certificate, so that a broken one can be described. Names are matched as in RFC 9525, on its alternative names only.
"""

import asyncio
import hashlib
import ipaddress
import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healer import blocking
from healer.drivers.interface import DriverError
from healer.drivers.reach import OURS, LookupFailedError, Resolver, said

if TYPE_CHECKING:
    from cryptography import x509

STARTTLS = ("smtp", "postgres")
_MOST_LINE = 8192
"""Octets of a greeting; what is longer is no mail server's."""
_MOST_HELLO = 1 << 18
"""Octets of a handshake: OpenSSL takes certificates up to 100 kB."""
_ALGORITHMS: Mapping[str, str] = {
    "RSAPublicKey": "rsa", "EllipticCurvePublicKey": "ec", "ECPublicKey": "ec", "Ed25519PublicKey": "ed25519",
    "Ed448PublicKey": "ed448", "DSAPublicKey": "dsa",
}  # fmt: skip
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""PostgreSQL's "may we speak TLS?", as in its Frontend/Backend Protocol."""


class TlsError(DriverError):
    """No handshake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A TLS server."""

    host: str
    port: int
    server_name: str = ""
    """The name it is asked for and has to prove; empty: ``host``."""
    ca: str = ""
    """File with the certificates its chain must lead to, PEM; empty: those this host trusts."""
    starttls: str = ""
    """smtp or postgres: how it is asked for TLS; empty: it speaks TLS from the first octet."""

    @property
    def name(self) -> str:
        """The name it has to prove."""
        return self.server_name or self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a server showed of itself."""

    version: str
    """``TLSv1.3``."""
    leaf: bytes
    """Its certificate, DER."""
    distrust: str
    """Why its chain does not lead to a trusted certificate; empty when it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says."""

    names: tuple[str, ...]
    """Alternative names: DNS names in lower case, and addresses."""
    issuer: str
    subject: str
    not_before: datetime
    not_after: datetime
    key: str
    """rsa, ec, ed25519, ed448, dsa or another."""
    bits: int | None
    self_signed: bool
    fingerprint: str
    """SHA-256 of its DER, hex."""


class Tls:
    """Shakes hands, each time on a connection of its own."""

    def __init__(self) -> None:
        self._resolver = Resolver()
        self._contexts: dict[str, tuple[object, ssl.SSLContext]] = {}

    async def ask(self, place: Place, *, timeout: float) -> Shown:
        """What the server shows within ``timeout`` seconds; raises TlsError."""
        where = f"{place.host}:{place.port}"
        try:
            async with asyncio.timeout(timeout):
                trusting = await self._trust(place.ca)
                try:
                    return await self._shake(place, trusting, "")
                except ssl.SSLCertVerificationError as exc:
                    return await self._shake(place, _indifferent(), exc.verify_message or "its chain is not trusted")
        except TimeoutError as exc:
            raise TlsError(f"{where}: no handshake within {timeout:g} s", fact=True) from exc
        except ssl.SSLError as exc:
            raise TlsError(f"{where}: TLS failed: {exc.reason or exc}"[:200], fact=True) from exc
        except ValueError as exc:
            raise TlsError(f"'{place.name[:60]}' cannot be asked for: {exc}"[:200], fact=False) from exc

    async def _trust(self, ca: str) -> ssl.SSLContext:
        """A context that verifies; made anew when the file has changed. Reading the host's own takes 20 ms."""
        stamp, made = self._contexts.get(ca, (None, None))
        try:
            found = await blocking.call(lambda: _stamp(ca))
            if made is None or found != stamp:
                made = await blocking.call(lambda: _verifying(ca))
                self._contexts[ca] = (found, made)
        except (OSError, ssl.SSLError) as exc:
            raise TlsError(f"cannot use {ca or 'the trusted certificates'}: {exc}"[:200], fact=False) from exc
        return made

    async def _shake(self, place: Place, context: ssl.SSLContext, distrust: str) -> Shown:
        with await self._connected(place) as sock:
            try:
                await _ask_for_tls(sock, place.starttls)
                tls = await _handshake(sock, context, place.name)
            except OSError as exc:
                if isinstance(exc, ssl.SSLError | TimeoutError):
                    raise
                raise TlsError(
                    f"{place.host}:{place.port}: the connection broke: {exc.strerror or exc}", fact=True
                ) from exc
        return Shown(version=tls.version() or "", leaf=tls.getpeercert(binary_form=True) or b"", distrust=distrust)

    async def _connected(self, place: Place) -> socket.socket:
        """A connection to the first address that takes one; raises TlsError."""
        try:
            addresses = await self._resolver.addresses(place.host, place.port)
        except LookupFailedError as exc:
            raise TlsError(exc.message, fact=False) from exc
        failure: OSError | None = None
        for family, address in addresses:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                await asyncio.get_running_loop().sock_connect(sock, address)
            except OSError as exc:
                sock.close()
                failure = exc
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        number = failure.errno if failure else None
        raise TlsError(f"{place.host}:{place.port}: no connection: {said(number)}", fact=number not in OURS)


def _stamp(ca: str) -> object:
    if not ca:
        return None
    found = Path(ca).stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _verifying(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca or None)
    context.check_hostname = False  # the name is judged by itself: a chain may be good and the name wrong
    return context


def _indifferent() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _handshake(sock: socket.socket, context: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """Agree on TLS by hand: a handshake that asyncio gives up leaves its socket open."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    loop, read = asyncio.get_running_loop(), 0
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            await loop.sock_sendall(sock, outgoing.read())
        except ssl.SSLError:
            await loop.sock_sendall(sock, outgoing.read())  # the alert that says why we hang up
            raise
        else:
            await loop.sock_sendall(sock, outgoing.read())
            return tls
        octets = await loop.sock_recv(sock, 16384)
        read += len(octets)
        if not octets:
            raise ConnectionResetError(0, "it hung up in the handshake")
        if read > _MOST_HELLO:
            raise ConnectionResetError(0, "its handshake has no end")
        incoming.write(octets)


async def _ask_for_tls(sock: socket.socket, how: str) -> None:
    loop = asyncio.get_running_loop()
    if how == "postgres":
        await loop.sock_sendall(sock, _SSL_REQUEST)
        if await loop.sock_recv(sock, 1) != b"S":
            raise TlsError("the server does not offer TLS", fact=True)
    elif how == "smtp":
        await _smtp(sock, b"", b"220")
        await _smtp(sock, b"EHLO healer\r\n", b"250")
        await _smtp(sock, b"STARTTLS\r\n", b"220")


async def _smtp(sock: socket.socket, word: bytes, wanted: bytes) -> None:
    """Say something and read the reply to its last line (RFC 5321, 4.2.1); raises TlsError for another code."""
    loop = asyncio.get_running_loop()
    if word:
        await loop.sock_sendall(sock, word)
    reply = b""
    while not (reply.endswith(b"\n") and reply.splitlines()[-1][3:4] in (b" ", b"")):
        octets = await loop.sock_recv(sock, 1024)
        if not octets or len(reply) > _MOST_LINE:
            raise TlsError("no proper SMTP", fact=True)
        reply += octets
    if not reply.splitlines()[-1].startswith(wanted):
        said_of = word.decode().strip() or "the greeting"
        raise TlsError(f"no TLS: to {said_of} it said {reply[:60].decode('ascii', 'replace').strip()!r}", fact=True)


def describe(der: bytes) -> Certificate:
    """What a certificate says; raises TlsError where it is none."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        found = x509.load_der_x509_certificate(der)
        key: Any = found.public_key()
        return Certificate(
            names=_names(found),
            issuer=found.issuer.rfc4514_string(),
            subject=found.subject.rfc4514_string(),
            not_before=found.not_valid_before_utc,
            not_after=found.not_valid_after_utc,
            key=_ALGORITHMS.get(type(key).__name__.removeprefix("_"), "another"),
            bits=getattr(key, "key_size", None),
            self_signed=_self_signed(found),
            fingerprint=hashlib.sha256(der).hexdigest(),
        )
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise TlsError(f"the certificate cannot be read: {exc}"[:200], fact=True) from exc


def _names(found: "x509.Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    told = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    return (*told, *(str(address) for address in names.get_values_for_type(x509.IPAddress)))


def _self_signed(found: "x509.Certificate") -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        found.verify_directly_issued_by(found)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def matches(names: Sequence[str], wanted: str) -> bool:
    """Whether one of the names is the wanted one; ``*`` stands for a whole first label (RFC 9525, 6.3)."""
    try:
        return str(ipaddress.ip_address(wanted)) in names
    except ValueError:
        asked = wanted.rstrip(".").lower()
    if not asked.isascii():
        try:
            asked = asked.encode("idna").decode("ascii")
        except UnicodeError:
            return False
    rest = asked.partition(".")[2]
    return asked in names or ("." in rest and f"*.{rest}" in names)
