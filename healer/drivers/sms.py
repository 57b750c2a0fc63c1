"""Short messages through a gateway's HTTP: numbers, alphabets, segments, and what proves that one was accepted."""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import urlencode

from healer.drivers.http import HttpError, Reply
from healer.errors import HealerError

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each (3GPP TS 23.038)."""
_EXTENDED = frozenset("^{}\\[~]|€\f")
"""Two septets each: an escape, and a letter."""
_PLAIN: Mapping[str, str] = MappingProxyType(
    {"ł": "l", "Ł": "L", "đ": "d", "ð": "d", "þ": "th", "œ": "oe", "–": "-", "—": "-", "‘": "'", "’": "'", "„": '"',
     "“": '"', "”": '"', "…": "...", "`": "'", "\t": " ", "·": "-", "→": "->"}
)  # fmt: skip
_ALONE = {"gsm": 160, "ucs2": 70}
_JOINED = {"gsm": 153, "ucs2": 67}
_TRUNK_STAYS = frozenset({"39"})
"""Countries in which the leading zero is a part of the number, also from abroad."""
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MOST = 65_536


class Asker(Protocol):
    """The HTTP driver, as far as a gateway needs it."""

    async def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = MappingProxyType({}),
        body: bytes = b"",
        timeout: float = 5.0,
        most: int = 0,
    ) -> Reply:
        """Ask once; raises HttpError, which knows whether the request may have arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Who takes short messages, and how."""

    url: str
    method: str
    headers: Mapping[str, str]
    fields: Mapping[str, str]
    """{number}, {text} and {sender} in them stand for what they say; dots in names make objects inside."""
    encoding: str
    """``json``, ``form`` or ``query``."""
    sender: str = ""
    ok: tuple[int, ...] = ()
    accepted: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    id: str = ""


class SmsError(HealerError):
    """A message that was not accepted. ``sent``: it may have been."""

    def __init__(self, message: str, *, hint: str = "", transient: bool, sent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.transient, self.sent = transient, sent


async def send(http: Asker, gateway: Gateway, number: str, text: str, timeout: float) -> str:
    """Hand one message in; returns what proves that it was accepted. Raises SmsError."""
    url, headers, body = request(gateway, number, text)
    try:
        reply = await http.ask(url, method=gateway.method, headers=headers, body=body, timeout=timeout, most=_MOST)
    except HttpError as exc:
        raise SmsError(exc.message, hint=exc.hint, transient=exc.kind != "request", sent=exc.sent) from exc
    return proof(gateway, reply)


def request(gateway: Gateway, number: str, text: str) -> tuple[str, dict[str, str], bytes]:
    """Address, headers and body of the request for one message."""
    words = {"number": number, "text": text, "sender": gateway.sender}
    fields = {name: _filled(value, words) for name, value in gateway.fields.items()}
    if gateway.encoding == "query":
        mark = "&" if "?" in gateway.url else "?"
        return f"{gateway.url}{mark}{urlencode(fields)}", dict(gateway.headers), b""
    if gateway.encoding == "form":
        kind = "application/x-www-form-urlencoded"
        return gateway.url, {"content-type": kind, **gateway.headers}, urlencode(fields).encode()
    body = json.dumps(nested(fields), ensure_ascii=True).encode()
    return gateway.url, {"content-type": "application/json", **gateway.headers}, body


def _filled(value: str, words: Mapping[str, str]) -> str:
    """Fill in, in one pass: what a word says is not looked at again."""
    return re.sub(r"\{(number|text|sender)\}", lambda found: words[found[1]], value)


def nested(fields: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON values of any kind
    """Objects and lists from dotted names: ``messages.0.to`` is ``{"messages": [{"to": ...}]}``."""
    made: dict[str, Any] = {}
    for name, value in fields.items():
        *steps, last = name.split(".")
        inner = made
        for step in steps:
            if not isinstance(inner.get(step), dict):
                inner[step] = {}
            inner = inner[step]
        inner[last] = value
    return _listed(made)


def _listed(value: Any) -> Any:  # noqa: ANN401 - JSON values of any kind
    """The same with lists where the names are 0, 1, 2 and so on."""
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(one) for name, one in value.items()}
    if list(inner) == [str(number) for number in range(len(inner))]:
        return list(inner.values())
    return inner


def proof(gateway: Gateway, reply: Reply) -> str:
    """What the gateway said, where that means it accepted; raises SmsError."""
    said = reply.body[:200].decode("utf-8", "replace").strip()
    if not (reply.status in gateway.ok if gateway.ok else 200 <= reply.status < 300):
        again = reply.status >= 500 or reply.status in {408, 425, 429}
        raise SmsError(f"the gateway answered {reply.status}: {said}", transient=again)
    if not gateway.accepted and not gateway.id:
        return f"{reply.status}"
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        document = None
    for path, want in gateway.accepted.items():
        got = _word(_find(document, path))
        if got != want:
            raise SmsError(
                f"the gateway answered {reply.status}, but {path} is {got[:60] or 'not there'}, not {want}: {said}",
                transient=True,
            )
    number = _word(_find(document, gateway.id)) if gateway.id else ""
    return f"{reply.status}, id {number[:100]}" if number else f"{reply.status}"


def _find(document: Any, path: str) -> Any:  # noqa: ANN401 - JSON values of any kind
    for step in path.split("."):
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isascii() and step.isdigit() and int(step[:9]) < len(document):
            document = document[int(step[:9])]
        else:
            return None
    return document


def _word(value: object) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)


# Numbers and alphabets ---------------------------------------------------------------------------------------------


def e164(text: str, country: str = "") -> str:
    """A number as ``+`` and digits (ITU-T E.164); ``country``: the digits of one that names none. Raises SmsError."""
    digits = re.sub(r"[ ()./-]", "", text.strip())
    if not re.fullmatch(r"\+?[0-9]{1,20}", digits, re.ASCII):
        raise _no_number(text)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if not digits.startswith("+"):
        if not country:
            raise SmsError(f"{text!r} has no country", hint="+48..., or country: in the channel", transient=False)
        digits = f"+{country}{digits if country in _TRUNK_STAYS else digits.removeprefix('0')}"
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", digits, re.ASCII):
        raise _no_number(text)
    return digits


def _no_number(text: str) -> SmsError:
    return SmsError(f"{text[:40]!r} is no telephone number", hint="+ and 7 to 15 digits", transient=False)


def alphabet(text: str) -> str:
    """``gsm`` where all of it can be said in GSM 03.38, else ``ucs2``."""
    return "gsm" if all(char in _BASIC or char in _EXTENDED for char in text) else "ucs2"


def plain(text: str) -> str:
    """The same in GSM 03.38: letters without what they cannot keep, and ``?`` for what has no likeness."""
    made = []
    for char in text:
        if char in _BASIC or char in _EXTENDED:
            made.append(char)
            continue
        bare = _PLAIN.get(char) or "".join(
            one for one in unicodedata.normalize("NFKD", char) if one in _BASIC or one in _EXTENDED
        )
        if bare or not unicodedata.combining(char):
            made.append(bare or "?")
    return "".join(made)


def _costs(char: str, kind: str) -> int:
    """Septets, or 16-bit units."""
    if kind == "gsm":
        return 2 if char in _EXTENDED else 1
    return 2 if ord(char) > 0xFFFF else 1


def segments(text: str) -> tuple[str, ...]:
    """How a text is cut: 160 septets or 70 units where that is all, else 153 or 67 each; no character is split."""
    kind = alphabet(text)
    if sum(_costs(char, kind) for char in text) <= _ALONE[kind]:
        return (text,)
    return _cut(text, kind, _JOINED[kind])


def _cut(text: str, kind: str, room: int) -> tuple[str, ...]:
    made: list[str] = []
    held: list[str] = []
    used = 0
    for char in text:
        cost = _costs(char, kind)
        if used + cost > room:
            made.append("".join(held))
            held, used = [], 0
        held.append(char)
        used += cost
    return (*made, "".join(held)) if held else tuple(made)


def parts(text: str, most: int, *, split: bool = False) -> tuple[str, ...]:
    """The messages to hand in: one of at most ``most`` segments; or (``split``) so many of one segment, numbered.

    What does not fit is cut, and ``...`` says so.
    """
    text = _fitted(_CONTROL.sub(" ", text).encode("utf-8", "replace").decode(), most, split=split)
    pieces = _pieces(text, split=split)
    if len(pieces) == 1 or not split:
        return (text,)
    return tuple(f"{number}/{len(pieces)} {piece}" for number, piece in enumerate(pieces, 1))


def _pieces(text: str, *, split: bool) -> tuple[str, ...]:
    kind, whole = alphabet(text), segments(text)
    return whole if len(whole) == 1 or not split else _cut(text, kind, _ALONE[kind] - len("10/10 "))


def _fitted(text: str, most: int, *, split: bool) -> str:
    if len(_pieces(text, split=split)) <= most:
        return text
    low, high = 0, len(text)
    while low < high:  # the longest beginning that fits: a longer one never needs fewer pieces
        middle = (low + high + 1) // 2
        if len(_pieces(text[:middle].rstrip() + "...", split=split)) <= most:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "..."
