"""What a log claims at one moment: its name, how many leaves it has, and their root (c2sp.org/tlog-checkpoint)."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from audit.errors import Malformed

MAX_SIZE: Final = 2**63 - 1
_DECIMAL: Final = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)
_CONTROL: Final = re.compile("[\x00-\x1f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """A checkpoint's text as a value."""

    origin: str
    """The log's name; no two logs share one."""
    size: int
    """How many leaves, 0 to 2^63 - 1."""
    root: bytes
    """The RFC 6962 root of that many leaves, 32 octets."""
    extensions: tuple[str, ...] = ()
    """Further lines, opaque: whoever cosigns the head says nothing about them."""

    def __post_init__(self) -> None:
        """Refuse values that have no text; raises ``Malformed``."""
        for line in (self.origin, *self.extensions):
            if not line or _CONTROL.search(line):
                raise Malformed(f"{line[:80]!r} cannot be a line of a tree head")
        if not 0 <= self.size <= MAX_SIZE:
            raise Malformed(f"a tree of {str(self.size)[:25]} leaves is impossible")
        if len(self.root) != 32:
            raise Malformed(f"a root has 32 octets, not {len(self.root)}")

    def text(self) -> str:
        """Return the text that is signed, its last newline included."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.extensions))

    @classmethod
    def parse(cls, text: str) -> "TreeHead":
        """Read a checkpoint's text; raises ``Malformed`` for anything ``text`` would have written otherwise."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop():
            raise Malformed("a tree head is three lines or more, each ended by a newline")
        return cls(origin=lines[0], size=parse_size(lines[1]), root=parse_hash(lines[2]), extensions=tuple(lines[3:]))


def parse_size(text: str) -> int:
    """Read a decimal number of leaves; raises ``Malformed`` for leading zeroes, signs, and what exceeds 2^63 - 1."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise Malformed(f"{text[:25]!r} is not a tree size")
    return int(text)


def parse_hash(text: str) -> bytes:
    """Read 32 octets of base64 in their one spelling; raises ``Malformed``."""
    octets = parse_base64(text)
    if len(octets) != 32:
        raise Malformed(f"a hash has 32 octets, not {len(octets)}")
    return octets


def parse_base64(text: str) -> bytes:
    """Read standard base64 (RFC 4648, section 4) in its one spelling; raises ``Malformed``."""
    octets = decode_base64(text)
    if base64.b64encode(octets).decode() != text:
        raise Malformed(f"{text[:60]!r} is base64 with stray bits")
    return octets


def decode_base64(text: str) -> bytes:
    """Read standard base64, whatever the unused bits before its padding say; raises ``Malformed``."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise Malformed(f"{text[:60]!r} is not base64") from exc
