"""What others remember decides how much is proven: witnesses, time stamps, checkpoints kept elsewhere."""

import contextlib
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from audit import note
from audit.ask import Ask
from audit.ed25519 import Secret
from audit.keys import SealingKey
from audit.note import Kind, Note, Signer
from audit.verifier import verify
from audit.writer import Writer

NOW_S = 1_795_162_812
YEAR_2027_US = 1_798_859_045_500_000 + 1_005_000
"""The stamp's time and its accuracy, one second and five milliseconds."""


class Now:
    """The auditor's clock."""

    def __init__(self, wall_s: float) -> None:
        self.wall = wall_s

    def wall_us(self) -> int:
        return round(self.wall * 1e6)

    def mono_us(self) -> int:
        return 0

    def boot_id(self) -> str:
        return "auditor"


@dataclass
class World:
    """A log in one thread, three witnesses, and what the auditor holds."""

    place: Path
    key: SealingKey
    clock: object
    witnesses: list[Signer]

    @property
    def state(self) -> Path:
        return self.place / "state"

    def write(self, count: int, *, crash: bool = False) -> None:
        writer = Writer.open(self.state, node="web-1", signer=self.key, clock=self.clock, inline=True, reserve_bytes=0)
        for _ in range(count):
            writer.append({"kind": "heartbeat"})
        self.checkpoint = writer.heads.checkpoint()
        self.vkey = writer.heads.vkey
        writer.abandon() if crash else writer.close()

    def cosign(self, *names: int, at: int = NOW_S, keep: bool = True) -> bytes:
        """Let witnesses cosign the checkpoint as it is, and keep it where the agent would."""
        unsigned = Note.parse(self.checkpoint)
        octets = unsigned.plus(self.witnesses[name].sign(unsigned.text, at) for name in names).octets()
        if keep:
            size = int(unsigned.text.split("\n")[1])
            (self.state / "witnessed").mkdir(exist_ok=True)
            (self.state / f"witnessed/{size:012}.note").write_bytes(octets)
        return octets

    @contextlib.contextmanager
    def signing(self):
        """The log's own note key, as a thief would have it."""
        yield note.parse_signer((self.state / "keys/note.key").read_text().strip())

    def policy(self, quorum: str = "group all 2 a b c\nquorum all\n") -> Path:
        lines = [f"log {self.vkey}\n"]
        lines += [f"witness {name} {key.verifier.vkey()}\n" for name, key in zip("abc", self.witnesses, strict=True)]
        path = self.place / "policy"
        path.write_text("".join(lines) + quorum)
        return path

    def verify(self, *, now: float = NOW_S + 5, **more):
        asked = {"log": self.state, "key": self.place / "pinned.pub", "policy": self.policy(), **more}
        return verify(Ask(**asked), clock=Now(now))


@pytest.fixture
def world(tmp_path, key, clock) -> World:
    (tmp_path / "pinned.pub").write_bytes(key.public.pem)
    witnesses = [Signer(f"w{number}.example", Secret.generate(), Kind.COSIGNATURE) for number in range(3)]
    return World(tmp_path, key, clock, witnesses)


def codes(report) -> list[str]:
    return [finding.code for finding in report.findings if finding.weight != "note"]


def test_what_witnesses_signed_and_nobody_can_read_is_told(world):
    world.write(3)
    (world.state / "witnessed").write_text("no folder")
    report = world.verify()
    assert report.exit_code == 0
    assert "what witnesses signed cannot be read" in next(one.because for one in report.findings)


# ---------------------------------------------------------------------------------------- witnessed


def test_a_quorum_proves_l3_and_says_when(world):
    world.write(5)
    world.cosign(0, 1)
    report = world.verify(min_level="L3")
    assert (report.exit_code, report.level, report.witnessed_to, report.witnessed_s) == (0, "L3", 4, NOW_S)
    assert report.independent
    assert "witness   up to block 4" in report.text()


def test_less_than_the_quorum_proves_nothing_more(world):
    world.write(5)
    world.cosign(2)
    report = world.verify()
    assert (report.level, report.witnessed_to) == ("L2", None)
    assert world.verify(min_level="L3").exit_code == 2


def test_the_age_is_that_of_the_newest_quorum(world):
    world.write(5)
    first = Note.parse(world.cosign(0, at=NOW_S - 500, keep=False))
    world.checkpoint = first.octets()
    world.cosign(1, 2, at=NOW_S - 100)
    assert world.verify().witnessed_s == NOW_S - 100, "b and c suffice"
    assert world.verify(max_age_s=99.0).level == "L2"
    assert world.verify(max_age_s=120.0).level == "L3"
    assert world.verify(now=NOW_S + 90_000).level == "L2", "a day, where nothing is said"


def test_a_key_that_the_policy_does_not_name_counts_for_nothing(world):
    world.write(5)
    strangers = [Signer(one.verifier.name, Secret.generate(), Kind.COSIGNATURE) for one in world.witnesses]
    known, world.witnesses = world.witnesses, strangers
    world.cosign(0, 1, 2)
    world.witnesses = known
    assert world.verify().witnessed_to is None


def test_the_log_itself_must_have_signed_what_was_cosigned(world):
    world.write(5)
    text = Note.parse(world.checkpoint).text
    stranger = Signer(world.vkey.split("+")[0], Secret.generate())
    world.checkpoint = Note(text=text, signatures=(stranger.sign(text),)).octets()
    world.cosign(0, 1, 2)
    assert world.verify().witnessed_to is None


def test_a_policy_that_asks_for_nobody_witnesses_nothing(world):
    world.write(5)
    world.cosign(0, 1, 2)
    policy = world.policy("quorum none\n")
    asked = Ask(log=world.state, key=world.place / "pinned.pub", policy=policy)
    assert verify(asked, clock=Now(NOW_S)).witnessed_to is None


def test_a_cut_below_the_witnessed_block_is_seen_also_by_who_has_nothing_but_the_checkpoint(world, tmp_path):
    world.write(3)
    shutil.copytree(world.state, tmp_path / "older")
    world.write(3)
    outside = tmp_path / "mailed.note"
    outside.write_bytes(world.cosign(0, 1))
    older = tmp_path / "older"
    report = world.verify(log=older, checkpoints=(outside,))
    assert (report.exit_code, codes(report)[0]) == (1, "cut")
    kept = world.verify(log=older, policy=None, anchors=(outside,))
    assert (kept.exit_code, codes(kept)[0]) == (1, "cut"), "kept elsewhere, it needs nobody's signature"


def test_a_history_rewritten_below_the_witnessed_block_is_seen(world, tmp_path):
    world.write(6)
    outside = tmp_path / "mailed.note"
    outside.write_bytes(world.cosign(0, 1))
    note_key = (world.state / "keys/note.key").read_bytes()
    origin = world.vkey.split("+")[0]
    shutil.rmtree(world.state)
    (world.state / "keys").mkdir(parents=True, mode=0o700)
    (world.state / "keys/note.key").write_bytes(note_key)
    with Writer.open(
        world.state, node="web-1", origin=origin, signer=world.key, clock=world.clock, inline=True, reserve_bytes=0
    ) as writer:
        for _ in range(8):
            writer.append({"kind": "heartbeat"})
    report = world.verify(checkpoints=(outside,))
    assert (report.exit_code, codes(report)[0]) == (1, "fork")


def test_a_checkpoint_nobody_stands_behind_accuses_nobody(world, tmp_path):
    world.write(4)
    text = f"{world.vkey.split('+')[0]}\n3\n{'A' * 43}=\n"
    stranger = Signer("nobody", Secret.generate())
    lie = tmp_path / "lie.note"
    lie.write_bytes(Note(text=text, signatures=(stranger.sign(text),)).octets())
    assert world.verify(checkpoints=(lie,), anchors=(world.state / "anchor",)).exit_code == 0


def test_without_a_policy_the_log_s_own_key_contradicts_and_vouches_for_nothing(world):
    world.write(4)
    report = world.verify(policy=None)
    assert (report.exit_code, report.witnessed_to, report.independent) == (0, None, False)
    junk = world.state / "witnessed/000000000002.note"
    junk.parent.mkdir()
    junk.write_bytes(b"junk")
    assert world.verify(policy=None).exit_code == 0, "nobody stands behind it"
    with world.signing() as log_key:
        text = f"{world.vkey.split('+')[0]}\n2\n{'A' * 43}=\n"
        junk.write_bytes(Note(text=text, signatures=(log_key.sign(text),)).octets())
    report = world.verify(policy=None)
    assert (report.exit_code, codes(report)) == (1, ["fork"])


def test_a_forged_signature_of_a_known_witness_makes_a_checkpoint_unusable(world):
    world.write(4)
    world.cosign(0, 1)
    path = next((world.state / "witnessed").glob("*.note"))
    whole = Note.parse(path.read_bytes())
    bad = note.Signature(name=whole.signatures[1].name, key_id=whole.signatures[1].key_id, octets=bytes(72))
    path.write_bytes(Note(text=whole.text, signatures=(whole.signatures[0], bad, whole.signatures[2])).octets())
    report = world.verify()
    assert (report.exit_code, report.witnessed_to) == (2, None)
    assert "cannot be used" in report.findings[0].because


def test_the_tail_that_no_witness_has_seen_may_be_short(world):
    world.write(3)
    world.cosign(0, 1)
    world.write(1)
    world.clock.wait(30_000_000)
    world.write(1)
    assert world.verify().level == "L3"
    assert world.verify(tail_s=10.0).level == "L2"
    world.clock.wait(300_000_000)
    world.write(1)
    assert world.verify().level == "L2", "the oldest block beyond it was sealed five minutes before the head"


def test_a_clock_set_back_makes_the_tail_no_shorter(world):
    world.write(1)
    world.cosign(0, 1)
    for _ in range(6):
        world.clock.wait(600_000_000)
        world.write(1)
    world.clock.wall -= 3_600_000_000
    world.write(1)
    assert world.verify().level == "L2", "an hour of blocks that no witness has seen"


# ----------------------------------------------------------------------------------- breaks of the ratchet


def test_a_crash_costs_l2_until_somebody_outside_vouches_for_it(world, tmp_path):
    world.write(3, crash=True)
    world.write(3)
    own = {"policy": None, "anchors": ()}
    report = world.verify(**own)
    assert (report.level, report.broken_at) == ("L1", [3])
    assert "block 3" in "\n".join(report.limits())
    kept = tmp_path / "kept"
    shutil.copy(world.state / "anchor", kept)
    assert world.verify(policy=None, anchors=(kept,)).level == "L2"
    world.cosign(0, 1)
    assert (world.verify().level, world.verify().broken_at) == ("L3", [])


def test_a_log_without_a_ratchet_is_signed_and_no_more(tmp_path, key, clock):
    with Writer.open(
        tmp_path / "s", node="n", signer=key, clock=clock, fresh=None, inline=True, reserve_bytes=0
    ) as writer:
        writer.append({"kind": "heartbeat"})
        writer.append({"kind": "heartbeat"})
    (tmp_path / "pinned.pub").write_bytes(key.public.pem)
    shutil.copy(tmp_path / "s/anchor", tmp_path / "anchor")
    asked = Ask(log=tmp_path / "s", key=tmp_path / "pinned.pub", anchors=(tmp_path / "anchor",))
    assert verify(asked, clock=Now(NOW_S)).level == "L1"


# --------------------------------------------------------------------------------------------- dated


@pytest.fixture
def roots(stamper, tmp_path) -> Path:
    path = tmp_path / "tsa.pem"
    path.write_bytes(stamper.root.public_bytes(Encoding.PEM))
    return path


def test_a_token_beside_a_witnessed_checkpoint_proves_l4(world, stamper, roots):
    world.write(4)
    octets = world.cosign(0, 1)
    imprint = hashlib.sha256(Note.parse(octets).text.encode()).digest()
    (world.state / "witnessed/000000000004.tsr").write_bytes(stamper.token(imprint))
    report = world.verify(tsa=roots, min_level="L4")
    assert (report.exit_code, report.level, report.dated_to, report.dated_us) == (0, "L4", 3, YEAR_2027_US)
    assert "it existed at 2027-01-02" in report.text()
    assert world.verify().level == "L3", "nobody said whose time counts"


def test_a_token_proves_nothing_without_witnesses_but_is_told(world, stamper, roots, tmp_path):
    world.write(4)
    imprint = hashlib.sha256(Note.parse(world.checkpoint).text.encode()).digest()
    (tmp_path / "token").write_bytes(stamper.token(imprint))
    report = world.verify(tsa=roots, tokens=(tmp_path / "token",))
    assert (report.level, report.dated_to) == ("L2", 3)


def test_a_token_of_another_checkpoint_or_authority_dates_nothing(world, stamper, stamp_with, roots):
    world.write(4)
    octets = world.cosign(0, 1)
    imprint = hashlib.sha256(Note.parse(octets).text.encode()).digest()
    beside = world.state / "witnessed/000000000004.tsr"
    for token in (stamper.token(bytes(32)), stamp_with().token(imprint), b"junk", b""):
        beside.write_bytes(token)
        report = world.verify(tsa=roots)
        assert (report.exit_code, report.level, report.dated_to) == (0, "L3", None)


def test_files_that_are_missing_or_nonsense_are_findings_not_crashes(world, tmp_path):
    world.write(3)
    (tmp_path / "junk").write_bytes(b"\xff junk")
    junk = tmp_path / "junk"
    for more in (
        {"policy": junk},
        {"policy": tmp_path / "none"},
        {"tsa": junk},
        {"tsa": tmp_path / "none"},
        {"tokens": (tmp_path / "none",)},
        {"checkpoints": (junk,)},
        {"checkpoints": (tmp_path / "none",)},
        {"anchors": (junk,)},
        {"anchors": (tmp_path / "none",)},
        {"archives": (junk,)},
        {"archives": (tmp_path / "none",)},
    ):
        report = world.verify(**more)
        assert report.exit_code == 2, more


def test_a_range_that_begins_in_the_middle_can_be_witnessed_too(world):
    world.write(9)
    world.cosign(0, 1)
    assert world.verify(since=5).level == "L3"
