"""A small log with everything in it that a log can have, and all that an auditor can hold against it."""

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from audit import ed25519, heads, timestamp, verifier
from audit.ask import Ask
from audit.ed25519 import Secret
from audit.keys import SealingKey
from audit.note import Kind, Note, Signer
from audit.prune import DAY_US
from audit.report import Report
from audit.signature import PublicKey
from audit.writer import Writer
from tests.audit.conftest import FakeClock, make_event, make_intent, make_outcome

POLICY = "log {log}\nwitness a {a}\nwitness b {b}\nwitness c {c}\ngroup all 2 a b c\nquorum all\n"


class Now:
    """The auditor's clock."""

    def __init__(self, wall_us: int) -> None:
        self.wall = wall_us

    def wall_us(self) -> int:
        return self.wall

    def mono_us(self) -> int:
        return 0

    def boot_id(self) -> str:
        return "auditor"


@dataclass(frozen=True)
class Everything:
    """A closed log, and beside it what the auditor keeps elsewhere."""

    place: Path
    now_us: int

    @property
    def state(self) -> Path:
        return self.place / "state"

    @property
    def db(self) -> Path:
        return self.state / "audit.db"

    @property
    def outside(self) -> Path:
        return self.place / "outside"

    @property
    def archive(self) -> Path:
        return next((self.place / "archives").iterdir())

    def copy(self, to: Path) -> "Everything":
        shutil.copytree(self.place, to)
        return replace(self, place=to)

    def ask(self, **more: object) -> Ask:
        asked = {
            "log": self.state,
            "key": self.outside / "pinned.pub",
            "anchors": (self.outside / "anchor",),
            "policy": self.outside / "policy",
            "tsa": self.outside / "tsa.pem",
            "archives": (self.archive,),
            "min_level": "L4",
            "deep": True,
        }
        return Ask(**{**asked, **more})

    def verify(self, **more: object) -> Report:
        return verifier.verify(self.ask(**more), clock=Now(self.now_us))


def build(
    place: Path, first: SealingKey, second: SealingKey, stamper, *, origin: str = "everything/1", tale: int = 1
) -> Everything:
    """Write it; with another ``tale`` a fork of the same log, which differs from block 2 on."""
    outside, archives, state = place / "outside", place / "archives", place / "state"
    outside.mkdir(parents=True)
    archives.mkdir()
    clock = FakeClock()
    witnesses = [
        Signer(f"w{name}.example", Secret.from_seed(hashlib.sha256(name.encode()).digest()), Kind.COSIGNATURE)
        for name in "abc"
    ]
    (state / "keys").mkdir(mode=0o700, parents=True)
    signer = Signer(origin, Secret.from_seed(hashlib.sha256(origin.encode()).digest()))
    (state / "keys" / heads.PRIVATE).write_text(f"{signer.skey()}\n")
    (outside / "pinned.pub").write_bytes(first.public.pem)
    (outside / "tsa.pem").write_bytes(stamper.root.public_bytes(Encoding.PEM))

    def opened(signer: SealingKey) -> Writer:
        return Writer.open(
            state, node="web-1", origin=origin, signer=signer, clock=clock, inline=True, reserve_bytes=0,
            anchors=[outside / "anchor"], fresh=_secrets(),
        )  # fmt: skip

    writer = opened(first)
    writer.append({"kind": "lifecycle", "phase": "start"})
    leaf = writer.append(make_intent("a1")).leaf
    writer.submit([make_outcome(leaf, "a1"), make_event(tale)]).result()
    clock.wait(2 * DAY_US)
    writer.append({"kind": "heartbeat"})
    writer.abandon()
    writer = opened(first)  # what was lost shows: a restart
    writer.append({"kind": "lifecycle", "phase": "crash-recovered"})
    _cosigned(writer, witnesses[:2], clock)
    done = writer.prune(DAY_US, archives, because="kept for a day")
    assert done is not None
    assert done.dropped
    writer.close()
    clock.wait(2 * DAY_US)  # so that the older checkpoint says nothing of what follows
    writer = opened(first)
    writer.rotate(second, because="yearly", trusted_to=None)
    writer.append(make_intent("left-open"))
    writer.append(make_event(7))
    note = _cosigned(writer, witnesses[1:], clock)
    text = Note.parse(note.read_bytes()).text
    note.with_suffix(".tsr").write_bytes(stamper.token(hashlib.sha256(text.encode()).digest()))
    (outside / "policy").write_text(
        POLICY.format(
            log=writer.heads.vkey, **{name: key.verifier.vkey() for name, key in zip("abc", witnesses, strict=True)}
        )
    )
    writer.heads.sync()
    writer.close()
    return Everything(place, clock.wall_us() + 5_000_000)


def _secrets():
    count = iter(range(1000))
    return lambda: Secret.from_seed(hashlib.sha256(f"ratchet {next(count)}".encode()).digest())


def _cosigned(writer: Writer, witnesses: list[Signer], clock: FakeClock) -> Path:
    unsigned = Note.parse(writer.heads.checkpoint())
    signed = unsigned.plus(one.sign(unsigned.text, clock.wall_us() // 1_000_000) for one in witnesses)
    folder = writer.folder / "witnessed"
    folder.mkdir(exist_ok=True)
    path = folder / f"{int(unsigned.text.split(chr(10))[1]):012}.note"
    path.write_bytes(signed.octets())
    return path


def remember_answers(monkeypatch) -> None:
    """Let each signature be computed once: the same octets get the same answer, and thousands of logs share them."""
    rsa: dict[tuple[bytes, bytes, bytes], bool] = {}
    small: dict[tuple[bytes, bytes, bytes], bool] = {}
    stamps: dict[tuple[bytes, bytes], object] = {}
    verify_rsa, verify_small, check = PublicKey.verify, ed25519.verify, timestamp.check

    def of_rsa(self: PublicKey, sig: bytes, message: bytes) -> bool:
        key = (self.der, sig, message)
        if key not in rsa:
            rsa[key] = verify_rsa(self, sig, message)
        return rsa[key]

    def of_small(*key: bytes) -> bool:
        if key not in small:
            small[key] = verify_small(*key)
        return small[key]

    def of_stamp(token: bytes, imprint: bytes, roots) -> object:
        key = (token, imprint)
        if key not in stamps:
            stamps[key] = check(token, imprint, roots)
        return stamps[key]

    monkeypatch.setattr(timestamp, "check", of_stamp)
    monkeypatch.setattr(PublicKey, "verify", of_rsa)
    monkeypatch.setattr(ed25519, "verify", of_small)
