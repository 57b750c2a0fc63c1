"""How a log grows: what is told to be sealed is on the disk, and a failure takes only what follows it."""

import threading

import pytest

from audit import group, merkle
from audit.errors import DiskFull, Poisoned


def test_large_groups_are_cut_into_blocks(opened, tmp_path, key, event, proven):
    with opened() as writer:
        futures = [writer.submit([event(number, text="x" * 60_000) for number in range(10)]) for _ in range(5)]
        futures += [writer.submit([event(number) for number in range(3000)]) for _ in range(3)]
        heights = {receipt.height for future in futures for receipt in future.result()}
    assert len(heights) >= 4
    assert proven(tmp_path / "s")


def test_a_clock_that_falls_does_not_make_a_log_that_lies(opened, tmp_path, key, clock, event, proven):
    with opened(inline=True) as writer:
        writer.append(event())
        clock.mono -= 10_000_000
        writer.append(event())
    assert proven(tmp_path / "s")


def test_a_failed_commit_poisons_the_writer_for_good(opened, tmp_path, key, event, proven):
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
    assert proven(tmp_path / "s")


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

    monkeypatch.setattr(merkle, "root", fail)
    with pytest.raises(Poisoned, match="ZeroDivisionError"):
        writer.append(event())


def test_a_full_disk_lets_only_the_reserve_through(opened, tmp_path, key, event, proven):
    writer = opened(reserve_bytes=1 << 20, inline=True)
    writer.append(event())
    store, real = writer._store, writer._store.append
    reserve = tmp_path / "s" / "audit.reserve"

    def full_until_the_reserve_is_gone(row, signature):
        if reserve.exists():
            raise DiskFull("no space is left for the log")
        real(row, signature)

    store.append = full_until_the_reserve_is_gone
    writer._committer.reserve.rebuild = lambda: False
    with pytest.raises(DiskFull):
        writer.append(event())
    assert writer.full
    assert not reserve.exists()
    with pytest.raises(DiskFull, match="free space"):
        writer.append(event())
    assert writer.append(event(), reserve=True).seq == 1
    del writer._committer.reserve.rebuild
    store.append = real
    assert writer.append(event()).seq == 2
    assert not writer.full
    assert reserve.exists()
    writer.close()
    assert proven(tmp_path / "s")


def test_a_full_disk_after_the_reserve_fails_even_the_reserved(opened, event):
    writer = opened(reserve_bytes=1 << 20, inline=True)

    def full(_row, _signature):
        raise DiskFull("no space is left for the log")

    writer._store.append = full
    writer._committer.reserve.rebuild = lambda: False
    for _ in range(2):
        with pytest.raises(DiskFull):
            writer.append(event(), reserve=True)
    assert writer.poisoned is None


@pytest.mark.parametrize(("error", "held"), [(DiskFull, True), (DiskFull, False), (Poisoned, True)])
def test_a_commit_that_fails_under_way_takes_its_followers_with_it(opened, tmp_path, key, event, error, held, proven):
    """While one block is on its way to the disk the next is made upon it: it must not outlive the first."""
    writer = opened(reserve_bytes=1 << 20)
    writer.append(event())
    gate, real, failures = threading.Event(), writer._store.append, iter([True])
    writer._committer.reserve.rebuild = lambda: False
    writer._committer.reserve.held = held

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
    assert proven(tmp_path / "s")


def test_a_bug_leaves_nobody_waiting_for_the_block_under_way(opened, event, monkeypatch):
    writer = opened()
    gate, begun, real, calls = threading.Event(), threading.Event(), writer._store.append, iter([True, True])

    def slow(row, signature):
        begun.set()
        gate.wait(5)
        real(row, signature)

    def make_two(*args, make=group.make, **more):
        return make(*args, **more) if next(calls, False) else 1 / 0

    writer._store.append = slow
    monkeypatch.setattr(group, "make", make_two)
    jobs = [writer.submit([event()])]
    begun.wait(5)
    # The second block is under way while the third is made of what is left.
    jobs += [writer.submit([event()] * count) for count in (4000, 3000, 1)]
    gate.set()
    told = [job.exception(timeout=5) for job in jobs]
    assert [type(one) for one in told] == [type(None), type(None), Poisoned, Poisoned]


def test_a_bug_after_the_commit_is_told_to_the_callers_of_that_block(opened, event, monkeypatch):
    writer = opened()
    gate, begun, real, calls = threading.Event(), threading.Event(), writer.heads.add, iter([True])

    def once(octets):
        begun.set()
        gate.wait(5)
        return real(octets) if next(calls, False) else 1 / 0

    monkeypatch.setattr(writer.heads, "add", once)
    jobs = [writer.submit([event()])]
    begun.wait(5)
    jobs += [writer.submit([event()] * count) for count in (4000, 3000, 1)]
    gate.set()
    told = [job.exception(timeout=5) for job in jobs]
    assert [type(one) for one in told] == [type(None), Poisoned, Poisoned, Poisoned]
