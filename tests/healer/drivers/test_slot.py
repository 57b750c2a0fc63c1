"""A blocking call that never returns costs its slot and nothing else."""

import asyncio
import threading

import pytest

from healer.drivers.slot import Slot
from healer.errors import SensorError


async def test_a_slot_gives_what_the_work_gives_or_raises():
    slot = Slot("it")
    assert await slot.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await slot.call(lambda: 1 // 0)
    assert await slot.call(lambda: 8) == 8


async def test_a_call_given_up_keeps_its_slot_until_its_thread_is_back():
    slot, back = Slot("the mount"), threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await slot.call(lambda: back.wait(20))
    with pytest.raises(SensorError, match="the mount: the last look has not come back"):
        await slot.call(lambda: 1)
    back.set()
    await asyncio.sleep(0.05)
    assert await slot.call(lambda: 1) == 1


async def test_a_wider_slot_takes_as_many_as_it_says():
    slot, back = Slot("it", most=2), threading.Event()
    waiting = [asyncio.ensure_future(slot.call(lambda: back.wait(20))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(SensorError):
        await slot.call(lambda: 1)
    back.set()
    assert await asyncio.gather(*waiting) == [True, True]
