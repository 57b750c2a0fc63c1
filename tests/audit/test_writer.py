"""Sealing: nothing acknowledged is ever lost, nothing begins anew by itself."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from audit import checkpoint, turns
from audit.errors import AuditError, DiskFull, Malformed, Poisoned, RolledBack
from audit.reader import Log
from audit.verifier import Ask, verify
from audit.writer import Writer


@pytest.mark.parametrize("inline", [True, False])
def test_what_is_sealed_verifies_also_after_a_restart(opened, tmp_path, key, intent, outcome, event, inline, proven):
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
    assert proven(tmp_path / "s")


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


def test_a_checkpoint_that_cannot_be_written_is_told_beside_the_anchors(opened, tmp_path, event, until):
    writer = opened()
    (tmp_path / "s" / "checkpoint").mkdir()
    writer.append(event())
    until(lambda: writer.anchor_problems)
    assert "checkpoint" in writer.anchor_problems[0]
    assert writer.append(event()).seq == 1


def test_bad_entries_are_refused_and_cost_no_number(opened, tmp_path, key, event, outcome, intent, proven):
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
    assert proven(tmp_path / "s")


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


def test_a_future_cancelled_by_its_owner_harms_nobody(opened, event):
    with opened() as writer:
        for _ in range(20):
            writer.submit([event()]).cancel()
        assert writer.append(event()).seq == 20


# ------------------------------------------------------------------------------------ one writer


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


def test_a_rolled_back_log_seals_nothing_until_somebody_accepts_it(opened, tmp_path, key, event, proven):
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
    assert proven(folder)


def test_a_log_ahead_of_its_anchor_is_caught_up(opened, tmp_path, key, event, proven):
    folder = written(opened, event)
    old = (folder / "anchor").read_bytes()
    with opened(inline=True) as writer:
        writer.append(event())
    (folder / "anchor").write_bytes(old)
    with opened() as writer:
        assert writer.caught_up
        assert writer.rollback == ""
        writer.append(event())
    assert proven(folder)


def test_an_abandoned_writer_leaves_a_log_that_verifies(opened, tmp_path, key, event, proven):
    for inline in (True, False):
        writer = opened(inline=inline)
        writer.append(event())
        writer.abandon()
        with pytest.raises(Poisoned):
            writer.append(event())
    with opened() as writer:
        assert writer.head.height == 1
    assert proven(tmp_path / "s")


# ------------------------------------------------------------------------------------ things that fail


@pytest.mark.real
def test_a_really_full_disk(tmp_path, key, event, proven, small_disk):
    """A tmpfs of 8 MiB, filled to the brim while the log is being written."""
    with small_disk(tmp_path / "small", "8m") as place:
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
        assert proven(place / "s")


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
    environment = {**os.environ, "PYTHONPATH": str(Path(turns.__file__).parents[1])}
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


def test_every_refusal_has_one_root():
    assert issubclass(RolledBack, AuditError)


# ------------------------------------------------------------------------- sealing in the caller's own thread
