"""Sealing: nothing acknowledged is ever lost, nothing begins anew by itself."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audit import canonical, checkpoint, keys
from audit import writer as writer_module
from audit.errors import AuditError, Busy, Damaged, DiskFull, KeyRefused, Malformed, Poisoned, RolledBack, Unreadable
from audit.reader import Log
from audit.verifier import Ask, verify
from audit.writer import Writer


@pytest.fixture
def opened(tmp_path, key, clock):
    """Open the same log again and again; whatever is still open at the end is closed."""
    with contextlib.ExitStack() as stack:

        def open_it(**more: object) -> Writer:
            settings = {"node": "web 1", "signer": key, "clock": clock, "reserve_bytes": 0, **more}
            folder = settings.pop("folder", tmp_path / "s")
            writer = Writer.open(folder, **settings)
            stack.callback(writer.close)
            return writer

        yield open_it


def proven(folder: Path, key, tmp_path: Path, anchor: Path | None = None) -> bool:
    public = tmp_path / "pinned.pub"
    public.write_bytes(key.public.pem)
    report = verify(Ask(log=folder, key=public, anchors=(anchor,) if anchor else (), deep=True))
    assert report.exit_code == 0, report.text()
    return True


@pytest.mark.parametrize("inline", [True, False])
def test_what_is_sealed_verifies_also_after_a_restart(opened, tmp_path, key, intent, outcome, event, inline):
    with opened(inline=inline) as writer:
        receipt = writer.append(intent())
        assert (receipt.seq, receipt.height) == (0, 0)
        assert writer.open_intents == (receipt.leaf,)
        first, second = writer.submit([outcome(receipt.leaf), event()]).result()
        assert (first.seq, second.seq, first.height, first.header) == (1, 2, 1, second.header)
        assert writer.head.height == 1
        assert writer.head.head == first.header
        assert writer.open_intents == ()
    with opened(inline=inline) as writer:
        assert (writer.caught_up, writer.rollback, writer.notes) == (False, "", ())
        assert writer.origin.startswith("web-1/")
        assert writer.append(event()).seq == 3
    assert proven(tmp_path / "s", key, tmp_path)


def test_the_first_start_makes_a_key_that_is_kept(tmp_path, event):
    with Writer.open(tmp_path / "s", node="n") as writer:
        writer.append(event())
        fingerprint = writer.public.fingerprint
    assert keys.load(tmp_path / "s" / "keys").public.fingerprint == fingerprint
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    with Writer.open(tmp_path / "s", node="n") as writer:
        assert writer.public.fingerprint == fingerprint
    assert verify(Ask(log=tmp_path / "s", deep=True)).exit_code == 0


def test_the_first_block_is_acknowledged_only_with_its_anchor(opened, tmp_path, event):
    writer = opened()
    receipt = writer.append(event())
    assert checkpoint.read(tmp_path / "s" / "anchor").head == receipt.header
    writer.abandon()


def test_anchors_follow_within_a_second(opened, tmp_path, event, until):
    elsewhere = tmp_path / "elsewhere"
    with opened(anchors=[elsewhere]) as writer:
        for number in range(20):
            receipt = writer.append(event(number))
        for path in (elsewhere, tmp_path / "s" / "anchor"):
            until(lambda path=path: checkpoint.read(path).head == receipt.header, within_s=1.0)
        writer.append(event())
        writer.flush_anchors()
        assert checkpoint.read(elsewhere) == writer.head
        assert writer.anchor_problems == ()


def test_an_anchor_out_of_reach_stops_nothing(opened, tmp_path, event):
    with opened(anchors=[tmp_path / "gone" / "a"], inline=True) as writer:
        writer.append(event())
        assert "gone" in writer.anchor_problems[0]


def test_whatever_queues_during_a_commit_makes_one_block(opened, tmp_path, key, event):
    gate, signing = threading.Event(), threading.Event()

    class SlowSigner:
        public = key.public

        def sign(self, message: bytes) -> bytes:
            signing.set()
            gate.wait(5)
            return key.sign(message)

    with opened(signer=SlowSigner()) as writer:
        first = writer.submit([event()])
        assert signing.wait(5)
        rest = [writer.submit([event(number), event(number)]) for number in range(50)]
        gate.set()
        assert first.result()[0].height == 0
        receipts = [receipt for future in rest for receipt in future.result()]
    assert {receipt.height for receipt in receipts} == {1}
    assert [receipt.seq for receipt in receipts] == list(range(1, 101))
    assert proven(tmp_path / "s", key, tmp_path)


def test_large_groups_are_cut_into_blocks(opened, tmp_path, key, event):
    with opened() as writer:
        futures = [writer.submit([event(number, text="x" * 60_000) for number in range(10)]) for _ in range(5)]
        futures += [writer.submit([event(number) for number in range(3000)]) for _ in range(3)]
        heights = {receipt.height for future in futures for receipt in future.result()}
    assert len(heights) >= 4
    assert proven(tmp_path / "s", key, tmp_path)


def test_bad_entries_are_refused_and_cost_no_number(opened, tmp_path, key, event, outcome, intent):
    with opened() as writer:
        for bad in ([], [event()] * 4097, [{"kind": "late"}], [event(x=1.5)], [{**event(), "data": 5}]):
            with pytest.raises(Malformed):
                writer.submit(bad)
        for future in (
            writer.submit([outcome("ab" * 32)]),
            writer.submit([intent("ok"), outcome("ab" * 32)]),
            writer.submit([event(text="x" * 70_000)]),
            writer.submit([event(text="\ud800")]),
            writer.submit([event(text="x" * 60_000)] * 80),
        ):
            with pytest.raises(Malformed):
                future.result()
        receipt = writer.append(intent())
        assert receipt.seq == 0
        assert writer.open_intents == (receipt.leaf,)
        closing = [writer.submit([outcome(receipt.leaf)]), writer.submit([outcome(receipt.leaf)])]
        closing[0].result()
        with pytest.raises(Malformed, match="not an open intent"):
            closing[1].result()
    assert proven(tmp_path / "s", key, tmp_path)


def test_the_caller_may_give_the_times_but_not_number_node_or_version(opened, event):
    with opened() as writer:
        given = {**event(), "ts": 5, "mono": 6, "boot": "mine", "seq": 99, "node": "liar", "v": 7}
        writer.append(given)
        writer.append(event())
    with Log.open(writer.folder) as log:
        first, second = (json.loads(sealed.octets) for sealed in log.entries())
    assert (first["ts"], first["mono"], first["boot"]) == (5, 6, "mine")
    assert (first["seq"], first["node"], first["v"]) == (0, "web 1", 1)
    assert second["boot"] == "boot-1"


@pytest.mark.parametrize(
    ("kinds", "why"),
    [(["heartbeat"], "heartbeat"), (["prune"], "prune"), (["heartbeat", "gap"], "commit"), (["event"], "commit")],
)
def test_the_header_says_why(opened, kinds, why, event):
    made = {"heartbeat": {"kind": "heartbeat"}, "event": event()}
    entries = [made.get(kind, {"kind": kind, "because": "test"}) for kind in kinds]
    with opened(inline=True) as writer:
        writer.submit(entries)
    with Log.open(writer.folder) as log:
        assert json.loads(log.row(0).hdr)["why"] == why


def test_a_clock_that_falls_does_not_make_a_log_that_lies(opened, tmp_path, key, clock, event):
    with opened(inline=True) as writer:
        writer.append(event())
        clock.mono -= 10_000_000
        writer.append(event())
    assert proven(tmp_path / "s", key, tmp_path)


def test_a_future_cancelled_by_its_owner_harms_nobody(opened, event):
    with opened() as writer:
        for _ in range(20):
            writer.submit([event()]).cancel()
        assert writer.append(event()).seq == 20


# ------------------------------------------------------------------------------------ one writer


def test_a_second_writer_is_refused(opened):
    writer = opened()
    with pytest.raises(Busy, match=f"process {os.getpid()}"):
        opened()
    writer.close()
    writer.close()
    opened()


def test_two_writers_with_one_anchor_stop(opened, tmp_path, event):
    shared = tmp_path / "shared"
    with opened(anchors=[shared], inline=True) as writer:
        writer.append(event())
    shutil.copytree(tmp_path / "s", tmp_path / "clone")
    one = opened(anchors=[shared], inline=True)
    two = opened(folder=tmp_path / "clone", anchors=[shared], inline=True)
    one.append(event(1))
    two.append(event(2))
    with pytest.raises(Poisoned, match="moved to height 1 by another writer"):
        two.append(event(3))
    assert one.append(event(4)).height == 2


# -------------------------------------------------------------------------- lost, emptied, rolled back


def written(opened, event, **more):
    with opened(inline=True, **more) as writer:
        for number in range(5):
            writer.append(event(number))
    return writer.folder


def test_a_missing_log_is_never_recreated(opened, event):
    folder = written(opened, event)
    (folder / "audit.db").unlink()
    with pytest.raises(Damaged, match="its anchor is there"):
        opened()
    assert not (folder / "audit.db").exists()


def test_an_empty_file_in_place_of_the_log_is_refused(opened, event):
    folder = written(opened, event)
    (folder / "audit.db").write_bytes(b"")
    with pytest.raises(Damaged, match="missing or empty"):
        opened()


def test_a_key_without_its_log_is_refused(tmp_path):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0):
        pass
    (tmp_path / "s" / "audit.db").unlink()
    with pytest.raises(Damaged, match="its key is there"):
        Writer.open(tmp_path / "s", node="n")


def test_a_log_without_its_key_is_refused(tmp_path, event):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0) as writer:
        writer.append(event())
    (tmp_path / "s" / "keys" / "seal.pem").unlink()
    for anchor_too in (False, True):
        if anchor_too:
            (tmp_path / "s" / "anchor").unlink()
        with pytest.raises(KeyRefused, match="the log is not empty"):
            Writer.open(tmp_path / "s", node="n")
    assert not keys.exists(tmp_path / "s" / "keys")


def test_emptied_rows_are_refused(opened, event):
    import sqlite3

    folder = written(opened, event)
    connection = sqlite3.connect(folder / "audit.db", isolation_level=None)
    connection.execute("DROP TRIGGER blocks_no_delete")
    connection.execute("DELETE FROM blocks")
    connection.close()
    with pytest.raises(Damaged, match="emptied"):
        opened()


def test_a_first_start_that_crashed_begins_again(tmp_path, event):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0):
        pass
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0) as writer:
        assert writer.head is None
        writer.append(event())


def test_garbage_in_place_of_the_log_is_refused(opened, event):
    folder = written(opened, event)
    (folder / "audit.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(Damaged):
        opened()
    assert (folder / "audit.db").read_bytes() == b"garbage" * 1000


def test_another_name_for_the_same_log_is_refused(opened, event):
    written(opened, event, origin="mine/1")
    with pytest.raises(Damaged, match="mine/1, not yours/1"):
        opened(origin="yours/1")
    with pytest.raises(Malformed, match="cannot name a log"):
        opened(folder=opened().folder.parent / "t", origin="a b")


def test_a_rolled_back_log_seals_nothing_until_somebody_accepts_it(opened, tmp_path, key, event):
    folder = written(opened, event)
    shutil.copytree(folder, tmp_path / "snapshot")
    with opened(inline=True) as writer:
        writer.append(event(99))
        later = checkpoint.read(folder / "anchor")
    shutil.copyfile(tmp_path / "snapshot" / "audit.db", folder / "audit.db")
    with opened() as writer:
        assert "remembers block 5, the log ends at block 4" in writer.rollback
        with pytest.raises(RolledBack):
            writer.append(event())
    assert checkpoint.read(folder / "anchor") == later, "closing must not overwrite the evidence"
    with opened(inline=True) as writer:
        receipt = writer.accept_rollback(who="anna", because="restored the disk")
        assert writer.rollback == ""
        writer.append(event())
    with Log.open(folder) as log:
        gap = json.loads(next(log.entries(receipt.height)).octets)
    assert (gap["kind"], gap["data"]["who"]) == ("gap", "anna")
    assert "remembers block 5" in gap["data"]["rollback"]
    assert proven(folder, key, tmp_path)


def test_a_log_ahead_of_its_anchor_is_caught_up(opened, tmp_path, key, event):
    folder = written(opened, event)
    old = (folder / "anchor").read_bytes()
    with opened(inline=True) as writer:
        writer.append(event())
    (folder / "anchor").write_bytes(old)
    with opened() as writer:
        assert writer.caught_up
        assert writer.rollback == ""
        writer.append(event())
    assert proven(folder, key, tmp_path)


def test_an_abandoned_writer_leaves_a_log_that_verifies(opened, tmp_path, key, event):
    for inline in (True, False):
        writer = opened(inline=inline)
        writer.append(event())
        writer.abandon()
        with pytest.raises(Poisoned):
            writer.append(event())
    with opened() as writer:
        assert writer.head.height == 1
    assert proven(tmp_path / "s", key, tmp_path)


# ------------------------------------------------------------------------------------ things that fail


def test_a_failed_commit_poisons_the_writer_for_good(opened, tmp_path, key, event):
    writer = opened()
    writer.append(event())
    writer._store.driver.execute("CREATE TRIGGER t BEFORE INSERT ON blocks BEGIN SELECT RAISE(ABORT, 'broken'); END")
    future = writer.submit([event()])
    with pytest.raises(Poisoned, match="broken"):
        future.result()
    with pytest.raises(Poisoned, match="broken"):
        writer.submit([event()])
    assert writer.poisoned is not None
    writer._store.driver.execute("DROP TRIGGER t")
    writer.close()
    with opened() as again:
        assert again.append(event()).seq == 1
    assert proven(tmp_path / "s", key, tmp_path)


def test_everything_queued_behind_a_failed_commit_fails(opened, key, event):
    gate = threading.Event()

    class BrokenSigner:
        public = key.public

        def sign(self, _message: bytes) -> bytes:
            gate.wait(5)
            raise RuntimeError("token gone")

    writer = opened(signer=BrokenSigner())
    futures = [writer.submit([event()]) for _ in range(10)]
    gate.set()
    for future in futures:
        with pytest.raises(Poisoned, match="token gone"):
            future.result()


def test_a_bug_in_the_machinery_fails_its_callers_rather_than_hanging_them(opened, event, monkeypatch):
    writer = opened()

    def fail(*_args):
        raise ZeroDivisionError

    monkeypatch.setattr(writer_module.group.merkle, "root", fail)
    with pytest.raises(Poisoned, match="ZeroDivisionError"):
        writer.append(event())


def test_a_queue_that_grows_without_end_is_refused(opened, event, monkeypatch):
    monkeypatch.setattr(writer_module, "MAX_WAITING", 5)
    writer = opened()
    with pytest.raises(DiskFull, match="cannot keep up"):
        writer.submit([event()] * 6)


def test_a_full_disk_lets_only_the_reserve_through(opened, tmp_path, key, event):
    writer = opened(reserve_bytes=1 << 20, inline=True)
    writer.append(event())
    store, real = writer._store, writer._store.append
    reserve = tmp_path / "s" / "audit.reserve"

    def full_until_the_reserve_is_gone(row, signature):
        if reserve.exists():
            raise DiskFull("no space is left for the log")
        real(row, signature)

    store.append = full_until_the_reserve_is_gone
    writer._reserve.rebuild = lambda: False
    with pytest.raises(DiskFull):
        writer.append(event())
    assert writer.full
    assert not reserve.exists()
    with pytest.raises(DiskFull, match="free space"):
        writer.append(event())
    assert writer.append(event(), reserve=True).seq == 1
    del writer._reserve.rebuild
    store.append = real
    assert writer.append(event()).seq == 2
    assert not writer.full
    assert reserve.exists()
    writer.close()
    assert proven(tmp_path / "s", key, tmp_path)


def test_a_full_disk_after_the_reserve_fails_even_the_reserved(opened, event):
    writer = opened(reserve_bytes=1 << 20, inline=True)

    def full(_row, _signature):
        raise DiskFull("no space is left for the log")

    writer._store.append = full
    writer._reserve.rebuild = lambda: False
    for _ in range(2):
        with pytest.raises(DiskFull):
            writer.append(event(), reserve=True)
    assert writer.poisoned is None


@pytest.mark.parametrize(("error", "held"), [(DiskFull, True), (DiskFull, False), (Poisoned, True)])
def test_a_commit_that_fails_under_way_takes_its_followers_with_it(opened, tmp_path, key, event, error, held):
    """While one block is on its way to the disk the next is made upon it: it must not outlive the first."""
    writer = opened(reserve_bytes=1 << 20)
    writer.append(event())
    gate, real, failures = threading.Event(), writer._store.append, iter([True])
    writer._reserve.rebuild = lambda: False
    writer._reserve.held = held

    def fail_once(row, signature):
        gate.wait(5)
        if next(failures, False):
            raise error("the disk says no")
        real(row, signature)

    writer._store.append = fail_once
    first = [writer.submit([event(number)], reserve=number % 2 == 0) for number in range(4)]
    second = [writer.submit([event()] * 3000, reserve=True) for _ in range(3)]
    third = [writer.submit([event()] * 3000) for _ in range(3)]
    gate.set()
    done = [future for future in first + second + third if future.exception() is None]
    if error is Poisoned:
        assert done == []
    else:
        assert writer.full
        assert set(done) <= {future for number, future in enumerate(first) if number % 2 == 0} | set(second)
        assert set(second) & set(done)
        assert not set(third) & set(done)
    seqs = [receipt.seq for future in done for receipt in future.result()]
    assert seqs == list(range(1, len(seqs) + 1))
    writer.close()
    assert proven(tmp_path / "s", key, tmp_path)


@contextlib.contextmanager
def small_disk(place, size):
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


@pytest.mark.real
@pytest.mark.parametrize("left", [0, 4096, 12288])
def test_a_log_cannot_begin_on_a_full_disk_and_says_so(tmp_path, key, left):
    with small_disk(tmp_path / "small", "1m") as place:
        (place / "filler").write_bytes(bytes((1 << 20) - left))
        with pytest.raises(AuditError, match=r"no space is left|disk I/O error") as told:
            Writer.open(place, node="n", signer=key)
        assert "backup" not in told.value.hint
        (place / "filler").unlink()
        Writer.open(place, node="n", signer=key).close()  # nothing was spoilt, and no lock stayed behind


@pytest.mark.real
def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path, key):
    with small_disk(tmp_path / "small", "1m") as place:
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        with pytest.raises(Unreadable, match="Read-only file system"):
            Writer.open(place, node="n", signer=key)
    (tmp_path / "file").touch()
    with pytest.raises(Unreadable, match="Not a directory"):
        Writer.open(tmp_path / "file" / "state", node="n", signer=key)


@pytest.mark.real
def test_a_really_full_disk(tmp_path, key, event):
    """A tmpfs of 8 MiB, filled to the brim while the log is being written."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        because = f"cannot mount a small file system: {mounted.stderr.strip()}"
        if os.environ.get("HEALER_REQUIRE_REAL") == "1":
            pytest.fail(because)
        pytest.skip(because)
    try:
        with Writer.open(place / "s", node="n", signer=key, reserve_bytes=2 << 20) as writer:
            receipt = writer.append(event())
            filler = place / "filler"
            with contextlib.suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(bytes(65_536))
                    file.flush()
            futures = [writer.submit([event(text="x" * 2000)]) for _ in range(4000)]
            with pytest.raises(DiskFull):
                futures[-1].result()
            assert writer.full
            reserved = writer.append(event(), reserve=True)
            assert reserved.seq > receipt.seq
            filler.unlink()
            assert writer.append(event()).seq == reserved.seq + 1
            assert not writer.full
        assert proven(place / "s", key, tmp_path)
    finally:
        subprocess.run(["umount", str(place)], check=True)


CHILD = """
import sys
from pathlib import Path
from audit.writer import Writer
writer = Writer.open(Path(sys.argv[1]), node="n", reserve_bytes=0)
print("ready", writer.rollback, flush=True)
number = 0
while True:
    futures = [writer.submit([{"kind": "event", "type": "a.b", "data": {"n": number + i}}]) for i in range(7)]
    number += 7
    for future in futures:
        receipt = future.result()[0]
        print(receipt.seq, receipt.leaf, flush=True)
"""


def test_kill_9_loses_nothing_acknowledged(tmp_path):
    folder, acknowledged = tmp_path / "s", {}
    environment = {**os.environ, "PYTHONPATH": str(Path(writer_module.__file__).parents[1])}
    for lines in (1, 40, 97, 203, 8):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert child.stdout.readline() == "ready \n"
        for _ in range(lines):
            seq, leaf = child.stdout.readline().split()
            acknowledged[int(seq)] = leaf
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines()
        child.wait()
        child.stdout.close()
        for line in rest:
            if len(line.split()) == 2 and len(line.split()[1]) == 64:
                acknowledged[int(line.split()[0])] = line.split()[1]
        assert verify(Ask(log=folder, deep=True)).exit_code == 0
    with Writer.open(folder, node="n", reserve_bytes=0) as writer:
        assert writer.rollback == ""
    with Log.open(folder) as log:
        kept = {sealed.seq: sealed.leaf for sealed in log.entries()}
    assert len(acknowledged) > 300
    assert acknowledged.items() <= kept.items()


def test_a_damaged_anchor_is_called_damaged_and_not_missing(tmp_path, key, event):
    for _ in range(2):
        with Writer.open(tmp_path / "s", node="n", signer=key) as writer:
            writer.append(event())
    (tmp_path / "s" / "anchor").write_text("junk\n")
    with Writer.open(tmp_path / "s", node="n", signer=key) as writer:
        assert "damaged" in writer.rollback
        assert not [note for note in writer.notes if "missing" in note]
        with pytest.raises(RolledBack, match="resume-healing"):
            writer.append(event())


def test_every_refusal_has_one_root():
    assert issubclass(RolledBack, AuditError)


# ------------------------------------------------------------------------- sealing in the caller's own thread


class Watching:
    """A signer that takes note of the threads it is called in."""

    def __init__(self, key) -> None:
        self.public = key.public
        self.threads: list[str] = []
        self._key = key

    def sign(self, message: bytes) -> bytes:
        self.threads.append(threading.current_thread().name)
        return self._key.sign(message)


def test_who_waits_anyhow_seals_himself_where_nobody_else_does(tmp_path, key, event):
    signer = Watching(key)
    with Writer.open(tmp_path / "s", node="n", signer=signer, reserve_bytes=0) as writer:
        writer.append(event())
        assert signer.threads == [threading.current_thread().name]
        writer.submit([event()]).result()
        assert signer.threads[1].startswith("audit signer")


def test_nobody_is_overtaken(tmp_path, key, event):
    def submit_and_append(name: str) -> None:
        for number in range(40):
            if number % 3:
                writer.submit([event(number, who=name)])
            else:
                writer.append(event(number, who=name))

    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        threads = [threading.Thread(target=submit_and_append, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    seen: dict[str, list[int]] = {}
    with Log.open(tmp_path / "s") as log:
        for sealed in log.entries():
            data = canonical.decode(sealed.octets)["data"]
            seen.setdefault(data["who"], []).append(data["number"])
    assert seen == {name: list(range(40)) for name in "abc"}
    assert proven(tmp_path / "s", key, tmp_path)


def test_closing_waits_for_who_seals_himself(tmp_path, key, event):
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Watching):
        def sign(self, message: bytes) -> bytes:
            begun.set()
            go_on.wait(5)
            return super().sign(message)

    writer = Writer.open(tmp_path / "s", node="n", signer=Slow(key), reserve_bytes=0)
    receipts = []
    sealing = threading.Thread(target=lambda: receipts.append(writer.append(event())))
    sealing.start()
    begun.wait(5)
    closing = threading.Thread(target=writer.close)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    go_on.set()
    sealing.join()
    closing.join()
    assert receipts[0].seq == 0
    assert proven(tmp_path / "s", key, tmp_path)


def test_a_bug_in_the_caller_s_thread_fails_him_and_poisons_the_writer(tmp_path, key, event, monkeypatch):
    writer = Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0)
    monkeypatch.setattr("audit.group.make", lambda *_args, **_more: 1 / 0)
    with pytest.raises(Poisoned, match="ZeroDivisionError"):
        writer.append(event())
    monkeypatch.undo()
    with pytest.raises(Poisoned):
        writer.append(event())
    writer.close()
