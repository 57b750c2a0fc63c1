"""Hands on a management interface that misbehaves: what is not sure to have happened is said to be so."""

import asyncio

import pytest
from doubles import rabbitmq as double

from healer.actions.hands import rabbitmq as module
from healer.actions.hands.catalog import Services
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.errors import ActionError, AmbiguousError
from healer.model.systems import VERBS
from healer.model.target import Target


@pytest.fixture
async def broker():
    made = double.Broker()
    await made.open()
    yield made
    made.close()
    await asyncio.sleep(0)


@pytest.fixture
async def do(broker):
    drivers = Drivers(SystemClock())
    hands = module.hands(Services(drivers=drivers, programs=None, clock=drivers.clock))
    spec = {"url": broker.url, "timeout": 0.3, "queues": ("orders", "work.*")}
    target = Target(kind="rabbitmq", name="x", organ="stomach", spec=spec)

    async def one(verb, *, generation=None, **params):
        rabbit = drivers.of(target)
        if generation is None:
            generation = rabbit.generation(await rabbit.look())
            broker.asked.clear()
        defaults = {
            name: param.default
            for name, param in VERBS[verb].params.items()
            if param.default is not None and (not param.kinds or "rabbitmq" in param.kinds)
        }
        order = Order(intent="aa", target=target, params=defaults | params, timeout=5.0, generation=generation)
        assert hands[verb].would(order)
        return await hands[verb].act(order)

    yield one
    await drivers.close()


def orders(broker):
    return [asked for asked in broker.asked if asked[0] != "GET"]


@pytest.mark.parametrize("generation", ["", "rabbit@here.1.2"])
async def test_another_start_is_left_alone(broker, do, generation):
    for verb, params in (("reconnect", {"user": "app"}), ("clear_cache", {"queue": "orders"})):
        with pytest.raises(ActionError, match="another incarnation"):
            await do(verb, generation=generation, **params)
    assert orders(broker) == []


async def test_one_that_does_not_say_since_when_it_runs_is_left_alone(broker, do):
    broker.node["uptime"] = None
    with pytest.raises(ActionError, match="another incarnation"):
        await do("clear_cache", generation="", queue="orders")
    assert orders(broker) == []


async def test_a_node_that_does_not_answer_was_not_touched(broker, do):
    broker.odd["overview"] = lambda _writer: asyncio.sleep(30)
    with pytest.raises(ActionError, match="within") as caught:
        await do("clear_cache", generation="x", queue="orders")
    assert caught.value.transient
    assert not isinstance(caught.value, AmbiguousError)


# --------------------------------------------------------------------------------------------- connections


def crowd(broker):
    for name, more in {
        "a": {"user": "app", "user_provided_name": "worker-1", "connected_at": 3000},
        "b": {"user": "app", "user_provided_name": "worker-2", "connected_at": 1000},
        "c": {"user": "shop", "connected_at": 2000},
        "d": {"user": "app", "node": "rabbit@there", "connected_at": 1},
        "e": {"user": "app", "connected_at": "long ago"},
        "f": {"user": "app", "connected_at": 1, "state": "closed"},
    }.items():
        broker.connections[name] = {"node": double.NODE, "state": "running"} | more


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"user": "app"}, "ba"), ({"user": "app", "at_most": 1}, "b"), ({"client": "worker-*"}, "ba"),
        ({"user": "shop", "client": "worker-*"}, ""), ({"user": "nobody"}, ""), ({"client": "*"}, "bca"),
        ({"user": "app", "older": 9e11}, ""), ({"user": "app", "at_most": 0}, ""),
    ],
)  # fmt: skip
async def test_those_that_match_go_the_oldest_first_and_no_others(broker, do, params, names):
    crowd(broker)
    done = await do("reconnect", **params)
    assert [asked[2] for asked in orders(broker)] == list(names)
    assert done.facts["connections"] == len(names)


async def test_nobody_is_everybody(broker, do):
    crowd(broker)
    with pytest.raises(ActionError, match="of whom") as caught:
        await do("reconnect")
    assert not caught.value.transient
    assert broker.asked == []


async def test_one_that_went_by_itself_is_not_counted(broker, do):
    crowd(broker)
    broker.odd["DELETE", "connections"] = (404, {"reason": "Not Found"})
    assert (await do("reconnect", user="app")).facts["connections"] == 0


async def test_a_missing_right_is_no_passing_trouble(broker, do):
    crowd(broker)
    broker.odd["DELETE", "connections"] = (401, {"reason": "Not administrator user"})
    with pytest.raises(ActionError, match="Not administrator") as caught:
        await do("reconnect", user="app")
    assert not caught.value.transient
    assert not isinstance(caught.value, AmbiguousError)


async def test_a_reply_that_was_lost_is_ambiguous(broker, do):
    crowd(broker)
    broker.odd["DELETE", "connections"] = lambda _writer: asyncio.sleep(30)
    with pytest.raises(AmbiguousError, match="0 connections ended"):
        await do("reconnect", user="app")


async def test_one_that_stays_is_not_ended(broker, do, monkeypatch):
    monkeypatch.setattr(module, "_PROOF", 0.1)
    crowd(broker)
    broker.odd["DELETE", "connections"] = (204, None)
    with pytest.raises(ActionError, match="1 of 1 connections are still there"):
        await do("reconnect", user="shop")


# -------------------------------------------------------------------------------------------------- queues


async def test_a_queue_is_emptied_and_read_back(broker, do):
    done = await do("clear_cache", queue="orders")
    assert done.facts == {"queue": "orders", "before": 7, "after": 0}
    assert orders(broker) == [("DELETE", "queues", "/", "orders", "contents")]


@pytest.mark.parametrize(
    ("params", "because"),
    [
        ({}, "which queue"),
        ({"queue": "work.a"}, "full name"),
        ({"queue": "work.*"}, "full name"),
        ({"queue": "x"}, "full name"),
    ],
)
async def test_a_queue_that_was_not_declared_by_its_full_name_is_refused(broker, do, params, because):
    with pytest.raises(ActionError, match=because):
        await do("clear_cache", **params)
    assert orders(broker) == []


async def test_one_that_holds_more_than_may_go_is_left_alone(broker, do):
    with pytest.raises(ActionError, match="holds 7"):
        await do("clear_cache", queue="orders", most=6)
    broker.queues["orders"]["messages_ready"] = 10_001
    with pytest.raises(ActionError, match="holds 10001"):
        await do("clear_cache", queue="orders")
    assert orders(broker) == []


async def test_one_that_is_empty_is_not_touched(broker, do):
    broker.queues["orders"]["messages_ready"] = 0
    assert "is empty" in (await do("clear_cache", queue="orders")).because
    assert orders(broker) == []


@pytest.mark.parametrize("odd", [{"messages_ready": "many"}, {"messages_ready": None}])
async def test_one_that_does_not_say_what_it_holds_is_left_alone(broker, do, odd):
    broker.queues["orders"] |= odd
    with pytest.raises(ActionError, match="does not say"):
        await do("clear_cache", queue="orders")
    assert orders(broker) == []


async def test_one_that_stays_full_is_ambiguous(broker, do, monkeypatch):
    monkeypatch.setattr(module, "_PROOF", 0.1)
    broker.odd["DELETE", "queues"] = (204, None)
    with pytest.raises(AmbiguousError, match="had 7 messages and has 7"):
        await do("clear_cache", queue="orders")


async def test_a_purge_whose_reply_was_lost_is_ambiguous(broker, do):
    broker.odd["DELETE", "queues"] = lambda _writer: asyncio.sleep(30)
    with pytest.raises(AmbiguousError, match="reply was lost"):
        await do("clear_cache", queue="orders")
