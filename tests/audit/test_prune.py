import contextlib
import functools
import itertools
import os
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import archive, block, canonical, orders, prune
from audit.errors import Damaged, DiskFull, Malformed, Poisoned, Unreadable
from audit.keys import SealingKey
from audit.prune import DAY_US
from audit.reader import Log
from audit.verifier import Ask, verify
from audit.writer import Writer
from tests.audit.conftest import FakeClock, make_event, make_intent, make_outcome

BECAUSE = "kept for a day, as written down"


@pytest.fixture
def old(tmp_path, key, clock, event, intent, outcome):
    """A log with two stories told to the end and one under way; then two days go by."""

    def make(**options):
        made = Writer.open(tmp_path / "s", node="n", signer=key, clock=clock, inline=True, reserve_bytes=0, **options)
        made.append({"kind": "lifecycle", "phase": "start"})
        for number in range(3):
            made.append(event(number, text="personal"))
        leaf = made.append(intent("a1")).leaf
        made.append(outcome(leaf, "a1"))
        leaf = made.append(intent("a2")).leaf
        clock.wait(2 * DAY_US)
        made.append(event(9))
        made.append(outcome(leaf, "a2"))
        return made

    return make


@pytest.fixture
def store(tmp_path):
    (tmp_path / "archives").mkdir()
    return tmp_path / "archives"


def held(folder):
    with Log.open(folder) as log:
        return [row.height for row in log.rows() if row.body]


def header(height=1, *, first=None, sealed=0, waiting=0, count=1):
    return block.Header(
        origin="o", height=height, first=height if first is None else first, count=count, root="", body="",
        body_len=1, prev="", opened=0, sealed=sealed, mono=0, boot="b", open=waiting, keys=("k",),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------- the plan


def test_what_is_old_goes_and_the_newest_block_stays():
    found = [header(height, sealed=height) for height in range(1, 6)]
    assert prune.plan(found, before_us=4, open_seqs=[]) == (1, 3)
    assert prune.plan(found, before_us=99, open_seqs=[]) == (1, 4)
    assert prune.plan(found, before_us=1, open_seqs=[]) is None
    assert prune.plan([], before_us=99, open_seqs=[]) is None
    assert prune.plan(found[:1], before_us=99, open_seqs=[]) is None


def test_a_block_with_an_open_intent_stays_and_all_above_it():
    found = [header(1), header(2, waiting=1), header(3, waiting=1), header(4, waiting=1)]
    assert prune.plan(found, before_us=9, open_seqs=[2]) == (1, 1)


def test_the_cut_is_made_where_no_story_is_under_way():
    found = [header(1), header(2, waiting=1), header(3, waiting=1), header(4), header(5, waiting=1), header(6)]
    assert prune.plan(found, before_us=9, open_seqs=[]) == (1, 4)


def test_an_intent_left_open_in_block_0_does_not_stop_pruning_for_ever():
    found = [header(height, waiting=1) for height in range(1, 5)]
    assert prune.plan(found, before_us=9, open_seqs=[0]) == (1, 3)


def test_a_ceiling_keeps_its_body():
    found = [header(height) for height in range(1, 6)]
    assert prune.plan(found, before_us=9, open_seqs=[], ceiling=3) == (1, 2)
    assert prune.plan(found, before_us=9, open_seqs=[], ceiling=1) is None


def test_one_block_younger_by_a_jumping_clock_ends_the_range():
    found = [header(1), header(2, sealed=100), header(3), header(4)]
    assert prune.plan(found, before_us=9, open_seqs=[]) == (1, 1)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2), st.integers(1, 3)), max_size=30),
    st.integers(0, 21),
    st.sets(st.integers(0, 60)),
)
def test_no_plan_ever_takes_what_must_stay(shapes, before, seqs):
    found, first = [], 1
    for height, (sealed, waiting, count) in enumerate(shapes, 1):
        found.append(header(height, first=first, sealed=sealed, waiting=waiting, count=count))
        first += count
    planned = prune.plan(found, before_us=before, open_seqs=seqs)
    if planned is None:
        return
    start, end = planned
    taken = [one for one in found if start <= one.height <= end]
    assert start == 1
    assert end < len(found)
    assert all(one.sealed < before for one in taken)
    assert not any(one.first <= seq < one.first + one.count for one in taken for seq in seqs)
    assert taken[-1].open == sum(1 for seq in seqs if seq < 1)


# ----------------------------------------------------------------------------------------- the doing


def test_old_bodies_go_into_an_archive_and_a_sealed_order_says_so(old, store, tmp_path):
    with old() as writer:
        before = {row.height: row for row in Log(writer._store.driver).rows()}
        done = writer.prune(DAY_US, store, because=BECAUSE)
        assert done.dropped
        assert (done.order.first, done.order.last, done.order.entries) == (1, 5, 5)
    with Log.open(tmp_path / "s") as log:
        after = {row.height: row for row in log.rows()}
        told = [canonical.decode(sealed.octets) for sealed in log.entries_of(done.order.height)]
    assert [height for height, row in after.items() if not row.body] == [1, 2, 3, 4, 5]
    for height, row in before.items():
        assert after[height]._replace(body=row.body) == row
    assert block.parse_header(after[done.order.height].hdr).why == "prune"
    assert [entry["kind"] for entry in told] == ["prune"]
    sha256, size = archive.digest(done.path)
    assert told[0]["data"] == {
        "from": 1, "to": 5, "entries": 5, "sha256": sha256, "size": size, "name": "archive-1-5.sealed",
    }  # fmt: skip
    with Log.open(done.path) as kept:
        assert list(kept.rows()) == [before[height] for height in range(1, 6)]


def test_what_was_pruned_is_not_in_the_file_any_more(old, store, tmp_path):
    with old() as writer:
        writer.prune(DAY_US, store, because=BECAUSE)
    assert b"personal" not in (tmp_path / "s" / "audit.db").read_bytes()


def test_a_second_call_finds_nothing_to_do(old, store):
    with old() as writer:
        assert writer.prune(DAY_US, store, because=BECAUSE)
        assert writer.prune(DAY_US, store, because=BECAUSE) is None


def test_orders_to_prune_stay_when_their_neighbours_go(old, store, tmp_path, clock, event):
    with old() as writer:
        first = writer.prune(DAY_US, store, because=BECAUSE)
        writer.append(event(1))
        clock.wait(2 * DAY_US)
        writer.append(event(2))
        second = writer.prune(DAY_US, store, because=BECAUSE)
        assert second.order.first == first.order.last + 1
        assert writer.prune(DAY_US, store, because=BECAUSE) is None
    assert first.order.height < second.order.last
    assert first.order.height in held(tmp_path / "s")
    with Log.open(tmp_path / "s") as log:
        assert [order.first for order in orders.of(log, 0)] == [1, first.order.last + 1]
        assert log.row(second.order.last).body == b""


def test_bodies_wait_for_the_witness_and_go_when_it_has_seen_the_order(old, store, tmp_path):
    asked = []

    def witnessed(height):
        asked.append(height)
        return len(asked) > 1

    with old() as writer:
        waiting = writer.prune(DAY_US, store, because=BECAUSE, witnessed=witnessed)
        assert not waiting.dropped
        assert 1 in held(tmp_path / "s")
        done = writer.prune(DAY_US, store, because=BECAUSE, witnessed=witnessed)
    assert done.dropped
    assert done.order == waiting.order
    assert asked == [done.order.height] * 2
    assert 1 not in held(tmp_path / "s")


@pytest.mark.parametrize("after", [0, 1])
def test_a_crash_while_bodies_go_is_finished_by_the_next_call(old, store, tmp_path, key, clock, monkeypatch, after):
    monkeypatch.setattr(prune, "CHUNK_BLOCKS", 2)
    writer = old()
    drop, dropped = writer._store.drop, []

    def crash(heights):
        if len(dropped) == after:
            raise Poisoned("the machine is gone")
        dropped.append(heights)
        drop(heights)

    writer._store.drop = crash
    with pytest.raises(Poisoned):
        writer.prune(DAY_US, store, because=BECAUSE)
    writer.abandon()
    with Writer.open(tmp_path / "s", node="n", signer=key, clock=clock, inline=True, reserve_bytes=0) as again:
        top = again.head.height
        done = again.prune(DAY_US, store, because=BECAUSE)
        assert (done.order.first, done.order.last, done.dropped) == (1, 5, True)
        assert done.order.height <= top
    assert held(tmp_path / "s")[:2] == [0, 6]


def test_an_order_whose_archive_is_lost_is_made_anew(old, store, tmp_path):
    with old() as writer:
        waiting = writer.prune(DAY_US, store, because=BECAUSE, witnessed=lambda _: False)
        waiting.path.unlink()
        assert 1 in held(tmp_path / "s")
        done = writer.prune(DAY_US, store, because=BECAUSE)
    assert done.order.height > waiting.order.height
    assert done.path.exists()


def test_a_log_that_is_not_its_headers_is_not_pruned(old, store, tmp_path):
    with old() as writer:
        driver = writer._store.driver
        driver.execute("DROP TRIGGER blocks_no_update")
        driver.execute("UPDATE blocks SET body = CAST(body || x'00' AS BLOB) WHERE height = 2")
        with pytest.raises(Damaged, match="block 2"):
            writer.prune(DAY_US, store, because=BECAUSE)
        assert held(tmp_path / "s") == list(range(9))
        assert not list(store.glob(".*"))


def test_less_than_a_day_is_no_retention(old, store):
    with old() as writer, pytest.raises(Malformed, match="day"):
        writer.prune(DAY_US - 1, store, because=BECAUSE)


def test_a_folder_that_is_not_there_prunes_nothing(old, tmp_path):
    with old() as writer:
        with pytest.raises(Unreadable, match="cannot be written"):
            writer.prune(DAY_US, tmp_path / "nowhere", because=BECAUSE)
        assert held(tmp_path / "s") == list(range(9))
        assert writer.poisoned is None


def test_a_full_disk_while_bodies_go_costs_nothing(old, store, tmp_path):
    with old() as writer:
        writer._store.driver.execute("PRAGMA max_page_count = 1")
        with pytest.raises(DiskFull):
            writer.append({"kind": "event", "type": "x", "data": {"t": "x" * 60_000}})
        with pytest.raises(DiskFull):
            writer.prune(DAY_US, store, because=BECAUSE)
        assert writer.poisoned is None
        assert 1 in held(tmp_path / "s")


def test_the_seat_belt_is_on_again_afterwards(old, store):
    with old() as writer:
        writer.prune(DAY_US, store, because=BECAUSE)
        with pytest.raises(sqlite3.IntegrityError, match="sealed"):
            writer._store.driver.execute("UPDATE blocks SET body = x'01'")


def test_a_pruned_log_opens_again_but_a_body_nobody_ordered_away_does_not(old, store, tmp_path, key, clock):
    options = {"node": "n", "signer": key, "clock": clock, "inline": True, "reserve_bytes": 0}
    with old() as writer:
        writer.prune(DAY_US, store, because=BECAUSE)
    with Writer.open(tmp_path / "s", **options) as writer:
        writer.append({"kind": "lifecycle", "phase": "start"})
    with sqlite3.connect(tmp_path / "s" / "audit.db") as connection:
        connection.execute("DROP TRIGGER blocks_no_update")
        connection.execute("UPDATE blocks SET body = x'' WHERE height = 6")
    connection.close()
    with pytest.raises(Damaged, match="block 6 has lost its body"):
        Writer.open(tmp_path / "s", **options)


def test_an_order_has_its_block_to_itself(tmp_path, key, event, store):
    gate = threading.Event()

    class Slow:
        public = key.public

        def sign(self, message):
            gate.wait(5)
            return key.sign(message)

    with Writer.open(tmp_path / "s", node="n", signer=Slow(), reserve_bytes=0) as writer:
        futures = [writer.submit([event(0)]), writer.submit([event(1)])]
        order = writer.submit([{"kind": "prune", "because": BECAUSE, "data": {}}])
        futures.append(writer.submit([event(2)]))
        gate.set()
        height = order.result()[0].height
        assert all(future.result()[0].height != height for future in futures)
        with Log.open(tmp_path / "s") as log:
            assert block.parse_header(log.row(height).hdr).why == "prune"
            assert block.parse_header(log.row(height).hdr).count == 1


def test_sealing_goes_on_while_bodies_go(tmp_path, key, clock, store, event, monkeypatch):
    monkeypatch.setattr(prune, "CHUNK_BLOCKS", 4)
    with Writer.open(tmp_path / "s", node="n", signer=key, clock=clock, reserve_bytes=0) as writer:
        for number in range(40):
            writer.append(event(number))
        clock.wait(2 * DAY_US)
        writer.append(event(41))
        done = threading.Event()

        def go():
            writer.prune(DAY_US, store, because=BECAUSE)
            done.set()

        thread = threading.Thread(target=go)
        thread.start()
        sealed = 0
        while not done.is_set() and sealed < 500:
            sealed += len(writer.submit([event(1), event(2)]).result())
        thread.join(10)
        assert done.is_set()
        assert writer.poisoned is None
    assert held(tmp_path / "s")[:2] == [0, 40]
    with Writer.open(tmp_path / "s", node="n", signer=key, clock=clock, reserve_bytes=0) as again:
        again.append(event(0))


def test_an_honest_pruned_log_verifies(old, store, tmp_path, key):
    with old() as writer:
        writer.prune(DAY_US, store, because=BECAUSE)
    public = tmp_path / "pinned.pub"
    public.write_bytes(key.public.pem)
    report = verify(Ask(log=tmp_path / "s", key=public))
    assert report.exit_code == 0, report.text()


def test_a_log_pruned_each_day_for_years_verifies_as_one_stretch(tmp_path, key, clock, event, store):
    done = []
    with Writer.open(tmp_path / "s", node="n", signer=key, clock=clock, inline=True, reserve_bytes=0) as writer:
        for number in range(12):
            writer.append(event(number))
            clock.wait(DAY_US)
            done.append(writer.prune(DAY_US, store, because=BECAUSE))
        top = writer.head.height
        for _ in range(5):
            clock.wait(DAY_US)
            done.append(writer.prune(DAY_US, store, because=BECAUSE))
        assert writer.head.height <= top + 1, "orders are no reason for further orders"
    ranges = [(one.order.first, one.order.last) for one in done if one]
    assert len(ranges) == 11
    assert ranges[0][0] == 1
    assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(ranges))
    public = tmp_path / "pinned.pub"
    public.write_bytes(key.public.pem)
    report = verify(Ask(log=tmp_path / "s", key=public, deep=True))
    assert report.exit_code == 0, report.text()
    assert len(report.pruned) == 1
    report = verify(Ask(log=tmp_path / "s", key=public, deep=True, archives=tuple(store.iterdir())))
    assert report.exit_code == 0, report.text()
    assert report.pruned == []


@settings(max_examples=int(os.environ.get("HEALER_LIVES", "8")), deadline=None)
@given(
    st.lists(st.sampled_from(["event", "intent", "outcome", "day", "prune", "unseen", "rotate", "again"]), max_size=25)
)
def test_whatever_happens_the_log_and_its_archives_are_the_whole_story(key, steps):
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, clock = Path(name), FakeClock()
        made = Life(folder, key, clock)
        stack.callback(made.close)
        told = [made.step(step) for step in ["event", *steps]]
        made.writer.close()
        anchors = (folder / "s" / "anchor",)
        report = verify(Ask(log=folder / "s", key=folder / "pinned.pub", anchors=anchors, deep=True))
        assert report.exit_code == 0, (told, report.text())
        archives = tuple(folder.glob("*.sealed"))
        report = verify(Ask(log=folder / "s", key=folder / "pinned.pub", anchors=anchors, archives=archives, deep=True))
        assert report.exit_code == 0, (told, report.text())
        assert report.pruned == []
        with Log.open(folder / "s") as log:
            kept = [(row.height, row.body) for row in archive.whole(log, 0, [folder])]
        assert kept == made.bodies(len(kept))


@functools.cache
def spare_keys():
    return SealingKey.generate(), SealingKey.generate()


class Life:
    """A log that is written, pruned, handed on and reopened; remembers every body it ever had."""

    def __init__(self, folder, key, clock):
        self.folder, self.key, self.clock = folder, key, clock
        self.seen, self.waiting, self.fresh = {}, [], list(spare_keys())
        (folder / "pinned.pub").write_bytes(key.public.pem)
        self.writer = self.open()

    def open(self):
        return Writer.open(self.folder / "s", node="n", signer=self.key, clock=self.clock, inline=True, reserve_bytes=0)

    def close(self):
        self.writer.close()

    def step(self, name):
        getattr(self, f"_{name}")()
        with Log.open(self.folder / "s") as log:
            self.seen |= {row.height: row.body for row in log.rows() if row.body}
        return name

    def bodies(self, count):
        return [(height, self.seen[height]) for height in range(count)]

    def _event(self):
        self.writer.append(make_event(len(self.seen)))

    def _intent(self):
        self.waiting.append(self.writer.append(make_intent(f"a{len(self.seen)}")).leaf)

    def _outcome(self):
        if self.waiting:
            self.writer.append(make_outcome(self.waiting.pop(0)))

    def _day(self):
        self.clock.wait(DAY_US)

    def _prune(self):
        self.writer.prune(DAY_US, self.folder, because=BECAUSE)

    def _unseen(self):
        self.writer.prune(DAY_US, self.folder, because=BECAUSE, witnessed=lambda _: False)

    def _rotate(self):
        if self.fresh:
            self.key = self.fresh.pop()
            self.writer.rotate(self.key, because="a test")

    def _again(self):
        self.writer.abandon()
        self.writer = self.open()
