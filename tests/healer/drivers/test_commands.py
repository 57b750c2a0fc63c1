"""What a command said is kept at both ends and hashed whole; cancelling leaves nothing running."""

import asyncio
import hashlib
import os
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import argv, commands, processes
from healer.drivers.commands import Capture, Command


@given(st.lists(st.binary(max_size=400), max_size=40), st.integers(0, 300))
def test_both_ends_are_kept_and_all_of_it_is_hashed(chunks, most):
    capture = Capture(most)
    for chunk in chunks:
        capture.take(chunk)
    whole = b"".join(chunks)
    assert capture.size == len(whole)
    assert capture.sha256 == hashlib.sha256(whole).hexdigest()
    if len(whole) <= most:
        assert capture.kept == whole
        return
    head, tail = whole[: most // 2], whole[len(whole) - (most - most // 2) :]
    assert capture.kept.startswith(head)
    assert capture.kept.endswith(tail)
    assert f"[... {len(whole) - most} bytes left out ...]".encode() in capture.kept
    assert len(capture.kept) < most + 60


def test_memory_stays_bounded_under_a_flood():
    capture = Capture(1000)
    for _ in range(2000):
        capture.take(b"x" * 65536)
    assert len(capture._tail) + len(capture._head) < 1_000_000


async def test_a_cancelled_run_leaves_nothing_behind():
    env = argv.environment({}, {"HEALER_INTENT": "cancelled-test"}, argv.own_account())
    command = Command(
        argv=["/bin/sh", "-c", "sleep 60 & sleep 60"], env=env, markers={"HEALER_INTENT": "cancelled-test"}
    )
    task = asyncio.ensure_future(commands.run(command, timeout=60, grace=1))
    await asyncio.sleep(0.3)
    found = [one for one in processes.everyone().values() if processes.marked(one.pid, command.markers)]
    assert len(found) == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadline = time.monotonic() + 5
    while any(processes.generation(one.pid) == one.generation for one in found):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_process_of_the_host_is_never_part_of_a_command():
    env = argv.environment({}, {}, argv.own_account())
    with subprocess.Popen(["sleep", "60"]) as stranger:  # noqa: ASYNC220
        try:
            ended = await commands.run(Command(argv=["/bin/true"], env=env, markers={}), timeout=5, grace=1)
            assert (ended.code, ended.killed, ended.timed_out) == (0, 0, False)
            assert stranger.poll() is None
            assert os.getpid()
        finally:
            stranger.kill()
