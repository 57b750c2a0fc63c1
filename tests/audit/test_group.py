"""What one block takes, and the header it gets."""

from concurrent.futures import Future

import pytest

from audit import block, canonical, group, merkle
from audit.errors import Malformed
from audit.group import End, Job
from audit.intents import Ledger

EMPTY = End(None, block.GENESIS, Ledger())


def job(*fields: dict[str, object]) -> Job:
    common = {"v": 1, "seq": 0, "ts": 1, "mono": 1, "boot": "b", "node": "n"}
    entries = [{**common, **one} for one in fields]
    return Job(entries=entries, reserve=False, taken=5, future=Future())


def test_a_block_follows_the_end_it_was_made_for(event, intent, clock):
    first, rest = group.prepare([job(event()), job(intent(), event())], EMPTY)
    assert rest == []
    one = group.make(first, EMPTY, origin="o/1", clock=clock, key="a" * 64, fresh=None, beacon="")
    assert (one.header.height, one.header.first, one.header.count, one.header.open) == (0, 0, 3, 1)
    assert one.header.opened == 5
    second, _ = group.prepare([job(event())], one.end)
    two = group.make(second, one.end, origin="o/1", clock=clock, key="a" * 64, fresh=None, beacon="")
    assert block.check_follows(two.header, one.header, one.end.hash) == []
    assert [canonical.decode(octets)["seq"] for octets in block.split_body(two.body)] == [3]
    assert EMPTY.ledger.waiting == {}, "what was prepared may still be lost"


def test_one_bad_job_fails_alone_and_takes_no_number(event, outcome, clock):
    jobs = [job(event()), job(event(), outcome("ab" * 32)), job(event())]
    chosen, _ = group.prepare(jobs, EMPTY)
    assert chosen.members() == [jobs[0], jobs[2]]
    with pytest.raises(Malformed):
        jobs[1].future.result(0)
    group.make(chosen, EMPTY, origin="o/1", clock=clock, key="a" * 64, fresh=None, beacon="").resolve()
    assert [receipt.seq for one in (jobs[0], jobs[2]) for receipt in one.future.result(0)] == [0, 1]


def test_a_full_group_leaves_the_rest(event, monkeypatch):
    monkeypatch.setattr(group, "GROUP_OCTETS", 100)
    jobs = [job(event()), job(event())]
    chosen, rest = group.prepare(jobs, EMPTY)
    assert (chosen.members(), rest) == (jobs[:1], jobs[1:])


def test_no_group_holds_more_entries_than_a_block_may(event):
    """After a commit that failed more may be waiting than one block holds."""
    jobs = [job(*[event()] * 3000) for _ in range(3)]
    chosen, rest = group.prepare(jobs, EMPTY)
    assert (chosen.members(), rest) == (jobs[:1], jobs[1:])
    exact = [job(*[event()] * (block.MAX_ENTRIES - 1)), job(event())]
    assert group.prepare(exact, EMPTY)[1] == []


def test_receipts_are_a_sequence_that_says_where_each_entry_lies(event):
    chosen, _ = group.prepare([job(event()), job(event(1), event(2), event(3))], EMPTY)
    leaves = [merkle.leaf_hash(octets).hex() for octets in chosen.octets]
    receipts = group.Receipts(11, 4, chosen.leaves[1:], "f" * 64)
    plain = [group.Receipt(10 + at, 4, leaves[at], "f" * 64) for at in (1, 2, 3)]
    assert list(receipts) == plain
    assert (receipts[-1], receipts[1:], receipts[::-1], len(receipts)) == (plain[2], plain[1:], plain[::-1], 3)
    for outside in (3, -4):
        with pytest.raises(IndexError):
            receipts[outside]
