"""The slow writer is the real writer, later; and full, and failing, and dying."""

import pytest

from audit.errors import DiskFull, Poisoned
from audit.reader import Log
from healer.simulation.loop import Crash, SimLoop, run
from healer.simulation.sealing import QuickSigner, SlowWriter, real_key

EVENT = {"kind": "event", "type": "test.event", "data": {}}


@pytest.fixture
def writer(house):
    made = SlowWriter(house.folder, clock=house.clock, signer=house.signer, chance=house.chance, anchor=house.anchor)
    made.attach(SimLoop(house.clock, house.chance.interleaving))
    yield made
    made.abandon()


def settle(house, writer, *futures, seconds=5.0):
    loop = writer._loop

    async def wait():
        import asyncio

        await asyncio.sleep(seconds)

    loop.run_until_complete(wait())
    return futures


def test_what_is_submitted_is_sealed_in_order_after_a_while(house, writer):
    futures = [writer.submit([{**EVENT, "type": f"test.n{number}"}]) for number in range(5)]
    assert not any(future.done() for future in futures)
    settle(house, writer)
    assert [future.result()[0].seq for future in futures] == [0, 1, 2, 3, 4]
    with Log.open(house.folder) as log:
        assert len(list(log.entries())) == 5
    writer._loop.finish()


def test_a_full_disk_takes_only_what_may_use_the_reserve(house, writer):
    writer.full = True
    refused, kept = writer.submit([EVENT]), writer.submit([EVENT], reserve=True)
    settle(house, writer)
    assert isinstance(refused.exception(), DiskFull)
    assert kept.result()
    writer.make_room()
    again = writer.submit([EVENT])
    settle(house, writer)
    assert again.result()
    assert writer.lost == 1
    writer._loop.finish()


def test_a_failing_disk_takes_nothing_any_more(house, writer):
    house.chance.rates = {"seal.broken": 1.0}
    first = writer.submit([EVENT])
    settle(house, writer)
    assert isinstance(first.exception(), Poisoned)
    with pytest.raises(Poisoned):
        writer.submit([EVENT])
    writer._loop.finish()


@pytest.mark.parametrize(("where", "sealed"), [("before-seal", 0), ("after-seal", 1)])
def test_it_dies_before_and_after_the_block_is_durable(house, writer, where, sealed):
    house.chance.rates = {f"crash.{where}": 1.0}
    intent = {
        "kind": "intent", "id": "i-1", "corr": "r@t", "action": "restart", "target": "program:p0", "generation": "",
        "params": {}, "rule": "r", "rules_hash": "h", "step": 0, "attempt": 1, "actor": "rule:r", "because": "x",
        "evidence": [], "deadline_us": 1, "mode": "auto",
    }  # fmt: skip
    future = writer.submit([intent])
    with pytest.raises(Crash, match=where):
        settle(house, writer)
    assert not future.done()
    with Log.open(house.folder) as log:
        assert len(list(log.entries())) == sealed
    writer._loop.finish()


def test_after_its_death_nothing_is_sealed(house, writer):
    writer.submit([EVENT])
    writer.abandon()
    settle(house, writer)
    with Log.open(house.folder) as log:
        assert not list(log.entries())
    writer._loop.finish()


def test_a_quick_signature_is_checked_and_a_real_one_is_real():
    quick = QuickSigner()
    assert quick.public.verify(quick.sign(b"x"), b"x")
    assert not quick.public.verify(quick.sign(b"x"), b"y")
    key = real_key()
    assert key is real_key()
    assert key.public.verify(key.sign(b"x"), b"x")


def test_the_loop_is_needed_to_seal(house, writer):
    run(writer._loop, _nothing())
    assert writer.head is None


async def _nothing():
    return None
