import asyncio
import contextlib
import threading

import pytest

from healer.clock import SystemClock
from healer.runtime.witnessing import Answer, Contradicted, Witnessing


class Peers:
    """Witnesses that answer as told; every question is remembered."""

    def __init__(self, size=3, every=30.0, timeout=5.0):
        self.size, self.reached, self.slow, self.left_out = size, True, False, False
        self.asked, self.heard, self.hurried = [], [], threading.Event()
        self.witnessing = Witnessing(
            ask=self.ask,
            hurry=self.hurried.set,
            size=lambda: self.size,
            heard=self.heard.append,
            clock=SystemClock(),
            every=every,
            timeout=timeout,
        )

    def ask(self, patient):
        size = self.size
        self.asked.append((size, patient()))
        while self.slow and patient():
            self.hurried.wait(5)
        missing = "" if self.reached else "a: it sleeps"
        names = {"a": missing, "b": "no answer in time" if self.left_out and not patient() else ""}
        return Answer(size=size, reached=self.reached, because=missing, witnesses=names)

    @contextlib.asynccontextmanager
    async def live(self):
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(self.witnessing.run())
            await asyncio.sleep(0)
            yield self
            task.cancel()

    async def until(self, true):
        while not true():  # noqa: ASYNC110 - what is waited for is anything a test can name
            await asyncio.sleep(0.005)

    async def quorum(self, seconds=5.0):
        return await self.witnessing.quorum(SystemClock().now() + seconds)


async def test_nobody_is_asked_while_nothing_is_sealed():
    async with Peers().live() as peers:
        await asyncio.sleep(0.05)
        assert peers.asked == []


async def test_the_first_block_after_a_rest_is_shown_at_once_and_many_together():
    async with Peers().live() as peers:
        peers.witnessing.grown()
        await peers.until(lambda: peers.heard)
        assert peers.asked == [(3, True)]
        peers.size = 9
        for _ in range(6):
            peers.witnessing.grown()
        await asyncio.sleep(0.05)
        assert len(peers.asked) == 1
        assert peers.witnessing.size == 3


async def test_blocks_wait_their_turn_and_no_longer():
    async with Peers(every=0.1).live() as peers:
        peers.witnessing.grown()
        await peers.until(lambda: peers.heard)
        peers.size = 9
        peers.witnessing.grown()
        await peers.until(lambda: len(peers.heard) == 2)
        assert peers.witnessing.size == 9


async def test_what_is_risky_does_not_wait_for_its_turn():
    async with Peers().live() as peers:
        peers.witnessing.grown()
        await peers.until(lambda: peers.heard)
        peers.size = 4
        peers.witnessing.at_once()
        await peers.until(lambda: len(peers.heard) == 2)
        assert peers.asked[1] == (4, False)


async def test_after_haste_those_who_were_not_heard_are_asked_in_patience():
    peers = Peers(every=0.05)
    peers.left_out = True
    async with peers.live():
        peers.witnessing.at_once()
        await peers.until(lambda: len(peers.heard) == 2)
        assert [patient for _, patient in peers.asked] == [False, True]
        await asyncio.sleep(0.15)
        assert len(peers.asked) == 2


async def test_a_quorum_that_answers_lets_go_on():
    async with Peers().live() as peers:
        assert await peers.quorum() == ""
        assert peers.asked == [(3, False)]
        assert peers.witnessing.reached_at is not None


async def test_a_quorum_that_is_not_reached_says_who_did_not_answer_and_asks_once():
    peers = Peers()
    peers.reached = False
    async with peers.live():
        assert await peers.quorum() == "a: it sleeps"
        assert len(peers.asked) == 1
        assert peers.witnessing.size == 0


async def test_an_answer_about_an_older_head_is_no_answer():
    peers = Peers()
    peers.slow = True
    async with peers.live():
        peers.witnessing.grown()
        await peers.until(lambda: peers.asked)
        peers.size = 7
        assert await peers.quorum() == ""
        assert [size for size, _ in peers.asked] == [3, 7]


@pytest.mark.parametrize(("until", "says"), [(0.1, "0.1 s"), (-5.0, "0.0 s"), (60.0, "0.2 s")])
async def test_waiting_ends_with_the_deadline_or_the_time_limit_whichever_is_shorter(until, says):
    peers = Peers(timeout=0.2)
    free = threading.Event()
    peers.witnessing._ask = lambda _: (free.wait(5), Answer(size=9, reached=True))[1]
    try:
        async with peers.live():
            assert f"within {says}" in await peers.quorum(until)
            assert peers.witnessing._waiting == []
    finally:
        free.set()


async def test_who_is_out_of_reach_is_asked_again_without_news_and_ever_more_seldom():
    peers = Peers(every=0.02)
    peers.reached = False
    async with peers.live():
        peers.witnessing.grown()
        await peers.until(lambda: len(peers.asked) == 3)
        assert peers.witnessing._missed == 3
        peers.reached = True
        await peers.until(lambda: peers.witnessing.size == 3)
        assert peers.witnessing._missed == 0


async def test_what_a_witness_holds_against_us_is_heard_before_anybody_goes_on():
    peers, order = Peers(), []
    against = Contradicted(witness="a", size=9, ours=3, because="it has 9")
    peers.witnessing._ask = lambda _: Answer(size=3, reached=True, contradictions=(against,))
    peers.witnessing._heard = lambda answer: order.append(answer.contradictions)
    async with peers.live():
        assert await peers.quorum() == ""
        order.append("on")
    assert order == [(against,), "on"]


async def test_the_last_block_is_shown_if_it_was_not_yet_and_a_stop_waits_no_longer_than_told():
    peers = Peers()
    await peers.witnessing.last(1.0)
    assert peers.witnessing.size == 3
    await peers.witnessing.last(1.0)
    assert len(peers.asked) == 1
    peers.size, free = 4, threading.Event()
    peers.witnessing._ask = lambda _: (free.wait(5), Answer(size=4, reached=True))[1]
    async with asyncio.timeout(1):
        await peers.witnessing.last(0.05)
    free.set()
    assert peers.witnessing.size == 3
