"""Verify a sealed log with plain Python alone, in one file so that an auditor can read all he trusts in one sitting.

Written from docs/log-format.md alone, for Python 3.9 or newer. It shares no code with what writes the log, nor with the
ordinary verifier: a mistake must be made twice to go unnoticed. It writes nothing: keep the log's anchor file of a good
run elsewhere, and give it next time. Entries are not read one by one, as ``healer-audit verify --deep`` does.
Exit 0 proven, 1 tampered, 2 not proven.
--key is the public key you pinned, --anchor a head kept elsewhere, --policy the witnesses that count, --tsa the pinned
certificates of a time-stamp authority, --token its tokens, --archive pruned bodies. You may demand a --min-level (L1),
a --max-age of the head (90, 5m, 2h, 1d), a --tail that lacks witnesses (60) and the origin you --expect-origin.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import os
import re
import sys
import time
from functools import partial
from hashlib import sha256
from types import SimpleNamespace

TYPE_CHECKING = False  # importing what only a type checker needs would take a tenth of the time to start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

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
    decoded = binascii.a2b_base64(octets)
    must(binascii.b2a_base64(decoded, newline=False) == octets, "not base64, or base64 with stray bits")
    return decoded

# -- 2. Trees (RFC 6962) -----------------------------------------------------------------------------------------------
def _leaf(octets: bytes) -> bytes:
    return sha256(b"\x00" + octets).digest()

def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()

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

def climb(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root to which a path leads from leaf ``index`` of ``size`` (section 2.1.1), or ValueError."""
    must(0 <= index < size and bool(path) == (size > 1) and len(leaf) == 32, "a path that does not fit the tree")
    if size == 1:
        return leaf
    left = 1 << (size - 1).bit_length() - 1  # leaves in the left sub-tree: the largest power of two below the size
    if index < left:
        return _node(climb(leaf, index, left, path[:-1]), path[-1])
    return _node(path[-1], climb(leaf, index - left, size - left, path[:-1]))

# -- 3. Strict DER, and RSA (RFC 8017) ---------------------------------------------------------------------------------
class Der:
    """One DER value: its tag, its content, and all its octets."""

    def __init__(self, tag: int, body: bytes, whole: bytes) -> None:
        self.tag, self.body, self.whole = tag, body, whole

    @property
    def parts(self) -> list[Der]:
        """The values it consists of."""
        return der(self.body)

    def number(self) -> int:
        """A non-negative integer, written in the shortest way."""
        value = int.from_bytes(self.body, "big")
        shortest = value.to_bytes(value.bit_length() // 8 + 1, "big")
        must(self.tag == 0x02 and self.body == shortest, "no integer")
        return value

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

class RsaKey:
    """A public key, from a SubjectPublicKeyInfo of ``rsaEncryption`` in strict DER; ValueError where it is none."""

    def __init__(self, spki: bytes) -> None:
        (outer,) = der(spki)
        algorithm, bits = outer.parts
        (inner,) = der(bits.body[1:])
        self.n, self.e = (part.number() for part in inner.parts)
        self.size = (self.n.bit_length() + 7) // 8  # of the modulus, and of a signature, in octets
        self.fingerprint = sha256(spki).hexdigest()
        seen = (outer.tag, algorithm.whole.hex(), bits.tag, bits.body[:1], inner.tag)
        must(seen == (0x30, f"300d0609{OID_RSA}0500", 0x03, b"\x00", 0x30), "not an RSA public key")

    def recover(self, signature: bytes, size: int) -> bytes:
        """Section 5.2.2: the signature to the power e, in ``size`` octets; empty where that cannot be."""
        value = int.from_bytes(signature, "big")
        found = pow(value, self.e, self.n) if len(signature) == self.size and value < self.n else 1 << 8 * size
        return found.to_bytes(size, "big") if found.bit_length() <= 8 * size else b""

def sealing_key(spki: bytes) -> RsaKey:
    """Read a key that may seal: 3072 to 16384 bits, exponent 65537."""
    key = RsaKey(spki)
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
    mask = b"".join(sha256(digest + block.to_bytes(4, "big")).digest() for block in blocks)[: len(masked)]
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

ZERO: Point = (0, 1, 1, 0)
BASE = decoded_point((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or ZERO

def ed25519_verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Section 5.1.7, without the cofactor: the encoding of [S]B - [k]A must be R, octet by octet."""
    point, s = decoded_point(public), int.from_bytes(signature[32:], "little")
    if point is None or len(signature) != 64 or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus = (P - point[0], point[1], 1, P - point[3])
    total, sums = ZERO, (ZERO, BASE, minus, _added(BASE, minus))
    for bit in range(252, -1, -1):
        total = _added(total, total)
        total = _added(total, sums[(s >> bit & 1) + 2 * (k >> bit & 1)])
    inverse = pow(total[2], -1, P)
    x, y = total[0] * inverse % P, total[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]

# -- 5. Headers and bodies; docs/log-format.md says what each field means ----------------------------------------------
REASONS = ("commit", "heartbeat", "restart", "rotate", "prune")

def _typed(integers: str, texts: str) -> dict[str, type]:
    return {**dict.fromkeys(integers.split(), int), **dict.fromkeys(texts.split(), str)}

FIELDS = _typed("v height first count body_len opened sealed mono open", "origin root body prev boot beacon next why")
FIELDS["keys"] = list
ENTRY = _typed("v seq ts mono", "kind boot node")

def read_header(octets: bytes) -> SimpleNamespace:
    """Read a header; Unproven where its version is unknown, Tampered where it is none."""
    try:
        value = canonical(octets)
    except ValueError as exc:
        raise Tampered("header", f"its header is no canonical JSON: {exc}") from None
    if type(value.get("v")) is not int or value["v"] != 1:
        raise Unproven("version", f"header version {value.get('v')!r:.20} is not known here")
    typed = value.keys() == FIELDS.keys() and all(type(value[name]) is kind for name, kind in FIELDS.items())
    demand(typed, "header", "it has other fields, or of other types, than a header has")
    header = SimpleNamespace(**value)
    hashes = (header.root, header.body, header.prev, *filter(None, (header.next, header.beacon)), *header.keys)
    good = {
        "origin": re.fullmatch(r"[!-*,-~]{1,200}", header.origin),
        "an integer": min(value[name] for name, kind in FIELDS.items() if kind is int) >= 0,
        "count or body_len": 1 <= header.count <= MAX_COUNT and 1 <= header.body_len <= MAX_BODY,
        "a hash": all(isinstance(text, str) and HEX(text) for text in hashes),
        "why": header.why in REASONS and len(header.keys) == (2 if header.why == "rotate" else 1),
    }
    wrong = [name for name, fine in good.items() if not fine]
    demand(not wrong, "header", f"header field {wrong[:1]} is not what it may be")
    return header

def split_body(body: bytes, count: int) -> list[bytes]:
    """The entries of a body: it must come out exactly."""
    entries, at = [b""], 0
    while at + 4 <= len(body):
        start = at + 4
        at = start + int.from_bytes(body[at:start], "big")
        entries.append(body[start:at])
    good = at == len(body) and len(entries) == count + 1 and max(map(len, entries)) <= MAX_ENTRY
    demand(good, "body", f"its body does not come apart into {count} entries")
    return entries[1:]

# -- 6. What others remember, and vouch for ----------------------------------------------------------------------------
def read_small(path: str, limit: int = 1 << 16) -> bytes:
    """Read a small regular file; a FIFO is not waited for, and nothing large is taken in."""
    must(os.path.isfile(path), "there is no regular file of this name")
    with open(path, "rb") as file:
        octets = file.read(limit + 1)
    must(len(octets) <= limit, f"it is larger than {limit} octets")
    return octets

Signature = tuple[str, bytes, bytes]  # key name, key id, signature
ANCHOR = _typed("v height count sealed", "origin head key root")

def read_anchor(octets: bytes, name: str, *, own: bool) -> SimpleNamespace:
    """Read an anchor file; ``own`` where it lies in the log's own folder. ValueError where it is none."""
    must(len(octets) <= 4096 and octets[-1:] == b"\n", "not one line of at most 4096 octets")
    value = canonical(octets[:-1])
    typed = value.keys() == ANCHOR.keys() and all(type(value[name]) is kind for name, kind in ANCHOR.items())
    must(typed and value["v"] == 1, "a version, or fields, not known here")
    least = min(value[name] for name, kind in ANCHOR.items() if kind is int)
    must(HEX(value["head"]) and HEX(value["key"]) and least >= 0, "no hash, or an integer below 0")
    return SimpleNamespace(**value, name=f"the anchor {name}", own=own)

def read_note(octets: bytes) -> tuple[bytes, list[Signature]]:
    """Read a c2sp.org/signed-note: its text, and its signatures, not judged yet; ValueError where it is none."""
    text, mark, lines = octets.rpartition(b"\n\n")
    must(mark and octets[-1:] == b"\n" and not re.search(b"[\x00-\x09\x0b-\x1f]", octets), "not a signed note")
    found = [re.fullmatch("— ([^\\s+]+) ([A-Za-z0-9+/=]+)", line) for line in lines.decode()[:-1].split("\n")]
    signatures = [(line[1], unbase64(line[2])) for line in found if line]
    must(len(signatures) == len(found) <= 100 and text.decode() is not None, "a line that is no signature, or too many")
    must(all(len(signature) > 4 for _, signature in signatures), "a signature that is too short")
    return text + b"\n", [(name, signature[:4], signature[4:]) for name, signature in signatures]

class NoteKey:
    """A C2SP verifier key of type 1 (a log's), 4 or 6 (a witness's; 6 is ML-DSA-44, and cannot vouch here)."""

    def __init__(self, line: str) -> None:
        self.name, id_, encoded = line.split("+", 2)
        key = unbase64(encoded)
        self.id, self.type, self.public = sha256(self.name.encode() + b"\n" + key).digest()[:4], key[0], key[1:]
        good = re.fullmatch(r"\S+", self.name) and id_ == self.id.hex()
        must(good and len(key) == {1: 33, 4: 33, 6: 1313}.get(self.type), f"not a verifier key: {line[:60]}")

    def signed(self, text: bytes, signatures: list[Signature]) -> int | None:
        """0 where this log signed it; the second of a witness's cosignature; None where there is none, -1 a bad one."""
        found = [signature for name, id_, signature in signatures if (name, id_) == (self.name, self.id)]
        if not found or self.type == 6:
            return None
        signature, second = found[0], 0  # a second one by the same key says nothing
        if self.type == 4:  # c2sp.org/tlog-cosignature
            second, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            text = b"cosignature/v1\ntime %d\n" % second + text
        return second if second < 1 << 63 and ed25519_verifies(self.public, signature, text) else -1

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
                self.logs.append(self._key(words[1], {1}, self.logs))
            elif kind == "witness" and size in {3, 4} and self._fresh(words[1]):
                self.witnesses[words[1]] = self._key(words[2], {4, 6}, list(self.witnesses.values()))
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

    def _key(self, text: str, kinds: set[int], others: list[NoteKey]) -> NoteKey:
        key = NoteKey(text.encode("latin-1").decode())
        must(key.type in kinds and key.public not in [other.public for other in others], f"the key {text[:60]!r}")
        return key

    def _enough(self, name: str, who: list[str]) -> bool:
        many, members = self.groups.get(name, (1, []))
        return name in who or sum(self._enough(member, who) for member in members) >= many

    def judge(self, origin: str, text: bytes, signatures: list[Signature]) -> tuple[bool, int | None]:
        """Whether a log of this name signed it, and the newest second since which enough witnesses vouch for it."""
        logs = [key.signed(text, signatures) for key in self.logs if key.name == origin]
        times = {name: key.signed(text, signatures) for name, key in self.witnesses.items()}
        must(-1 not in logs and -1 not in times.values(), "a signature in it is bad")
        said = {name: second for name, second in times.items() if second is not None and 0 in logs}
        for since in sorted({*said.values()}, reverse=True):
            if self._enough(self.quorum, [name for name, second in said.items() if second >= since]):
                return True, since
        return 0 in logs, None

def read_checkpoint(
    note: bytes, *, name: str, policy: Policy | None, own: list[NoteKey], given: bool
) -> SimpleNamespace:
    """Read a c2sp.org/tlog-checkpoint: what it says, and who vouches for it; ValueError where it is none."""
    text, signatures = read_note(note)
    origin, size, encoded, *more = text.decode().split("\n")
    root = unbase64(encoded)
    good = all((origin, size, *more[:-1])) and re.fullmatch("0|[1-9][0-9]{0,14}", size) and len(root) == 32
    must(good and more, "not a checkpoint")
    signed, witnessed = policy.judge(origin, text, signatures) if policy else (False, None)
    signed = signed or any((key.type, key.name, key.signed(text, signatures)) == (1, origin, 0) for key in own)
    said = SimpleNamespace(origin=origin, size=int(size), root=root, text=text, witnessed=witnessed, signed=signed)
    said.name, said.given = f"the checkpoint {name}", given
    return said

# -- 7. Time stamps (RFC 3161), as small as can be: RSA or P-256 -------------------------------------------------------
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
        key, name = RsaKey(self.spki), digest if algorithm == OID_RSA else RSA_WITH[algorithm]
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
    must(named["2a864886f70d010904"].body == hashlib.new(digest, stamped).digest(), "its content was not signed")
    carried = [part.whole for part in content[3].parts if content[3].tag == 0xA0]
    known = [Certificate(octets) for octets in (*pinned, *carried)]
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

    def __init__(self, path: str) -> None:
        import sqlite3
        from urllib.parse import quote

        for name in (path, f"{path}-wal", f"{path}-shm", f"{path}-journal"):
            must(os.path.isfile(name) or (name != path and not os.path.lexists(name)), f"{name} is no regular file")
        waiting = os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal") > 0
        self.path, self.error, self.changed = path, sqlite3.Error, os.stat(path).st_mtime_ns
        self.empty = not waiting and not os.path.getsize(path)
        # Where no blocks wait in a WAL, nothing is created beside the file: its disk may be read-only.
        uri = f"file:{quote(os.path.abspath(path))}?mode=ro{'' if waiting else '&immutable=1'}"
        self.connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "query_only=ON"):
            self._all(f"PRAGMA {pragma}")
        plain = self._all("SELECT type, substr(sql, 1, 13) FROM sqlite_master WHERE name = 'blocks'")
        columns = [(column[1], column[6]) for column in self._all("PRAGMA table_xinfo(blocks)")]
        good = plain == [("table", "CREATE TABLE ")] and columns == [(name, 0) for name in COLUMNS]
        must(good or self.empty, f"{path} is a database, but not a log: it has no plain table of blocks")

    def __del__(self) -> None:
        if self.connection:
            self.connection.close()

    def _all(self, sql: str, *values: int) -> list[tuple[Any, ...]]:
        try:
            return list(self.connection.execute(sql, values))
        except self.error as exc:
            raise ValueError(f"{self.path} cannot be read (nor where its -wal cannot: copy both): {exc}") from None

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
    """The ``data`` of the one entry that a ``rotate`` or ``prune`` block holds; ValueError where it is not that."""
    entry = canonical(split_body(block.body or b"", 1)[0])
    good = entry.get("kind") == block.header.why and isinstance(entry.get("data"), dict)
    must(good and all(type(entry.get(name)) is kind for name, kind in ENTRY.items()), "not an entry of its kind")
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
        self.signed, self.stopped, self.ratcheted, self.independent = True, False, False, False
        # The newest heights where the ratchet broke, that anybody remembers, that somebody outside remembers.
        self.broken, self.anchored, self.covered = -1, -1, -1
        self.missing: list[tuple[int, int]] = []  # ranges of blocks without a body
        self.former: set[str] = set()  # fingerprints of the keys that were in force
        self.matched: list[SimpleNamespace] = []  # checkpoints whose root is the tree's
        self.spans = [(NEVER, 0)]  # earliest and latest ``sealed`` below the first of these, from that to the next, ...

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
        block = SimpleNamespace(header=header, hdr=hdr, sig=sig or b"", rsig=rsig or b"", body=body, digest=digest)
        if None in row or row[:3] != (header.height, header.first, header.count):
            self.add(Tampered("columns", "its columns contradict the header, or have a wrong type or size"), at)
        for check in (self._chain, self._ratchet, self._content, self.seal, self._compare):
            try:
                check(block)
            except (Tampered, Unproven) as fault:
                self.add(fault, at)
            except ValueError as exc:
                self.add(Tampered(header.why, f"the entry of a {header.why} block is wrong: {exc}"), at)
        self.entries, self.before, self.last = self.entries + header.count, header, block
        self.expected = (header.height + 1, header.first + header.count, digest)

    def _chain(self, block: SimpleNamespace) -> None:
        header, before = block.header, self.before
        demand((header.height, header.first, header.prev) == self.expected, "chain", "it does not follow the last")
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
            demand(due or not (block.rsig or restart), "ratchet", "a ratchet signature, or a restart, nobody asked for")

    def _content(self, block: SimpleNamespace) -> None:
        header, body = block.header, block.body
        if not body:
            stays = not header.height or header.why in {"prune", "rotate"}
            demand(not stays, "body", "its body is missing, and blocks of its kind are never pruned")
            joined = self.missing and self.missing[-1][1] == header.height - 1
            self.missing.append((self.missing.pop()[0] if joined else header.height, header.height))
            body = next(filter(None, (archive.body(header.height) for archive in self.archives)), b"")
        if not body:
            return
        same = len(body) == header.body_len and sha256(body).hexdigest() == header.body
        demand(same, "body", "its body is not the one that was sealed")
        entries = split_body(body, header.count)
        tree = Tree()
        for entry in entries:
            tree.add(_leaf(entry))
        demand(tree.root().hex() == header.root, "root", "its entries have another Merkle root than was sealed")
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
                self.key = None  # until its body has told which is the new one
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
        new = sealing_key(unbase64(str(data.get("new"))))
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
        self.spans[-1] = min(self.spans[-1][0], header.sealed), max(self.spans[-1][1], header.sealed)
        for anchor in self.anchors:
            if (anchor.height, anchor.origin) == (header.height, header.origin):
                mine = (block.digest, header.first + header.count, header.sealed, header.keys[0], "")
                if (anchor.head, anchor.count, anchor.sealed, anchor.key, anchor.root) == mine:
                    self.vouch(header.height, own=anchor.own)
                else:
                    wrong.append(anchor.name)
        for point in self.points:
            if (point.size, point.origin) == (self.tree.size, header.origin):
                if point.root == self.tree.root():
                    self.matched.append(point)
                    self.spans.append((NEVER, 0))
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
        origin, size = self.last.header.origin if self.last else None, self.tree.size
        heads = [(anchor.origin, anchor.height, anchor.name) for anchor in self.anchors]
        heads += [(point.origin, point.size - 1, point.name) for point in self.points if point.given or point.signed]
        for whose, height, name in heads:
            if origin not in {None, whose}:
                self.add(Tampered("foreign", f"{name} is of the log {whose}, this is {origin}"))
            elif height >= size and not self.stopped:
                self.add(Tampered("cut", f"{name} remembers block {height}, the log has {size}: cut, or rolled back"))
        if self.missing and not self.stopped:
            self.add(Tampered("body", "its body is missing, and no prune block covers it"), self.missing[0][0])

    def level(self, oldest: float, tail_s: int) -> tuple[str, Any, Any]:
        """The level, and what is witnessed (not before ``oldest``) and dated."""
        witnessed, dated, stamped = None, None, False
        if self.last is None or self.stopped or self.counts["tampered"]:
            return "none", None, None
        level = 2 if self.signed and self.broken <= self.covered and self.last.header.next else int(self.signed)
        for number, point in enumerate(self.matched):
            beyond = max(late for _, late in self.spans[number + 1 :]) - min(self.spans[number + 1 :])[0]  # in µs
            if point.witnessed is not None:
                witnessed = {"height": point.size - 1, "since": point.witnessed}
                level = 3 if level and beyond <= tail_s * 1_000_000 and point.witnessed >= oldest else level
            for when in [when for imprint, when in self.tokens if imprint == sha256(point.text).digest()]:
                dated, stamped = {"height": point.size - 1, "to": when}, stamped or beyond <= DAY_S * 1_000_000
        return f"L{4 if level == 3 and stamped else level}", witnessed, dated

# -- 10. Bundles (c2sp.org/tlog-proof@v1) ------------------------------------------------------------------------------
BUNDLE = b"c2sp.org/tlog-proof@v1\n"

def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    must(len(dict(pairs)) == len(pairs), "a member that is there twice")
    return dict(pairs)

def read_proof(document: bytes) -> tuple[bytes, int, list[bytes], bytes]:
    """One document: its extra, its index, its path, its checkpoint; Unproven, or ValueError where it is none."""
    head, mark, checkpoint = document.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    if first != BUNDLE[:-1] and first[:20] == BUNDLE[:20]:
        raise Unproven("version", "a bundle of a version that is not known here")
    extra = unbase64(lines.pop(0)[6:]) if lines and lines[0].startswith(b"extra ") else b"null"
    index = re.fullmatch(b"index (0|[1-9][0-9]{0,14})", lines[0] if lines else b"")
    path = [unbase64(line) for line in lines[1:]]
    good = first + b"\n" == BUNDLE and mark and all(len(part) == 32 for part in path) and len(extra) <= 16 << 20
    must(good and index, "not a tlog-proof")
    return extra, int(lines[0][6:]), path, checkpoint

def _document(walk: Walk, document: bytes, judge: Callable[[bytes], Any]) -> Any:  # noqa: ANN401
    extra, index, path, text = read_proof(document)
    point, value = judge(text), json.loads(extra, object_pairs_hook=_members)
    good = set(value) == {"v", "hdr", "sig", "rsig", "entries"} and value["entries"] and type(value["v"]) is int
    must(good, "its members")
    if value["v"] != 1:
        raise Unproven("version", "a bundle of a version that is not known here")
    hdr, sig, rsig = (unbase64(value[name]) for name in ("hdr", "sig", "rsig"))
    header = read_header(hdr)
    block = SimpleNamespace(header=header, hdr=hdr, sig=sig, rsig=rsig, body=b"", digest=sha256(hdr).hexdigest())
    demand((header.height, header.origin) == (index, point.origin), "chain", "its header is of another block or log")
    demand(climb(_leaf(hdr), index, point.size, path) == point.root, "tree", "its header is not in the tree")
    for entry in value["entries"]:
        at, way = entry["at"], [unbase64(part) for part in entry["path"]]
        must(set(entry) == {"at", "octets", "path"} and type(at) is int, "an entry's members")
        there = climb(_leaf(unbase64(entry["octets"])), at, header.count, way).hex() == header.root
        demand(there, "root", f"entry {at} is not in the block")
    walk.ratcheted = True  # by a key that the block before it names: whether it is due and good is not known here
    try:
        walk.seal(block)
    except Unproven as fault:
        walk.add(fault, index)
    walk.entries, walk.points = walk.entries + len(value["entries"]), [*walk.points, point]
    return block

def walk_bundle(walk: Walk, octets: bytes, judge: Callable[[bytes], Any]) -> None:
    """Prove the blocks of a bundle like those of a log that has no others."""
    given = {(point.origin, point.size, point.root) for point in walk.points}
    walk.points, owns = [], []  # per block: vouched for by the log's own folder alone; None where by nobody
    for document in re.split(b"(?<=\n)(?=%b)" % re.escape(BUNDLE), octets):
        try:
            block = _document(walk, document, judge)
            height, point = block.header.height, walk.points[-1]
            walk.lowest = height if walk.lowest < 0 else min(height, walk.lowest)
            walk.last = block if walk.last is None or height > walk.last.header.height else walk.last
            head = (height, block.digest, point.origin)
            vouched = [anchor.own for anchor in walk.anchors if (anchor.height, anchor.head, anchor.origin) == head]
            if (point.origin, point.size, point.root) in given or point.witnessed is not None:
                vouched.append(False)
            owns.append(all(vouched) if vouched else None)
        except (Tampered, Unproven) as fault:
            walk.add(fault)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
            walk.add(Tampered("bundle", f"a document that cannot be read: {exc}"))
    if owns and None not in owns:
        walk.vouch(walk.last.header.height, own=True in owns)
    # The bundle is as well witnessed and dated as the worst of its checkpoints; and without neighbours never L2.
    worst = min(walk.points, key=lambda point: -1 if point.witnessed is None else point.witnessed, default=None)
    stamped = {imprint for imprint, _ in walk.tokens}
    if worst:
        undated = [point.text for point in walk.points if sha256(point.text).digest() not in stamped]
        walk.matched = [SimpleNamespace(**{**vars(worst), "text": (undated or [worst.text])[0]})]
    walk.spans, walk.broken = [(0, 0), (NEVER, 0)], NEVER

# -- 11. The command ---------------------------------------------------------------------------------------------------
def seconds(text: str) -> int:
    """Read 90, 90s, 5m, 2h or 1d."""
    must(re.fullmatch(r"[0-9]{1,9}[smhd]?", text), "a time is written 90, 5m, 2h or 1d")
    return int(text.rstrip("smhd")) * {"m": 60, "h": 3600, "d": DAY_S}.get(text[-1], 1)

class Audit:
    """One verification: what it was given, what it found, what it says."""

    def __init__(self, argv: list[str]) -> None:
        import argparse

        parser = argparse.ArgumentParser("audit-verify", None, __doc__, formatter_class=argparse.RawTextHelpFormatter)
        parser.add_argument("log", metavar="LOG|STATE|BUNDLE")
        for name in ("key", "policy", "tsa", "expect-origin"):
            parser.add_argument(f"--{name}", metavar="FILE")
        for name in ("anchor", "archive", "token"):
            parser.add_argument(f"--{name}", metavar="FILE", action="append", default=[])
        for name in ("json", "version"):
            parser.add_argument(f"--{name}", action="store_true")
        for name, usual in (("max-age", None), ("tail", 60)):
            parser.add_argument(f"--{name}", type=seconds, metavar="TIME", default=usual)
        parser.add_argument("--min-level", choices=LEVELS[1:], default="L1")
        self.asked, self.now, self.walk = parser.parse_args(argv), time.time(), Walk()

    def _read(self, code: str, path: str, reader: Callable[[bytes], Any], *, quiet: bool = False) -> Any:  # noqa: ANN401
        try:
            return reader(read_small(path))
        except (ValueError, LookupError, OSError) as exc:
            if not quiet:
                self.walk.add(Unproven(code, f"{path}: {exc}"))
            return None

    def _anchor(self, path: str, *, own: bool = False) -> None:
        def read(octets: bytes) -> None:
            if octets[:1] == b"{":
                self.walk.anchors.append(read_anchor(octets, path, own=own))
            else:
                self.walk.points.append(self.judge(octets, name=path, given=not own))

        self._read("anchor", path, read, quiet=own and not path.endswith("/anchor") and not self.asked.policy)

    def _gather(self) -> None:
        """Read all that was brought, before the log, so that a live log can only be ahead of it."""
        asked, walk, own = self.asked, self.walk, self.asked.log if os.path.isdir(self.asked.log) else os.devnull
        own_key = f"{own}/keys/first.pub"
        own_key = own_key if os.path.exists(own_key) else f"{own}/keys/seal.pub"
        walk.key = self._read("key", asked.key or own_key, read_key)
        walk.signed = walk.key is not None
        note_key = self._read("note", f"{own}/keys/note.pub", lambda text: NoteKey(text.decode().strip()), quiet=True)
        policy = self._read("policy", asked.policy, Policy) if asked.policy else None
        self.judge = partial(read_checkpoint, policy=policy, own=[note_key] if note_key else [])
        for path in asked.anchor:
            self._anchor(path)
        kept = sorted(os.listdir(f"{own}/witnessed") if os.path.isdir(f"{own}/witnessed") else [])
        notes, tokens = ([f"witnessed/{name}" for name in kept if name.endswith(end)] for end in (".note", ".tsr"))
        for path in [f"{own}/{name}" for name in ("anchor", "checkpoint", *notes[-256:])]:
            if os.path.exists(path):
                self._anchor(path, own=True)
        pinned = self._read("tsa", asked.tsa, lambda octets: read_pem(octets, "CERTIFICATE")) if asked.tsa else []
        for path in [*asked.token, *(f"{own}/{name}" for name in tokens[-16:])] if pinned else ():
            token = self._read("token", path, lambda octets: read_token(octets, pinned), quiet=path not in asked.token)
            walk.tokens += [token] if token else []
        walk.archives = [Database(path) for path in asked.archive]

    def run(self) -> tuple[int, dict[str, Any]]:
        """Verify, and report."""
        walk, path = self.walk, self.asked.log
        path = f"{path}/audit.db" if os.path.isdir(path) else path
        try:
            self._gather()
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    if file.read(20) == BUNDLE[:20]:
                        walk_bundle(walk, read_small(path, 64 << 20), partial(self.judge, name="", given=False))
                        return self._report()
            database = Database(path)
            for row in database.rows():
                walk.take(row)
                if walk.stopped:
                    break
            walk.finish()
            if walk.counts["tampered"] and os.stat(path).st_mtime_ns != database.changed:
                walk.counts["tampered"], walk.stopped = 0, True
                walk.add(Unproven("moved", "the log was written to while it was read: run this again"))
        except (ValueError, OSError) as exc:
            walk.stopped = True
            walk.add(Unproven("unreadable", str(exc)))
        return self._report()

    def _report(self) -> tuple[int, dict[str, Any]]:
        walk, asked, head = self.walk, self.asked, self.walk.last
        header = head.header if head else SimpleNamespace(origin="", height=-1, sealed=0)
        if head and asked.expect_origin not in {None, header.origin}:
            walk.add(Tampered("foreign", f"it belongs to {header.origin}, not {asked.expect_origin}"))
        bundle = walk.broken == NEVER  # which does not grow stale; --max-age asks how long ago it was witnessed
        oldest = 0 if bundle else self.now - (DAY_S if asked.max_age is None else asked.max_age)
        level, witnessed, dated = walk.level(oldest, asked.tail)
        age = self.now - (witnessed["since"] if bundle and witnessed else header.sealed / 1e6)
        if asked.max_age is not None and head and age > asked.max_age:
            walk.add(Unproven("age", f"the head, or its witnesses' word, is {age:.0f} s old"))
        if walk.anchored < 0:
            walk.add(Unproven("anchor", "no anchor was matched (--anchor): the end may have been cut off"))
        if LEVELS.index(level) < LEVELS.index(asked.min_level):
            walk.add(Unproven("level", f"{asked.min_level} was asked for, {level} is proven"))
        code = 1 if walk.counts["tampered"] else 2 if walk.counts["unproven"] else 0
        verdict, weight = (("proven", ""), ("tampered", "tampered"), ("not proven", "unproven"))[code]
        because = next((str(found["because"]) for found in walk.findings if found["weight"] == weight), level)
        return code, {
            "verdict": verdict,
            "summary": f"{verdict}: {because}",
            "level": level,
            "origin": header.origin,
            "blocks": [walk.lowest, header.height] if head else [],
            "entries": walk.entries,
            "head": {"hash": head.digest, "sealed_us": header.sealed, "age_s": age} if head else {},
            "key": walk.key.fingerprint if walk.key else "",
            "anchored_to": None if walk.anchored < 0 else walk.anchored,
            "independent": walk.independent and asked.key is not None,
            "witnessed": witnessed,
            "dated": dated,
            "broken_at": walk.broken if walk.covered < walk.broken < NEVER else None,
            "findings_unlisted": sum(walk.counts.values()) - len(walk.findings),
            "findings": walk.findings,
        }

def main() -> None:
    """Verify, print the report, exit with its code; whatever breaks exits with 2, for Python's own 1 says tampered."""
    sys.excepthook = lambda kind, said, _: (sys.stderr.write(f"NOT PROVEN: {kind.__name__}: {said}\n"), os._exit(2))
    if "--version" in sys.argv:
        sys.exit(print("audit-verify 1"))
    code, said = Audit(sys.argv[1:]).run()
    if "--json" in sys.argv:
        sys.exit(print(json.dumps(said)) or code)
    lines = [f"{said['verdict'].upper()}: {said['summary'].partition(': ')[2]}"]
    lines += [f"  {name:18}{said[name]}" for name in list(said)[2:-1]]
    lines += [f"  {found['weight']}, block {found['height']}: {found['because']}" for found in said["findings"]]
    print(*("".join(one if one.isprintable() else ascii(one)[1:-1] for one in line) for line in lines), sep="\n")
    sys.exit(code)

if __name__ == "__main__":
    main()
