"""Every key of a channel of ``notify:``, declared once per kind."""

import re
from collections.abc import Callable, Mapping
from email.utils import parseaddr
from typing import Any

from healer.config.channel import Email, Query, Sms
from healer.config.words import PATH, URL
from healer.model.alert import ABOUT, SEVERITIES, Policy
from healer.model.target import EMPTY
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Node, Table
from healer.yamldoc.parsers import NAME, Count, Duration, Flag, Text, Word
from healer.yamldoc.secret import Secret, SecretRef, TextOrSecret
from healer.yamldoc.shape import Bad, ByKind, Field, ListOf, MapOf, Mistake, Record, Schema, Shape, Values, suggestion

_ADDRESS = re.compile(r"""[^\s@<>()\[\]\\,;:"\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\]\\,;:"\x00-\x1f\x7f]{1,255}""")
_NUMBER = re.compile(r"\+?[0-9 ()./-]{3,30}", re.ASCII)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_FILLED = ("number", "text", "sender")
_HOST = r"[A-Za-z0-9_.:\[\]-]{1,253}"
_HELO = r"[A-Za-z0-9.:\[\]-]{1,253}"
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def mail_address(text: str) -> str:
    """``name@example.org``, or ``Name <name@example.org>``; raises Mistake."""
    bare = parseaddr(text)[1]
    if not _ADDRESS.fullmatch(bare) or any(char in text for char in "\r\n\0,"):
        raise Mistake(f"'{text[:60]}' is no mail address", "name@example.org, or Name <name@example.org>")
    return text


def phone_number(text: str) -> str:
    """A telephone number, as people write it; raises Mistake."""
    if not _NUMBER.fullmatch(text.strip()):
        raise Mistake(f"'{text[:60]}' is no telephone number", 'in quotes, such as "+48 600 123 456"')
    return text.strip()


def _field(text: str) -> str:
    for name in _PLACEHOLDER.findall(text):
        if name not in _FILLED:
            raise Mistake(f"there is no {{{name}}}", "one of {number}, {text}, {sender}")
    return text


class _Filled(TextOrSecret):
    """Text with placeholders, or a reference to a secret."""

    says = "text with {number}, {text} or {sender}, {credential: NAME} or {file: PATH}"

    def read(self, node: Node, problems: Problems) -> str | Secret:
        """The text, its placeholders checked, or the reference."""
        found = super().read(node, problems)
        if isinstance(found, str):
            try:
                _field(found)
            except Mistake as exc:
                problems.add(node.mark, exc.what, exc.hint)
                raise Bad from exc
        return found


_QUERY = Record(
    Field(
        name="sql",
        shape=Text(pattern=rf"[a-z]+:{NAME}", called="kind:name"),
        required=True,
        doc="a postgres or sql target of ours",
    ),
    Field(name="query", shape=Text(), required=True, doc="its first column names whom to tell, one a row; read only"),
    name="query",
    build=lambda values, _: Query(**values),
)


class Recipients(Shape):
    """Some addresses, or a query that gives them."""

    def __init__(self, parse: Callable[[str], str], called: str) -> None:
        self._called = called
        self._list = ListOf(Text(called=called, parse=parse, longest=320), least=1, most=100, alone=True)

    def read(self, node: Node, problems: Problems) -> tuple[str, ...] | Query:
        """Addresses as a tuple, or the query."""
        found: tuple[str, ...] | Query
        found = _QUERY.read(node, problems) if isinstance(node, Table) else self._list.read(node, problems)
        return found

    def expected(self) -> str:
        """By what they are."""
        return f"{self._called}, a list of them, or {{sql: TARGET, query: ...}}"

    def schema(self) -> Schema:
        """One, some, or an object."""
        return {"anyOf": [self._list.schema(), _QUERY.schema()]}


def _seconds(name: str, default: float, shown: str, doc: str, least: float = 0.1) -> Field:
    return Field(name=name, shape=Duration(least), default=default, shown=shown, doc=doc)


_P = Policy()
ALERTS = Record(
    Field(name="least", shape=Word(SEVERITIES), default=_P.least, shown="warning", doc="the quietest it hears of"),
    Field(
        name="about", shape=ListOf(Word(ABOUT), least=1, alone=True), default=_P.about, doc="kinds of trouble; else all"
    ),
    _seconds("wait", _P.wait, "10s", "what comes within this is one message; what is over within it is not told", 0.0),
    _seconds("repeat", _P.repeat, "4h", "how often what is open is told again, until healer ack; 0s: never", 0.0),
    _seconds("after", _P.after, "0s", "only what has been open, and not acknowledged, for so long", 0.0),
    Field(name="resolved", shape=Flag(), default=True, shown="true", doc="whether it hears that things are well again"),
    name="alerts",
    build=lambda values, _: Policy(**values),
)
_KIND = Field(name="kind", shape=Text(), required=True, doc="kind of channel")
_ALERTS = Field(name="alerts", shape=ALERTS, doc="what the agent tells it by itself; without it, only what rules tell")
_LIMITS = (
    _seconds("timeout", 10.0, "10s", "a try is given up after this"),
    Field(name="error_limit", shape=Count(1, 1000), default=5, shown="5", doc="errors in a row until it is skipped"),
    _seconds("retry_after", 300.0, "5m", "pause until one more is tried then", 1.0),
    _ALERTS,
)
_SHARED = ("kind", "timeout", "error_limit", "retry_after", "alerts")


def _inner(part: str, noun: Callable[..., Any]) -> Callable[[Values, Problems], Mapping[str, Any]]:
    """Put the keys of a kind into a noun of their own."""

    def build(values: Values, _: Problems) -> Mapping[str, Any]:
        own = {name: value for name, value in values.items() if name not in _SHARED}
        return {name: values[name] for name in _SHARED} | {part: noun(**own)}

    return build


def _email(values: Values, problems: Problems) -> Mapping[str, Any]:
    if (values["password"] is None) != (not values["user"]):
        problems.add(values.mark, "user and password go together", "write both, or neither")
        raise Bad
    if values["tls"] == "none" and values["password"] is not None:
        problems.add(values.where("tls"), "a password would go over the wire as it is", "tls: starttls, or tls: tls")
        raise Bad
    if values["tls"] == "none" and (values["certificate"] or values["ca"]):
        problems.add(values.where("tls"), "without TLS no certificate is looked at", "tls: starttls, or tls: tls")
        raise Bad
    if values["key"] and not values["certificate"]:
        problems.add(values.where("key"), "a key without its certificate", "certificate: /path/to/it.pem")
        raise Bad
    values["port"] = values["port"] or _PORTS[values["tls"]]
    return _inner("email", Email)(values, problems)


def _sms(values: Values, problems: Problems) -> Mapping[str, Any]:
    texts = [value for value in values["body"].values() if isinstance(value, str)]
    for name in ("number", "text"):
        if not any(f"{{{name}}}" in text for text in texts):
            problems.add(values.where("body"), f"no field of the body has {{{name}}}", f"to: '{{{name}}}', for example")
            raise Bad
    if values["encoding"] == "query" and len(texts) < len(values["body"]):
        problems.add(values.where("body"), "a secret in an address", "put it into headers: or encoding: form")
        raise Bad
    if values["method"] == "GET" and values["encoding"] != "query":
        problems.add(values.where("method"), "a GET has no body", "encoding: query, or method: POST")
        raise Bad
    if not values["country"] and isinstance(values["recipients"], tuple):
        for number in values["recipients"]:
            if not number.startswith(("+", "00")):
                problems.add(values.where("recipients"), f"{number} has no country", "write +48..., or country: '48'")
                raise Bad
    return _inner("sms", Sms)(values, problems)


_EMAIL = Record(
    _KIND,
    Field(name="host", shape=Text(pattern=_HOST, called="a host"), required=True, doc="takes our mail"),
    Field(name="port", shape=Count(0, 65535), default=0, doc="else 587 (starttls), 465 (tls) or 25 (none)"),
    Field(
        name="tls", shape=Word(_PORTS), default="starttls", shown="starttls", doc="how it is had; never less than asked"
    ),
    Field(name="ca", shape=PATH, default="", doc="file with the certificates to trust; else those of the host"),
    Field(name="certificate", shape=PATH, default="", doc="file with our own certificate, for servers that ask"),
    Field(name="key", shape=PATH, default="", doc="file with its key; else in the same file"),
    Field(name="user", shape=Text(longest=320), default="", doc="name to log in with"),
    Field(name="password", shape=SecretRef(), doc="by reference"),
    Field(
        name="sender", shape=Text(called="a mail address", parse=mail_address, longest=320), required=True, doc="From"
    ),
    Field(name="recipients", shape=Recipients(mail_address, "a mail address"), required=True, doc="who is told"),
    Field(name="helo", shape=Text(pattern=_HELO, called="a host name"), default="", doc="our name; else the host's"),
    *_LIMITS,
    name="email",
    build=_email,
)
_SMS = Record(
    _KIND,
    Field(name="url", shape=URL, required=True, doc="the gateway; no secrets in it"),
    Field(name="method", shape=Word(("POST", "PUT", "GET")), default="POST", shown="POST", doc="method"),
    Field(name="headers", shape=MapOf(TextOrSecret()), default=EMPTY, doc="sent along; secrets by reference"),
    Field(
        name="body",
        shape=MapOf(_Filled()),
        required=True,
        doc="fields: text with {number}, {text}, {sender}; secrets by reference; a.b.0 makes objects and lists inside",
    ),
    Field(
        name="encoding", shape=Word(("json", "form", "query")), default="json", shown="json", doc="how they are sent"
    ),
    Field(name="recipients", shape=Recipients(phone_number, "a telephone number"), required=True, doc="who is told"),
    Field(name="country", shape=Text(pattern=r"[1-9][0-9]{0,2}", called="a country's digits"), default="", doc="48"),
    Field(name="sender", shape=Text(longest=32), default="", doc="what {sender} stands for"),
    Field(name="max_segments", shape=Count(1, 10), default=3, shown="3", doc="what is longer is cut"),
    Field(name="split", shape=Flag(), default=False, shown="false", doc="true: the gateway joins no segments"),
    Field(name="plain", shape=Flag(), default=False, shown="false", doc="true: no letters beyond GSM 03.38"),
    Field(name="ok", shape=ListOf(Count(100, 599), alone=True), default=(), doc="statuses that accept; else any 2xx"),
    Field(
        name="accepted",
        shape=MapOf(Text(longest=200)),
        default=EMPTY,
        doc="paths in the JSON reply, each with the text that proves it was accepted",
    ),
    Field(name="id", shape=Text(longest=200), default="", doc="path in the JSON reply to the gateway's number for it"),
    *_LIMITS,
    name="sms",
    build=_sms,
)


def check_queries(values: Values, problems: Problems) -> None:
    """Note queries for recipients that are put to targets there are not."""
    there = [target.id for target in (*values["programs"], *values["targets"])]
    for name, held in values["notify"].items():
        how = held.get("email") or held.get("sms")
        asked = how.recipients if how is not None else ()
        if isinstance(asked, Query) and asked.sql not in there:
            what = f"the channel {name} asks {asked.sql} whom to tell, which is not declared"
            problems.add(values.where("notify"), what, suggestion(asked.sql, there))


CHANNEL = ByKind(
    {
        "journal": Record(_KIND, _ALERTS, name="journal"),
        "webhook": Record(
            _KIND,
            Field(name="url", shape=URL, required=True, doc="gets a CloudEvent as JSON by POST; no secrets in it"),
            Field(name="headers", shape=MapOf(TextOrSecret()), default=EMPTY, doc="sent along; secrets by reference"),
            *_LIMITS,
            name="webhook",
        ),
        "email": _EMAIL,
        "sms": _SMS,
        "apprise": Record(
            _KIND,
            Field(
                name="urls",
                shape=ListOf(SecretRef(), least=1, most=20, alone=True),
                required=True,
                doc="addresses of apprise, by reference: they hold secrets",
            ),
            *_LIMITS,
            name="apprise",
        ),
    }
)
"""A channel, as what `healer.config.channel.Channel` is made of besides its name."""
