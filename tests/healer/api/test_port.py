import asyncio

import pytest

from healer.api.port import ANSWER, answered
from healer.runtime.bus import Bus


async def test_an_answer_that_came_before_the_question_is_found():
    bus = Bus()
    bus.publish(ANSWER, {"id": "a", "answer": "accepted"}, 1.0)
    assert (await answered(bus, "a", 0))["answer"] == "accepted"


async def test_an_answer_that_comes_later_is_waited_for():
    bus = Bus()
    waiting = asyncio.ensure_future(answered(bus, "b", 5))
    await asyncio.sleep(0)
    bus.publish(ANSWER, {"id": "a", "answer": "accepted"}, 1.0)
    bus.publish(ANSWER, {"id": "b", "answer": "refused"}, 1.0)
    assert (await waiting)["answer"] == "refused"


async def test_no_answer_is_a_timeout_and_leaves_no_subscriber_behind():
    bus = Bus()
    with pytest.raises(TimeoutError):
        await answered(bus, "c", 0)
    assert not bus._subscriptions
