"""Logs to look at: honest ones, made by the writer, and forged ones, made by somebody who has the key."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from audit import block, canonical, der, merkle
from audit import x509 as pins
from audit.keys import SealingKey
from audit.verifier import Ask, verify
from audit.writer import Writer

HOUR = 3_600_000_000


class FakeClock:
    """A clock that moves by a millisecond at each look, or when told."""

    def __init__(self, boot: str = "boot-1") -> None:
        self.wall = 1_795_162_812_000_000
        self.mono = 98_213_345_123
        self.boot = boot

    def wall_us(self) -> int:
        self.wall += 1000
        self.mono += 1000
        return self.wall

    def mono_us(self) -> int:
        return self.mono

    def boot_id(self) -> str:
        return self.boot

    def wait(self, microseconds: int) -> None:
        self.wall += microseconds
        self.mono += microseconds


def make_intent(name: str = "a1", **changes: object) -> dict[str, object]:
    return {
        "kind": "intent",
        "id": name,
        "corr": "web@program:api/1",
        "action": "restart",
        "target": "program:api",
        "generation": "2201:9821",
        "params": {"grace_ms": 1500},
        "rule": "web",
        "rules_hash": "5f" * 16,
        "step": 0,
        "attempt": 1,
        "actor": "rule:web",
        "because": "http.ok == 0 for 20s",
        "evidence": [{"series": "http.ok", "value": "0", "age_us": 12}],
        "deadline_us": 98_300_000_000,
        "mode": "auto",
        **changes,
    }


def make_outcome(of: str, name: str = "a1", **changes: object) -> dict[str, object]:
    return {"kind": "outcome", "of": of, "id": name, "result": "done", "because": "exit 0", "took_us": 5, **changes}


def make_event(number: int = 0, **data: object) -> dict[str, object]:
    return {"kind": "event", "type": "test.happened", "data": {"number": number, "text": "Grüße ✓", **data}}


@dataclass(frozen=True, kw_only=True)
class Built:
    """A closed log with what an auditor keeps elsewhere."""

    folder: Path
    key: Path
    anchor: Path

    @property
    def db(self) -> Path:
        return self.folder / "audit.db"

    def copy(self, to: Path) -> "Built":
        shutil.copytree(self.folder, to / "state")
        shutil.copytree(self.key.parent, to / "outside")
        return Built(folder=to / "state", key=to / "outside" / "pinned.pub", anchor=to / "outside" / "anchor")

    def edit(self, *statements: str | tuple[str, Sequence[object]]) -> None:
        """Change the file as an attacker would, seat-belts off."""
        connection = sqlite3.connect(self.db, isolation_level=None)
        for trigger in ("blocks_no_update", "blocks_no_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        for statement in statements:
            sql, values = (statement, ()) if isinstance(statement, str) else statement
            connection.execute(sql, values)
        connection.close()


def build(folder: Path, key: SealingKey, *, clock: FakeClock | None = None, node: str = "web-1") -> Built:
    """Write ten blocks: intents with outcomes and a verdict, events, one intent left open."""
    state, outside = folder / "state", folder / "outside"
    outside.mkdir(parents=True)
    anchor, public = outside / "anchor", outside / "pinned.pub"
    public.write_bytes(key.public.pem)
    with Writer.open(
        state, node=node, signer=key, clock=clock or FakeClock(), anchors=[anchor], inline=True, reserve_bytes=0
    ) as writer:
        writer.append({"kind": "lifecycle", "phase": "start"})
        for number in range(3):
            receipt = writer.append(make_intent(f"a{number}"))
            entries = [make_outcome(receipt.leaf, f"a{number}"), make_event(number), make_event(number + 1)]
            writer.submit(entries)
        verdict = {"kind": "verdict", "of": receipt.leaf, "id": "a2", "result": "verified", "because": "ok"}
        writer.append({**verdict, "took_us": 9})
        writer.submit([make_event(number) for number in range(5)])
        writer.append(make_intent("left-open"))
    (state / "keys").mkdir(mode=0o700, exist_ok=True)
    (state / "keys" / "seal.pub").write_bytes(key.public.pem)
    return Built(folder=state, key=public, anchor=anchor)


DDL = (
    "CREATE TABLE blocks (height INTEGER NOT NULL PRIMARY KEY, first INTEGER NOT NULL, n INTEGER NOT NULL, "
    "hdr BLOB NOT NULL, sig BLOB NOT NULL, rsig BLOB NOT NULL, body BLOB NOT NULL) STRICT"
)


class Forge:
    """Seals whatever it is told to, with the real key: what a thief of the key could write."""

    def __init__(self, folder: Path, key: SealingKey) -> None:
        self.folder = folder
        self.key = key
        self.rows: list[tuple[int, int, int, bytes, bytes, bytes, bytes]] = []
        self.previous: block.Header | None = None
        self.digest = block.GENESIS

    def seal(self, entries: Sequence[bytes], raw: Mapping[str, object] | None = None, **changes: object) -> None:
        """Append a block; ``changes`` to the header are sealed too, ``raw`` even where no header could hold them."""
        body = block.join_body(entries)
        previous = self.previous
        header = block.Header(
            origin="forged/1",
            height=previous.height + 1 if previous else 0,
            first=previous.first + previous.count if previous else 0,
            count=len(entries),
            root=merkle.root(merkle.leaf_hashes(entries)).hex(),
            body=sha256(body).hexdigest(),
            body_len=len(body),
            prev=self.digest,
            opened=1_795_162_812_000_000,
            sealed=1_795_162_812_000_000 + len(self.rows),
            mono=1000 + len(self.rows),
            boot="b",
            open=0,
            keys=(self.key.public.fingerprint,),
        )
        header = replace(header, **changes)
        octets = canonical.encode({**asdict(header), **(raw or {})})
        signature = self.key.sign(block.signed_octets(octets))
        self.rows.append((header.height, header.first, header.count, octets, signature, b"", body))
        self.previous, self.digest = header, block.hash_of(octets)

    def event(self, seq: int, **changes: object) -> bytes:
        entry = {**make_event(seq), "v": 1, "seq": seq, "ts": 1, "mono": 1, "boot": "b", "node": "n", **changes}
        return canonical.encode(entry)

    def entry(self, seq: int, fields: Mapping[str, object]) -> bytes:
        return canonical.encode({**fields, "v": 1, "seq": seq, "ts": 1, "mono": 1, "boot": "b", "node": "n"})

    def write(self, ddl: str = DDL) -> Built:
        """Write the file, a pinned key and an anchor at the head."""
        from audit import checkpoint

        state, outside = self.folder / "state", self.folder / "outside"
        state.mkdir(parents=True)
        outside.mkdir()
        connection = sqlite3.connect(state / "audit.db", isolation_level=None)
        connection.execute(ddl)
        connection.executemany("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)", self.rows)
        connection.close()
        (outside / "pinned.pub").write_bytes(self.key.public.pem)
        if self.previous is not None:
            (outside / "anchor").write_bytes(checkpoint.of_header(self.previous, self.digest).encode())
        return Built(folder=state, key=outside / "pinned.pub", anchor=outside / "anchor")


@pytest.fixture(scope="session")
def key() -> SealingKey:
    return SealingKey.generate()


@pytest.fixture(scope="session")
def other_key() -> SealingKey:
    return SealingKey.generate()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def intent() -> Callable[..., dict[str, object]]:
    return make_intent


@pytest.fixture
def outcome() -> Callable[..., dict[str, object]]:
    return make_outcome


@pytest.fixture
def event() -> Callable[..., dict[str, object]]:
    return make_event


@pytest.fixture(scope="session")
def honest_original(tmp_path_factory: pytest.TempPathFactory, key: SealingKey) -> Built:
    return build(tmp_path_factory.mktemp("honest"), key)


@pytest.fixture
def honest(honest_original: Built, tmp_path: Path) -> Built:
    """An honest log of ten blocks, the test's own copy of it."""
    return honest_original.copy(tmp_path / "copy")


@pytest.fixture
def foreign(tmp_path: Path, other_key: SealingKey) -> Built:
    """An honest log of another host, sealed with another key."""
    return build(tmp_path / "foreign", other_key, node="db-1")


@pytest.fixture
def forge(tmp_path: Path, key: SealingKey) -> Forge:
    return Forge(tmp_path / "forged", key)


@pytest.fixture
def rebuild(tmp_path: Path) -> Callable[..., Built]:
    """Build an honest log with any key, as ``honest`` is built."""
    return lambda key, name="rebuilt", **more: build(tmp_path / name, key, **more)


@pytest.fixture
def vectors() -> Path:
    """The published test vectors, which lie beside the checkout."""
    named = os.environ.get("HEALER_VECTORS")
    beside = [parent / "shared" / "vectors" for parent in Path(__file__).resolve().parents]
    for folder in [Path(named)] if named else beside:
        if folder.is_dir():
            return folder
    if os.environ.get("HEALER_REQUIRE_REAL") == "1" or os.environ.get("CI") == "true":
        pytest.fail("the published test vectors are missing: set HEALER_VECTORS")
    pytest.skip("the published test vectors are not beside this checkout (HEALER_VECTORS names their folder)")


def wait_until(true: Callable[[], object], within_s: float = 5.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def until() -> Callable[..., None]:
    return wait_until


# ------------------------------------------------------------------------------------ time-stamp authorities


def make_certificate(subject: str, key, by=None, **changes):
    """Issue a certificate, by itself unless ``by`` (certificate, key) issues it; ``changes`` make it odd."""
    what = {
        "years": (2026, 2036),
        "authority": False,
        "path_length": None,
        "purposes": (ExtendedKeyUsageOID.TIME_STAMPING,),
        "critical": True,
        "usage": True,
        "hash": SHA256(),
        "padding": None,
        "more": (),
        **changes,
    }
    issuer, signer = (by[0].subject, by[1]) if by else (x509.Name.from_rfc4514_string(subject), key)
    first, last = what["years"]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(first, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(last, 1, 1, tzinfo=UTC))
    )
    if what["authority"]:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=what["path_length"]), critical=True)
    if what["usage"] is not None:
        signs = what["usage"] is what["authority"]
        names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
        others = dict.fromkeys((*names, "encipher_only", "decipher_only"), False)
        usage = x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, **others)
        builder = builder.add_extension(usage, critical=True)
    if what["purposes"]:
        builder = builder.add_extension(x509.ExtendedKeyUsage(what["purposes"]), critical=what["critical"])
    for extension, critical in what["more"]:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, what["hash"], rsa_padding=what["padding"])


class Stamper:
    """A time-stamp authority under a root of its own; it signs whatever it is told to."""

    def __init__(self, key=None, **leaf: object) -> None:
        self.root_key, self.key = (
            ec.generate_private_key(ec.SECP384R1()),
            key or ec.generate_private_key(ec.SECP256R1()),
        )
        self.root = make_certificate("CN=Root", self.root_key, authority=True, usage=True, purposes=())
        self.leaf = make_certificate("CN=Stamper,O=Test", self.key, (self.root, self.root_key), **leaf)

    @property
    def roots(self):
        return [pins.parse(self.root.public_bytes(Encoding.DER))]

    @staticmethod
    def info(imprint: bytes, nonce: int | None = 7, *, time: bytes = b"20270102030405.5Z", tail: bytes = b"") -> bytes:
        name = der.encode(0x30, der.oid("2.16.840.1.101.3.4.2.1"), der.NULL)
        parts = [der.integer(1), der.oid("1.2.3.4"), der.encode(0x30, name, der.encode(0x04, imprint)), der.integer(9)]
        parts += [der.encode(0x18, time), der.encode(0x30, der.integer(1), der.encode(0x80, b"\x05"))]
        parts += [der.integer(nonce)] if nonce is not None else []
        return der.encode(0x30, *parts, tail)

    def attributes(self, info: bytes) -> dict[str, bytes]:
        pin = der.encode(0x30, der.encode(0x04, sha256(self.leaf.public_bytes(Encoding.DER)).digest()))
        return {
            "1.2.840.113549.1.9.3": der.oid("1.2.840.113549.1.9.16.1.4"),
            "1.2.840.113549.1.9.4": der.encode(0x04, sha256(info).digest()),
            "1.2.840.113549.1.9.16.2.47": der.encode(0x30, der.encode(0x30, pin)),
        }

    def sign(self, message: bytes) -> tuple[bytes, bytes]:
        if isinstance(self.key, rsa.RSAPrivateKey):
            algorithm = der.encode(0x30, der.oid("1.2.840.113549.1.1.11"), der.NULL)
            return algorithm, self.key.sign(message, padding.PKCS1v15(), SHA256())
        return der.encode(0x30, der.oid("1.2.840.10045.4.3.2")), self.key.sign(message, ec.ECDSA(SHA256()))

    def token(self, imprint: bytes, nonce: int | None = 7, **changes: object) -> bytes:
        """Stamp; ``changes`` replace parts, signed where they are signed."""
        info = changes.get("info") or self.info(imprint, nonce)
        values = {**self.attributes(info), **changes.get("attributes", {})}
        pairs = [der.encode(0x30, der.oid(oid), der.encode(0x31, value)) for oid, value in values.items() if value]
        attributes = b"".join(sorted([*pairs, *changes.get("more", [])]))
        algorithm, signature = self.sign(der.encode(0x31, attributes))
        hashed = der.encode(0x30, der.oid(changes.get("hash", "2.16.840.1.101.3.4.2.1")))
        named = changes.get("leaf", self.leaf)
        sid = der.encode(0x30, named.issuer.public_bytes(), der.integer(named.serial_number))
        signer = der.encode(
            0x30,
            changes.get("signer_version", der.integer(1)),
            changes.get("sid", sid),
            hashed,
            der.encode(0xA0, attributes),
            changes.get("algorithm", algorithm),
            der.encode(0x04, changes.get("signature", signature)),
        )
        bag = b"".join(one.public_bytes(Encoding.DER) for one in changes.get("bag", [self.leaf]))
        kind = der.oid(changes.get("type", "1.2.840.113549.1.9.16.1.4"))
        inner = der.encode(0x30, kind, der.encode(0xA0, der.encode(0x04, changes.get("content", info))))
        signers = der.encode(0x31, *[signer] * changes.get("signers", 1))
        version = changes.get("version", der.integer(3))
        data = der.encode(0x30, version, der.encode(0x31, hashed), inner, der.encode(0xA0, bag), signers)
        content = der.encode(0x30, der.oid("1.2.840.113549.1.7.2"), der.encode(0xA0, data))
        return der.encode(0x30, changes.get("status", der.encode(0x30, der.integer(0))), content)


@pytest.fixture
def certify() -> Callable[..., x509.Certificate]:
    return make_certificate


@pytest.fixture
def stamp_with() -> type[Stamper]:
    """Make another authority."""
    return Stamper


@pytest.fixture(scope="session")
def stamper() -> Stamper:
    return Stamper()


@pytest.fixture
def opened(tmp_path: Path, key: SealingKey, clock: FakeClock) -> Iterator[Callable[..., Writer]]:
    """Open the same log again and again; whatever is still open at the end is closed."""
    with contextlib.ExitStack() as stack:

        def open_it(**more: object) -> Writer:
            settings = {"node": "web 1", "signer": key, "clock": clock, "reserve_bytes": 0, **more}
            folder = settings.pop("folder", tmp_path / "s")
            writer = Writer.open(folder, **settings)
            stack.callback(writer.close)
            return writer

        yield open_it


@pytest.fixture
def proven(tmp_path: Path, key: SealingKey) -> Callable[..., bool]:
    """Whether a log verifies in every respect, under the fixture's key, up to an anchor."""

    def verifies(folder: Path, anchor: Path | None = None) -> bool:
        public = tmp_path / "pinned.pub"
        public.write_bytes(key.public.pem)
        report = verify(Ask(log=folder, key=public, anchors=(anchor,) if anchor else (), deep=True))
        assert report.exit_code == 0, report.text()
        return True

    return verifies


@contextlib.contextmanager
def _small_disk(place: Path, size: str) -> Iterator[Path]:
    """A tmpfs of its own, or a skip with a sentence."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        because = f"cannot mount a small file system: {mounted.stderr.strip()}"
        if os.environ.get("HEALER_REQUIRE_REAL") == "1":
            pytest.fail(because)
        pytest.skip(because)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def small_disk() -> Callable[..., contextlib.AbstractContextManager[Path]]:
    """A file system that is soon full."""
    return _small_disk
