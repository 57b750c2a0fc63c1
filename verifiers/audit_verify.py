"""Verify a sealed log with plain Python alone, in one file so that an auditor can read all he trusts in one sitting.

Written from docs/log-format.md and from nothing else. It shares no code with the program that writes the log, nor with
the ordinary verifier, so that a mistake would have to be made twice to go unnoticed. Python 3.9 or newer, standard
library only. It writes nothing but its own memory of the heads it has proven. Exit 0 proven, 1 tampered, 2 not proven.
What it does not do: read the entries one by one (``healer-audit verify --deep`` does).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

VERSION = "1"
LEVELS = ("none", "L0", "L1", "L2", "L3", "L4")
DAY_S = 86_400
MAX_ENTRY, MAX_COUNT, MAX_BODY = 65_535, 4096, 8 << 20
HEX = re.compile(r"[0-9a-f]{64}").fullmatch


class Fault(Exception):  # noqa: N818 - the two below are what is raised
    """Something that keeps the log from being proven: a short code, and a sentence."""

    weight = ""

    def __init__(self, code: str, because: str) -> None:
        super().__init__(because)
        self.code, self.because = code, because


class Tampered(Fault):
    """A contradiction: the log, or what is kept beside it, is not what was sealed."""

    weight = "tampered"


class Unproven(Fault):
    """Nothing was contradicted, but something needed is missing, unreadable or unknown."""

    weight = "unproven"


def demand(good: object, code: str, because: str) -> None:
    """Say that it was tampered with, unless ``good``."""
    if not good:
        raise Tampered(code, because)


def must(good: object, because: str) -> None:
    """Refuse to read further, unless ``good``; the reader's caller knows what that means."""
    if not good:
        raise ValueError(because)


# ------------------------------------------------------------------------------------------- 1. canonical JSON


def _whole(digits: str) -> int:
    must(len(digits) <= 17 and abs(int(digits)) < 1 << 53, "an integer beyond 2^53-1")
    return int(digits)  # also given what looks like a float, NaN or Infinity: none is an integer


def _depth(value: object) -> int:
    if isinstance(value, dict):
        must(all(re.fullmatch("[a-z][a-z0-9_]*", key) for key in value), "a key that is none")
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


READER = json.JSONDecoder(parse_int=_whole, parse_float=_whole, parse_constant=_whole)
WRITER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical(octets: bytes) -> dict[str, Any]:
    """Read one canonical JSON object, by writing it again and comparing; ValueError says what is not canonical."""
    must(len(octets) <= MAX_ENTRY, "more than 65535 octets")
    try:
        value = READER.decode(octets.decode())
        must(isinstance(value, dict) and _depth(value) <= 16, "no object, or nested more than 16 levels deep")
        must(WRITER.encode(value).encode() == octets, "not in canonical form")
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return dict(value)


def unbase64(text: str | bytes) -> bytes:
    """Decode standard base64 that has exactly one way to be written."""
    octets = text.encode() if isinstance(text, str) else text
    decoded = base64.b64decode(octets, validate=True)
    must(base64.b64encode(decoded) == octets, "base64 with stray bits")
    return decoded


# ------------------------------------------------------------------------------------------ 2. trees (RFC 6962)


def leaf_hash(octets: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + octets).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def merkle_root(hashes: list[bytes]) -> bytes:
    """The root over leaf hashes (at least one): pair by pair, an odd last one moves up as it is."""
    while len(hashes) > 1:
        pairs, odd = iter(hashes), hashes[len(hashes) & ~1 :]
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs)] + odd
    return hashes[0]


class Tree:
    """A tree that grows leaf by leaf and keeps only the roots of its complete sub-trees."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        self.size, size = self.size + 1, self.size + 1
        while size % 2 == 0:
            leaf, size = node_hash(self.peaks.pop(), leaf), size // 2
        self.peaks.append(leaf)

    def root(self) -> bytes:
        """The root of what there is, at least one leaf."""
        *rest, found = self.peaks
        for peak in reversed(rest):
            found = node_hash(peak, found)
        return found


def included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """RFC 9162, section 2.1.3.2: does this path lead from the leaf to the root?"""
    last = size - 1
    if not 0 <= index <= last:
        return False
    for sibling in path:
        if last == 0:
            return False
        if index % 2 or index == last:
            leaf = node_hash(sibling, leaf)
            while index and index % 2 == 0:
                index, last = index >> 1, last >> 1
        else:
            leaf = node_hash(leaf, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and leaf == root


# ------------------------------------------------------------------------------- 3. RSA (RFC 8017), and strict DER


class Der(NamedTuple):
    """One DER value: its tag, its content, and all its octets."""

    tag: int
    body: bytes
    whole: bytes

    def parts(self) -> list[Der]:
        """The values it consists of."""
        return der(self.body)

    def number(self) -> int:
        """A non-negative integer, written in the shortest way."""
        good = self.tag == 0x02 and self.body and self.body[0] < 0x80 and (self.body[0] or self.body[1:2] > b"\x7f")
        must(good or self.body == b"\x00", "no integer")
        return int.from_bytes(self.body, "big")


def der(data: bytes) -> list[Der]:
    """Take apart DER values that follow one another; ValueError where it is not DER."""
    found, at = [], 0
    while at < len(data):
        start, (tag, length) = at, struct.unpack("BB", data[at : at + 2].ljust(2, b"\xff"))
        at += 2
        if length >= 0x80:
            digits, at = data[at : at + length - 0x80], at + length - 0x80
            length = int.from_bytes(digits, "big")
            must(0 < len(digits) <= 4 and digits[0] and length >= 0x80, "a length that is not DER")
        must(tag & 31 != 31 and at + length <= len(data), "not DER, or it ends early")
        found.append(Der(tag, data[at : at + length], data[start : at + length]))
        at += length
    return found


OID_RSA = bytes.fromhex("2a864886f70d010101")


class RsaKey(NamedTuple):
    """An RSA public key, with the SHA-256 of the SubjectPublicKeyInfo it was read from."""

    n: int
    e: int
    fingerprint: str

    @property
    def size(self) -> int:
        """The modulus' length, and a signature's, in octets."""
        return (self.n.bit_length() + 7) // 8

    def recover(self, signature: bytes, size: int) -> bytes:
        """Section 5.2.2: the signature to the power e, in ``size`` octets; empty where that cannot be."""
        value = int.from_bytes(signature, "big")
        found = pow(value, self.e, self.n) if len(signature) == self.size and value < self.n else 1 << 8 * size
        return found.to_bytes(size, "big") if found.bit_length() <= 8 * size else b""


def rsa_key(spki: bytes) -> RsaKey:
    """Read a SubjectPublicKeyInfo of ``rsaEncryption`` in strict DER; ValueError where it is none."""
    (outer,) = der(spki)
    algorithm, bits = outer.parts()
    (inner,) = der(bits.body[1:])
    n, e = (part.number() for part in inner.parts())
    tags = (outer.tag, algorithm.whole, bits.tag, bits.body[:1], inner.tag)
    must(tags == (0x30, b"\x30\x0d\x06\x09" + OID_RSA + b"\x05\x00", 0x03, b"\x00", 0x30), "not an RSA public key")
    return RsaKey(n, e, sha256(spki).hexdigest())


def sealing_key(spki: bytes) -> RsaKey:
    """Read a key that may seal: 3072 to 16384 bits, exponent 65537."""
    key = rsa_key(spki)
    bits, exponent = key.n.bit_length(), key.e
    must(3072 <= bits <= 16384 and exponent == 65537, f"an RSA key of {bits} bits, exponent {exponent} is refused")
    return key


def read_pem(text: bytes, label: str) -> list[bytes]:
    """The contents of the PEM blocks of a file that holds nothing else."""
    block = f"-----BEGIN {label}-----\\s([A-Za-z0-9+/=\\s]+)-----END {label}-----\\s*".encode()
    must(re.fullmatch(b"\\s*(?:" + block + b")+", text), f"not a PEM file of {label} blocks")
    return [unbase64(b"".join(found.split())) for found in re.findall(block, text)]


def read_key(text: bytes) -> RsaKey:
    """Read the public key an auditor pinned: one PEM block."""
    blocks = read_pem(text, "PUBLIC KEY")
    must(len(blocks) == 1, "more than one key")
    return sealing_key(blocks[0])


def pss_verifies(key: RsaKey, signature: bytes, message: bytes) -> bool:
    """RSASSA-PSS (section 8.1.2) with SHA-256, MGF1 with SHA-256, and a salt of 32 octets."""
    bits = key.n.bit_length() - 1
    encoded = key.recover(signature, (bits + 7) // 8)
    if encoded[-1:] != b"\xbc":
        return False
    masked, digest, unused = encoded[:-33], encoded[-33:-1], 8 * len(encoded) - bits
    blocks = range((len(masked) + 31) // 32)
    mask = b"".join(sha256(digest + struct.pack(">I", block)).digest() for block in blocks)[: len(masked)]
    # The leftmost bits, for which the modulus has no room, must be zero before the mask, and are cut after it.
    clear = (int.from_bytes(masked, "big") ^ int.from_bytes(mask, "big")) & (1 << 8 * len(masked) - unused) - 1
    padded = clear.to_bytes(len(masked), "big")
    if masked[0] >> 8 - unused or padded[:-32] != b"\x00" * (len(padded) - 33) + b"\x01":
        return False
    return sha256(b"\x00" * 8 + sha256(message).digest() + padded[-32:]).digest() == digest


# -------------------------------------------------------------------------------------------- 4. Ed25519 (RFC 8032)

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, T = X*Y/Z
ZERO: Point = (0, 1, 1, 0)


def _added(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * D * p[3] * q[3] % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _doubled(p: Point) -> Point:
    a, b, c = p[0] * p[0] % P, p[1] * p[1] % P, 2 * p[2] * p[2] % P
    e, g, h = a + b - (p[0] + p[1]) ** 2 % P, a - b, a + b
    f = c + g
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def decoded_point(octets: bytes) -> Point | None:
    """Section 5.1.3; None where the octets are no point."""
    encoded = int.from_bytes(octets, "little")
    y, sign = encoded & (1 << 255) - 1, encoded >> 255
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    x = x if v * x * x % P == u else x * ROOT_OF_MINUS_ONE % P
    if len(octets) != 32 or y >= P or v * x * x % P != u or (x == 0 and sign):
        return None
    x = P - x if x % 2 != sign else x
    return (x, y, 1, x * y % P)


def _odd_multiples(p: Point, count: int) -> list[Point]:
    twice, found = _doubled(p), [p]
    while len(found) < count:
        found.append(_added(found[-1], twice))
    return found


def _sparse_digits(scalar: int, width: int) -> Iterator[int]:
    """The scalar as signed odd digits with zeros between them, lowest first (its non-adjacent form)."""
    while scalar:
        digit = scalar & (1 << width) - 1 if scalar % 2 else 0
        digit -= digit >> (width - 1) << width
        yield digit
        scalar = (scalar - digit) >> 1


BASE = _odd_multiples(decoded_point((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or ZERO, 32)


def ed25519_verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Section 5.1.7, without the cofactor: the encoding of [S]B - [k]A must be R, octet by octet."""
    point, s = decoded_point(public), int.from_bytes(signature[32:], "little")
    if point is None or len(signature) != 64 or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus, total = (P - point[0], point[1], 1, P - point[3]), ZERO
    work = ((list(_sparse_digits(s, 7)), BASE), (list(_sparse_digits(k, 5)), _odd_multiples(minus, 8)))
    for at in range(255, -1, -1):
        total = _doubled(total)
        for digits, table in work:
            digit = digits[at] if at < len(digits) else 0
            if digit:
                x, y, z, t = table[abs(digit) // 2]
                total = _added(total, (x, y, z, t) if digit > 0 else (-x, y, z, -t))
    inverse = pow(total[2], -1, P)
    x, y = total[0] * inverse % P, total[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# -------------------------------------------------------------------------------------------------- 5. headers

NUMBERS = {"v", "height", "first", "count", "body_len", "opened", "sealed", "mono", "open"}
REASONS = ("commit", "heartbeat", "restart", "rotate", "prune")


class Header(NamedTuple):
    """A block's header; docs/log-format.md says what each field means."""

    v: int
    origin: str
    height: int
    first: int
    count: int
    root: str
    body: str
    body_len: int
    prev: str
    opened: int
    sealed: int
    mono: int
    boot: str
    beacon: str
    open: int
    next: str
    keys: list[str]
    why: str


def read_header(octets: bytes) -> Header:
    """Read a header; Unproven where its version is unknown, Tampered where it is none."""
    try:
        value = canonical(octets)
    except ValueError as exc:
        raise Tampered("header", f"its header is no canonical JSON: {exc}") from None
    if type(value.get("v")) is int and value["v"] != 1:
        raise Unproven("version", f"header version {value['v']} is not known here")
    demand(value.keys() == {*Header._fields}, "header", "its header has other fields than a header has")
    for name in Header._fields:
        kind = int if name in NUMBERS else list if name == "keys" else str
        demand(type(value[name]) is kind, "header", f"header field {name} has another type")
    header = Header(**value)
    good = {
        "origin": re.fullmatch(r"[!-*,-~]{1,200}", header.origin),
        "height": min(header.height, header.first, header.open) >= 0,
        "count": 1 <= header.count <= MAX_COUNT and 1 <= header.body_len <= MAX_BODY,
        "root": HEX(header.root) and HEX(header.body) and HEX(header.prev),
        "next": all(HEX(text) for text in (header.next, header.beacon) if text),
        "keys": all(isinstance(key, str) and HEX(key) for key in header.keys),
        "why": header.why in REASONS and len(header.keys) == (2 if header.why == "rotate" else 1),
    }
    for name, fine in good.items():
        demand(fine, "header", f"header field {name}, or one of its kind, is none: {value[name]!r:.60}")
    return header


def split_body(body: bytes, count: int) -> list[bytes]:
    """The entries of a body: it must come out exactly."""
    entries, at, unpack = [], 0, struct.Struct(">I").unpack_from
    while at + 4 <= len(body):
        start = at + 4
        at = start + unpack(body, at)[0]
        entries.append(body[start:at])
    good = at == len(body) and len(entries) == count and max(map(len, entries)) <= MAX_ENTRY
    demand(good, "body", f"its body does not come apart into {count} entries")
    return entries


# -------------------------------------------------------------------------- 6. what others remember, and vouch for


def read_small(path: Path, limit: int = 1 << 16) -> bytes:
    """Read a small regular file; a FIFO is not waited for, and nothing large is taken in."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - by its descriptor
            must(stat.S_ISREG(os.fstat(file.fileno()).st_mode), "it is not a regular file")
            octets = file.read(limit + 1)
            must(len(octets) <= limit, f"it is larger than {limit} octets")
    except (OSError, ValueError) as exc:
        raise ValueError(f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}") from None
    return octets


class Anchor(NamedTuple):
    """A head that somebody remembers; ``own`` where it lies in the log's own folder, and proves the less."""

    origin: str
    height: int
    count: int
    head: str
    key: str
    sealed: int
    name: str
    own: bool


def read_anchor(octets: bytes, name: str, *, own: bool) -> Anchor:
    """Read an anchor file; ValueError where it is none."""
    must(len(octets) <= 4096 and octets[-1:] == b"\n", "not one line of at most 4096 octets")
    value = canonical(octets[:-1])
    version, _ = value.pop("v", None), value.pop("root", None)
    must(version == 1 and value.keys() == set(Anchor._fields[:-2]), "a version, or fields, not known here")
    anchor = Anchor(**value, name=name, own=own)
    must({type(number) for number in (version, anchor.height, anchor.count, anchor.sealed)} == {int}, "no integer")
    must(all(isinstance(text, str) for text in (anchor.origin, anchor.head, anchor.key)), "not a text")
    return anchor


class Note(NamedTuple):
    """A C2SP signed note: its text, and its signatures as (key name, key id, signature)."""

    text: bytes
    signatures: list[tuple[str, bytes, bytes]]


def read_note(octets: bytes) -> Note:
    """c2sp.org/signed-note, without judging the signatures; ValueError where it is none."""
    text, mark, lines = octets.rpartition(b"\n\n")
    must(mark and octets[-1:] == b"\n", "not a signed note")
    must(all(char >= " " or char == "\n" for char in octets.decode()), "a control character")
    found = [re.fullmatch("— ([^\\s+]+) ([A-Za-z0-9+/=]+)", line) for line in lines.decode()[:-1].split("\n")]
    signatures = [(line[1], unbase64(line[2])) for line in found if line]
    must(len(signatures) == len(found) <= 100, "a line that is no signature, or too many")
    must(all(len(signature) > 4 for _, signature in signatures), "a signature that is too short")
    return Note(text + b"\n", [(name, signature[:4], signature[4:]) for name, signature in signatures])


class NoteKey(NamedTuple):
    """A C2SP verifier key of type 1 (a log's) or 4 (a witness's)."""

    name: str
    id: bytes
    type: int
    public: bytes

    def signed(self, note: Note) -> int | None:
        """0 where this log signed the text; for a witness the second of its cosignature; None where there is none."""
        found = {signature for name, id_, signature in note.signatures if (name, id_) == (self.name, self.id)}
        if len(found) != 1:  # two by one key are one too many
            return None
        signature, time, head = found.pop(), 0, b""
        if self.type == 4:  # c2sp.org/tlog-cosignature
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            head = b"cosignature/v1\ntime %d\n" % time
        good = time < 1 << 63 and ed25519_verifies(self.public, signature, head + note.text)
        return time if good else None


def read_note_key(line: str) -> NoteKey:
    """Read a verifier key: name, id, and base64 of type and key, joined by plus signs; ValueError where it is none."""
    name, id_, encoded = line.split("+", 2)
    key = unbase64(encoded)
    expected = sha256(name.encode() + b"\n" + key).digest()[:4]
    good = re.fullmatch(r"\S+", name) and id_ == expected.hex() and len(key) == 33 and key[0] in {1, 4}
    must(good, f"not a verifier key of type 1 or 4: {line[:60]}")
    return NoteKey(name, expected, key[0], key[1:])


class Policy:
    """c2sp.org/tlog-policy: which logs and witnesses count, and how many of them are enough."""

    def __init__(self, octets: bytes) -> None:
        self.keys: dict[str, NoteKey] = {}  # by name; a log's is "log" and its number, with a blank between
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum, taken = "", set[str]()
        must(all(octet >= 0x20 or octet in b"\t\n" for octet in octets), "a control character")
        for line in octets.decode("latin-1").split("\n"):  # names are opaque octets: each stays what it is
            words = re.findall("[^ \t]+", line)
            kind, size = words[0] if words else "#", len(words)
            if kind == "log" and size in {2, 3}:
                self._learn(f"log {len(self.keys)}", words[1], 1)
            elif kind == "witness" and size in {3, 4}:
                self._learn(words[1], words[2], 4)
            elif kind == "group" and size > 3:
                members = words[3:]
                many = {"any": "1", "all": str(len(members))}.get(words[2], words[2])
                must(re.fullmatch("[1-9][0-9]{0,4}", many) and int(many) <= len(members), f"a group of {words[2]:.9}")
                must(all(self._known(name) for name in members) and self._fresh(words[1]), "a group's name or member")
                must(len({*members}) == len(members) and not taken & {*members}, "a member of two groups")
                taken |= {*members}
                self.groups[words[1]] = (int(many), members)
            elif kind == "quorum" and size == 2 and not self.quorum:
                self.quorum = words[1]
                must(self.quorum == "none" or self._known(self.quorum), "a quorum that is not defined above it")
            else:
                must(kind.startswith("#"), f"the line {line[:60]!r}")
        must(self.quorum, "no quorum")

    def _known(self, name: str) -> bool:
        return name in self.keys or name in self.groups

    def _fresh(self, name: str) -> bool:
        return name != "none" and not self._known(name)

    def _learn(self, name: str, text: str, kind: int) -> None:
        key = read_note_key(text.encode("latin-1").decode())
        others = [other.public for other in self.keys.values() if other.type == kind]
        must(key.type == kind and key.public not in others and self._fresh(name), f"the key {text[:60]!r}")
        self.keys[name] = key

    def logs(self) -> list[NoteKey]:
        """The keys of the logs."""
        return [key for key in self.keys.values() if key.type == 1]

    def _enough(self, name: str, who: list[str]) -> bool:
        many, members = self.groups.get(name, (1, []))
        return name in who or (name in self.groups and sum(self._enough(member, who) for member in members) >= many)

    def witnessed(self, note: Note) -> int | None:
        """The newest second since which enough witnesses vouch; None where there is none (``quorum none`` has none)."""
        times = {name: key.signed(note) for name, key in self.keys.items() if key.type == 4}
        for second in sorted({time for time in times.values() if time is not None}, reverse=True):
            if self._enough(self.quorum, [name for name, time in times.items() if time is not None and time >= second]):
                return second
        return None


class Checkpoint(NamedTuple):
    """What a note says of a log's tree, and who vouches for it."""

    origin: str
    size: int
    root: bytes
    text: bytes
    name: str
    given: bool
    """The auditor gave it as an anchor: it is worth as much as the place he kept it in."""
    signed: bool
    """A note key of the log signed it."""
    witnessed: int | None
    """Since which second enough witnesses have vouched for it."""


def read_checkpoint(octets: bytes, name: str, policy: Policy | None, own: NoteKey | None, given: bool) -> Checkpoint:  # noqa: FBT001
    """c2sp.org/tlog-checkpoint: read it and judge who vouches for it; ValueError where it is none."""
    note = read_note(octets)
    origin, size, encoded, *more = note.text.decode().split("\n")
    root = unbase64(encoded)
    good = all((origin, size, *more[:-1])) and re.fullmatch("0|[1-9][0-9]{0,14}", size) and len(root) == 32
    must(good and more, "not a checkpoint")
    listed = policy is not None and any(key.name == origin and key.signed(note) == 0 for key in policy.logs())
    signed = listed or (own is not None and own.type == 1 and own.name == origin and own.signed(note) == 0)
    witnessed = policy.witnessed(note) if policy and listed else None
    return Checkpoint(origin, int(size), root, note.text, name, given, signed, witnessed)


# ------------------------------------------------------------------------------ 7. time stamps (RFC 3161)

HASHES = {"608648016503040201": "sha256", "608648016503040202": "sha384", "608648016503040203": "sha512"}
SIGNED_WITH = {  # signature algorithms; plain rsaEncryption takes the digest that the signer names
    "2a864886f70d01010b": "sha256",
    "2a864886f70d01010c": "sha384",
    "2a864886f70d01010d": "sha512",
    "2a8648ce3d040302": "sha256",
    "2a8648ce3d040303": "sha384",
    "2a8648ce3d040304": "sha512",
}
P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
P256_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def _p256_add(p: tuple[int, int] | None, q: tuple[int, int] | None) -> tuple[int, int] | None:
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and (p[1] + q[1]) % P256 == 0:
        return None
    rise, run = (3 * p[0] * p[0] - 3, 2 * p[1]) if p == q else (q[1] - p[1], q[0] - p[0])
    slope = rise * pow(run, -1, P256) % P256
    x = (slope * slope - p[0] - q[0]) % P256
    return x, (slope * (p[0] - x) - p[1]) % P256


def ecdsa_verifies(public: bytes, signature: bytes, digest: bytes) -> bool:
    """ECDSA over P-256 (FIPS 186-5, section 6.4.2); ``public`` is an uncompressed point."""
    r, s = (part.number() for part in der(signature)[0].parts())
    point = (int.from_bytes(public[1:33], "big"), int.from_bytes(public[33:], "big"))
    curve = (point[1] ** 2 - point[0] ** 3 + 3 * point[0] - P256_B) % P256
    if len(public) != 65 or public[0] != 4 or curve or max(point) >= P256 or not (0 < r < P256_N and 0 < s < P256_N):
        return False
    inverse, total = pow(s, -1, P256_N), None
    u, v = int.from_bytes(digest[:32], "big") * inverse % P256_N, r * inverse % P256_N
    for bit in range(255, -1, -1):
        total = _p256_add(total, total)
        total = _p256_add(total, P256_G) if u >> bit & 1 else total
        total = _p256_add(total, point) if v >> bit & 1 else total
    return total is not None and total[0] % P256_N == r


class Certificate:
    """The parts of an X.509 certificate that a time stamp rests on."""

    def __init__(self, octets: bytes) -> None:
        (outer,) = der(octets)
        self.der, (self.signed, algorithm, bits) = octets, outer.parts()
        self.algorithm, self.signature = algorithm.parts()[0].body.hex(), bits.body[1:]
        fields = [part for part in self.signed.parts() if part.tag != 0xA0]
        self.serial, self.issuer, self.subject = fields[0].whole, fields[2].whole, fields[4].whole
        self.valid, self.spki = [_time(part) for part in fields[3].parts()], fields[5]
        found = [part.parts()[0].parts() for part in fields[6:] if part.tag == 0xA3]
        self.extensions = {part.parts()[0].body.hex(): part.parts()[1:] for part in (found[0] if found else [])}

    def verifies(self, algorithm: str, digest_name: str, signature: bytes, message: bytes) -> bool:
        """Whether this certificate's key (RSA with PKCS #1 v1.5, or P-256) made the signature."""
        name = digest_name if algorithm == OID_RSA.hex() else SIGNED_WITH.get(algorithm, "")
        kind, bits = self.spki.parts()
        if not name:
            return False
        digest = hashlib.new(name, message).digest()
        if kind.parts()[0].body == OID_RSA:
            key = rsa_key(self.spki.whole)
            oid = bytes.fromhex(next(oid for oid, known in HASHES.items() if known == name))
            info = to_der(0x30, to_der(0x30, to_der(0x06, oid) + b"\x05\x00") + to_der(0x04, digest))
            padded = b"\x00\x01" + b"\xff" * (key.size - len(info) - 3) + b"\x00" + info
            return key.n.bit_length() >= 2048 and key.e > 2 and key.recover(signature, key.size) == padded
        p256 = kind.body == bytes.fromhex("06072a8648ce3d0201" + "06082a8648ce3d030107")
        return p256 and ecdsa_verifies(bits.body[1:], signature, digest)

    def issued(self, other: Certificate) -> bool:
        """Whether this one is a certification authority whose key signed the other."""
        basic = self.extensions.get("551d13")
        authority = basic and der(basic[-1].body)[0].body[:3] == b"\x01\x01\xff"
        named = bool(authority) and self.subject == other.issuer
        return named and self.verifies(other.algorithm, "", other.signature, other.signed.whole)

    def stamps_time(self) -> bool:
        """Whether its one extended use, critical, is time stamping (RFC 3161, section 2.3)."""
        use = self.extensions.get("551d25", [])
        wanted = bytes.fromhex("300a06082b06010505070308")
        return len(use) == 2 and use[0].body == b"\xff" and use[1].body == wanted


def _time(part: Der) -> int:
    """UTCTime or GeneralizedTime as seconds since 1970; fractions are cut."""
    from calendar import timegm
    from time import strptime

    text = part.body.decode("ascii")
    text = ("19" if text >= "50" else "20") + text if part.tag == 0x17 else text
    if not re.fullmatch(r"[0-9]{14}(\.[0-9]+)?Z", text):
        raise ValueError("not a time in UTC")
    return timegm(strptime(text[:14], "%Y%m%d%H%M%S"))


def read_token(octets: bytes, pinned: list[bytes]) -> tuple[bytes, int]:
    """Verify an RFC 3161 token (or response); give what it stamps (a SHA-256) and when, in seconds since 1970.

    ValueError where it is not signed by a pinned certificate, or by one that a pinned one vouches for.
    """
    (outer,) = der(octets)
    parts = outer.parts()
    if parts[0].tag == 0x30:  # a whole response: its status first
        if parts[0].parts()[0].number() not in (0, 1):
            raise ValueError("the authority refused")
        parts = parts[1].parts()
    content = parts[1].parts()[0].parts()
    kind, wrapped = content[2].parts()
    if (parts[0].body.hex(), kind.body.hex()) != ("2a864886f70d010702", "2a864886f70d0109100104"):
        raise ValueError("not a time stamp")
    stamped = wrapped.parts()[0].body
    certificates = [Certificate(part.whole) for part in (content[3].parts() if content[3].tag == 0xA0 else [])]
    trusted = [Certificate(octets) for octets in pinned]
    (signer,) = content[-1].parts()
    _, sid, digest_algorithm, attributes, algorithm, signature = signer.parts()[:6]
    named = {part.parts()[0].body.hex(): part.parts()[1].parts()[0] for part in attributes.parts()}
    digest = HASHES[digest_algorithm.parts()[0].body.hex()]
    if len(named) != len(attributes.parts()) or attributes.tag != 0xA0:
        raise ValueError("its signed attributes are not what they must be")
    if named["2a864886f70d010903"].body != kind.body:
        raise ValueError("its content is of another type than its signer says")
    if named["2a864886f70d010904"].body != hashlib.new(digest, stamped).digest():
        raise ValueError("its content is not what its signer signed")
    (leaf,) = {cert.der: cert for cert in certificates + trusted if _is_signer(cert, sid, named)}.values()
    signed = b"\x31" + attributes.whole[1:]
    if not leaf.verifies(algorithm.parts()[0].body.hex(), digest, signature.body, signed):
        raise ValueError("its signature is wrong, or of a kind not known here")
    info = der(stamped)[0].parts()
    imprint, when = info[2].parts(), _time(info[4])
    if imprint[0].parts()[0].body.hex() != "608648016503040201" or not leaf.stamps_time():
        raise ValueError("it does not stamp a SHA-256, or its signer may not stamp time")
    _trace(leaf, certificates, trusted, when)
    return imprint[1].body, when


def _is_signer(certificate: Certificate, sid: Der, attributes: dict[str, Der]) -> bool:
    """By the hash in the signed attributes (RFC 5035), and by issuer and serial number where those are given."""
    if sid.tag == 0x30 and [part.whole for part in sid.parts()] != [certificate.issuer, certificate.serial]:
        return False
    for oid, default in (("2a864886f70d010910022f", "sha256"), ("2a864886f70d010910020c", "sha1")):
        if oid in attributes:
            fields = attributes[oid].parts()[0].parts()[0].parts()
            name = HASHES[fields[0].parts()[0].body.hex()] if fields[0].tag == 0x30 else default
            found = next(part for part in fields if part.tag == 0x04)
            return hashlib.new(name, certificate.der).digest() == found.body
    return False


def _trace(leaf: Certificate, others: list[Certificate], trusted: list[Certificate], when: int) -> None:
    """Follow the issuers up to a certificate that is pinned, each valid at that time."""
    current = leaf
    for _ in range(6):
        if not current.valid[0] <= when <= current.valid[1]:
            raise ValueError("a certificate was not valid then")
        if current.der in [cert.der for cert in trusted]:
            return
        found = [cert for cert in trusted + others if cert.issued(current)]
        if not found:
            break
        current = found[0]
    raise ValueError("no pinned certificate vouches for its signer")


# --------------------------------------------------------------------------------------------- 8. the database

SIZES = {"hdr": MAX_ENTRY, "sig": 4096, "rsig": 64, "body": MAX_BODY}
# Whatever is of another type or too large comes out as NULL before it is loaded, whoever wrote the schema.
QUERY = ", ".join(
    [f"CASE WHEN typeof({name}) = 'integer' THEN {name} END" for name in ("height", "first", "n")]
    + [f"CASE WHEN typeof({name}) = 'blob' AND length({name}) <= {most} THEN {name} END" for name, most in SIZES.items()]
)


class Database:
    """A log's or an archive's file, read row by row in short reads; ValueError where that cannot be done."""

    def __init__(self, path: Path) -> None:
        self.path, wal = path, Path(f"{path}-wal")
        must(path.exists(), f"there is no log at {path}")
        for file in (path, wal, Path(f"{path}-shm"), Path(f"{path}-journal")):
            must(file.is_file() or not os.path.lexists(file), f"{file} is not a regular file")
        waiting = wal.exists() and wal.stat().st_size > 0
        self.empty, self.before = not waiting and not path.stat().st_size, path.stat().st_mtime_ns
        try:  # where no blocks wait in a WAL, nothing is created beside the file: its disk may be read-only
            self._connect(path, "mode=ro" if waiting else "mode=ro&immutable=1")
        except ValueError:
            if not waiting:
                raise
            import shutil
            import tempfile

            self.copies = tempfile.TemporaryDirectory(prefix="audit-verify-")
            for suffix in ("", "-wal"):
                shutil.copyfile(f"{path}{suffix}", f"{self.copies.name}/copy{suffix}")
            self._connect(Path(self.copies.name, "copy"), "mode=rw")

    def _connect(self, path: Path, how: str) -> None:
        import sqlite3

        self.error = sqlite3.Error
        try:
            self.connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
            for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "query_only=ON"):
                self.connection.execute(f"PRAGMA {pragma}")
            found = self.connection.execute("SELECT type, substr(sql, 1, 13) FROM sqlite_master WHERE name = 'blocks'")
            plain = found.fetchall() == [("table", "CREATE TABLE ")]
            columns = [(column[1], column[6]) for column in self.connection.execute("PRAGMA table_xinfo(blocks)")]
        except sqlite3.Error as exc:
            raise ValueError(f"{self.path} is no log, or damaged: {exc}") from None
        plain = plain and columns == [(name, 0) for name in ("height", "first", "n", *SIZES)]
        must(plain or self.empty, f"{self.path} is a database, but not a log: it has no plain table of blocks")

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Every row, lowest first; no index is trusted, and no read holds the log for long."""
        last, more = -(1 << 63), not self.empty
        select = f"SELECT rowid, {QUERY} FROM blocks NOT INDEXED WHERE rowid > ? ORDER BY rowid LIMIT 64"  # noqa: S608
        try:
            while more:
                more = False
                for row in self.connection.execute(select, (last,)):
                    last, more = row[0], True
                    yield row[1:]
        except self.error as exc:
            raise ValueError(f"{self.path} is damaged: {exc}") from None

    def body(self, height: int) -> bytes:
        """The body of one block, from an archive; empty where it is not there."""
        try:
            found = self.connection.execute(f"SELECT {QUERY} FROM blocks WHERE rowid = ?", (height,)).fetchone()  # noqa: S608
        except self.error as exc:
            raise ValueError(f"{self.path} is damaged: {exc}") from None
        return found[6] or b"" if found else b""


# --------------------------------------------------------------------------------------------------- 9. the walk


class Block(NamedTuple):
    """A row whose header could be read."""

    header: Header
    hdr: bytes
    sig: bytes
    rsig: bytes
    body: bytes
    digest: str

    def data(self) -> dict[str, Any]:
        """The ``data`` of the one entry that a ``rotate`` or ``prune`` block holds."""
        why = self.header.why
        try:
            entry = canonical(split_body(self.body, 1)[0])
            must(entry.get("kind") == why and isinstance(entry.get("data"), dict), "not of its kind")
        except (ValueError, Tampered) as exc:
            raise Tampered(why, f"a {why} block must hold exactly one entry of that kind: {exc}") from None
        return dict(entry["data"])


class Walk:
    """From the lowest block to the last: what holds, what does not, and who vouches for it."""

    def __init__(self, key: RsaKey | None) -> None:
        self.key, self.signed = key, key is not None
        self.anchors: list[Anchor] = []
        self.points: list[Checkpoint] = []
        self.archives: list[Database] = []
        self.flat = self.stopped = self.ratcheted = self.independent = False
        self.counts = {"tampered": 0, "unproven": 0}
        self.findings: list[dict[str, object]] = []
        self.lowest: int | None = None
        self.last: Block | None = None
        self.before: Header | None = None
        self.expected, self.tree = (0, 0, "0" * 64), Tree()
        self.entries, self.broken, self.anchored, self.covered = 0, -1, -1, -1
        self.missing: list[tuple[int, int]] = []
        self.lost: list[int] = []
        self.revoked: list[tuple[int, int]] = []
        self.matched: list[Checkpoint] = []
        self.youngest = [1 << 62]  # the earliest ``sealed`` below the first matched checkpoint, from it to the next, ...

    def add(self, fault: Fault, height: int | None = None) -> None:
        """Write down what is wrong; the first hundred in words."""
        self.counts[fault.weight] += 1
        if len(self.findings) < 100:
            found = {"weight": fault.weight, "code": fault.code, "because": fault.because}
            self.findings.append({**found, "height": height, "seq": None})

    def take(self, row: tuple[Any, ...]) -> None:
        """One block: every check; each fault is written down, and the walk goes on."""
        height, first, n, hdr, sig, rsig, body = row
        at = self.expected[0] if height is None else height
        self.lowest = at if self.lowest is None else self.lowest
        digest = sha256(hdr or b"").hexdigest()
        self.tree.add(leaf_hash(hdr or b""))
        try:
            demand(hdr is not None, "columns", "its header is no blob, or too large")
            header = read_header(hdr)
        except Fault as fault:
            self.add(fault, at)
            self.stopped = isinstance(fault, Unproven)
            self.before, self.expected = None, (at + 1, (first or 0) + (n or 0), digest)
            return
        body = body or next(filter(None, (archive.body(at) for archive in self.archives)), b"")
        block = Block(header, hdr, sig or b"", rsig or b"", body, digest)
        if None in row or row[:3] != (header.height, header.first, header.count):
            self.add(Tampered("columns", "its columns contradict the header, or have a wrong type or size"), at)
        for check in (self._chain, self._ratchet, self._content, self.seal):
            try:
                check(block)
            except Fault as fault:
                self.add(fault, at)
        self.entries, self.before, self.last = self.entries + header.count, header, block
        self.expected = (header.height + 1, header.first + header.count, digest)
        self.youngest[-1] = min(self.youngest[-1], header.sealed)
        self._compare(block)

    def _chain(self, block: Block) -> None:
        header, before = block.header, self.before
        follows = (header.height, header.first, header.prev) == self.expected
        demand(follows, "chain", "it does not follow the block before it, by height, number or hash")
        if before:
            demand(header.origin == before.origin, "foreign", f"it is of {header.origin}, not of {before.origin}")
            demand(header.boot != before.boot or header.mono >= before.mono, "clock", "its time fell within a boot")

    def _ratchet(self, block: Block) -> None:
        due = self.before.next if self.before else ""
        restart, self.ratcheted = block.header.why == "restart", False
        if self.before is None and block.header.height:
            return  # the header before it could not be read, and that has been said
        if due and (block.rsig or not restart):
            message = b"sealed-log/ratchet/v1\n" + block.hdr
            self.ratcheted = ed25519_verifies(bytes.fromhex(due), block.rsig, message)
            demand(self.ratcheted, "ratchet", "its ratchet signature is not by the key that the block before it named")
        else:
            self.broken = block.header.height or self.broken
            unasked = not due and (block.rsig or restart)
            demand(not unasked, "ratchet", "a ratchet signature, or a restart, that nothing before it asked for")

    def _content(self, block: Block) -> None:
        header, body = block.header, block.body
        if not body:
            joined = bool(self.missing) and self.missing[-1][1] == header.height - 1
            low = self.missing.pop()[0] if joined else header.height
            self.missing.append((low, header.height))
            self.lost += [header.height] * (header.why == "prune")
            return
        same = len(body) == header.body_len and sha256(body).hexdigest() == header.body
        demand(same, "body", "its body is not the one that was sealed")
        if not self.flat:
            entries = split_body(body, header.count)
            root = merkle_root([sha256(b"\x00" + entry).digest() for entry in entries]).hex()
            demand(root == header.root, "root", "the Merkle root of its entries is not the one that was sealed")
            if b'"kind":"rotate"' in body and header.why != "rotate":  # a rotation must not hide among others
                for octets in entries:
                    hidden = re.search(rb'^\{.*"kind":"rotate"', octets, re.DOTALL) and _kind(octets) == "rotate"
                    demand(not hidden, "rotate", "an entry of kind rotate lies in a block that is none")
        if header.why == "prune":
            low, high = (block.data().get(name) for name in ("from", "to"))
            good = type(low) is int and type(high) is int and 0 <= low <= high < header.height
            demand(good, "prune", "it prunes blocks that cannot be")
            parts = [part for a, b in self.missing for part in ((a, min(b, low - 1)), (max(a, high + 1), b))]
            self.missing = [part for part in parts if part[0] <= part[1]]

    def seal(self, block: Block) -> None:
        """Check the RSA signature, or both in a ``rotate`` block, and put the new key in force."""
        header, old = block.header, self.key
        if old is None:
            return
        named, keys = header.keys[0], [old]
        demand(named == old.fingerprint, "key", f"it names the key {named}, not the one in force {old.fingerprint}")
        if header.why == "rotate":
            self.key = None
            if not block.body:
                self.signed = False
                raise Unproven("rotate", "the new key that it names was pruned: give the archive")
            keys.append(self._rotated(block))
            self.key = keys[1]
        if not any(block.sig) and len(block.sig) == sum(key.size for key in keys):
            self.signed = False
            demand(self.ratcheted, "signature", "it is not signed, and no ratchet vouches for it")
            raise Unproven("due", "its RSA signature has not been made yet")
        rest = block.sig
        for key in keys:
            good = pss_verifies(key, rest[: key.size], b"sealed-log/block/v1\n" + block.hdr)
            demand(good, "signature", f"its signature is not by the key {key.fingerprint}")
            rest = rest[key.size :]
        demand(not rest, "signature", "its signature is too long")

    def _rotated(self, block: Block) -> RsaKey:
        data, fingerprint = block.data(), block.header.keys[1]
        try:
            new = sealing_key(unbase64(str(data.get("new"))))
        except ValueError as exc:
            raise Tampered("rotate", f"its new key is none: {exc}") from None
        demand(new.fingerprint == data.get("fingerprint") == fingerprint, "rotate", "its new key has another fingerprint")
        if "trusted_to" in data:
            demand(type(data["trusted_to"]) is int, "rotate", "its trusted_to is no height")
            self.revoked.append((data["trusted_to"] + 1, block.header.height - 1))
        return new

    def _compare(self, block: Block) -> None:
        header, size = block.header, self.tree.size
        for anchor in self.anchors:
            if (anchor.height, anchor.origin) == (header.height, header.origin):
                same = (anchor.head, anchor.count, anchor.sealed) == (block.digest, self.expected[1], header.sealed)
                if same and anchor.key in header.keys:
                    self.vouch(header.height, own=anchor.own)
                else:
                    self.add(Tampered("fork", f"the anchor {anchor.name} remembers another block"), header.height)
        for point in self.points:
            if (point.size, point.origin) != (size, header.origin):
                continue
            if point.root == self.tree.root():
                self.matched.append(point)
                self.youngest.append(1 << 62)
                if point.given or point.signed:
                    self.vouch(header.height, own=not point.given and point.witnessed is None)
            elif point.given or point.signed:
                self.add(Tampered("fork", f"the checkpoint {point.name} has another root"), header.height)

    def vouch(self, height: int, *, own: bool) -> None:
        """Somebody remembers the block; unless it is the log's own folder, that covers all below it."""
        self.anchored = max(self.anchored, height)
        if not own:
            self.covered, self.independent = max(self.covered, height), True

    def finish(self) -> None:
        """Say what can be said only at the end: cut and foreign logs, missing bodies, revoked blocks."""
        origin = self.last.header.origin if self.last else ""
        heads = [(anchor.origin, anchor.height, anchor.name, True) for anchor in self.anchors]
        heads += [(p.origin, p.size - 1, p.name, p.given) for p in self.points if p.given or p.signed]
        for whose, height, name, given in heads if not self.stopped else ():
            if self.last and whose != origin and given:
                self.add(Tampered("foreign", f"{name} is of the log {whose}, this is {origin}"))
            elif height >= self.tree.size and (given or whose == origin):
                self.add(Tampered("cut", f"{name} remembers block {height}, the log ends after {self.tree.size} blocks"))
        if self.missing and not self.stopped:
            explained = self.lost and not any(a <= lost <= b for lost in self.lost for a, b in self.missing)
            because = "its body is missing, and no prune block that can be read covers it"
            self.add((Unproven if explained else Tampered)("body", because), self.missing[0][0])
        for low, high in self.revoked:
            if max(low, self.covered + 1) <= high:
                self.signed = False
                self.add(Unproven("revoked", f"blocks {low} to {high} were signed by a key that was revoked"), low)

    def reaches(self, number: int, tail_s: int) -> bool:
        """Whether a matched checkpoint covers all, or all but what was sealed that shortly before the head."""
        head = self.last.header.sealed if self.last else 0
        return min(self.youngest[number + 1 :]) >= head - tail_s * 1_000_000


def _kind(octets: bytes) -> object:
    try:
        return canonical(octets).get("kind")
    except ValueError:
        return None


# --------------------------------------------------------------------------------------------------- 10. bundles

BUNDLE = b"c2sp.org/tlog-proof@v1\n"


def read_proof(document: bytes) -> tuple[dict[str, Any], int, list[bytes], bytes]:
    """One document of c2sp.org/tlog-proof@v1: its extra, its index, its path, its checkpoint."""
    head, _, checkpoint = document.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    extra = unbase64(lines.pop(0)[6:]) if lines and lines[0].startswith(b"extra ") else b"{}"
    index = re.fullmatch(b"index (0|[1-9][0-9]{0,14})", lines[0]) if lines else None
    path = [unbase64(line) for line in lines[1:]]
    must(first + b"\n" == BUNDLE and index and all(len(part) == 32 for part in path), "not a tlog-proof")
    members: list[str] = []
    value = json.loads(extra, object_pairs_hook=lambda pairs: members.extend(name for name, _ in pairs) or dict(pairs))
    return value, int(lines[0][6:]), path, checkpoint


def walk_bundle(walk: Walk, octets: bytes, judge: Callable[[bytes, str], Checkpoint]) -> None:
    """Prove the blocks of a bundle like those of a log that has no others."""
    points = []
    for number, document in enumerate(octets[len(BUNDLE) :].split(b"\n" + BUNDLE)):
        try:
            extra, index, path, text = read_proof(BUNDLE + document.rstrip(b"\n") + b"\n")
            point = judge(text, f"the checkpoint of document {number}")
            must(set(extra) == {"v", "hdr", "sig", "rsig", "entries"} and extra["entries"], "not a bundle's members")
            must(type(extra["v"]) is int and extra["v"] == 1, "a version that is not known here")
            hdr, sig, rsig = (unbase64(extra[name]) for name in ("hdr", "sig", "rsig"))
            entries = []
            for entry in extra["entries"]:
                must(set(entry) == {"at", "octets", "path"} and type(entry["at"]) is int, "not an entry's members")
                entries.append((entry["at"], unbase64(entry["octets"]), [unbase64(part) for part in entry["path"]]))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
            walk.add(Unproven("bundle", f"document {number} cannot be read: {exc}"))
            walk.stopped = True
            continue
        try:
            header = read_header(hdr)
            block = Block(header, hdr, sig, rsig, b"", sha256(hdr).hexdigest())
            same = (header.height, header.origin) == (index, point.origin)
            demand(same, "chain", "its header is of another block, or another log, than its proof")
            there = included(leaf_hash(hdr), index, point.size, path, point.root)
            demand(there, "tree", "its header is not in the checkpoint's tree")
            for at, entry, way in entries:
                there = included(leaf_hash(entry), at, header.count, way, bytes.fromhex(header.root))
                demand(there, "root", f"entry {at} is not in the block")
            walk.seal(block)
        except Fault as fault:
            walk.add(fault, index)
            walk.stopped = walk.stopped or isinstance(fault, Unproven)
            continue
        points.append(point)
        walk.entries += len(entries)
        walk.lowest = index if walk.lowest is None else min(walk.lowest, index)
        walk.last = block if walk.last is None or header.height > walk.last.header.height else walk.last
        for anchor in walk.anchors:
            if (anchor.height, anchor.head, anchor.origin) == (index, block.digest, header.origin):
                walk.vouch(index, own=anchor.own)
        where = (point.origin, point.size, point.root)
        given = any(known.given and (known.origin, known.size, known.root) == where for known in walk.points)
        if given or point.witnessed is not None:
            walk.vouch(index, own=False)
    # Each block is as well witnessed as the worst of the checkpoints; and never forward-secure, alone as it stands.
    walk.matched = sorted(points, key=lambda point: point.witnessed or 0)[:1]
    walk.youngest, walk.broken, walk.covered = [0, 1 << 62], 0, -1


# ------------------------------------------------------------------------------------- 11. the report, the command


def seconds(text: str) -> int:
    """Read 90, 90s, 5m, 2h or 1d."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text)
    must(found, "a time is written 90, 5m, 2h or 1d")
    return int(text.rstrip("smhd")) * {"m": 60, "h": 3600, "d": DAY_S}.get(text[-1], 1)


def options(argv: list[str]) -> Any:  # noqa: ANN401 - argparse's own namespace
    """Read the command line."""
    import argparse

    parser = argparse.ArgumentParser(prog="audit-verify", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("log", metavar="LOG|STATE|BUNDLE", type=Path)
    for name, text in {
        "key": "the public key you pinned",
        "policy": "the witnesses that count (c2sp.org/tlog-policy)",
        "tsa": "pinned certificates of the time-stamp authority, PEM",
        "memory": "the folder where proven heads are remembered",
    }.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)
    for name, text in {"anchor": "a head kept elsewhere", "token": "an RFC 3161 token", "archive": "pruned bodies"}.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", action="append", default=[], help=f"{text}; may repeat")
    for name, text in {
        "flat": "skip the Merkle roots: faster, and said so",
        "json": "print one JSON object",
        "no-memory": "neither use nor keep a remembered head",
    }.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    parser.add_argument("--min-level", choices=LEVELS[1:], default="L1", help="what must be proven (L1)")
    parser.add_argument("--max-age", type=seconds, metavar="TIME", help="how old the head may be: 90, 5m, 2h, 1d")
    parser.add_argument("--tail", type=seconds, metavar="TIME", default=60, help="how much may lack witnesses (60)")
    parser.add_argument("--expect-origin", metavar="NAME", help="the log must be this one")
    parser.add_argument("--version", action="version", version=f"audit-verify {VERSION}")
    return parser.parse_args(argv)


class Audit:
    """One verification: what it was given, what it found, what it says."""

    def __init__(self, asked: Any, now: float) -> None:  # noqa: ANN401 - argparse's own namespace
        self.asked, self.now, self.walk = asked, now, Walk(None)
        self.state = asked.log if asked.log.is_dir() else None
        self.memory: Path | None = None
        self.tokens: list[tuple[bytes, int]] = []
        self.policy = self.note_key = None

    def _read(self, code: str, path: Path, reader: Callable[[bytes], Any]) -> Any:  # noqa: ANN401 - what it gives
        try:
            return reader(read_small(path))
        except (ValueError, IndexError, KeyError) as exc:
            self.walk.add(Unproven(code, f"{path}: {exc}"))
            return None

    def _judge(self, octets: bytes, name: str, *, given: bool = False) -> Checkpoint:
        return read_checkpoint(octets, name, self.policy, self.note_key, given)

    def _gather(self) -> None:
        """Read all that was brought, before the log, so that a live log can only be ahead of it."""
        asked, walk, own = self.asked, self.walk, self.state or Path("/nonexistent")
        first, note_key = own / "keys" / "first.pub", own / "keys" / "note.pub"
        path = asked.key or (first if first.exists() else own / "keys" / "seal.pub")
        if asked.key or path.exists():
            walk.key = self._read("key", path, read_key)
            walk.signed = walk.key is not None
        else:
            walk.add(Unproven("key", "no public key was given (--key)"))
        if note_key.exists():
            self.note_key = self._read("checkpoint", note_key, lambda octets: read_note_key(octets.decode().strip()))
        self.policy = self._read("policy", asked.policy, Policy) if asked.policy else None
        for path in [*asked.anchor, own / "anchor"]:
            mine = path == own / "anchor"
            if not mine or path.exists():
                self._read("anchor", path, lambda octets, path=path, mine=mine: self._anchor(octets, path, mine))
        for path in [*sorted(own.glob("witnessed/*.note"))[-256:], own / "checkpoint"]:
            try:
                walk.points.append(self._judge(read_small(path), str(path)))
            except ValueError:
                continue  # a checkpoint nobody's key vouches for is ignored
        pinned = self._read("tsa", asked.tsa, lambda octets: read_pem(octets, "CERTIFICATE")) if asked.tsa else []
        for path in [*asked.token, *sorted(own.glob("witnessed/*.tsr"))[-16:]] if pinned else ():
            try:
                self.tokens.append(read_token(read_small(path), pinned))
            except (ValueError, IndexError, KeyError) as exc:
                if path in asked.token:
                    walk.add(Unproven("token", f"{path}: {exc}"))

    def _anchor(self, octets: bytes, path: Path, mine: bool) -> None:  # noqa: FBT001 - from a lambda
        if octets[:1] == b"{":
            self.walk.anchors.append(read_anchor(octets, f"the anchor {path}", own=mine))
        else:
            self.walk.points.append(self._judge(octets, f"the checkpoint {path}", given=not mine))

    def _remembered(self, hdr: object) -> None:
        """Add the head this verifier proved last time, of the log that begins with this header."""
        try:
            origin = read_header(hdr if isinstance(hdr, bytes) else b"").origin
        except Fault:
            return  # which will be said when the block is taken
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        name = f"{sha256(origin.encode()).hexdigest()[:32]}.anchor"
        self.memory = (self.asked.memory or Path(home) / "audit-verify") / name
        if self.memory.exists():
            self._read("anchor", self.memory, lambda octets: self.walk.anchors.append(read_anchor(octets, "the head remembered from last time", own=False)))

    def _remember(self, head: Block) -> None:
        header = head.header
        value = {"v": 1, "origin": header.origin, "height": header.height, "count": header.first + header.count}
        value.update(head=head.digest, key=header.keys[-1], sealed=header.sealed, root="")
        if self.memory:
            self.memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self.memory.with_name(f"{self.memory.name}.{os.getpid()}")
            fresh.write_text(WRITER.encode(value) + "\n", encoding="utf-8")
            fresh.replace(self.memory)

    def run(self) -> tuple[int, dict[str, Any]]:
        """Verify, and report."""
        walk, asked = self.walk, self.asked
        walk.flat = asked.flat
        try:
            self._gather()
            walk.archives = [Database(path) for path in asked.archive]
            path = self.state / "audit.db" if self.state else asked.log
            if not self.state and path.is_file() and path.open("rb").read(len(BUNDLE)) == BUNDLE:
                walk_bundle(walk, read_small(path, 64 << 20), self._judge)
            else:
                database = Database(path)
                for row in database.rows():
                    if walk.lowest is None and not asked.no_memory:
                        self._remembered(row[3])
                    walk.take(row)
                    if walk.stopped:
                        break
                walk.finish()
                changed = database.path.stat().st_mtime_ns != database.before
                if changed and walk.counts["tampered"]:
                    walk.add(Unproven("changed", "the log was written to while it was read: run again to be sure"))
        except (ValueError, OSError) as exc:
            walk.stopped = True
            walk.add(Unproven("unreadable", str(exc)))
        return self._report()

    def _level(self) -> tuple[str, dict[str, int] | None, dict[str, int] | None]:
        walk, asked, witnessed, dated, level = self.walk, self.asked, None, None, 1 if self.walk.signed else 0
        if walk.last is None or walk.stopped or walk.counts["tampered"]:
            return "none", None, None
        if level and walk.broken <= walk.covered and walk.last.header.next:
            level = 2
        age = DAY_S if asked.max_age is None else asked.max_age
        stamps = {sha256(point.text).digest(): number for number, point in enumerate(walk.matched)}
        for number, point in enumerate(walk.matched):
            if point.witnessed is not None:
                witnessed = {"height": point.size - 1, "since": point.witnessed}
                if level and walk.reaches(number, asked.tail) and self.now - point.witnessed <= age:
                    level = 3
        for imprint, when in self.tokens:
            if imprint in stamps:
                dated = {"height": walk.matched[stamps[imprint]].size - 1, "to": when}
                level = 4 if level >= 3 and walk.reaches(stamps[imprint], DAY_S) else level
        return f"L{level}", witnessed, dated

    def _report(self) -> tuple[int, dict[str, Any]]:
        walk, asked, head = self.walk, self.asked, self.walk.last
        level, witnessed, dated = self._level()
        age = self.now - head.header.sealed / 1e6 if head else None
        independent = walk.independent and asked.key is not None
        if head and asked.expect_origin not in {None, head.header.origin}:
            walk.add(Tampered("foreign", f"it belongs to {head.header.origin}, not {asked.expect_origin}"))
        if age is not None and asked.max_age is not None and age > asked.max_age:
            walk.add(Unproven("age", f"the head is {age:.0f} s old, {asked.max_age} s were allowed"))
        if head is None and not walk.counts["unproven"]:
            walk.add(Unproven("empty", "the log is empty"))
        elif head and walk.anchored < 0 and not walk.counts["tampered"]:
            walk.add(Unproven("anchor", "no anchor was matched (--anchor): the end may have been cut off"))
        if LEVELS.index(level) < LEVELS.index(asked.min_level) and not walk.counts["tampered"]:
            walk.add(Unproven("level", f"{asked.min_level} was asked for, {level} is proven"))
        code = 1 if walk.counts["tampered"] else 2 if walk.counts["unproven"] else 0
        verdict = ("proven", "tampered", "not proven")[code]
        first = next((str(f["because"]) for f in walk.findings if (f["weight"] == "tampered") == (code == 1)), "")
        if head and code == 0:
            self._remember(head)
        return code, {
            "verdict": verdict,
            "exit": code,
            "summary": f"{verdict}: {first or f'{level}, {walk.entries} entries'}",
            "level": level if code != 1 else "none",
            "log": str(asked.log),
            "origin": head.header.origin if head else "",
            "range": {"asked": [0, None], "seen": [walk.lowest, head.header.height if head else None]},
            "entries": walk.entries,
            "head": {"hash": head.digest if head else "", "wall_us": head.header.sealed if head else None, "age_s": age},
            "open": head.header.open if head else None,
            "key": walk.key.fingerprint if walk.key else "",
            "anchored_to": walk.anchored if walk.anchored >= 0 else None,
            "independent": independent,
            "flat": asked.flat,
            "broken_at": walk.broken if walk.broken > walk.covered else None,
            "witnessed": witnessed,
            "dated": dated,
            "findings": walk.findings,
            "findings_unlisted": sum(walk.counts.values()) - len(walk.findings),
        }


def verify(argv: list[str]) -> tuple[int, dict[str, Any]]:
    """Verify as the command does; give the exit code and what ``--json`` prints."""
    import time

    return Audit(options(argv), time.time()).run()


def main() -> int:
    """Verify, print the report, give the exit code."""
    code, said = verify(sys.argv[1:])
    if "--json" in sys.argv:
        print(json.dumps(said))
        return code
    print(f"{said['verdict'].upper()}: {said['summary'].partition(': ')[2]}")
    for name in ("level", "origin", "range", "entries", "head", "key", "anchored_to", "independent", "witnessed", "dated"):
        print(f"  {name:12}{said[name]}")
    for found in said["findings"]:
        print(f"  {found['weight']}: {found['because']}" + (f" (block {found['height']})" if found["height"] is not None else ""))
    return code


if __name__ == "__main__":
    sys.exit(main())
