"""Verify a sealed log with plain Python alone, in one file so that an auditor can read all he trusts in one sitting.

Written from docs/log-format.md and from nothing else. It shares no code with the program that writes the log, nor with
the ordinary verifier, so that a mistake would have to be made twice to go unnoticed. Python 3.9 or newer, standard
library only. It writes nothing but its own memory of the heads it has proven. Exit 0 proven, 1 tampered, 2 not proven.
It does not read the entries one by one, as ``healer-audit verify --deep`` does.

--key is the public key you pinned, --anchor a head kept elsewhere, --policy the witnesses that count, --tsa the pinned
certificates of a time-stamp authority, --token its tokens, --archive pruned bodies, --memory the folder where heads are
remembered (or --no-memory). --min-level (L1), --max-age of the head (90, 5m, 2h, 1d), --tail that may lack witnesses
(60) and --expect-origin are what you demand; --flat skips the Merkle roots. See docs/log-format.md.
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
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

VERSION = "1"
LEVELS = ("none", "L0", "L1", "L2", "L3", "L4")
DAY_S, NEVER = 86_400, 1 << 62
MAX_ENTRY, MAX_COUNT, MAX_BODY = 65_535, 4096, 8 << 20
HEX = re.compile(r"[0-9a-f]{64}").fullmatch


class Tampered(Exception):
    """A code and a sentence: the log, or what is kept beside it, is not what was sealed."""


class Unproven(Exception):
    """A code and a sentence: nothing was contradicted, but something needed is missing, unreadable or unknown."""


def demand(good: object, code: str, because: str) -> None:
    """Say that it was tampered with, unless ``good``."""
    if not good:
        raise Tampered(code, because)


def must(good: object, because: str) -> None:
    """Refuse to read further, unless ``good``; the reader's caller knows what that means."""
    if not good:
        raise ValueError(because)


# -- 1. Canonical JSON -------------------------------------------------------------------------------------------------
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


# -- 2. Trees (RFC 6962) -----------------------------------------------------------------------------------------------
def _leaf(octets: bytes) -> bytes:
    return sha256(b"\x00" + octets).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def merkle_root(hashes: list[bytes]) -> bytes:
    """The root over leaf hashes (at least one): pair by pair, an odd last one moves up as it is."""
    while len(hashes) > 1:
        pairs, odd = iter(hashes), hashes[len(hashes) & ~1 :]
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs)] + odd
    return hashes[0]


class Tree:
    """A tree that grows leaf by leaf and keeps only the roots of its complete sub-trees."""

    size, peaks = 0, ()  # type: int, tuple[bytes, ...]

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        self.size, size = self.size + 1, self.size + 1
        while size % 2 == 0:
            leaf, self.peaks, size = _node(self.peaks[-1], leaf), self.peaks[:-1], size // 2
        self.peaks += (leaf,)

    def root(self) -> bytes:
        """The root of what there is, at least one leaf."""
        *rest, found = self.peaks
        for peak in reversed(rest):
            found = _node(peak, found)
        return found


def included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Whether this path leads from the leaf to the root (RFC 9162, section 2.1.3.2)."""
    last = size - 1
    if not 0 <= index <= last or len(root) != 32:
        return False
    for sibling in path:
        if last == 0:
            return False
        if index % 2 or index == last:
            leaf = _node(sibling, leaf)
            while index and index % 2 == 0:
                index, last = index >> 1, last >> 1
        else:
            leaf = _node(leaf, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and leaf == root


# -- 3. Strict DER, and RSA (RFC 8017) ---------------------------------------------------------------------------------
class Der(NamedTuple):
    """One DER value: its tag, its content, and all its octets."""

    tag: int
    body: bytes
    whole: bytes

    @property
    def parts(self) -> list[Der]:
        """The values it consists of."""
        return der(self.body)

    def number(self) -> int:
        """A non-negative integer, written in the shortest way."""
        body = self.body
        good = body == b"\x00" or (body and body[0] < 0x80 and (body[0] or body[1:2] > b"\x7f"))
        must(self.tag == 0x02 and good, "no integer")
        return int.from_bytes(body, "big")


def der(data: bytes) -> list[Der]:
    """Take apart DER values that follow one another; ValueError where it is not DER."""
    found, at = [], 0
    while at < len(data):
        start, (tag, length) = at, data[at : at + 2].ljust(2, b"\xff")
        at += 2
        if length >= 0x80:
            digits, at = data[at : at + length - 0x80], at + length - 0x80
            length = int.from_bytes(digits, "big")
            must(0 < len(digits) <= 4 and digits[0] and length >= 0x80, "a length that is not DER")
        must(tag & 31 != 31 and at + length <= len(data), "not DER, or it ends early")
        found.append(Der(tag, data[at : at + length], data[start : at + length]))
        at += length
    return found


OID_RSA = "2a864886f70d010101"


class RsaKey(NamedTuple):
    """An RSA public key, with the SHA-256 of the SubjectPublicKeyInfo it was read from."""

    n: int
    e: int
    size: int  # of the modulus, and of a signature, in octets
    fingerprint: str

    def recover(self, signature: bytes, size: int) -> bytes:
        """Section 5.2.2: the signature to the power e, in ``size`` octets; empty where that cannot be."""
        value = int.from_bytes(signature, "big")
        found = pow(value, self.e, self.n) if len(signature) == self.size and value < self.n else 1 << 8 * size
        return found.to_bytes(size, "big") if found.bit_length() <= 8 * size else b""


def rsa_key(spki: bytes) -> RsaKey:
    """Read a SubjectPublicKeyInfo of ``rsaEncryption`` in strict DER; ValueError where it is none."""
    (outer,) = der(spki)
    algorithm, bits = outer.parts
    (inner,) = der(bits.body[1:])
    n, e = (part.number() for part in inner.parts)
    seen = (outer.tag, algorithm.whole.hex(), bits.tag, bits.body[:1], inner.tag)
    must(seen == (0x30, f"300d0609{OID_RSA}0500", 0x03, b"\x00", 0x30), "not an RSA public key")
    return RsaKey(n, e, (n.bit_length() + 7) // 8, sha256(spki).hexdigest())


def sealing_key(spki: bytes) -> RsaKey:
    """Read a key that may seal: 3072 to 16384 bits, exponent 65537."""
    key = rsa_key(spki)
    good = 3072 <= key.n.bit_length() <= 16384 and key.e == 65537 and key.n % 2
    must(good, f"an RSA key of {key.n.bit_length()} bits is refused: 3072 to 16384 with exponent 65537 are taken")
    return key


def read_pem(text: bytes, label: str) -> list[bytes]:
    """The contents of the PEM blocks of a file that holds nothing else."""
    block = f"-----BEGIN {label}-----\\s([A-Za-z0-9+/=\\s]+)-----END {label}-----\\s*".encode()
    must(re.fullmatch(b"\\s*(?:" + block + b")+", text), f"not a PEM file of {label} blocks")
    return [unbase64(b"".join(found.split())) for found in re.findall(block, text)]


def read_key(text: bytes) -> RsaKey:
    """Read the public key an auditor pinned: one PEM block."""
    (only,) = read_pem(text, "PUBLIC KEY")
    return sealing_key(only)


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


# -- 4. Ed25519 (RFC 8032) ---------------------------------------------------------------------------------------------
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, T = X*Y/Z


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


def _multiples(p: Point) -> list[Point]:
    found = [(0, 1, 1, 0)]
    while len(found) < 16:
        found.append(_added(found[-1], p))
    return found


BASE = _multiples(decoded_point((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or (0, 1, 1, 0))


def ed25519_verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Section 5.1.7, without the cofactor: the encoding of [S]B - [k]A must be R, octet by octet."""
    point, s = decoded_point(public), int.from_bytes(signature[32:], "little")
    if point is None or len(signature) != 64 or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    total, minus = BASE[0], _multiples((P - point[0], point[1], 1, P - point[3]))
    for shift in range(252, -1, -4):
        for _ in range(4):
            total = _doubled(total)
        total = _added(_added(total, BASE[s >> shift & 15]), minus[k >> shift & 15])
    inverse = pow(total[2], -1, P)
    x, y = total[0] * inverse % P, total[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# -- 5. Headers and bodies ---------------------------------------------------------------------------------------------
REASONS = ("commit", "heartbeat", "restart", "rotate", "prune")
FIELDS = {  # what each means is said in docs/log-format.md
    **dict.fromkeys(("v", "height", "first", "count", "body_len", "opened", "sealed", "mono", "open"), int),
    **dict.fromkeys(("origin", "root", "body", "prev", "boot", "beacon", "next", "why"), str),
    "keys": list,
}


def read_header(octets: bytes) -> SimpleNamespace:
    """Read a header; Unproven where its version is unknown, Tampered where it is none."""
    try:
        value = canonical(octets)
    except ValueError as exc:
        raise Tampered("header", f"its header is no canonical JSON: {exc}") from None
    if type(value.get("v")) is not int or value["v"] != 1:
        raise Unproven("version", f"header version {value.get('v')!r:.20} is not known here")
    demand(value.keys() == FIELDS.keys(), "header", "its header has other fields than a header has")
    for name, kind in FIELDS.items():
        demand(type(value[name]) is kind, "header", f"header field {name} has another type")
    header = SimpleNamespace(**value)
    good = {
        "origin": re.fullmatch(r"[!-*,-~]{1,200}", header.origin),
        "height, first or open": min(header.height, header.first, header.open) >= 0,
        "count or body_len": 1 <= header.count <= MAX_COUNT and 1 <= header.body_len <= MAX_BODY,
        "root, body or prev": HEX(header.root) and HEX(header.body) and HEX(header.prev),
        "next or beacon": all(HEX(text) for text in (header.next, header.beacon) if text),
        "keys": all(isinstance(key, str) and HEX(key) for key in header.keys),
        "why": header.why in REASONS and len(header.keys) == (2 if header.why == "rotate" else 1),
    }
    wrong = [name for name, fine in good.items() if not fine]
    demand(not wrong, "header", f"header field {wrong[:1]} is not what it may be")
    return header


def split_body(body: bytes, count: int) -> list[bytes]:
    """The entries of a body: it must come out exactly."""
    entries, at, unpack = [b""], 0, struct.Struct(">I").unpack_from
    while at + 4 <= len(body):
        start = at + 4
        at = start + unpack(body, at)[0]
        entries.append(body[start:at])
    good = at == len(body) and len(entries) == count + 1 and max(map(len, entries)) <= MAX_ENTRY
    demand(good, "body", f"its body does not come apart into {count} entries")
    return entries[1:]


# -- 6. What others remember, and vouch for ----------------------------------------------------------------------------
def read_small(path: Path, limit: int = 1 << 16) -> bytes:
    """Read a small regular file; a FIFO is not waited for, and nothing large is taken in."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - by its descriptor
            must(stat.S_ISREG(os.fstat(file.fileno()).st_mode), "it is not a regular file")
            octets = file.read(limit + 1)
            must(len(octets) <= limit, f"it is larger than {limit} octets")
    except (OSError, ValueError) as exc:
        raise ValueError(getattr(exc, "strerror", None) or str(exc)) from None
    return octets


ANCHOR = {
    **dict.fromkeys(("v", "height", "count", "sealed"), int),
    **dict.fromkeys(("origin", "head", "key", "root"), str),
}


def read_anchor(octets: bytes, name: str, *, own: bool) -> SimpleNamespace:
    """Read an anchor file; ``own`` where it lies in the log's own folder. ValueError where it is none."""
    must(len(octets) <= 4096 and octets[-1:] == b"\n", "not one line of at most 4096 octets")
    value = canonical(octets[:-1])
    must(value.keys() == ANCHOR.keys() and value["v"] == 1, "a version, or fields, not known here")
    must(all(type(value[field]) is kind for field, kind in ANCHOR.items()), "a field of another type")
    must(HEX(value["head"]) and HEX(value["key"]) and value["height"] >= 0, "no hash, or no height")
    return SimpleNamespace(**value, name=f"the anchor {name}", own=own)


Signature = tuple[str, bytes, bytes]  # key name, key id, signature


def read_note(octets: bytes) -> tuple[bytes, list[Signature]]:
    """Read a c2sp.org/signed-note: its text, and its signatures, not judged yet; ValueError where it is none."""
    text, mark, lines = octets.rpartition(b"\n\n")
    must(mark and octets[-1:] == b"\n" and not re.search(b"[\x00-\x09\x0b-\x1f]", octets), "not a signed note")
    found = [re.fullmatch("— ([^\\s+]+) ([A-Za-z0-9+/=]+)", line) for line in lines.decode()[:-1].split("\n")]
    signatures = [(line[1], unbase64(line[2])) for line in found if line]
    must(len(signatures) == len(found) <= 100 and text.decode() is not None, "a line that is no signature, or too many")
    must(all(len(signature) > 4 for _, signature in signatures), "a signature that is too short")
    return text + b"\n", [(name, signature[:4], signature[4:]) for name, signature in signatures]


class NoteKey(NamedTuple):
    """A C2SP verifier key of type 1 (a log's) or 4 (a witness's)."""

    name: str
    id: bytes
    type: int
    public: bytes

    def signed(self, text: bytes, signatures: list[Signature]) -> int | None:
        """0 where this log signed it; the second of a witness's cosignature; None where there is none, -1 a bad one."""
        found = [signature for name, id_, signature in signatures if (name, id_) == (self.name, self.id)]
        if not found:
            return None
        signature, time = found[0], 0  # a second one by the same key says nothing
        if self.type == 4:  # c2sp.org/tlog-cosignature
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            text = b"cosignature/v1\ntime %d\n" % time + text
        return time if time < 1 << 63 and ed25519_verifies(self.public, signature, text) else -1


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
        self.logs: list[NoteKey] = []
        self.witnesses: dict[str, NoteKey] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum, taken = "", set[str]()
        must(not re.search(b"[\x00-\x08\x0b-\x1f\x7f]", octets), "a control character")
        for line in octets.decode("latin-1").split("\n"):  # names are opaque octets: each stays what it is
            words = re.findall("[^ \t]+", line)
            kind, size = words[0] if words else "#", len(words)
            if kind == "log" and size in {2, 3}:
                self.logs.append(self._key(words[1], 1, self.logs))
            elif kind == "witness" and size in {3, 4} and self._fresh(words[1]):
                self.witnesses[words[1]] = self._key(words[2], 4, list(self.witnesses.values()))
            elif kind == "group" and size > 3 and self._fresh(words[1]):
                many, members = words[2], words[3:]
                many = {"any": "1", "all": str(len(members))}.get(many, many)
                must(re.fullmatch("[1-9][0-9]{0,4}", many) and int(many) <= len(members), f"a group of {many:.9}")
                must(not any(map(self._fresh, members)) and "none" not in members, "a member not defined above")
                must(len({*members}) == len(members) and not taken & {*members}, "a member of two groups")
                taken |= {*members}
                self.groups[words[1]] = (int(many), members)
            elif kind == "quorum" and size == 2 and not self.quorum:
                self.quorum = words[1]
                must(not self._fresh(self.quorum), "a quorum that is not defined above it")
            else:
                must(kind.startswith("#"), f"the line {line[:60]!r}")
        must(self.quorum, "no quorum")

    def _fresh(self, name: str) -> bool:
        return name != "none" and name not in self.witnesses and name not in self.groups

    def _key(self, text: str, kind: int, others: list[NoteKey]) -> NoteKey:
        key = read_note_key(text.encode("latin-1").decode())
        must(key.type == kind and key.public not in [other.public for other in others], f"the key {text[:60]!r}")
        return key

    def _enough(self, name: str, who: list[str]) -> bool:
        many, members = self.groups.get(name, (1, []))
        return name in who or sum(self._enough(member, who) for member in members) >= many

    def judge(self, origin: str, text: bytes, signatures: list[Signature]) -> tuple[bool, int | None]:
        """Whether a log of this name signed it, and the newest second since which enough witnesses vouch for it."""
        logs = [key.signed(text, signatures) for key in self.logs if key.name == origin]
        times = {name: key.signed(text, signatures) for name, key in self.witnesses.items()}
        must(-1 not in logs and -1 not in times.values(), "a signature in it is bad")
        for second in sorted({time for time in times.values() if time is not None and 0 in logs}, reverse=True):
            if self._enough(self.quorum, [name for name, time in times.items() if time is not None and time >= second]):
                return True, second
        return 0 in logs, None


def read_checkpoint(
    octets: bytes, name: str, policy: Policy | None, keys: list[NoteKey], *, given: bool
) -> SimpleNamespace:
    """Read a c2sp.org/tlog-checkpoint: what it says, and who vouches for it; ValueError where it is none."""
    text, signatures = read_note(octets)
    origin, size, encoded, *more = text.decode().split("\n")
    root = unbase64(encoded)
    good = all((origin, size, *more[:-1])) and re.fullmatch("0|[1-9][0-9]{0,14}", size) and len(root) == 32
    must(good and more, "not a checkpoint")
    signed, witnessed = policy.judge(origin, text, signatures) if policy else (False, None)
    signed = signed or any((key.type, key.name, key.signed(text, signatures)) == (1, origin, 0) for key in keys)
    kept = {"origin": origin, "size": int(size), "root": root, "text": text, "witnessed": witnessed}
    return SimpleNamespace(**kept, name=f"the checkpoint {name}", given=given, signed=signed)


# -- 7. Time stamps (RFC 3161), as small as can be: RSA or P-256 ---------------------------------------------------
HASHES = {"sha256": "608648016503040201", "sha384": "608648016503040202", "sha512": "608648016503040203"}
RSA_WITH = {"2a864886f70d01010b": "sha256", "2a864886f70d01010c": "sha384", "2a864886f70d01010d": "sha512"}
ECDSA_WITH = {"2a8648ce3d040302": "sha256", "2a8648ce3d040303": "sha384", "2a8648ce3d040304": "sha512"}
P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
P256_X = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
P256_Y = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5


def _sum(p: tuple[int, int] | None, q: tuple[int, int] | None) -> tuple[int, int] | None:
    if p is None or q is None or (p[0] == q[0] and (p[1] + q[1]) % P256 == 0):
        return p or q if p is None or q is None else None
    rise, run = (3 * p[0] * p[0] - 3, 2 * p[1]) if p == q else (q[1] - p[1], q[0] - p[0])
    slope = rise * pow(run, -1, P256) % P256
    x = (slope * slope - p[0] - q[0]) % P256
    return x, (slope * (p[0] - x) - p[1]) % P256


def ecdsa_verifies(public: bytes, signature: bytes, digest: bytes) -> bool:
    """ECDSA over P-256 (FIPS 186-5, section 6.4.2); ``public`` is an uncompressed point."""
    (outer,) = der(signature)
    r, s = (part.number() for part in outer.parts)
    x, y = (int.from_bytes(half, "big") for half in (public[1:33], public[33:]))
    on_curve = len(public) == 65 and public[0] == 4 and max(x, y) < P256 and (y * y - x**3 + 3 * x - P256_B) % P256 == 0
    if not on_curve or not 0 < r < P256_N or not 0 < s < P256_N:
        return False
    inverse, total = pow(s, -1, P256_N), None
    u, v = int.from_bytes(digest[:32], "big") * inverse % P256_N, r * inverse % P256_N
    for bit in range(255, -1, -1):
        total = _sum(total, total)
        total = _sum(total, (P256_X, P256_Y)) if u >> bit & 1 else total
        total = _sum(total, (x, y)) if v >> bit & 1 else total
    return total is not None and total[0] % P256_N == r


def _time(part: Der) -> int:
    from datetime import datetime

    text = part.body.decode("ascii")  # UTCTime or GeneralizedTime; fractions are cut
    text = ("19" if text >= "50" else "20") + text if part.tag == 0x17 else text
    must(re.fullmatch(r"[0-9]{14}(\.[0-9]+)?Z", text), "no time in UTC")
    return int(datetime.strptime(f"{text[:14]}+0000", "%Y%m%d%H%M%S%z").timestamp())


class Certificate:
    """The parts of an X.509 certificate that a time stamp rests on."""

    def __init__(self, octets: bytes) -> None:
        (outer,) = der(octets)
        self.der, (self.signed, algorithm, bits) = octets, outer.parts
        self.algorithm, self.signature = algorithm.parts[0].body.hex(), bits.body[1:]
        fields = [part for part in self.signed.parts if part.tag != 0xA0]
        self.issuer, self.subject, self.spki = (fields[at].whole for at in (2, 4, 5))
        self.since, self.until = map(_time, fields[3].parts)
        found = [part.parts[0].parts for part in fields[6:] if part.tag == 0xA3]
        self.extensions = {part.parts[0].body.hex(): part.parts[1:] for part in (found[0] if found else [])}

    def verifies(self, algorithm: str, digest: str, signature: bytes, message: bytes) -> bool:
        """Whether this key made it, with RSA (PKCS #1 v1.5) or P-256; plain rsaEncryption takes the named digest."""
        kind, bits = der(self.spki)[0].parts
        if kind.body.hex() == "06072a8648ce3d020106082a8648ce3d030107":
            return ecdsa_verifies(bits.body[1:], signature, hashlib.new(ECDSA_WITH[algorithm], message).digest())
        key, name = rsa_key(self.spki), digest if algorithm == OID_RSA else RSA_WITH[algorithm]
        hashed, oid = hashlib.new(name, message).digest(), bytes.fromhex(HASHES[name])
        info = bytes([0x30, len(hashed) + 17, 0x30, 13, 6, 9]) + oid + bytes([5, 0, 4, len(hashed)]) + hashed
        padded = b"\x00\x01" + b"\xff" * (key.size - len(info) - 3) + b"\x00" + info
        return key.size >= 256 and key.e > 2 and key.recover(signature, key.size) == padded

    def issued(self, other: Certificate) -> bool:
        """Whether this is the certificate of an authority, whose key signed the other."""
        basic = self.extensions.get("551d13")
        named = basic and der(basic[-1].body)[0].body[:3] == b"\x01\x01\xff" and self.subject == other.issuer
        return bool(named) and self.verifies(other.algorithm, "", other.signature, other.signed.whole)


def read_token(octets: bytes, pinned: list[bytes]) -> tuple[bytes, int]:
    """What a token, or a whole response, stamps (a SHA-256), and when; ValueError or LookupError where it is bad."""
    (outer,) = der(octets)
    parts = outer.parts
    if parts[0].tag == 0x30:
        must(parts[0].parts[0].number() <= 1, "the authority refused")
        parts = parts[1].parts
    content = parts[1].parts[0].parts
    kind, wrapped = content[2].parts
    must((parts[0].body.hex(), kind.body.hex()) == ("2a864886f70d010702", "2a864886f70d0109100104"), "no time stamp")
    stamped = wrapped.parts[0].body
    (signer,) = content[-1].parts
    _, _, hashed_by, attributes, algorithm, signature = signer.parts[:6]
    named = {part.parts[0].body.hex(): part.parts[1].parts[0] for part in attributes.parts}
    digest = {oid: name for name, oid in HASHES.items()}[hashed_by.parts[0].body.hex()]
    must(attributes.tag == 0xA0 and len(named) == len(attributes.parts), "its signed attributes")
    must(named["2a864886f70d010903"].body == kind.body, "its content is of another type than its signer says")
    same = named["2a864886f70d010904"].body == hashlib.new(digest, stamped).digest()
    must(same, "its content is not what its signer signed")
    trusted = [Certificate(octets) for octets in pinned]
    known = trusted + [Certificate(part.whole) for part in content[3].parts if content[3].tag == 0xA0]
    # RFC 5035: the signer's certificate is named by its hash, within what is signed.
    name = next(named[oid].body for oid in ("2a864886f70d010910022f", "2a864886f70d010910020c") if oid in named)
    (leaf, *_) = [cert for cert in known for by in ("sha1", *HASHES) if hashlib.new(by, cert.der).digest() in name]
    good = leaf.verifies(algorithm.parts[0].body.hex(), digest, signature.body, b"\x31" + attributes.whole[1:])
    must(good, "its signature is wrong, or of a kind that is not known here")
    use = [part.body.hex() for part in leaf.extensions.get("551d25", [])]
    must(use == ["ff", "300a06082b06010505070308"], "its signer may do other things than stamp time, or not even that")
    info = der(stamped)[0].parts
    hashed, when = info[2].parts, _time(info[4])
    must(hashed[0].parts[0].body.hex() == HASHES["sha256"], "it does not stamp a SHA-256")
    for _ in range(6):
        must(leaf.since <= when <= leaf.until, "a certificate was not valid then")
        if leaf.der in pinned:
            return hashed[1].body, when
        leaf = next((certificate for certificate in known if certificate.issued(leaf)), leaf)
    raise ValueError("no pinned certificate vouches for its signer")


# -- 8. The database ---------------------------------------------------------------------------------------------------
COLUMNS = {"height": 0, "first": 0, "n": 0, "hdr": MAX_ENTRY, "sig": 4096, "rsig": 64, "body": MAX_BODY}
# Whatever is of another type or too large comes out as NULL, and is never loaded, whoever wrote the schema.
CASE = "CASE WHEN typeof({0}) = '{1}' AND ({2} = 0 OR length({0}) <= {2}) THEN {0} END"
QUERY = "SELECT " + ", ".join(CASE.format(name, "blob" if n else "integer", n) for name, n in COLUMNS.items())


class Database:
    """A log's or an archive's file, read row by row; ValueError where that cannot be done."""

    connection: Any = None
    copies: Any = None

    def __del__(self) -> None:
        for held, close in ((self.connection, "close"), (self.copies, "cleanup")):
            getattr(held, close, int)()

    def __init__(self, path: Path) -> None:
        wal = Path(f"{path}-wal")
        must(path.exists(), f"there is no log at {path}")
        for file in (path, wal, Path(f"{path}-shm"), Path(f"{path}-journal")):
            must(file.is_file() or not os.path.lexists(file), f"{file} is not a regular file")
        waiting = wal.exists() and wal.stat().st_size > 0
        self.path, self.empty, self.changed = path, not waiting and not path.stat().st_size, path.stat().st_mtime_ns
        try:  # where no blocks wait in a WAL, nothing is created beside the file: its disk may be read-only
            self._open(path, "mode=ro" if waiting else "mode=ro&immutable=1")
        except ValueError:
            if not waiting:
                raise
            import shutil
            import tempfile

            self.copies = tempfile.TemporaryDirectory(prefix="audit-verify-")
            for suffix in ("", "-wal"):
                shutil.copyfile(f"{path}{suffix}", f"{self.copies.name}/copy{suffix}")
            self._open(Path(self.copies.name, "copy"), "mode=rw")

    def _open(self, path: Path, how: str) -> None:
        import sqlite3

        self.error, uri = sqlite3.Error, f"{path.absolute().as_uri()}?{how}"
        if self.connection:
            self.connection.close()
        self.connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "query_only=ON"):
            self._all(f"PRAGMA {pragma}")
        plain = self._all("SELECT type, substr(sql, 1, 13) FROM sqlite_master WHERE name = 'blocks'")
        columns = [(column[1], column[6]) for column in self._all("PRAGMA table_xinfo(blocks)")]
        good = plain == [("table", "CREATE TABLE ")] and columns == [(name, 0) for name in COLUMNS]
        must(good or self.empty, f"{self.path} is a database, but not a log: it has no plain table of blocks")

    def _all(self, sql: str, *values: int) -> list[tuple[Any, ...]]:
        try:
            return list(self.connection.execute(sql, values))
        except self.error as exc:
            raise ValueError(f"{self.path} is no log, or damaged: {exc}") from None

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Every row, lowest first; no index is trusted, and no read holds the log for long."""
        found: list[tuple[Any, ...]] = [] if self.empty else [(-(1 << 63),)]
        while found:
            select = f"{QUERY}, rowid FROM blocks NOT INDEXED WHERE rowid > ? ORDER BY rowid LIMIT 4"
            found = self._all(select, found[-1][-1])
            yield from (row[:-1] for row in found)

    def body(self, height: int) -> bytes:
        """The body of one block, from an archive; empty where it is not there."""
        found = self._all(f"{QUERY} FROM blocks NOT INDEXED WHERE rowid = ?", height)
        return found[0][-1] or b"" if found else b""


# -- 9. The walk -------------------------------------------------------------------------------------------------------
def _data(block: SimpleNamespace) -> dict[str, Any]:
    """The ``data`` of the one entry that a ``rotate`` or ``prune`` block holds."""
    why = block.header.why
    try:
        entry = canonical(split_body(block.body, 1)[0])
        must(entry.get("kind") == why and isinstance(entry.get("data"), dict), "not of its kind")
    except (ValueError, Tampered) as exc:
        raise Tampered(why, f"a {why} block must hold exactly one entry of that kind: {exc.args[-1]}") from None
    return dict(entry["data"])


def _rotates(octets: bytes) -> bool:
    try:
        return b'"kind":"rotate"' in octets and canonical(octets).get("kind") == "rotate"
    except ValueError:
        return False


class Walk:
    """From the lowest block to the last: what holds, what does not, and who vouches for it."""

    def __init__(self) -> None:
        self.key: RsaKey | None = None  # in force
        self.anchors: list[SimpleNamespace] = []
        self.points: list[SimpleNamespace] = []
        self.archives: list[Database] = []
        self.tokens: list[tuple[bytes, int]] = []
        self.findings: list[dict[str, object]] = []
        self.counts, self.lowest = {"tampered": 0, "unproven": 0}, -1
        self.last: Any = None  # the newest block that could be read
        self.before: Any = None  # the header before this one, where that could be
        self.expected, self.tree, self.entries = (0, 0, "0" * 64), Tree(), 0
        self.signed, self.flat, self.stopped, self.ratcheted, self.independent = True, False, False, False, False
        # The newest heights where the ratchet broke, that anybody remembers, that somebody outside remembers.
        self.broken, self.anchored, self.covered = -1, -1, -1
        self.missing: list[tuple[int, int]] = []  # ranges of blocks without a body
        self.former: set[str] = set()  # fingerprints of the keys that were in force
        self.matched: list[SimpleNamespace] = []  # checkpoints whose root is the tree's
        self.youngest = [NEVER]  # the earliest ``sealed`` below the first of these, from that to the next, and so on

    def add(self, fault: Exception, height: int | None = None) -> None:
        """Write down what is wrong; the first hundred in words."""
        weight, (code, because) = "tampered" if isinstance(fault, Tampered) else "unproven", fault.args
        self.counts[weight] += 1
        if len(self.findings) < 100:
            self.findings.append({"weight": weight, "code": code, "because": because, "height": height, "seq": None})

    def take(self, row: tuple[Any, ...]) -> None:
        """One block: every check; each fault is written down, and the walk goes on."""
        height, first, n, hdr, sig, rsig, body = row
        at, hdr = self.expected[0] if height is None else height, hdr or b""
        self.lowest, digest = at if self.lowest < 0 else self.lowest, sha256(hdr).hexdigest()
        self.tree.add(_leaf(hdr))
        try:
            header = read_header(hdr)
        except (Tampered, Unproven) as fault:
            self.add(fault, at)
            self.stopped = isinstance(fault, Unproven)
            self.before, self.expected = None, (at + 1, (first or 0) + (n or 0), digest)
            return
        body = body or next(filter(None, (archive.body(at) for archive in self.archives)), b"")
        block = SimpleNamespace(header=header, hdr=hdr, sig=sig or b"", rsig=rsig or b"", body=body, digest=digest)
        if None in row or row[:3] != (header.height, header.first, header.count):
            self.add(Tampered("columns", "its columns contradict the header, or have a wrong type or size"), at)
        for check in (self._chain, self._ratchet, self._content, self.seal, self._compare):
            try:
                check(block)
            except (Tampered, Unproven) as fault:
                self.add(fault, at)
        self.entries, self.before, self.last = self.entries + header.count, header, block
        self.expected = (header.height + 1, header.first + header.count, digest)

    def _chain(self, block: SimpleNamespace) -> None:
        header, before = block.header, self.before
        follows = (header.height, header.first, header.prev) == self.expected
        demand(follows, "chain", "it does not follow the block before it, by height, number or hash")
        if before:
            demand(header.origin == before.origin, "foreign", f"it is of {header.origin}, not of {before.origin}")
            demand(header.boot != before.boot or header.mono >= before.mono, "clock", "its time fell within a boot")

    def _ratchet(self, block: SimpleNamespace) -> None:
        due, restart, self.ratcheted = self.before.next if self.before else "", block.header.why == "restart", False
        if self.before is None and block.header.height:
            return  # the header before it could not be read, and that has been said
        if due and (block.rsig or not restart):
            self.ratcheted = ed25519_verifies(bytes.fromhex(due), block.rsig, b"sealed-log/ratchet/v1\n" + block.hdr)
            demand(self.ratcheted, "ratchet", "its ratchet signature is not by the key that the block before it named")
        else:
            self.broken = block.header.height or self.broken
            unasked = not due and (block.rsig or restart)
            demand(not unasked, "ratchet", "a ratchet signature, or a restart, that nothing before it asked for")

    def _content(self, block: SimpleNamespace) -> None:
        header, body = block.header, block.body
        if not body:
            stays = not header.height or header.why in {"prune", "rotate"}
            demand(not stays, "body", "its body is missing, and blocks of its kind are never pruned")
            joined = self.missing and self.missing[-1][1] == header.height - 1
            self.missing.append((self.missing.pop()[0] if joined else header.height, header.height))
            return
        same = len(body) == header.body_len and sha256(body).hexdigest() == header.body
        demand(same, "body", "its body is not the one that was sealed")
        if not self.flat:
            entries = split_body(body, header.count)
            root = merkle_root([sha256(b"\x00" + entry).digest() for entry in entries]).hex()
            demand(root == header.root, "root", "the Merkle root of its entries is not the one that was sealed")
            hidden = b'"kind":"rotate"' in body and header.why != "rotate" and any(map(_rotates, entries))
            demand(not hidden, "rotate", "an entry of kind rotate lies in a block that is none")
        if header.why == "prune":
            low, high = (_data(block).get(name, -1) for name in ("from", "to"))
            good = type(low) is int and type(high) is int and 0 <= low <= high < header.height
            demand(good, "prune", "it prunes blocks that cannot be")
            parts = [part for a, b in self.missing for part in ((a, min(b, low - 1)), (max(a, high + 1), b))]
            self.missing = [part for part in parts if part[0] <= part[1]]

    def seal(self, block: SimpleNamespace) -> None:
        """Check the RSA signature, or both in a ``rotate`` block, and put the new key in force."""
        header, keys, rest = block.header, [self.key] if self.key else [], block.sig
        for key in keys[:]:
            named = header.keys[0]
            demand(named == key.fingerprint, "key", f"it names the key {named}, not the one in force {key.fingerprint}")
            if header.why == "rotate":
                self.key, self.signed = None, self.signed and bool(block.body)
                if not block.body:
                    raise Unproven("rotate", "the new key that it names is not there: give the archive")
                self.key = self._rotated(block)
                keys.append(self.key)
        if len(keys) == 1 and not any(rest) and len(rest) == keys[0].size:
            self.signed = False
            demand(self.ratcheted, "signature", "it is not signed, and no ratchet vouches for it")
            raise Unproven("due", "its RSA signature has not been made yet")
        for key in keys:
            good = pss_verifies(key, rest[: key.size], b"sealed-log/block/v1\n" + block.hdr)
            demand(good, "signature", f"its signature is not by the key {key.fingerprint}")
            rest = rest[key.size :]
        demand(not (keys and rest), "signature", "its signature is too long")

    def _rotated(self, block: SimpleNamespace) -> RsaKey:
        data = _data(block)
        self.former.add(block.header.keys[0])
        try:
            new = sealing_key(unbase64(str(data.get("new"))))
        except ValueError as exc:
            raise Tampered("rotate", f"its new key is none: {exc}") from None
        height, until = block.header.height, data.get("trusted_to", block.header.height - 1)
        same = new.fingerprint == data.get("fingerprint") == block.header.keys[1] and new.fingerprint not in self.former
        good = same and type(until) is int and 0 <= until < height
        demand(good, "rotate", "its new key is not the one it says, or was in force before, or is trusted to no height")
        self.former.add(new.fingerprint)
        if max(until, self.covered) < height - 1:  # what somebody outside remembers from before stays as it was
            self.signed = False
            because = f"blocks {max(until, self.covered) + 1} to {height - 1} were signed by a key that was revoked"
            self.add(Unproven("revoked", because), height)
        return new

    def _compare(self, block: SimpleNamespace) -> None:
        header, wrong = block.header, []
        self.youngest[-1] = min(self.youngest[-1], header.sealed)
        for anchor in self.anchors:
            if (anchor.height, anchor.origin) == (header.height, header.origin):
                same = (anchor.head, anchor.count) == (block.digest, header.first + header.count)
                if same and (anchor.sealed, anchor.key, anchor.root) == (header.sealed, header.keys[0], ""):
                    self.vouch(header.height, own=anchor.own)
                else:
                    wrong.append(anchor.name)
        for point in self.points:
            if (point.size, point.origin) == (self.tree.size, header.origin):
                if point.root == self.tree.root():
                    self.matched.append(point)
                    self.youngest.append(NEVER)
                    if point.given or point.witnessed is not None:
                        self.vouch(header.height, own=False)
                elif point.given or point.signed:
                    wrong.append(point.name)
        demand(not wrong, "fork", f"another block is remembered here by {', '.join(wrong)}")

    def vouch(self, height: int, *, own: bool) -> None:
        """Somebody remembers the block; unless it is the log's own folder, that covers all below it."""
        self.anchored = max(self.anchored, height)
        if not own:
            self.covered, self.independent = max(self.covered, height), True

    def finish(self) -> None:
        """Say what can be said only at the end: cut and foreign logs, missing bodies, revoked blocks."""
        origin, size = self.last.header.origin if self.last else "", self.tree.size
        heads = [(anchor.origin, anchor.height, anchor.name, True) for anchor in self.anchors]
        heads += [(p.origin, p.size - 1, p.name, p.given) for p in self.points if p.given or p.signed]
        for whose, height, name, given in heads if not self.stopped else ():
            if self.last and whose != origin and given:
                self.add(Tampered("foreign", f"{name} is of the log {whose}, this is {origin}"))
            elif height >= size and (given or whose == origin or not self.last):
                self.add(Tampered("cut", f"{name} remembers block {height}, the log has {size}: cut, or rolled back"))
        if self.missing and not self.stopped:
            because = "its body is missing, and no prune block that can be read covers it"
            self.add(Tampered("body", because), self.missing[0][0])

    def level(self, oldest: float, tail_s: int) -> tuple[str, Any, Any]:
        """The level, and what is witnessed (not before ``oldest``) and dated."""
        level, witnessed, dated = int(self.signed), None, None
        if self.last is None or self.stopped or self.counts["tampered"]:
            return "none", None, None
        if level and self.broken <= self.covered and self.last.header.next:
            level = 2
        stamped = False
        for number, point in enumerate(self.matched):
            beyond = self.last.header.sealed - min(self.youngest[number + 1 :])  # how old the oldest is it leaves out
            if point.witnessed is not None:
                witnessed = {"height": point.size - 1, "since": point.witnessed}
                level = 3 if level and beyond <= tail_s * 1_000_000 and point.witnessed >= oldest else level
            for when in [when for imprint, when in self.tokens if imprint == sha256(point.text).digest()]:
                dated, stamped = {"height": point.size - 1, "to": when}, stamped or beyond <= DAY_S * 1_000_000
        level = 4 if level == 3 and stamped else level
        return f"L{level}", witnessed, dated


# -- 10. Bundles (c2sp.org/tlog-proof@v1) ------------------------------------------------------------------------------
BUNDLE = b"c2sp.org/tlog-proof@v1\n"


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    must(len(dict(pairs)) == len(pairs), "a member that is there twice")
    return dict(pairs)


def read_proof(document: bytes) -> tuple[bytes, int, list[bytes], bytes]:
    """One document: its extra, its index, its path, its checkpoint; ValueError where it is none."""
    head, mark, checkpoint = document.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    extra = unbase64(lines.pop(0)[6:]) if lines and lines[0].startswith(b"extra ") else b"null"
    index = re.fullmatch(b"index (0|[1-9][0-9]{0,14})", lines[0] if lines else b"")
    path = [unbase64(line) for line in lines[1:]]
    good = first + b"\n" == BUNDLE and mark and all(len(part) == 32 for part in path) and len(extra) <= 16 << 20
    must(good and index, "not a tlog-proof")
    return extra, int(lines[0][6:]), path, checkpoint


def _document(walk: Walk, document: bytes, judge: Callable[[bytes], Any]) -> SimpleNamespace:
    extra, index, path, text = read_proof(document)
    point, value = judge(text), json.loads(extra, object_pairs_hook=_members)
    must(set(value) == {"v", "hdr", "sig", "rsig", "entries"} and value["entries"], "its members")
    must(type(value["v"]) is int, "its version is no number")
    if value["v"] != 1:
        raise Unproven("version", "a bundle of a version that is not known here")
    hdr, sig, rsig = (unbase64(value[name]) for name in ("hdr", "sig", "rsig"))
    must(all(set(entry) == {"at", "octets", "path"} for entry in value["entries"]), "an entry's members")
    header = read_header(hdr)
    block = SimpleNamespace(header=header, hdr=hdr, sig=sig, rsig=rsig, body=b"", digest=sha256(hdr).hexdigest())
    demand((header.height, header.origin) == (index, point.origin), "chain", "its header is of another block or log")
    there = included(_leaf(hdr), index, point.size, path, point.root)
    demand(there, "tree", "its header is not in the checkpoint's tree")
    for entry in value["entries"]:
        at, way = entry["at"], [unbase64(part) for part in entry["path"]]
        must(type(at) is int, "a place that is none")
        there = included(_leaf(unbase64(entry["octets"])), at, header.count, way, bytes.fromhex(header.root))
        demand(there, "root", f"entry {at} is not in the block")
    walk.ratcheted = bool(rsig)  # by a key that the block before it names, which is not here
    try:
        walk.seal(block)
    except Unproven as fault:
        walk.add(fault, index)
    walk.entries, walk.points = walk.entries + len(value["entries"]), [*walk.points, point]
    return block


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(BUNDLE))


def walk_bundle(walk: Walk, octets: bytes, judge: Callable[[bytes], Any]) -> None:
    """Prove the blocks of a bundle like those of a log that has no others."""
    if not octets.startswith(BUNDLE):
        walk.add(Tampered("bundle", f"a bundle begins with the line {BUNDLE[:-1].decode()}"))
        return
    given = {(point.origin, point.size, point.root) for point in walk.points}
    walk.points, owns = [], []  # per block: vouched for by the log's own folder alone; None where by nobody
    *former, last = octets[len(BUNDLE) :].split(b"\n" + BUNDLE)
    for document in [*(text + b"\n" for text in former), last]:
        try:
            block = _document(walk, BUNDLE + document, judge)
        except (Tampered, Unproven) as fault:
            walk.add(fault)
            continue
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
            walk.add(Tampered("bundle", f"a document that cannot be read: {exc}"))
            continue
        height, point = block.header.height, walk.points[-1]
        walk.lowest = height if walk.lowest < 0 else min(height, walk.lowest)
        walk.last = block if walk.last is None or height > walk.last.header.height else walk.last
        vouched = [a.own for a in walk.anchors if (a.height, a.head, a.origin) == (height, block.digest, point.origin)]
        if (point.origin, point.size, point.root) in given or point.witnessed is not None:
            vouched.append(False)
        owns.append(all(vouched) if vouched else None)
    if owns and None not in owns:
        walk.vouch(walk.last.header.height, own=True in owns)
    # The bundle is as well witnessed and dated as the worst of its checkpoints; and without neighbours never L2.
    worst = min(walk.points, key=lambda point: -1 if point.witnessed is None else point.witnessed, default=None)
    stamped = {imprint for imprint, _ in walk.tokens}
    if worst:
        undated = [point.text for point in walk.points if sha256(point.text).digest() not in stamped]
        walk.matched = [SimpleNamespace(**{**vars(worst), "text": (undated or [worst.text])[0]})]
    walk.youngest, walk.broken = [0, NEVER], NEVER


# -- 11. The command ---------------------------------------------------------------------------------------------------
def seconds(text: str) -> int:
    """Read 90, 90s, 5m, 2h or 1d."""
    must(re.fullmatch(r"[0-9]{1,9}[smhd]?", text), "a time is written 90, 5m, 2h or 1d")
    return int(text.rstrip("smhd")) * {"m": 60, "h": 3600, "d": DAY_S}.get(text[-1], 1)


class Audit:
    """One verification: what it was given, what it found, what it says."""

    def __init__(self, argv: list[str]) -> None:
        import argparse
        import time

        parser = argparse.ArgumentParser("audit-verify", None, __doc__, formatter_class=argparse.RawTextHelpFormatter)
        parser.add_argument("log", metavar="LOG|STATE|BUNDLE", type=Path)
        for name in ("key", "policy", "tsa", "memory"):
            parser.add_argument(f"--{name}", type=Path, metavar="FILE")
        for name in ("anchor", "archive", "token"):
            parser.add_argument(f"--{name}", type=Path, metavar="FILE", action="append", default=[])
        for name in ("flat", "json", "no-memory"):
            parser.add_argument(f"--{name}", action="store_true")
        for name, usual in (("max-age", None), ("tail", 60)):
            parser.add_argument(f"--{name}", type=seconds, metavar="TIME", default=usual)
        parser.add_argument("--min-level", choices=LEVELS[1:], default="L1")
        parser.add_argument("--expect-origin", metavar="NAME")
        parser.add_argument("--version", action="version", version=f"audit-verify {VERSION}")
        self.asked, self.now, self.walk = parser.parse_args(argv), time.time(), Walk()
        self.own = self.asked.log if self.asked.log.is_dir() else Path(os.devnull)
        self.memory = Path(os.devnull)
        self.policy: Policy | None = None
        self.note_keys: list[NoteKey] = []

    def _read(self, code: str, path: Path, reader: Callable[[bytes], Any], *, quiet: bool = False) -> Any:  # noqa: ANN401
        try:
            return reader(read_small(path))
        except (ValueError, LookupError) as exc:
            if not quiet:
                self.walk.add(Unproven(code, f"{path}: {exc}"))
            return None

    def _anchor(self, path: Path, *, own: bool = False) -> None:
        def read(octets: bytes) -> None:
            if octets[:1] == b"{":
                self.walk.anchors.append(read_anchor(octets, str(path), own=own))
            else:
                point = read_checkpoint(octets, str(path), self.policy, self.note_keys, given=not own)
                self.walk.points.append(point)

        self._read("anchor", path, read, quiet=own and path.name != "anchor" and not self.policy)

    def _gather(self) -> None:
        """Read all that was brought, before the log, so that a live log can only be ahead of it."""
        asked, walk, keys, kept = self.asked, self.walk, self.own / "keys", self.own / "witnessed"
        own_key = keys / ("first.pub" if (keys / "first.pub").exists() else "seal.pub")
        walk.key = self._read("key", asked.key or own_key, read_key)
        walk.signed, walk.flat = walk.key is not None, asked.flat
        note_key = self._read("note", keys / "note.pub", lambda text: read_note_key(text.decode().strip()), quiet=True)
        self.note_keys = [note_key] if note_key else []
        self.policy = self._read("policy", asked.policy, Policy) if asked.policy else None
        for path in asked.anchor:
            self._anchor(path)
        for path in [self.own / "anchor", self.own / "checkpoint", *sorted(kept.glob("*.note"))[-256:]]:
            if path.exists():
                self._anchor(path, own=True)
        pinned = self._read("tsa", asked.tsa, lambda octets: read_pem(octets, "CERTIFICATE")) if asked.tsa else []
        for path in [*asked.token, *sorted(kept.glob("*.tsr"))[-16:]] if pinned else ():
            token = self._read("token", path, lambda octets: read_token(octets, pinned), quiet=path not in asked.token)
            walk.tokens += [token] if token else []
        walk.archives = [Database(path) for path in asked.archive]

    def _remembered(self, hdr: bytes | None) -> None:
        """Add the head this verifier proved last time, of the log that begins with this header."""
        found = re.search(rb'"origin":"([!-~]{1,200}?)"', hdr or b"")
        if found and not self.asked.no_memory:
            home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state", "audit-verify")
            self.memory = (self.asked.memory or home) / f"{sha256(found[1]).hexdigest()[:32]}.anchor"
            if self.memory.exists():
                self._anchor(self.memory)

    def _remember(self, head: SimpleNamespace) -> None:
        value = {name: getattr(head.header, name) for name in ("v", "origin", "height", "sealed")}
        value |= {"count": head.header.first + head.header.count, "head": head.digest, "key": head.header.keys[0]}
        self.memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.memory.with_name(f"{self.memory.name}.{os.getpid()}")
        fresh.write_text(WRITER.encode({**value, "root": ""}) + "\n", encoding="utf-8")
        fresh.replace(self.memory)

    def run(self) -> tuple[int, dict[str, Any]]:
        """Verify, and report."""
        walk, path = self.walk, self.own / "audit.db" if self.asked.log.is_dir() else self.asked.log
        try:
            self._gather()
            if path.is_file() and _begins(path).startswith(BUNDLE[:19]):
                judge = partial(read_checkpoint, name="", policy=self.policy, keys=self.note_keys, given=False)
                walk_bundle(walk, read_small(path, 64 << 20), judge)
                return self._report()
            database = Database(path)
            for row in database.rows():
                if walk.lowest < 0:
                    self._remembered(row[3])
                walk.take(row)
                if walk.stopped:
                    break
            walk.finish()
            if walk.counts["tampered"] and path.stat().st_mtime_ns != database.changed:
                walk.add(Unproven("changed", "the log was written to while it was read: run again to be sure"))
        except (ValueError, OSError) as exc:
            walk.stopped = True
            walk.add(Unproven("unreadable", str(exc)))
        return self._report()

    def _report(self) -> tuple[int, dict[str, Any]]:
        walk, asked, head = self.walk, self.asked, self.walk.last
        header = head.header if head else SimpleNamespace(origin="", height=None, sealed=None, open=None)
        age = self.now - header.sealed / 1e6 if head else 0.0
        if head and asked.expect_origin not in {None, header.origin}:
            walk.add(Tampered("foreign", f"it belongs to {header.origin}, not {asked.expect_origin}"))
        bundle = walk.broken == NEVER  # which does not grow stale; --max-age asks how long ago it was witnessed
        oldest = 0 if bundle else self.now - (DAY_S if asked.max_age is None else asked.max_age)
        level, witnessed, dated = walk.level(oldest, asked.tail)
        old = self.now - witnessed["since"] if bundle and witnessed else age
        if asked.max_age is not None and old > asked.max_age:
            walk.add(
                Unproven("age", f"the head, or its witnesses' word, is {old:.0f} s old, {asked.max_age} s were allowed")
            )
        if walk.anchored < 0:
            walk.add(Unproven("anchor", "no anchor was matched (--anchor): the end may have been cut off"))
        if LEVELS.index(level) < LEVELS.index(asked.min_level):
            walk.add(Unproven("level", f"{asked.min_level} was asked for, {level} is proven"))
        code = 1 if walk.counts["tampered"] else 2 if walk.counts["unproven"] else 0
        verdict, weight = (("proven", ""), ("tampered", "tampered"), ("not proven", "unproven"))[code]
        because = next((str(found["because"]) for found in walk.findings if found["weight"] == weight), level)
        said: dict[str, Any] = {"verdict": verdict, "exit": code, "summary": f"{verdict}: {because}", "level": level}
        said |= {"log": str(asked.log), "origin": header.origin, "entries": walk.entries, "open": header.open}
        said["range"] = {"asked": [0, None], "seen": [walk.lowest if header.open is not None else None, header.height]}
        said["head"] = {"hash": head.digest if head else "", "wall_us": header.sealed, "age_s": age if head else None}
        said |= {"key": walk.key.fingerprint if walk.key else "", "witnessed": witnessed, "dated": dated}
        said |= {"anchored_to": None if walk.anchored < 0 else walk.anchored, "flat": asked.flat}
        said |= {"independent": walk.independent and asked.key is not None}
        said["broken_at"] = walk.broken if walk.covered < walk.broken < NEVER else None
        said |= {"findings": walk.findings, "findings_unlisted": sum(walk.counts.values()) - len(walk.findings)}
        if code == 0 and self.memory.name.endswith(".anchor"):
            self._remember(head)
        return code, said


def verify(argv: list[str]) -> tuple[int, dict[str, Any]]:
    """Verify as the command does; give the exit code and what ``--json`` prints."""
    return Audit(argv).run()


def main() -> int:
    """Verify, print the report, give the exit code."""
    code, said = verify(sys.argv[1:])
    if "--json" in sys.argv:
        print(json.dumps(said))
        return code
    print(f"{said['verdict'].upper()}: {said['summary'].partition(': ')[2]}")
    for name in (
        "level",
        "origin",
        "range",
        "entries",
        "head",
        "key",
        "anchored_to",
        "independent",
        "witnessed",
        "dated",
    ):
        print(f"  {name:12}{said[name]}")
    for found in said["findings"]:
        print(f"  {found['weight']}, block {found['height']}: {found['because']}")
    return code


if __name__ == "__main__":
    sys.exit(main())
