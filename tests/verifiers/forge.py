"""Writes logs, honest and mutilated, from docs/log-format.md alone: it shares no code with any verifier.

Over 400 lines: every clause of the page that a writer can keep or break has its line here.
"""

import base64
import hashlib
import json
import sqlite3
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
SCHEMA = """CREATE TABLE blocks (
    height INTEGER NOT NULL PRIMARY KEY,
    first  INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    hdr    BLOB NOT NULL,
    sig    BLOB NOT NULL,
    rsig   BLOB NOT NULL,
    body   BLOB NOT NULL
) STRICT"""
COLUMNS = ("height", "first", "n", "hdr", "sig", "rsig", "body")
START = 1_790_000_000_000_000
"""Wall clock of the first block, µs."""


def canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(octets: bytes) -> bytes:
    return sha(b"\x00", octets)


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha()
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha(b"\x01", root(leaves[:half]), root(leaves[half:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The inclusion path of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < half:
        return [*path(index, leaves[:half]), root(leaves[half:])]
    return [*path(index - half, leaves[half:]), root(leaves[:half])]


class Key:
    """An RSA key and what the page wants of it."""

    def __init__(self, bits: int = 3072) -> None:
        self.secret = rsa.generate_private_key(65537, bits)
        public = self.secret.public_key()
        self.der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.fingerprint = hashlib.sha256(self.der).hexdigest()
        self.size = bits // 8

    def sign(self, header: bytes) -> bytes:
        return self.secret.sign(b"sealed-log/block/v1\n" + header, PSS, hashes.SHA256())


@cache
def key(number: int) -> Key:
    """One of a few keys, made once: making them is what takes time."""
    return Key()


class Note:
    """A key that signs notes (type 1) or cosigns them (type 4)."""

    def __init__(self, name: str, kind: int) -> None:
        self.name, self.kind = name, kind
        self.secret = Ed25519PrivateKey.generate()
        self.raw = bytes([kind]) + self.secret.public_key().public_bytes(*RAW)
        self.id = sha(name.encode(), b"\n", self.raw)[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(self.raw).decode()}"

    def line(self, text: str, at: int = 0) -> str:
        if self.kind == 1:
            signature = self.secret.sign(text.encode())
        else:
            said = f"cosignature/v1\ntime {at}\n{text}"
            signature = struct.pack(">Q", at) + self.secret.sign(said.encode())
        return f"— {self.name} {base64.b64encode(self.id + signature).decode()}\n"


def checkpoint(origin: str, headers: list[bytes], signers: Iterable[tuple[Note, int]]) -> bytes:
    tree = base64.b64encode(root([leaf(one) for one in headers])).decode()
    text = f"{origin}\n{len(headers)}\n{tree}\n"
    return (text + "\n" + "".join(note.line(text, at) for note, at in signers)).encode()


@dataclass(slots=True, kw_only=True)
class Row:
    height: Any
    first: Any
    n: Any
    hdr: Any
    sig: Any
    rsig: Any
    body: Any

    def values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in COLUMNS)

    @property
    def header(self) -> dict[str, Any]:
        return json.loads(self.hdr)


def split(body: bytes) -> list[bytes]:
    entries, at = [], 0
    while at < len(body):
        (size,) = struct.unpack_from(">I", body, at)
        entries.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    return entries


def joined(entries: Iterable[bytes]) -> bytes:
    return b"".join(struct.pack(">I", len(one)) + one for one in entries)


@dataclass(slots=True, kw_only=True)
class Log:
    """A writer of the format: everything it seals is honest, whatever is done to its rows afterwards."""

    origin: str
    chance: Random
    key: Key
    rows: list[Row] = field(default_factory=list)
    archives: list[list[Row]] = field(default_factory=list)
    ratchet: Ed25519PrivateKey | None = None
    entries: int = 0
    wall: int = START
    mono: int = 1_000_000
    boot: str = "boot-0"
    open: dict[str, str] = field(default_factory=dict)
    sealed_intents: list[str] = field(default_factory=list)

    # ------------------------------------------------------------------------------------------ entries

    def common(self, kind: str, place: int) -> dict[str, Any]:
        return {
            "v": 1,
            "kind": kind,
            "seq": self.entries + place,
            "ts": self.wall,
            "mono": self.mono,
            "boot": self.boot,
            "node": "host-1",
        }

    def entry(self, place: int) -> dict[str, Any]:
        kind = self.chance.choice(["event", "intent", "intent", "outcome", "verdict", "heartbeat", "state", "withheld"])
        if kind == "intent":
            return self.intent(place)
        if kind == "outcome" and self.open:
            of = self.chance.choice(list(self.open))
            return self.common("outcome", place) | {
                "of": of,
                "id": self.open.pop(of),
                "result": "done",
                "because": "done",
                "took_us": 5,
            }
        if kind == "verdict" and self.sealed_intents:
            of = self.chance.choice(self.sealed_intents)
            said = {"of": of, "id": "a", "result": "verified", "because": "seen", "took_us": 7, "harmony_after": 9000}
            return self.common("verdict", place) | said
        if kind == "state":
            moved = {"subject": "agent", "from": "a", "to": "b", "because": 'ünïcode \u2028 \u0001 " \\ / \U0001f600'}
            return self.common("state", place) | moved
        if kind == "withheld":
            named = dict.fromkeys(("corr", "rule", "target", "action", "gate"), "x")
            return self.common("withheld", place) | named | {"because": {"c": self.chance.randbytes(32).hex()}}
        if kind == "heartbeat":
            return self.common("heartbeat", place) | {"harmony": 10000}
        data = {
            "text": "x" * self.chance.randrange(200),
            "n": self.chance.choice([0, -1, 2**53 - 1, 42]),
            "deep": [{"a": None}],
        }
        return self.common("event", place) | {"type": "health.check.done", "data": data}

    def intent(self, place: int) -> dict[str, Any]:
        made = dict.fromkeys(("corr", "generation", "rule", "rules_hash", "actor", "mode"), "x")
        made |= {"id": f"a{self.entries + place}", "action": "restart", "target": "unit:web.service", "because": "down"}
        seen = {"series": "unit.active", "value": "0", "age_us": 12}
        made |= {"params": {}, "step": 0, "attempt": 1, "evidence": [seen], "deadline_us": 5}
        return self.common("intent", place) | made

    # ------------------------------------------------------------------------------------------- blocks

    def tick(self) -> None:
        self.wall += self.chance.randrange(1, 5_000_000)
        self.mono += self.chance.randrange(1, 5_000_000)

    def seal(self, count: int = 1, **how: Any) -> Row:
        """Seal `count` random entries."""
        octets = []
        for place in range(count):
            entry = self.entry(place)
            octets.append(canonical(entry))
            if entry["kind"] == "intent":
                name = leaf(octets[-1]).hex()
                self.open[name] = entry["id"]
                self.sealed_intents.append(name)
        return self.seal_octets(octets, **how)

    def seal_octets(
        self,
        octets: list[bytes],
        *,
        why: str = "commit",
        ratchet: bool = True,
        lost: bool = False,
        turn: Key | None = None,
    ) -> Row:
        """Seal entries: `ratchet` names a next key, `lost` forgets the one in force, `turn` brings a new RSA key."""
        self.tick()
        body = joined(octets)
        secret, self.ratchet = self.ratchet, Ed25519PrivateKey.generate() if ratchet else None
        header = {
            "v": 1,
            "origin": self.origin,
            "height": len(self.rows),
            "first": self.entries,
            "count": len(octets),
            "root": root([leaf(one) for one in octets]).hex(),
            "body": sha(body).hex(),
            "body_len": len(body),
            "prev": sha(self.rows[-1].hdr).hex() if self.rows else "0" * 64,
            "opened": self.wall - 10,
            "sealed": self.wall,
            "mono": self.mono,
            "boot": self.boot,
            "beacon": "",
            "open": len(self.open),
            "next": self.ratchet.public_key().public_bytes(*RAW).hex() if self.ratchet else "",
            "keys": [self.key.fingerprint] + ([turn.fingerprint] if turn else []),
            "why": "restart" if lost and secret else why,
        }
        hdr = canonical(header)
        sig = self.key.sign(hdr) + (turn.sign(hdr) if turn else b"")
        rsig = secret.sign(b"sealed-log/ratchet/v1\n" + hdr) if secret and not lost else b""
        row = Row(height=len(self.rows), first=self.entries, n=len(octets), hdr=hdr, sig=sig, rsig=rsig, body=body)
        self.rows.append(row)
        self.entries += len(octets)
        self.key = turn or self.key
        return row

    def rotate(self, new: Key, trusted_to: int | None = None) -> Row:
        data = {"new": base64.b64encode(new.der).decode(), "fingerprint": new.fingerprint}
        if trusted_to is not None:
            data["trusted_to"] = trusted_to
        entry = self.common("rotate", 0) | {"because": "yearly", "data": data}
        return self.seal_octets([canonical(entry)], why="rotate", turn=new)

    def prune(self, first: int, last: int) -> Row:
        """Take the bodies of some blocks out, into an archive, and seal that this was done."""
        taken = [Row(**{name: getattr(row, name) for name in COLUMNS}) for row in self.rows[first : last + 1]]
        for row in self.rows[first : last + 1]:
            # The first block stays, and what brings a key or says what was pruned.
            row.body = row.body if row.height == 0 or row.header["why"] in {"rotate", "prune"} else b""
        self.archives.append(taken)
        counted = sum(row.n for row in taken)
        said = {"from": first, "to": last, "entries": counted, "sha256": "ab" * 32, "size": 4096, "name": "a.sealed"}
        entry = self.common("prune", 0) | {"because": "retention", "data": said}
        return self.seal_octets([canonical(entry)], why="prune")

    def resign(self, row: Row, header: dict[str, Any], signers: Iterable[Key]) -> None:
        """Give a row another header, signed as the thief of the RSA key would."""
        row.hdr = canonical(header)
        row.sig = b"".join(one.sign(row.hdr) for one in signers)

    @property
    def headers(self) -> list[bytes]:
        return [row.hdr for row in self.rows]

    def anchor(self, height: int = -1) -> bytes:
        row = self.rows[height]
        header = row.header
        said = {
            "v": 1,
            "origin": header["origin"],
            "height": header["height"],
            "count": header["first"] + header["count"],
            "head": sha(row.hdr).hex(),
            "key": header["keys"][0],
            "sealed": header["sealed"],
            "root": "",
        }
        return canonical(said) + b"\n"


def write(file: Path, rows: Iterable[Row], *, page: int = 4096, schema: str = SCHEMA) -> None:
    """Make an SQLite file of rows, with whatever types they hold where the schema lets them in."""
    with_no_types = schema.replace("STRICT", "").replace("NOT NULL", "")
    odd = any(type(value) is not kind for row in rows for value, kind in zip(row.values(), TYPES, strict=True))
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size = {page}")
        connection.execute(f"PRAGMA application_id = {0x48454C31}")
        connection.execute("BEGIN")
        connection.execute(with_no_types if odd else schema)
        marks = ",".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO blocks VALUES ({marks})", [row.values() for row in rows])
        connection.execute("COMMIT")
    finally:
        connection.close()


TYPES = (int, int, int, bytes, bytes, bytes, bytes)


def bundle(
    log: Log, heights: Iterable[int], note: bytes, *, edit: Callable[[dict[str, Any]], Any] = lambda _: None
) -> bytes:
    """A bundle of every entry of some blocks, to one checkpoint."""
    size = int(note.split(b"\n")[1])
    leaves = [leaf(one) for one in log.headers[:size]]
    documents = []
    for height in heights:
        row = log.rows[height]
        entries = split(row.body)
        inner = [leaf(one) for one in entries]
        listed = [
            {"at": at, "octets": b64(one), "path": [b64(step) for step in path(at, inner)]}
            for at, one in enumerate(entries)
        ]
        extra = {"v": 1, "hdr": b64(row.hdr), "sig": b64(row.sig), "rsig": b64(row.rsig), "entries": listed}
        edit(extra)
        lines = ["c2sp.org/tlog-proof@v1", f"extra {b64(canonical(extra))}", f"index {height}"]
        lines += [b64(step) for step in path(height, leaves)]
        documents.append("\n".join(lines).encode() + b"\n\n" + note)
    return b"".join(documents)


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
