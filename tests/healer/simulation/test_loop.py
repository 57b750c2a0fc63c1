"""The virtual loop: time that costs nothing, order by seed, no real I/O, and a death between any two steps."""

import asyncio
import random

import pytest

from healer.simulation import loop as loops
from healer.simulation.loop import UPTIME, WALL, Crash, SimClock, SimLoop, StuckError, run


def made(seed=1, **more):
    clock = SimClock(random.Random(seed))
    return clock, SimLoop(clock, random.Random(seed), **more)


async def sleepers(order, names="abcdef"):
    async def one(name):
        await asyncio.sleep(1.0)
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(one(name))


def test_this_python_simulates():
    loops.self_test()


def test_a_day_passes_in_no_time():
    clock, loop = made()
    run(loop, asyncio.sleep(86_400))
    assert clock.at >= 86_400
    assert loop.lived < 20


def test_the_seed_decides_the_order_and_nothing_else_does():
    def order(seed):
        found: list[str] = []
        run(made(seed)[1], sleepers(found))
        return found

    assert order(3) == order(3)
    assert len({tuple(order(seed)) for seed in range(10)}) > 5


def test_callbacks_of_one_writer_keep_the_order_in_which_they_were_asked_for():
    _, loop = made()
    seen: list[int] = []

    async def main():
        for number in range(50):
            loop.call_soon_threadsafe(seen.append, number)
        await asyncio.sleep(1)

    run(loop, main())
    assert seen == sorted(seen)


def test_real_io_and_threads_are_refused():
    _, loop = made()

    async def main():
        with pytest.raises(NotImplementedError):
            await asyncio.open_connection("127.0.0.1", 9)
        with pytest.raises(StuckError, match="wants a thread"):
            await asyncio.get_running_loop().run_in_executor(None, print)

    run(loop, main())


def test_turning_in_circles_is_noticed():
    _, loop = made(limit=500)

    def again():
        loop.call_soon(again)

    loop.call_soon(again)
    with pytest.raises(StuckError, match="livelock"):
        run(loop, asyncio.sleep(1))


def test_waiting_for_what_cannot_come_is_noticed():
    _, loop = made()

    async def wait():
        await loop.create_future()

    with pytest.raises(StuckError, match="deadlock"):
        run(loop, wait())


def test_nothing_catches_a_crash_and_nothing_of_it_is_left():
    _, loop = made()
    cleaned: list[str] = []

    async def stubborn():
        try:
            await asyncio.sleep(10)
        except Exception:  # noqa: BLE001 - that is the point
            cleaned.append("caught")
        finally:
            cleaned.append("left")

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(stubborn())
            await asyncio.sleep(1)
            raise Crash("here")

    with pytest.raises(Crash, match="here"):
        run(loop, main())
    assert cleaned == ["left"]
    assert loop.is_closed()


@pytest.mark.parametrize("step", [1, 2, 5, 9])
def test_it_dies_before_the_step_it_was_told(step):
    _, loop = made()
    loop.crash_at = step
    with pytest.raises(Crash, match=f"step {step}"):
        run(loop, sleepers([]))
    assert loop.lived == step


def test_a_timer_that_another_clock_rounds_down_does_not_stop_time():
    clock, loop = made()

    async def main():
        for _ in range(1000):
            await asyncio.sleep(1e-12)

    run(loop, main())
    assert clock.at >= 1000 * 1e-6


def test_a_reboot_begins_the_boot_clock_again_and_keeps_the_wall():
    clock = SimClock(random.Random(1))
    clock.at = 100.0
    assert (clock.now(), clock.wall()) == (100.0 + UPTIME, WALL + 100.0)
    clock.reboot()
    assert (clock.boot_id(), clock.now(), clock.wall()) == ("boot-2", 5.0, WALL + 100.0)
    assert clock.absolute("boot-1", round((100.0 + UPTIME) * 1e6)) == pytest.approx(100.0)
    assert clock.absolute("boot-2", 5_000_000) == pytest.approx(100.0)
