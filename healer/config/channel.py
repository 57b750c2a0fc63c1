"""Ways to tell people, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from healer.model.alert import Policy
from healer.model.target import EMPTY
from healer.yamldoc.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Who is to be told, asked of a database: who is on call."""

    sql: str
    """Id of the target that is asked."""
    query: str
    """Its first column is taken, one recipient a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """Where mail is handed in, and for whom."""

    host: str
    sender: str
    recipients: tuple[str, ...] | Query
    port: int = 0
    """0: 587 with STARTTLS, 465 with TLS, 25 without either."""
    tls: str = "starttls"
    """``starttls``, ``tls`` or ``none``. What is asked for is had, or nothing is sent."""
    ca: str = ""
    """File with the certificates its own leads to; empty: those of the host."""
    certificate: str = ""
    """File with our own certificate."""
    key: str = ""
    """File with its key; empty: in the same file."""
    user: str = ""
    password: Secret | None = None
    helo: str = ""
    """What we call ourselves; empty: the host's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """How a gateway takes short messages over HTTP."""

    url: str
    recipients: tuple[str, ...] | Query
    """Numbers in E.164, such as +48600123456."""
    body: Mapping[str, str | Secret]
    """Fields of the request: {number}, {text} and {sender} stand for what they say; dots make objects inside."""
    method: str = "POST"
    encoding: str = "json"
    """``json`` or ``form``: in the body; ``query``: in the address."""
    headers: Mapping[str, str | Secret] = field(default_factory=lambda: EMPTY)
    sender: str = ""
    country: str = ""
    """Digits put before a number that has no country; empty: such a number is refused."""
    max_segments: int = 3
    split: bool = False
    """Whether each segment is a message of its own, for a gateway that joins none."""
    plain: bool = False
    """Whether letters beyond GSM 03.38 are written in it: 160 characters a segment instead of 70."""
    ok: tuple[int, ...] = ()
    """Statuses that mean accepted; empty: any 2xx."""
    accepted: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Paths in the reply's JSON, each with the text that proves acceptance."""
    id: str = ""
    """Path in the reply's JSON to the gateway's own number for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to tell people."""

    name: str
    kind: str
    """``journal``, ``webhook``, ``email``, ``sms`` or ``apprise``."""
    url: str = ""
    headers: Mapping[str, str | Secret] = field(default_factory=lambda: EMPTY)
    timeout: float = 10.0
    """Seconds one try may take."""
    error_limit: int = 5
    """Errors in a row after which it is skipped."""
    retry_after: float = 300.0
    """Seconds until one more is tried then."""
    alerts: Policy | None = None
    """None: it is told what rules tell it, and nothing else."""
    email: Email | None = None
    sms: Sms | None = None
    urls: tuple[Secret, ...] = ()
    """Of apprise; each holds a secret."""


JOURNAL = Channel(name="journal", kind="journal")
