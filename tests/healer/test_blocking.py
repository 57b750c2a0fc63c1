import asyncio
import subprocess
import sys
import threading
import time

import pytest

from healer import blocking


async def test_the_result_comes_back_and_the_loop_goes_on_meanwhile():
    go = threading.Event()
    asyncio.get_running_loop().call_soon(go.set)  # only a loop that runs can set it
    assert await blocking.call(lambda: go.wait(5))


async def test_what_it_raises_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        await blocking.call(lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await blocking.call(lambda: next(iter(())))


async def test_threads_are_daemons_and_used_again():
    async def which():
        return await blocking.call(threading.current_thread)

    first = await which()
    assert first.daemon
    for _ in range(200):
        if await which() is first:
            return
    raise AssertionError("no thread was ever used twice")


async def test_many_calls_at_once_each_have_their_answer():
    answers = await asyncio.gather(*(blocking.call(lambda n=n: n * n) for n in range(50)))
    assert answers == [n * n for n in range(50)]


async def test_giving_up_ends_the_waiting_and_a_late_answer_disturbs_nobody():
    go = threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await blocking.call(lambda: go.wait(10))
    go.set()
    assert await blocking.call(lambda: 1) == 1


def test_an_answer_after_the_loop_has_ended_is_thrown_away():
    go, done = threading.Event(), threading.Event()

    async def leave():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await blocking.call(lambda: (go.wait(10), done.set()))

    asyncio.run(leave())
    go.set()
    assert done.wait(5)


def test_a_call_that_never_returns_does_not_hold_the_end_of_the_process():
    code = (
        "import asyncio, threading\n"
        "from healer import blocking\n"
        "async def main():\n"
        "    try:\n"
        "        async with asyncio.timeout(0.05):\n"
        "            await blocking.call(threading.Event().wait)\n"
        "    except TimeoutError:\n"
        "        pass\n"
        "asyncio.run(main())\n"
    )
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=10)
    assert time.monotonic() - began < 5


async def test_an_idle_thread_ends_after_a_while(monkeypatch):
    monkeypatch.setattr(blocking, "_IDLE_SECONDS", 0.05)
    pool = blocking._Pool()
    monkeypatch.setattr(blocking, "_pool", pool)
    thread = await blocking.call(threading.current_thread)
    thread.join(5)
    assert not thread.is_alive()
    assert await blocking.call(lambda: 2) == 2
