"""A block: its header, the octets the signature covers, and the body the header commits to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import repeat
from struct import Struct
from typing import Final

from audit import canonical, merkle
from audit.errors import Malformed, UnknownVersion

VERSION: Final = 1
APPLICATION_ID: Final = 0x4845_4C31
"""``PRAGMA application_id`` of the file: the letters HEL1."""
SIGNED_PREFIX: Final = b"sealed-log/block/v1\n"
GENESIS: Final = "0" * 64
MAX_ENTRIES: Final = 4096
MAX_BODY: Final = 8 * 1024 * 1024
"""A group is closed at 1 MiB; the submission that crosses that line may have another 4 MiB."""
REASONS: Final = frozenset({"commit", "heartbeat", "restart", "rotate", "prune"})

_LENGTH: Final = Struct(">I")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_ORIGIN: Final = re.compile(r"[!-*,-~]{1,200}")
_MAX_KEYS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What one signature covers. A field that is not in use is the empty string."""

    v: int = VERSION
    origin: str
    """Names this log and no other; the signature covers it, so a block of another log never fits."""
    height: int
    first: int
    """Sequence number of the first entry."""
    count: int
    root: str
    """Merkle root (RFC 6962) of the entries' octets, hex."""
    body: str
    """SHA-256 of the whole body, hex: four times faster to check than the root."""
    body_len: int
    prev: str
    """SHA-256 of the previous header's octets, hex; 64 zeros in the first block."""
    opened: int
    """Wall clock, µs, when the first entry was taken."""
    sealed: int
    mono: int
    """CLOCK_BOOTTIME, µs, at ``sealed``; never falls while ``boot`` stays the same."""
    boot: str
    beacon: str = ""
    """Hash of the newest outside cosignature held: the block is not older than that."""
    open: int
    """How many intents have no outcome yet, this block included."""
    next: str = ""
    """Public half of the ratchet key that signs the next block."""
    keys: tuple[str, ...]
    """Fingerprints of the keys that signed this block."""
    why: str = "commit"

    def encode(self) -> bytes:
        """Return the octets that are stored, hashed and signed."""
        return canonical.encode({name: getattr(self, name) for name in _FIELDS})


_INTEGERS: Final = ("v", "height", "first", "count", "body_len", "opened", "sealed", "mono", "open")
_TEXTS: Final = ("origin", "root", "body", "prev", "boot", "beacon", "next", "why")
_FIELDS: Final = frozenset((*_INTEGERS, *_TEXTS, "keys"))


def parse_header(octets: bytes) -> Header:
    """Read a header strictly; raises ``Malformed``, or ``UnknownVersion`` for a version this code does not know."""
    fields = canonical.decode(octets)
    if fields.get("v") != VERSION or type(fields.get("v")) is not int:
        raise UnknownVersion(f"header version {str(fields.get('v'))[:20]} is not known here")
    if fields.keys() != _FIELDS:
        raise Malformed(f"header fields differ: {', '.join(sorted(fields.keys() ^ _FIELDS))[:200]}")
    _check_types(fields)
    header = Header(**{**fields, "keys": tuple(fields["keys"])})  # type: ignore[arg-type] # types were checked above
    _check_values(header)
    return header


def _check_types(fields: dict[str, object]) -> None:
    for name in _INTEGERS:
        if type(fields[name]) is not int:
            raise Malformed(f"header field {name} is not an integer")
    for name in _TEXTS:
        if type(fields[name]) is not str:
            raise Malformed(f"header field {name} is not text")
    keys = fields["keys"]
    if type(keys) is not list or not 1 <= len(keys) <= _MAX_KEYS:
        raise Malformed("header field keys is not a short list")
    if not all(type(key) is str and _HASH.fullmatch(key) for key in keys):
        raise Malformed("header field keys holds something else than fingerprints")


def _check_values(header: Header) -> None:
    negative = [name for name in _INTEGERS if getattr(header, name) < 0]
    if negative:
        raise Malformed(f"header field {negative[0]} is negative")
    for name in ("root", "body", "prev"):
        if not _HASH.fullmatch(getattr(header, name)):
            raise Malformed(f"header field {name} is not a SHA-256 in hex")
    for name in ("beacon", "next"):
        if getattr(header, name) and not _HASH.fullmatch(getattr(header, name)):
            raise Malformed(f"header field {name} is not 32 octets in hex")
    if not 1 <= header.count <= MAX_ENTRIES or header.body_len > MAX_BODY:
        raise Malformed("a block has 1 to 4096 entries and at most 8 MiB")
    if header.why not in REASONS:
        raise Malformed(f"header field why is {header.why[:20]!r}")
    check_origin(header.origin)


def check_origin(origin: str) -> None:
    """Raise ``Malformed`` unless ``origin`` is 1 to 200 visible ASCII characters without ``+`` (as C2SP asks)."""
    if not _ORIGIN.fullmatch(origin):
        raise Malformed(f"{origin[:40]!r} cannot name a log: 1 to 200 visible ASCII characters, no '+'")


def hash_of(header_octets: bytes) -> str:
    """Return what the next header's ``prev`` must be."""
    return sha256(header_octets).hexdigest()


def signed_octets(header_octets: bytes) -> bytes:
    """Return what the seal signs: the prefix keeps a signature from ever meaning something else."""
    return SIGNED_PREFIX + header_octets


def join_body(entries: Sequence[bytes]) -> bytes:
    """Return (unsigned 32-bit big-endian length ‖ octets) for each entry."""
    parts = [b""] * (2 * len(entries))
    parts[::2] = map(_LENGTH.pack, map(len, entries))
    parts[1::2] = entries
    return b"".join(parts)


def split_body(body: bytes) -> list[bytes]:
    """Take a body apart; raises ``Malformed`` unless it comes out exactly."""
    entries = []
    at, end = 0, len(body)
    while at < end:
        start = at + 4
        at = start + int.from_bytes(body[at:start], "big")
        entries.append(body[start:at])
    if at != end:
        raise Malformed("the body's lengths do not add up")
    return entries


def check_flat(header: Header, body: bytes) -> None:
    """Compare length and SHA-256 of the body with the header; raises ``Malformed``."""
    if len(body) != header.body_len:
        raise Malformed(f"the body has {len(body)} octets, its header says {header.body_len}")
    if sha256(body).hexdigest() != header.body:
        raise Malformed("the body is not the one its header was sealed over")


def check_entries(header: Header, body: bytes) -> list[bytes]:
    """Compare number and Merkle root of the entries with the header; return the leaf hashes. Raises ``Malformed``."""
    leaves = _leaf_hashes(body, header.count)
    if merkle.root(leaves).hex() != header.root:
        raise Malformed("the entries' Merkle root is not the one in the header")
    return leaves


def _leaf_hashes(body: bytes, count: int) -> list[bytes]:
    """Hash each entry where it lies, which is a fifth faster than to take the body apart first."""
    leaves: list[bytes] = []
    add, digest, number = leaves.append, sha256, int.from_bytes  # local names: this loop runs a million times
    at = 0
    for _ in repeat(None, count):
        start = at + 4
        at = start + number(body[at:start], "big")
        add(digest(b"\x00" + body[start:at]).digest())
    # Every step goes forward, so what ends exactly at the end has never been beyond it.
    if at != len(body):
        raise Malformed(f"the body holds {len(split_body(body))} entries, its header says {count}")
    return leaves


def check_follows(header: Header, previous: Header | None, previous_hash: str) -> list[str]:
    """Return, in words, each way in which ``header`` cannot come right after ``previous``."""
    wrong = []
    height = previous.height + 1 if previous else 0
    first = previous.first + previous.count if previous else 0
    if header.height != height:
        wrong.append(f"it says height {header.height} where {height} is due")
    if header.first != first:
        wrong.append(f"it starts at entry {header.first} where {first} is due")
    if header.prev != (previous_hash if previous else GENESIS):
        wrong.append("it does not follow the block before it")
    if previous and header.origin != previous.origin:
        wrong.append(f"it belongs to another log, {header.origin}")
    if previous and header.boot == previous.boot and header.mono < previous.mono:
        wrong.append("the monotonic clock fell within one boot")
    return wrong
