"""Asks a time-stamp authority over HTTP, and takes no token that an auditor would refuse (RFC 3161, section 3.4)."""

import contextlib
import http.client
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from audit import der, timestamp
from audit.errors import Malformed, Unreachable
from audit.x509 import Certificate

REQUEST_TYPE: Final = "application/timestamp-query"
REPLY_TYPE: Final = "application/timestamp-reply"
TIMEOUT_S: Final = 10.0
_SHA256: Final = der.encode(der.SEQUENCE, der.oid("2.16.840.1.101.3.4.2.1"), der.NULL)


def ask(url: str, imprint: bytes, *, roots: Sequence[Certificate], timeout: float = TIMEOUT_S) -> bytes:
    """Have ``imprint`` (SHA-256, 32 octets) stamped; return the token, checked against ``roots`` and our nonce.

    Once its name is resolved, the whole exchange takes at most about twice ``timeout`` seconds, however slowly the
    authority drips; redirections and proxies are not followed. Raises
    ``Unreachable`` where there is no answer, and what ``timestamp.check`` raises where the answer is not good.
    """
    nonce = int.from_bytes(os.urandom(8), "big") | 1 << 63  # always eight octets
    token = _post(_target(url), request(imprint, nonce), timeout)
    timestamp.check(token, imprint, roots, nonce=nonce)
    return token


def request(imprint: bytes, nonce: int) -> bytes:
    """Return a TimeStampReq that wants the signer's certificate in the answer."""
    if len(imprint) != 32:
        raise Malformed(f"an imprint of {len(imprint)} octets is not SHA-256")
    stamped = der.encode(der.SEQUENCE, _SHA256, der.encode(der.OCTET_STRING, imprint))
    wanted = der.encode(der.BOOLEAN, b"\xff")
    return der.encode(der.SEQUENCE, der.integer(1), stamped, der.integer(nonce), wanted)


def _target(url: str) -> SplitResult:
    """Take an address of the web apart, and nothing else: a configuration must not make this read files."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and parts.username is None
    except ValueError:
        parts, good = SplitResult("", "", "", "", ""), False
    if not good or not url.isascii() or not url.isprintable() or " " in url:
        shown = url.rpartition("@")[2][:200]  # what stands before may be a secret
        raise Malformed(f"{shown!r} is not an address of a time-stamp authority", hint="http(s)://HOST[:PORT]/PATH")
    return parts


@contextlib.contextmanager
def _connection(target: SplitResult, timeout: float) -> Iterator[http.client.HTTPConnection]:
    """Connect, and cut the line after ``timeout``: the timeout of a socket begins anew with each octet."""
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.hostname or "", target.port, timeout=timeout)
    connection.connect()
    line = connection.sock

    def cut() -> None:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout, cut)
    timer.daemon = True
    timer.start()
    try:
        yield connection
    finally:
        timer.cancel()
        connection.close()


def _post(target: SplitResult, body: bytes, timeout: float) -> bytes:
    """Send one request, follow no redirection, read one answer of bounded size."""
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    where = f"the time-stamp authority {target.hostname}"
    try:
        with _connection(target, timeout) as connection:
            connection.request("POST", path, body, {"Content-Type": REQUEST_TYPE, "Accept": REPLY_TYPE})
            answer = connection.getresponse()
            kind = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
            data = answer.read(timestamp.MAX_TOKEN + 1)
            cut = bool(answer.length) and len(data) <= timestamp.MAX_TOKEN
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise Unreachable(f"{where} did not answer: {str(exc) or type(exc).__name__}") from exc
    if answer.status != http.client.OK:
        raise Unreachable(f"{where} answered {answer.status}")
    if kind != REPLY_TYPE:
        raise Unreachable(f"{where} answered with {kind[:80]!r}", hint=f"a time-stamp is {REPLY_TYPE}")
    if cut:
        raise Unreachable(f"{where} ended in the middle of its answer")
    return data
