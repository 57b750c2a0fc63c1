import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.runtime.bus import RING, Bus


@pytest.mark.parametrize(
    ("glob", "topic", "heard"),
    [
        ("*", "anything.at.all", True),
        ("incident.*", "incident.firing", True),
        ("incident.*", "incidents.firing", False),
        ("incident.firing", "incident.firing", True),
        ("*.changed", "mode.changed", True),
        ("Incident.*", "incident.firing", False),
    ],
)
def test_globs_choose_topics(glob, topic, heard):
    bus, said = Bus(), []
    bus.on(glob, lambda topic, data: said.append((topic, data)))
    bus.publish(topic, {"a": 1}, 5.0)
    assert said == ([(topic, {"a": 1})] if heard else [])


def test_what_is_ended_hears_nothing_and_can_be_ended_twice():
    bus, said = Bus(), []
    end = bus.on("*", lambda topic, data: said.append(topic))
    end()
    end()
    bus.publish("x", {}, 0.0)
    assert said == []


def test_a_callback_that_raises_is_dropped_and_the_others_go_on(caplog):
    bus, said = Bus(), []
    bus.on("*", lambda topic, data: 1 / 0)
    bus.on("*", lambda topic, data: said.append(topic))
    bus.publish("a", {}, 0.0)
    bus.publish("b", {}, 0.0)
    assert said == ["a", "b"]
    assert [record.getMessage() for record in caplog.records] == ["bus.callback-dropped"]


def test_a_callback_may_end_itself_and_others():
    bus, said = Bus(), []
    ends = []

    def first(topic, data):
        said.append("first")
        for end in ends:
            end()

    ends.append(bus.on("*", first))
    ends.append(bus.on("*", lambda topic, data: said.append("second")))
    bus.publish("x", {}, 0.0)
    bus.publish("x", {}, 0.0)
    assert said == ["first", "second"]


async def test_a_subscriber_gets_events_in_order_with_numbers_without_gaps():
    bus = Bus()
    subscription = bus.subscribe("*")
    asyncio.get_running_loop().call_soon(bus.publish, "late", {}, 1.0)
    async with asyncio.timeout(5):
        assert (await subscription.get()).topic == "late"
    bus.publish("a", {}, 0.0)
    bus.publish("b", {}, 0.0)
    assert [(await subscription.get()).number for _ in range(2)] == [2, 3]
    bus.unsubscribe(subscription)
    bus.unsubscribe(subscription)
    bus.publish("c", {}, 0.0)
    assert not subscription._queue


@given(st.integers(1, 20), st.integers(0, 60))
def test_a_slow_subscriber_loses_the_oldest_and_the_loss_is_counted(size, events):
    bus = Bus()
    subscription = bus.subscribe("*", size=size)
    for number in range(events):
        bus.publish(f"t{number}", {}, 0.0)
    assert len(subscription._queue) == min(size, events)
    assert subscription.lost == max(0, events - size)
    assert [heard.number for heard in subscription._queue] == list(range(max(0, events - size) + 1, events + 1))


def test_those_who_come_later_find_the_last_events():
    bus = Bus()
    for _ in range(RING + 5):
        bus.publish("x", {}, 0.0)
    assert (len(bus.ring), bus.ring[0].number, bus.count) == (RING, 6, RING + 5)
