"""Hand mail in by SMTP (RFC 5321), with a bound on time and on what the server may say; the only user of smtplib."""

import asyncio
import base64
import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from types import MappingProxyType
from typing import Any

from healer import blocking
from healer.errors import HealerError

MOST_LINES = 100
"""Lines of one reply, and octets of each: a server that goes on for ever is none."""
MOST_LINE = 8192
LONGEST_SUBJECT = 200
LONGEST_REPLY = 300
_NARROW = "takes no address beyond ASCII (SMTPUTF8)"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ID = re.compile(r"[^A-Za-z0-9.=_+-]")
_IMPORTANCE: Mapping[str, str] = MappingProxyType({"critical": "high", "info": "low"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Who takes our mail."""

    host: str
    port: int
    tls: str
    """``starttls``, ``tls`` or ``none``."""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    helo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is to be handed in, in words: all of it may come from strangers."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    id: str
    """Unique; becomes the Message-ID."""
    thread: tuple[str, ...] = ()
    """Ids of the letters it answers, the oldest first."""
    at: float
    """Wall-clock second."""
    severity: str = "warning"
    node: str
    """Name of the host, the right side of ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What the server said when it took a letter: from then on it is its own to deliver."""

    reply: str
    """Code and text, with its queue id where it names one."""
    refused: Mapping[str, str]
    """Recipients it would not take it for, each with what it said."""


class SmtpError(HealerError):
    """A letter that was not taken. ``sent``: its text was on the way, so nobody can tell."""

    def __init__(self, message: str, *, hint: str = "", transient: bool, sent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.transient, self.sent = transient, sent


async def send(server: Server, letter: Letter, timeout: float) -> Accepted:
    """Hand a letter in; ``timeout`` (seconds) bounds the whole of it. Raises SmtpError."""
    session = _Session(server, letter, timeout)
    try:
        async with asyncio.timeout(timeout):
            return await blocking.call(session.run)
    except TimeoutError as exc:
        raise SmtpError(f"{session.where}: no end within {timeout:g} s", transient=True, sent=session.sent) from exc
    finally:
        session.abort()


class _Polite(smtplib.SMTP):
    """Reads replies with a bound, over a connection that the session made."""

    def __init__(self, session: "_Session", *args: Any, **given: Any) -> None:  # noqa: ANN401 - as smtplib has them
        self._session = session
        super().__init__(*args, **given)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """What smtplib asks for its connection."""
        return self._session.dial(host, port, timeout)

    def getreply(self) -> tuple[int, bytes]:
        """One reply; raises SMTPException."""
        self._session.socket = self.sock  # another one after STARTTLS
        if self.file is None:
            self.file = self.sock.makefile("rb")  # type: ignore[union-attr]  # connected, or nobody would ask
        lines: list[bytes] = []
        for _ in range(MOST_LINES):
            line = self.file.readline(MOST_LINE + 1)
            code = line[:3]
            if not line or len(line) > MOST_LINE or not code.isdigit():
                self.close()
                what = "closed the connection" if not line else f"said what is no SMTP: {line[:60]!r}"
                raise smtplib.SMTPServerDisconnected(what)
            lines.append(line[4:].strip())
            if line[3:4] != b"-":
                return int(code), b"\n".join(lines)
        self.close()
        raise smtplib.SMTPServerDisconnected(f"said more than {MOST_LINES} lines at once")


class _Session:
    """One conversation, held in a thread; `abort` ends it from outside."""

    def __init__(self, server: Server, letter: Letter, timeout: float) -> None:
        self._server, self._letter, self._timeout = server, letter, timeout
        self.where = f"{server.host}:{server.port}"
        self._context: ssl.SSLContext | None = None
        self.socket: socket.socket | None = None
        self.sent = False

    def abort(self) -> None:
        """Have whoever waits for the server wait no more."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket = None

    def run(self) -> Accepted:
        """All of it, blocking; raises SmtpError."""
        try:
            client = self._connect()
            try:
                return self._hand_in(client)
            finally:
                self._leave(client)
        except SmtpError:
            raise
        except ssl.SSLError as exc:
            because = getattr(exc, "verify_message", "") or exc.reason or str(exc)
            raise SmtpError(
                f"{self.where}: TLS failed: {because}", hint="look at tls: and ca: of the channel", transient=False
            ) from exc
        except smtplib.SMTPResponseException as exc:
            said = self._without_secret(_said(exc.smtp_code, exc.smtp_error))
            raise SmtpError(f"{self.where}: {said}", transient=exc.smtp_code < 500, sent=self.sent) from exc
        except smtplib.SMTPNotSupportedError as exc:
            raise SmtpError(f"{self.where}: {exc}", transient=False) from exc
        except (smtplib.SMTPException, OSError) as exc:
            because = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc) or type(exc).__name__
            raise SmtpError(f"{self.where}: {because}", transient=True, sent=self.sent) from exc

    def _without_secret(self, said: str) -> str:
        """What the server said, where it repeats what it was given to log in: nobody knows that form of it later."""
        user, password = self._server.user, self._server.password
        for given in (f"\0{user}\0{password}", password) if password else ():
            said = said.replace(base64.b64encode(given.encode()).decode(), "[redacted]").replace(given, "[redacted]")
        return said

    def dial(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connection, with TLS where it begins with that; raises OSError."""
        made = socket.create_connection((host, port), timeout)
        self.socket = made
        if self._server.tls != "tls" or self._context is None:
            return made
        try:
            self.socket = self._context.wrap_socket(made, server_hostname=host)
        except BaseException:
            made.close()
            raise
        return self.socket

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        self._context = None if server.tls == "none" else _context(server)
        # Its own guess of our name asks the DNS, which may take as long as it likes.
        helo = server.helo or socket.gethostname()
        client = _Polite(self, server.host, server.port, local_hostname=helo, timeout=self._timeout)
        try:
            client.ehlo_or_helo_if_needed()
            if server.tls == "starttls":
                client.starttls(context=self._context)  # raises where it is not offered: never in the clear instead
                client.ehlo()
            if server.user:
                client.login(server.user, server.password)
        except BaseException:
            self._leave(client)
            raise
        return client

    def _hand_in(self, client: smtplib.SMTP) -> Accepted:
        letter = self._letter
        bare = {text: parseaddr(text)[1] for text in letter.recipients}
        sender = parseaddr(letter.sender)[1]
        refused: dict[str, str] = {}
        wide = not all(one.isascii() for one in (sender, *bare.values()))
        if wide and not client.has_extn("smtputf8"):
            refused = {text: _NARROW for text, one in bare.items() if not one.isascii()}
            if not sender.isascii() or len(refused) == len(bare):
                raise SmtpError(f"{self.where}: {_NARROW}", transient=False)
            bare = {text: one for text, one in bare.items() if text not in refused}
            letter, wide = replace(letter, recipients=tuple(bare)), False
        octets = composed(letter, wide=wide)
        options = ["SMTPUTF8", "BODY=8BITMIME"] if wide else []
        if client.has_extn("size"):
            options.append(f"size={len(octets)}")
        self._expect(client.mail(sender, options), "MAIL FROM")
        passing, taken = False, 0
        for text, address in bare.items():
            code, said = client.rcpt(address)
            if code not in (250, 251):
                refused[text], passing = _said(code, said), passing or code < 500
            else:
                taken += 1
        if not taken:
            told = "; ".join(f"{text}: {said}" for text, said in refused.items())
            raise SmtpError(f"{self.where}: nobody was taken: {told}"[:1000], transient=passing)
        self.sent = True
        try:
            code, said = client.data(octets)
        except smtplib.SMTPDataError:
            self.sent = False  # it did not want to see the text
            raise
        self.sent = code == 250
        self._expect((code, said), "DATA")
        return Accepted(reply=_said(code, said), refused=refused)

    def _expect(self, answer: tuple[int, bytes], what: str) -> None:
        code, said = answer
        if code != 250:
            raise SmtpError(f"{self.where}: {what}: {_said(code, said)}", transient=code < 500)

    def _leave(self, client: smtplib.SMTP) -> None:
        """Say good-bye; what was taken stays taken, whatever becomes of that."""
        with contextlib.suppress(smtplib.SMTPException, OSError, ValueError):
            if client.sock is not None:
                client.sock.settimeout(2.0)
                client.quit()
        client.close()
        self.socket = None


def _context(server: Server) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=server.ca or None)
        if server.certificate:
            context.load_cert_chain(server.certificate, server.key or None, password=_no_password)
    except OSError as exc:  # ssl.SSLError is one
        where = server.ca if not server.certificate else f"{server.ca or 'ca'}, {server.certificate}"
        raise SmtpError(f"a certificate cannot be read ({where}): {exc.strerror or exc}", transient=False) from exc
    return context


def _no_password() -> str:
    """Nobody is there to be asked on the terminal for the password of a key."""
    raise OSError("the key is encrypted")


def composed(letter: Letter, *, wide: bool = False) -> bytes:
    """The octets of a letter (RFC 5322): whatever its words are, they are words of one header, or of its text.

    ``wide``: addresses may be beyond ASCII (RFC 6531).
    """
    policy = SMTPUTF8 if wide else SMTP
    made = EmailMessage(policy=policy)
    made["From"] = _address(letter.sender)
    made["To"] = [_address(text) for text in letter.recipients]
    made["Subject"] = one_line(letter.subject)[:LONGEST_SUBJECT]
    made["Date"] = format_datetime(datetime.fromtimestamp(letter.at, UTC))
    made["Message-ID"] = message_id(letter.id, letter.node)
    if letter.thread:
        made["In-Reply-To"] = message_id(letter.thread[-1], letter.node)
        made["References"] = " ".join(message_id(one, letter.node) for one in letter.thread[:20])
    made["Auto-Submitted"] = "auto-generated"
    made["X-Auto-Response-Suppress"] = "All"
    if importance := _IMPORTANCE.get(letter.severity):
        made["Importance"] = importance
    text = "\n".join(_CONTROL.sub(" ", line) for line in letter.text.split("\n"))
    made.set_content(text.encode("utf-8", "replace").decode(), charset="utf-8")
    return made.as_bytes(policy=policy)


def _address(text: str) -> Address:
    name, bare = parseaddr(text)
    local, _, domain = bare.rpartition("@")
    return Address(display_name=one_line(name), username=local, domain=domain)


def message_id(unique: str, node: str) -> str:
    """``<id@node>``, of nothing but what may stand there."""
    return f"<{_ID.sub('-', unique)[:120] or 'x'}@{_ID.sub('-', node)[:100] or 'x'}.healer>"


def one_line(text: str) -> str:
    """Text that cannot end a line, and so begins no header of its own.

    Nor may it bring encoded words along (RFC 2047): Python's headers decode those, and CR LF can stand in them.
    """
    return _CONTROL.sub(" ", text).replace("=?", "= ?").encode("utf-8", "replace").decode().strip()


def _said(code: int, said: bytes | str) -> str:
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    return one_line(f"{code} {text}")[:LONGEST_REPLY]
