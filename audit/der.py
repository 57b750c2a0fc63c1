"""DER, read strictly and lazily, and written (ITU-T X.690).

A reader walks one element at a time along a grammar its caller knows, and never calls itself: nesting costs nothing,
however deep. Indefinite and padded lengths, tags of several octets and padded integers are refused.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from audit.errors import Malformed

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OID: Final = 0x06
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
NULL: Final = b"\x05\x00"
_MAX_NUMBER: Final = 2048
"""Octets of the longest integer read: an RSA modulus of 16 384 bits."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UTC_TIME: Final = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")
_GENERALIZED: Final = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d*[1-9]))?Z")


def context(number: int, *, primitive: bool = False) -> int:
    """Return the tag ``[number]``."""
    return (0x80 if primitive else 0xA0) | number


@dataclass(frozen=True, slots=True)
class Element:
    """One tag, length and value."""

    tag: int
    content: bytes
    der: bytes
    """All its octets, as they were signed or hashed."""

    def reader(self) -> "Reader":
        """Read what is inside."""
        return Reader(self.content)

    def number(self) -> int:
        """Return an INTEGER's value, of either sign."""
        data = self.content
        padded = len(data) > 1 and data[0] in (0x00, 0xFF) and data[0] >> 7 == data[1] >> 7
        if not data or padded or len(data) > _MAX_NUMBER:
            raise Malformed("an integer that is empty, padded or too long")
        return int.from_bytes(data, "big", signed=True)

    def boolean(self) -> bool:
        """Return a BOOLEAN's value: DER knows two spellings."""
        if self.content not in (b"\x00", b"\xff"):
            raise Malformed("a boolean that is neither FALSE nor TRUE")
        return self.content != b"\x00"

    def oid(self) -> str:
        """Return an OBJECT IDENTIFIER with dots."""
        data = self.content
        if not 0 < len(data) <= 64 or data[-1] & 0x80:
            raise Malformed("an object identifier that is empty, too long or cut")
        arcs, value, fresh = [], 0, True
        for octet in data:
            if fresh and octet == 0x80:
                raise Malformed("an object identifier with padding")
            value, fresh = value << 7 | octet & 0x7F, not octet & 0x80
            if fresh:
                arcs.append(value)
                value = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))

    def octets_of_bits(self) -> bytes:
        """Return a BIT STRING of whole octets."""
        if self.content[:1] != b"\x00":
            raise Malformed("a bit string that is not of whole octets")
        return self.content[1:]

    def time_us(self) -> int:
        """Return a UTCTime or GeneralizedTime in microseconds since 1970, finer fractions cut off."""
        pattern = _UTC_TIME if self.tag == UTC_TIME else _GENERALIZED
        match = pattern.fullmatch(self.content)
        if match is None:
            raise Malformed("not a time in UTC written as DER asks")
        year, *rest = (int(part) for part in match.groups()[:6])
        if self.tag == UTC_TIME:
            year += 2000 if year < 50 else 1900  # RFC 5280, section 4.1.2.5.1
        fraction = (match[7] or b"")[:6] if self.tag != UTC_TIME else b""
        try:
            when = datetime(year, *rest, tzinfo=UTC)  # type: ignore[arg-type, misc] # five numbers, by the pattern
        except ValueError as exc:
            raise Malformed("a time that no calendar has") from exc
        return (when - _EPOCH) // timedelta(microseconds=1) + int(fraction.ljust(6, b"0"))


class Reader:
    """Takes elements from octets, in order; every refusal is ``Malformed``."""

    def __init__(self, data: bytes) -> None:
        """Begin at the first octet of ``data``."""
        self._data = data
        self._at = 0

    @property
    def tag(self) -> int | None:
        """The next element's tag, None at the end."""
        return self._data[self._at] if self._at < len(self._data) else None

    def take(self, *tags: int) -> Element:
        """Take the next element, which must have one of ``tags`` (any, where none is given)."""
        data, start = self._data, self._at
        if start + 2 > len(data):
            raise Malformed("the DER ends where an element was expected")
        tag, size, at = data[start], data[start + 1], start + 2
        if tag & 0x1F == 0x1F or (tags and tag not in tags):
            raise Malformed(f"an element with the tag 0x{tag:02x} where another was expected")
        if size & 0x80:
            octets = data[at : at + (size & 0x7F)]
            at += len(octets)
            size = int.from_bytes(octets, "big")
            # 0x80 alone, BER's indefinite length, has no octets; 0x81 0x7f has one too many.
            if not 0 < len(octets) <= 4 or octets[0] == 0 or size < 0x80:
                raise Malformed("a length that is not the shortest definite one")
        if at + size > len(data):
            raise Malformed("an element that is longer than what holds it")
        self._at = at + size
        return Element(tag, data[at : self._at], data[start : self._at])

    def optional(self, tag: int) -> Element | None:
        """Take the next element if it has this tag."""
        return self.take(tag) if self.tag == tag else None

    def rest(self, *tags: int) -> list[Element]:
        """Take all that are left."""
        found = []
        while self._at < len(self._data):
            found.append(self.take(*tags))
        return found

    def end(self) -> None:
        """Refuse anything that is left."""
        if self._at != len(self._data):
            raise Malformed("octets after the end of what was expected")


def only(data: bytes, tag: int = SEQUENCE) -> Element:
    """Return the one element that ``data`` is, nothing before or after it."""
    reader = Reader(data)
    element = reader.take(tag)
    reader.end()
    return element


def encode(tag: int, *parts: bytes) -> bytes:
    """Write an element that holds ``parts``."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def integer(value: int) -> bytes:
    """Write an INTEGER that is not negative."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """Write an OBJECT IDENTIFIER."""
    first, second, *arcs = (int(arc) for arc in dotted.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *arcs):
        groups = range((max(arc.bit_length(), 1) - 1) // 7, -1, -1)
        content += bytes((arc >> 7 * at) & 0x7F | (0x80 if at else 0) for at in groups)
    return encode(OID, bytes(content))
