"""What an attacker with the machine, a key or a witness might slip past the verifier: thought of, then tried."""

import contextlib
import hashlib
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from audit import block, checkpoint, merkle, ratchet, reader
from audit.ed25519 import Secret
from audit.memory import Memory
from audit.note import Kind, Note, Signer
from audit.reader import Log
from audit.treehead import TreeHead
from audit.verifier import Ask, verify
from tests.audit import everything
from tests.audit.everything import Everything, Now

S = 1_000_000
DAY = 86_400 * S
ORIGIN = "forged/1"
LOG = Signer(ORIGIN, Secret.from_seed(b"l" * 32))
WITNESSES = [
    Signer(f"w{number}.example", Secret.from_seed(bytes([number]) * 32), Kind.COSIGNATURE) for number in range(3)
]


def codes(report, weight: str = "tampered") -> set[str]:
    return {finding.code for finding in report.findings if finding.weight == weight}


class Thief:
    """Has every key, and seals what he likes with ``forge``; he keeps the checkpoints he wants."""

    def __init__(self, forge, place: Path) -> None:
        self.forge, self.place, self.stamps = forge, place, {}

    def block(self, sealed_us: int, secret: Secret | None = None, **changes: object) -> None:
        """Seal one block; ``secret`` signs it for the ratchet."""
        number = len(self.forge.rows)
        self.forge.seal([self.forge.event(number)], sealed=sealed_us, opened=sealed_us, mono=number, **changes)
        if secret is not None:
            row = self.forge.rows[-1]
            self.forge.rows[-1] = (*row[:5], secret.sign(ratchet.signed_octets(row[3])), row[6])

    def note(self, *by: int, at_s: int) -> bytes:
        """Return the checkpoint over all blocks so far, cosigned by these witnesses."""
        leaves = [merkle.leaf_hash(row[3]) for row in self.forge.rows]
        text = TreeHead(origin=ORIGIN, size=len(leaves), root=merkle.root(leaves)).text()
        unsigned = Note(text=text, signatures=(LOG.sign(text),))
        return unsigned.plus(WITNESSES[one].sign(text, at_s) for one in by).octets()

    def verify(
        self,
        notes: dict[int, bytes],
        stamper=None,
        *,
        now_us: int,
        quorum: str = "group all 2 a b c\nquorum all\n",
        **more,
    ):
        built = self.forge.write()
        kept = built.folder / "witnessed"
        kept.mkdir()
        for size, octets in notes.items():
            (kept / f"{size:012}.note").write_bytes(octets)
            if stamper is not None:
                imprint = hashlib.sha256(Note.parse(octets).text.encode()).digest()
                (kept / f"{size:012}.tsr").write_bytes(stamper.token(imprint))
        lines = [f"log {LOG.verifier.vkey()}\n"]
        lines += [f"witness {name} {key.verifier.vkey()}\n" for name, key in zip("abc", WITNESSES, strict=True)]
        (self.place / "policy").write_text("".join(lines) + quorum)
        if stamper is not None:
            (self.place / "tsa.pem").write_bytes(stamper.root.public_bytes(Encoding.PEM))
            more["tsa"] = self.place / "tsa.pem"
        asked = {"log": built.folder, "key": built.key, "policy": self.place / "policy", **more}
        return verify(Ask(**asked), clock=Now(now_us))


@pytest.fixture
def thief(forge, tmp_path) -> Thief:
    return Thief(forge, tmp_path)


@pytest.fixture(scope="module")
def world_original(tmp_path_factory, key, other_key, stamper) -> Everything:
    return everything.build(tmp_path_factory.mktemp("holes") / "w", key, other_key, stamper)


@pytest.fixture
def world(world_original, tmp_path) -> Everything:
    return world_original.copy(tmp_path / "w")


START = 1_795_000_000 * S

# ------------------------------------------------------------------------------------------ headers


@pytest.mark.parametrize("name", ["next", "beacon"])
@pytest.mark.parametrize("value", ["a", "abc", "ab", "ab" * 31, "ab" * 33])
def test_a_key_or_hash_of_another_length_is_tampering_never_a_traceback(thief, name, value):
    """Found as a traceback: a key of an odd number of digits."""
    thief.block(START, **{name: value})
    thief.block(START, Secret.from_seed(b"1" * 32))
    report = thief.verify({}, now_us=START)
    assert report.exit_code == 1
    assert codes(report) >= {"header"}


# ------------------------------------------------------------------------------------------- levels


def test_one_clock_far_ahead_does_not_date_all_that_follows_it(thief, stamper):
    """Found as L4: only the first block beyond the token was held against the head's time."""
    thief.block(START)
    dated = thief.note(0, 1, at_s=START // S)
    thief.block(START + 400 * DAY)
    for day in range(1, 30):
        thief.block(START + day * DAY)
    end = START + 29 * DAY
    last = thief.note(0, 1, at_s=end // S)
    report = thief.verify({1: dated}, stamper, now_us=end)
    assert report.level == "L1", report.text()
    thief.place = thief.place / "again"
    thief.place.mkdir()
    thief.forge.folder = thief.place / "forged"
    assert thief.verify({1: dated, 31: last}, None, now_us=end).level == "L3"


def test_a_dated_beginning_does_not_date_a_month(thief, stamper):
    thief.block(START)
    dated = thief.note(0, 1, at_s=START // S)
    thief.block(START + 400 * DAY)
    for day in range(1, 30):
        thief.block(START + day * DAY)
    end = START + 29 * DAY
    notes = {1: dated, 31: thief.note(0, 1, at_s=end // S)}
    built = thief.verify(notes, None, now_us=end)
    assert built.level == "L3"
    imprint = hashlib.sha256(Note.parse(dated).text.encode()).digest()
    (thief.place / "first.tsr").write_bytes(stamper.token(imprint))
    (thief.place / "tsa.pem").write_bytes(stamper.root.public_bytes(Encoding.PEM))
    asked = Ask(
        log=thief.forge.folder / "state", key=thief.forge.folder / "outside" / "pinned.pub",
        policy=thief.place / "policy", tsa=thief.place / "tsa.pem", tokens=(thief.place / "first.tsr",),
    )  # fmt: skip
    report = verify(asked, clock=Now(end))
    assert (report.level, report.dated_to) == ("L3", 0), report.text()


def test_a_small_step_back_of_the_clock_costs_no_level(thief):
    thief.block(START)
    seen = thief.note(0, 1, at_s=START // S)
    thief.block(START + 2 * S)
    thief.block(START + 1 * S)
    assert thief.verify({1: seen}, now_us=START).level == "L3"


def test_one_witness_below_the_quorum_makes_nothing_fresh_or_witnessed(thief):
    """It says that it saw the log in a thousand years; the other two saw it last month."""
    thief.block(START)
    month = START + 30 * DAY
    seen = thief.note(0, 1, at_s=START // S)
    unsigned = Note.parse(seen)
    lied = unsigned.plus([WITNESSES[2].sign(unsigned.text, 2**40)]).octets()
    assert thief.verify({1: lied}, now_us=month).level == "L1"
    shutil.rmtree(thief.forge.folder)
    alone = Note.parse(thief.note(2, at_s=2**40)).octets()
    report = thief.verify({1: alone}, now_us=month)
    assert (report.level, report.witnessed_to) == ("L1", None)


def test_one_witness_that_signs_twice_is_one_witness(thief):
    thief.block(START)
    note = Note.parse(thief.note(0, at_s=START // S))
    twice = replace(note, signatures=(*note.signatures, WITNESSES[0].sign(note.text, START // S + 1))).octets()
    assert thief.verify({1: twice}, now_us=START).witnessed_to is None


def test_one_witness_that_vouches_for_a_fork_decides_nothing(thief):
    thief.block(START)
    text = TreeHead(origin=ORIGIN, size=1, root=b"x" * 32).text()
    lie = Note(text=text, signatures=(WITNESSES[0].sign(text, START // S),)).octets()
    report = thief.verify({1: lie}, now_us=START, anchors=(thief.forge.folder / "outside" / "anchor",))
    assert report.exit_code == 0, report.text()
    assert report.witnessed_to is None


def test_what_the_log_itself_signed_twice_over_is_a_fork(thief):
    thief.block(START)
    text = TreeHead(origin=ORIGIN, size=1, root=b"x" * 32).text()
    report = thief.verify({1: Note(text=text, signatures=(LOG.sign(text),)).octets()}, now_us=START)
    assert codes(report) == {"fork"}


@pytest.mark.parametrize("value", ["00" * 32, "01" + "00" * 31, "ff" * 32])
def test_a_ratchet_key_that_everybody_can_sign_with_signs_nothing(thief, value):
    thief.block(START, next=value)
    thief.block(START, None)
    row = thief.forge.rows[-1]
    thief.forge.rows[-1] = (*row[:5], bytes.fromhex("01" + "00" * 63), row[6])
    assert codes(thief.verify({}, now_us=START)) == {"ratchet"}


# ------------------------------------------------------------------------------- where the walk begins


def unsigned_at(world: Everything, height: int) -> None:
    with contextlib.closing(reader.sqlite3.connect(world.db, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER IF EXISTS blocks_no_update")
        connection.execute("UPDATE blocks SET sig = ? WHERE height = ?", (os.urandom(384), height))


def test_the_block_to_start_from_is_signed_too(world):
    """Found as L2: the head that the walk starts after was believed, and not one signature was looked at."""
    head = world.state / "anchor"
    unsigned_at(world, 8)
    asked = {"since_head": head, "anchors": (), "policy": None, "tsa": None, "min_level": "L1"}
    report = world.verify(**asked)
    assert report.exit_code == 1, report.text()
    assert codes(report) == {"signature"}


def test_a_poisoned_memory_makes_nothing_proven(world, tmp_path):
    """Whoever can write to the auditor's memory can take it away, and no more."""
    memory = Memory(tmp_path / "memory")
    assert world.verify(memory=memory, incremental=True).exit_code == 0
    assert world.verify(memory=memory, incremental=True).exit_code == 0
    held = memory.path("everything/1")
    octets = held.read_bytes()
    for poison in (b"", b"{}", b"\0" * 5000, octets.replace(b'"height":8', b'"height":7'), octets[:-9]):
        held.write_bytes(poison)
        report = world.verify(memory=memory, incremental=True)
        assert report.exit_code == 1 or (report.exit_code == 0 and report.first == 0), poison
    held.unlink()
    held.mkdir()
    assert world.verify(memory=memory, incremental=True).first == 0
    held.rmdir()
    held.symlink_to(world.state / "anchor")
    report = world.verify(memory=memory, incremental=True, anchors=(), policy=None, min_level="L1")
    assert not report.independent


def test_a_remembered_head_over_unsigned_blocks_is_not_enough(world, tmp_path):
    memory = Memory(tmp_path / "memory")
    with Log.open(world.db) as log:
        row = log.row(8)
    memory.remember(checkpoint.of_header(block.parse_header(row.hdr), block.hash_of(row.hdr)))
    unsigned_at(world, 8)
    assert world.verify(memory=memory, incremental=True, min_level="L1").exit_code == 1


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("start", range(1, 9))
def test_every_later_start_proves_no_more_than_the_beginning(world, start, flat):
    honest = world.verify(flat=flat, deep=not flat)
    report = world.verify(since=start, flat=flat, deep=not flat)
    assert (report.exit_code, report.level, report.first, report.last) == (0, "L4", start, 8), report.text()
    assert report.head == honest.head
    unsigned_at(world, start)
    assert world.verify(since=start, flat=flat).exit_code == 1
    if start > 1:
        unsigned_at(world, start - 1)
        assert world.verify(flat=flat).exit_code == 1


def test_the_old_key_signs_nothing_after_it_was_handed_over(forge, key, other_key):
    """Not even where the walk begins after the change, and an anchor from after it is at hand."""
    # The anchor lies within the range: whoever has the old key cannot meet it.
    forge.seal([forge.event(0)])
    forge.seal([forge.event(1)], keys=(other_key.public.fingerprint,))
    built = forge.write()
    assert codes(verify(Ask(log=built.db, key=built.key, anchors=(built.anchor,), since=1))) == {"rekeyed"}


# ----------------------------------------------------------------------------- prune, rotate, restart


def prune_entry(forge, seq: int, first: int, last: int) -> bytes:
    data = {"from": first, "to": last, "entries": 1, "sha256": "0" * 64, "size": 1, "name": "x.sealed"}
    return forge.entry(seq, {"kind": "prune", "because": "old", "data": data})


def test_the_first_block_is_never_pruned_whatever_an_order_says(forge):
    """Found as proven: the body of block 0 was gone, and a sealed order covered it."""
    for number in range(3):
        forge.seal([forge.event(number)])
    forge.seal([prune_entry(forge, 3, 0, 1)], why="prune")
    forge.rows[0] = (*forge.rows[0][:6], b"")
    built = forge.write()
    report = verify(Ask(log=built.db, key=built.key, anchors=(built.anchor,)))
    assert codes(report) == {"pruned"}, report.text()


def test_an_order_is_never_pruned_whatever_a_later_one_says(forge):
    """Found as proven: an order's own body was gone, and a later order covered it and all that it covered."""
    for number in range(3):
        forge.seal([forge.event(number)])
    forge.seal([prune_entry(forge, 3, 1, 2)], why="prune")
    forge.seal([prune_entry(forge, 4, 1, 3)], why="prune")
    for height in (1, 2, 3):
        forge.rows[height] = (*forge.rows[height][:6], b"")
    built = forge.write()
    report = verify(Ask(log=built.db, key=built.key, anchors=(built.anchor,)))
    assert codes(report) == {"pruned"}, report.text()


def test_a_key_is_never_pruned_whatever_an_order_says(world):
    with contextlib.closing(reader.sqlite3.connect(world.db, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER IF EXISTS blocks_no_update")
        connection.execute("UPDATE blocks SET body = X'' WHERE height = 6")
    assert codes(world.verify()) == {"pruned"}


def test_an_order_to_come_covers_nothing(forge):
    forge.seal([forge.event(0)])
    forge.seal([prune_entry(forge, 1, 0, 0)], why="prune")
    forge.seal([forge.event(2)])
    forge.rows[2] = (*forge.rows[2][:6], b"")
    built = forge.write()
    assert codes(verify(Ask(log=built.db, key=built.key, anchors=(built.anchor,)))) == {"body"}


# ------------------------------------------------------------------------------------------- races


def test_a_log_that_moves_for_ever_has_no_level(world, monkeypatch):
    """Found as L2 beside its own findings: nothing that is half-written is proven."""
    monkeypatch.setattr(Log, "moved", lambda _self: True)
    unsigned_at(world, 3)
    report = world.verify(min_level="L0")
    assert (report.exit_code, report.level) == (2, "none")


def test_a_log_replaced_while_it_is_read_is_one_or_the_other(world, tmp_path, key, other_key, stamper):
    """Nothing is ever put together of both."""
    other = everything.build(tmp_path / "fork", key, other_key, stamper, tale=2)
    honest, forged = world.db.read_bytes(), other.db.read_bytes()
    stop = threading.Event()

    def swap() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            new = world.place / f"new-{number % 4}"
            new.write_bytes(forged if number % 2 else honest)
            new.replace(world.db)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        reports = [world.verify() for _ in range(40)]
    finally:
        stop.set()
        thread.join()
    world.db.write_bytes(honest)
    expected = world.verify()
    for report in reports:
        assert report.exit_code != 0 or report.head == expected.head
        assert report.exit_code in {0, 1, 2}


def test_a_policy_with_a_name_that_is_no_text_is_a_sentence(world):
    """Found as a traceback: a policy's lines are octets, a key's name is hashed as text."""
    policy = world.outside / "policy"
    policy.write_bytes(policy.read_bytes().replace(b"log everything", b"log \xe5verything"))
    report = world.verify()
    assert report.exit_code == 2
    assert "policy" in codes(report, "unproven")


@pytest.mark.parametrize("trouble", [reader.sqlite3.OperationalError("disk I/O error"), MemoryError()])
def test_a_disk_that_fails_or_no_memory_is_no_tampering(world, monkeypatch, trouble):
    """Found as tampered: the anchor lay above the last block that could be read, so that the log seemed cut."""
    rows = Log.rows

    def some(self: Log, *about: object):
        for row in rows(self, *about):
            if row.height == 5:
                with reader._readable():
                    raise trouble
            yield row

    monkeypatch.setattr(Log, "rows", some)
    report = world.verify(min_level="L0")
    assert (report.exit_code, report.level, report.last) == (2, "none", 4), report.text()


# ---------------------------------------------------------------------------------------- symlinks


def test_what_only_looks_as_if_it_lay_elsewhere_is_not_independent(world, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "pinned.pub").symlink_to(world.state / "keys" / "first.pub")
    (linked / "anchor").symlink_to(world.state / "anchor")
    shutil.copy(world.outside / "pinned.pub", world.state / "keys" / "first.pub")
    (linked / "log").symlink_to(world.state)
    for log in (world.state, linked / "log", world.db):
        report = verify(Ask(log=log, key=linked / "pinned.pub", anchors=(linked / "anchor",)), clock=Now(world.now_us))
        assert not report.independent, log


def test_many_checkpoints_do_not_slow_each_block_down(thief):
    """Found as minutes: each block was held against every witnessed checkpoint met before it."""
    from audit.outside import Outside, Witnessing
    from audit.report import Report
    from audit.testimony import Given

    for number in range(3):
        thief.block(START + number * 40 * S)
    with Log.open(thief.forge.write().db) as log:
        rows = [(block.parse_header(row.hdr), row.hdr) for row in log.rows()]
    outside = Outside(thief.place, Given(), Report(log="", flat=False, deep=False))
    outside.witnessings = [Witnessing(height=-1, since_s=0) for _ in range(4096)]
    for header, octets in rows:
        outside.see(header, octets, "")
    touched = sum(one.beyond_us != outside.witnessings[0].beyond_us for one in outside.witnessings)
    assert touched == 1, "only the newest is looked at"
    assert outside.witnessed(80.0, 0)
    assert not outside.witnessed(79.0, 0)
