"""Jobs are waited for, however quick or late their end is told."""

import asyncio

import pytest

from healer.drivers.systemd.jobs import Jobs
from healer.errors import AmbiguousError


async def test_an_end_told_before_anybody_waits_is_kept_while_somebody_asks():
    jobs = Jobs()
    jobs.heard([1, "/early", "x.service", "done"])  # nobody asks: not ours
    jobs.begin()
    jobs.heard([2, "/ours", "x.service", "failed"])
    async with asyncio.timeout(2):
        assert await jobs.result("/ours") == "failed"
    jobs.end()
    assert jobs._early == {}


async def test_an_end_told_later_wakes_whoever_waits_for_it_and_nobody_else():
    jobs = Jobs()
    async with asyncio.TaskGroup() as group, asyncio.timeout(2):
        one, other = group.create_task(jobs.result("/1")), group.create_task(jobs.result("/2"))
        await asyncio.sleep(0)
        jobs.heard([2, "/2", "x.service", "timeout"])
        assert await other == "timeout"
        assert not one.done()
        jobs.heard([1, "/1", "x.service", "done"])
        assert await one == "done"


async def test_garbage_is_no_end():
    jobs = Jobs()
    jobs.begin()
    for body in ([], [1], [1, 2, 3, 4], ["a", None, "b", "c"], [1, "/x", "y"]):
        jobs.heard(body)
    assert jobs._early == {}


async def test_a_loss_wakes_everybody_with_what_it_means():
    jobs = Jobs()
    async with asyncio.TaskGroup() as group, asyncio.timeout(2):
        waits = group.create_task(lost(jobs))
        await asyncio.sleep(0)
        jobs.lost(AmbiguousError("the bus went away"))
        assert await waits
    assert jobs._waiting == {}


async def lost(jobs):
    with pytest.raises(AmbiguousError):
        await jobs.result("/1")
    return True
