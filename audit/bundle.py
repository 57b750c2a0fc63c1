"""A bundle: single entries with everything that proves them, as one text file; each block a c2sp.org/tlog-proof."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from audit.errors import Malformed, UnknownVersion
from audit.tlogproof import FAMILY, FIRST_LINE, MAX_PATH, Proof

VERSION: Final = 1
MAX_FILE: Final = 64 * 1024 * 1024
_EXTRA: Final = {"v", "hdr", "sig", "rsig", "entries"}
_ENTRY: Final = {"at", "octets", "path"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry, and its way to the root in its block's header."""

    at: int
    """Place within the block, from 0."""
    octets: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One block's header with some of its entries, and its way to a checkpoint."""

    hdr: bytes
    sig: bytes
    rsig: bytes
    items: tuple[Item, ...]
    height: int
    path: tuple[bytes, ...]
    checkpoint: bytes


def encode(parts: Sequence[Part]) -> bytes:
    """Return the file."""
    return b"".join(
        Proof(index=part.height, path=part.path, checkpoint=part.checkpoint, extra=_extra(part)).encode()
        for part in parts
    )


def parse(octets: bytes) -> list[Part]:
    """Read a bundle strictly; raises ``Malformed``, or ``UnknownVersion`` for what this code does not know."""
    first = FIRST_LINE.encode() + b"\n"
    if not octets.startswith(first) and octets.startswith(FAMILY.encode()):
        line = octets[:60].partition(b"\n")[0].decode("ascii", "replace")
        raise UnknownVersion(f"{line!r} is not the version known here", hint="use a newer verifier")
    if not octets.startswith(first):
        raise Malformed(f"a bundle begins with the line {FIRST_LINE}")
    # No line within a document can be its first line: those of a checkpoint's text are told apart by their place.
    parts, start = [], 0
    while start < len(octets):  # one after the other: a large file is not in memory twice
        end = octets.find(b"\n" + first, start) + 1 or len(octets)
        parts.append(_part(Proof.parse(octets[start:end])))
        start = end
    return parts


def _extra(part: Part) -> bytes:
    entries = [{"at": item.at, "octets": _b64(item.octets), "path": [*map(_b64, item.path)]} for item in part.items]
    columns = {"hdr": _b64(part.hdr), "sig": _b64(part.sig), "rsig": _b64(part.rsig)}
    return json.dumps({"v": VERSION, **columns, "entries": entries}, separators=(",", ":")).encode()


def _part(proof: Proof) -> Part:
    if proof.extra is None:
        raise Malformed("a proof without its extra line is no bundle of entries")
    try:
        fields = json.loads(proof.extra.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as exc:
        raise Malformed(f"the extra line is not JSON: {type(exc).__name__}") from exc
    if type(fields) is not dict or fields.keys() != _EXTRA or type(fields["v"]) is not int:
        raise Malformed("the extra line has not the members of a bundle")
    if fields["v"] != VERSION:
        raise UnknownVersion(f"bundle version {str(fields['v'])[:20]} is not known here", hint="use a newer verifier")
    if type(fields["entries"]) is not list or not fields["entries"]:
        raise Malformed("a bundle holds entries")
    return Part(
        hdr=_octets(fields["hdr"]),
        sig=_octets(fields["sig"]),
        rsig=_octets(fields["rsig"]),
        items=tuple(map(_item, fields["entries"])),
        height=proof.index,
        path=proof.path,
        checkpoint=proof.checkpoint,
    )


def _item(fields: object) -> Item:
    if not isinstance(fields, dict) or fields.keys() != _ENTRY or type(fields["at"]) is not int or fields["at"] < 0:
        raise Malformed("an entry of the bundle has not its members")
    path = fields["path"]
    if type(path) is not list or len(path) > MAX_PATH:
        raise Malformed("an entry's path is not a short list")
    return Item(at=fields["at"], octets=_octets(fields["octets"]), path=tuple(map(_octets, path)))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name comes twice")
    return fields


def _b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _octets(text: object) -> bytes:
    try:
        octets = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise Malformed("a member of the bundle is not base64") from exc
    if _b64(octets) != text:
        raise Malformed("a member of the bundle is not base64 in its one spelling")
    return octets
