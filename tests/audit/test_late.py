"""The ratchet first, RSA after it: acknowledged at once, never long without, and never taken for what it is not."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audit import late
from audit.errors import AuditError, Damaged, DiskFull, Poisoned
from audit.reader import Log
from audit.storage import Store
from audit.verifier import Ask, verify
from audit.writer import Writer


class Gate:
    """A key whose hand is held: it signs when it is let."""

    def __init__(self, key, *, open_at_once: bool = True) -> None:
        self.key, self.public = key, key.public
        self.free = threading.Event()
        self.broken: Exception | None = None
        if open_at_once:
            self.free.set()

    def sign(self, message: bytes) -> bytes:
        assert self.free.wait(20)
        if self.broken is not None:
            raise self.broken
        return self.key.sign(message)


@pytest.fixture
def gate(key):
    made = Gate(key)
    yield made
    made.free.set()


@pytest.fixture
def opened(tmp_path, gate, clock):
    with contextlib.ExitStack() as stack:

        def open_it(**more: object) -> Writer:
            settings = {"node": "n", "signer": gate, "clock": clock, "reserve_bytes": 0, "rsa_later": True, **more}
            writer = Writer.open(tmp_path / "s", **settings)
            stack.callback(writer.close)
            stack.callback(gate.free.set)
            return writer

        yield open_it


def unsigned(folder: Path) -> list[int]:
    with Log.open(folder) as log:
        return [row.height for row in log.rows() if not any(row.sig)]


def report_on(folder: Path, key, tmp_path: Path):
    public = tmp_path / "pinned.pub"
    public.write_bytes(key.public.pem)
    return verify(Ask(log=folder, key=public, deep=True))


def codes(report) -> set[tuple[str, str]]:
    return {
        (finding.weight, finding.code)
        for finding in report.findings
        if finding.weight != "note" and finding.code not in {"level", "anchor"}
    }


def left_by_a_crash(opened, gate, event, blocks: int) -> None:
    """A log whose last blocks have no RSA signature, and whose writer is gone."""
    writer = opened()
    writer.append(event())
    gate.free.clear()
    for number in range(blocks):
        writer.append(event(number))
    threading.Timer(0.05, gate.free.set).start()
    writer.abandon()


def test_a_block_is_acknowledged_before_its_rsa_signature_which_follows(opened, gate, key, tmp_path, event, until):
    writer = opened()
    writer.append(event())
    gate.free.clear()
    receipts = [writer.append(event(number)) for number in range(3)]
    assert unsigned(tmp_path / "s") == [receipt.height for receipt in receipts] == [1, 2, 3]
    report = report_on(tmp_path / "s", key, tmp_path)
    assert (report.exit_code, report.level, codes(report)) == (2, "L0", {("unproven", "due")})
    gate.free.set()
    until(lambda: unsigned(tmp_path / "s") == [])
    assert report_on(tmp_path / "s", key, tmp_path).exit_code == 0
    writer.close()
    assert report_on(tmp_path / "s", key, tmp_path).level == "L2"


def test_the_first_block_and_one_after_a_crash_are_signed_at_once(opened, gate, tmp_path, event):
    writer = opened()
    writer.append(event())
    assert unsigned(tmp_path / "s") == []
    writer.abandon()
    writer = opened()
    writer.append(event())  # says that the ratchet was lost: nothing but RSA vouches for it
    with Log.open(tmp_path / "s") as log:
        assert any(log.row(1).sig)
        assert not log.row(1).rsig


def test_a_close_leaves_nothing_unsigned(opened, gate, tmp_path, key, event):
    writer = opened()
    for number in range(40):
        writer.append(event(number))
    writer.close()
    assert unsigned(tmp_path / "s") == []
    assert report_on(tmp_path / "s", key, tmp_path).exit_code == 0


def test_what_waits_at_a_crash_is_signed_at_the_next_start(opened, gate, key, tmp_path, event):
    left_by_a_crash(opened, gate, event, late.MAX_WAITING - 1)
    assert unsigned(tmp_path / "s") == list(range(1, late.MAX_WAITING))
    assert codes(report_on(tmp_path / "s", key, tmp_path)) == {("unproven", "due")}
    with opened(rsa_later=False):
        assert unsigned(tmp_path / "s") == []
    report = report_on(tmp_path / "s", key, tmp_path)
    assert (report.exit_code, report.entries) == (0, late.MAX_WAITING)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE blocks SET rsig = x'' WHERE height = 3",
        "UPDATE blocks SET rsig = CAST(x'01' || substr(rsig, 2) AS BLOB) WHERE height = 3",
        "UPDATE blocks SET rsig = (SELECT rsig FROM blocks WHERE height = 4) WHERE height = 3",
        "UPDATE blocks SET sig = CAST(x'01' || substr(sig, 2) AS BLOB) WHERE height = 3",
        "UPDATE blocks SET sig = zeroblob(383) WHERE height = 3",
        "UPDATE blocks SET body = CAST(x'01' || substr(body, 2) AS BLOB) WHERE height = 3",
    ],
)
def test_nothing_that_the_ratchet_does_not_vouch_for_is_signed_later(opened, gate, key, tmp_path, event, statement):
    left_by_a_crash(opened, gate, event, 5)
    with contextlib.closing(sqlite3.connect(tmp_path / "s" / "audit.db", isolation_level=None)) as database:
        database.execute("DROP TRIGGER blocks_no_update")
        database.execute(statement)
    assert any(weight == "tampered" for weight, _ in codes(report_on(tmp_path / "s", key, tmp_path)))
    with pytest.raises(Damaged, match="does not verify"):
        opened()
    assert 5 in unsigned(tmp_path / "s")


def test_a_gap_among_the_signed_or_too_many_without_are_refused(opened, gate, tmp_path, event):
    writer = opened()
    for number in range(late.MAX_WAITING + 4):
        writer.append(event(number))
    writer.close()
    path = tmp_path / "s" / "audit.db"
    for wiped in ("height = 60", f"height > {late.MAX_WAITING - 62}"):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("DROP TRIGGER IF EXISTS blocks_no_update")
            database.execute(f"UPDATE blocks SET sig = zeroblob(384) WHERE {wiped}")
        with pytest.raises(Damaged, match="does not verify"):
            opened()


def test_a_block_that_says_the_ratchet_was_lost_is_not_signed_later(opened, gate, tmp_path, event):
    left_by_a_crash(opened, gate, event, 1)
    writer = opened()
    writer.append(event())
    writer.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "s" / "audit.db", isolation_level=None)) as database:
        database.execute("DROP TRIGGER blocks_no_update")
        database.execute("UPDATE blocks SET sig = zeroblob(384) WHERE height = 2")
    with pytest.raises(Damaged, match="does not verify"):
        opened()


def test_a_signature_wiped_out_where_there_is_no_ratchet_is_tampering(opened, key, tmp_path, event):
    writer = opened(fresh=None)
    for number in range(3):
        writer.append(event(number))
    assert unsigned(tmp_path / "s") == []  # without the ratchet nothing waits
    writer.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "s" / "audit.db", isolation_level=None)) as database:
        database.execute("DROP TRIGGER blocks_no_update")
        database.execute("UPDATE blocks SET sig = zeroblob(384) WHERE height = 1")
    assert ("tampered", "due") in codes(report_on(tmp_path / "s", key, tmp_path))


def test_when_many_wait_the_next_one_waits_for_a_signature(opened, gate, tmp_path, event, until):
    writer = opened()
    writer.append(event())
    gate.free.clear()
    for number in range(late.MAX_WAITING):
        writer.append(event(number))
    one_more = writer.submit([event()])
    with pytest.raises(TimeoutError):
        one_more.result(0.1)
    assert len(unsigned(tmp_path / "s")) == late.MAX_WAITING
    gate.free.set()
    assert one_more.result(5)[0].height == late.MAX_WAITING + 1
    until(lambda: unsigned(tmp_path / "s") == [])


def test_a_signer_that_breaks_stops_the_sealing(opened, gate, event, until):
    writer = opened()
    writer.append(event())
    gate.broken = OSError("the token was pulled out")
    writer.append(event())
    until(lambda: writer.poisoned is not None)
    with pytest.raises(Poisoned, match="pulled out"):
        writer.append(event())
    writer.close()


def test_blocks_queued_in_a_hurry_are_all_signed_in_the_end(opened, key, tmp_path, event):
    with opened() as writer:
        futures = [writer.submit([event(number)] * (1 + number % 7)) for number in range(400)]
        for future in futures:
            future.result(20)
    report = report_on(tmp_path / "s", key, tmp_path)
    assert (report.exit_code, report.entries) == (0, sum(1 + number % 7 for number in range(400)))


def test_after_a_change_of_keys_each_block_has_the_signature_of_its_own_time(opened, gate, other_key, tmp_path, event):
    writer = opened()
    writer.append(event())
    gate.free.clear()
    for number in range(60):
        writer.append(event(number))
    threading.Timer(0.1, gate.free.set).start()
    writer.rotate(Gate(other_key), because="it is time")
    for number in range(10):
        writer.append(event(number))
    writer.close()
    assert report_on(tmp_path / "s", gate.key, tmp_path).exit_code == 0


def test_a_signature_that_is_there_is_never_replaced(tmp_path):
    store = Store(tmp_path / "l.db", create=True)
    for height in range(2):
        store.append((height, height, 1, b"hdr", 4, b"rsig", b"body"), None)
    store.sign([(0, b"good")])
    for wrong in ([(1, b"fine"), (0, b"evil")], [(1, b"long one")], [(1, b"x")], [(7, b"none")]):
        with pytest.raises(Poisoned):
            store.sign(wrong)
    kept = store.driver.execute("SELECT sig, hdr, rsig, body FROM blocks").fetchall()
    assert kept == [(b"good", b"hdr", b"rsig", b"body"), (bytes(4), b"hdr", b"rsig", b"body")]
    store.close()


class Paper:
    """Where signatures go in the tests below."""

    def __init__(self) -> None:
        self.written: list[list[int]] = []
        self.trouble: list[Exception] = []

    def sign(self, signatures) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        self.written.append([height for height, _ in signatures])


def test_signatures_are_written_together(clock):
    paper, go, failed = Paper(), threading.Event(), []
    waiting = late.Late(paper, lambda octets: go.wait(5) and octets, clock, failed.append)
    for height in range(40):
        waiting.add(height, b"header")
    go.set()
    waiting.drain()
    waiting.stop(flush=True)
    assert [height for some in paper.written for height in some] == list(range(40))
    assert [len(some) for some in paper.written] == [16, 16, 8]
    assert failed == []


def test_a_full_disk_is_told_and_tried_again(clock):
    paper = Paper()
    waiting = late.Late(paper, lambda octets: octets, clock, lambda _: None)
    paper.trouble = [DiskFull("no space")] * 1000
    waiting.add(0, b"header")
    with pytest.raises(DiskFull):
        waiting.drain()
    tried = len(paper.trouble)
    with pytest.raises(DiskFull):
        waiting.drain()
    assert len(paper.trouble) < tried
    paper.trouble = []
    waiting.drain()
    waiting.stop(flush=True)
    assert paper.written == [[0]]


def test_at_the_end_a_full_disk_is_not_waited_for(clock):
    paper = Paper()
    paper.trouble = [DiskFull("no space")] * 1000
    waiting = late.Late(paper, lambda octets: octets, clock, lambda _: None)
    waiting.add(0, b"header")
    waiting.stop(flush=True)
    assert paper.written == []


CHILD = """
import sys
from pathlib import Path
from audit.writer import Writer
with Writer.open(Path(sys.argv[1]), node="n", rsa_later=True) as writer:
    while True:
        receipt = writer.append({"kind": "event", "type": "a.b", "data": {}})
        print(receipt.seq, receipt.leaf, flush=True)
"""


def test_kill_9_between_the_two_signatures_loses_nothing_acknowledged(tmp_path):
    folder, acknowledged, found_waiting = tmp_path / "s", {}, 0
    environment = {**os.environ, "PYTHONPATH": str(Path(late.__file__).parents[1])}
    for lines in (1, 40, 97, 8, 61, 150):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(lines):
            seq, leaf = child.stdout.readline().split()
            acknowledged[int(seq)] = leaf
        os.kill(child.pid, signal.SIGKILL)
        rest, _ = child.communicate()
        acknowledged |= {int(line.split()[0]): line.split()[1] for line in rest.splitlines() if len(line.split()) == 2}
        waiting = unsigned(folder)
        found_waiting += len(waiting)
        top = max(acknowledged)
        assert len(waiting) <= late.MAX_WAITING
        assert waiting == list(range(waiting[0], waiting[-1] + 1)) if waiting else True
        with Log.open(folder) as log:
            sealed = {one.seq: one.leaf for one in log.entries()}
        assert {seq: sealed.get(seq) for seq in acknowledged} == acknowledged
        assert top in sealed
    assert found_waiting > 0, "no kill fell between two signatures"
    with Writer.open(folder, node="n"):
        pass
    assert unsigned(folder) == []
    assert verify(Ask(log=folder, deep=True)).exit_code == 0


def test_a_log_in_postgresql_is_not_opened_with_it(tmp_path):
    with pytest.raises(AuditError, match="without its RSA signature"):
        Writer.open(tmp_path / "s", node="n", postgres=tmp_path / "dsn", rsa_later=True)
    assert not (tmp_path / "s").exists()
