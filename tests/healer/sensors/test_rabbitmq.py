"""RabbitMQ's figures as readings: what it does not say is unknown, and queues we may not see are that and no more."""

import asyncio

import pytest
from doubles import rabbitmq as double
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.clock import SystemClock
from healer.drivers.http import Http
from healer.drivers.rabbitmq import Node, Place, RabbitMQ
from healer.errors import SensorError
from healer.model.kinds.rabbitmq import KIND
from healer.model.observation import Observation
from healer.model.target import Target
from healer.sensors.rabbitmq import RabbitSensor
from healer.sensors.sane import clean


@pytest.fixture
async def broker():
    made = double.Broker()
    await made.open()
    yield made
    made.close()
    await asyncio.sleep(0)


@pytest.fixture
async def sensor(broker):
    http = Http(SystemClock())

    def make(queues=("orders", "work.*")):
        target = Target(kind="rabbitmq", name="x", organ="stomach", spec={"url": broker.url, "queues": queues})
        return RabbitSensor(target, RabbitMQ(target.id, Place.of(target), http, SystemClock()))

    yield make
    await http.close()


async def look(one):
    """Value, or None where it is unknown, by metric and queue."""
    readings = await one.look(10.0)
    return {
        reading.metric.removeprefix("rabbitmq.")
        + "".join(f"@{value}" for name, value in reading.labels if name == "queue"): getattr(reading, "value", None)
        for reading in readings
    }


async def test_a_node_that_runs_tells_all_of_it(sensor):
    found = await look(sensor())
    assert (found["up"], found["message"], found["version"], found["uptime"]) == (1, "", "3.10.8", 60)
    assert (found["memory_use"], found["fds_use"], found["sockets_use"], found["processes_use"]) == (0.5, 0.1, 0.2, 0.3)
    assert (found["memory_alarm"], found["disk_alarm"], found["partitions"]) == (0, 0, 0)
    assert (found["messages"], found["ready"], found["unacked"]) == (9, 7, 2)
    assert (found["publish_rate"], found["deliver_rate"]) == (1.5, 0)
    assert (found["queue_up@orders"], found["queue_ready@orders"], found["queue_consumers@orders"]) == (1, 7, 1)
    assert found["unconsumed"] == 0
    named = {metric.name.removeprefix("rabbitmq.") for metric in KIND.metrics}
    assert {name.partition("@")[0] for name in found} == named


async def test_a_queue_with_messages_and_nobody_to_take_them_is_counted(broker, sensor):
    broker.queues["orders"]["consumers"] = 0
    assert (await look(sensor()))["unconsumed"] == 1
    del broker.queues["orders"]["consumers"]
    found = await look(sensor())
    assert found["unconsumed"] is found["queue_consumers@orders"] is found["queue_publish_rate@orders"] is None
    broker.queues["orders"]["messages_ready"] = 0
    assert (await look(sensor()))["unconsumed"] == 0


@pytest.mark.parametrize(("state", "up"), [("running", 1), ("idle", 1), ("down", 0), ("crashed", 0), (7, None)])
async def test_the_state_of_a_queue_says_whether_it_is_up(broker, sensor, state, up):
    broker.queues["orders"]["state"] = state
    assert (await look(sensor()))["queue_up@orders"] == up


async def test_a_queue_named_in_full_that_is_missing_is_down_and_a_pattern_that_finds_nothing_is_not(sensor):
    found = await look(sensor(("missing", "none.*")))
    assert (found["queue_up@missing"], found["queue_ready@missing"]) == (0, None)
    assert not any(name.endswith("none.*") for name in found)


async def test_queues_we_may_not_see_are_unknown_and_nothing_else(broker, sensor):
    broker.odd["queues"] = (401, {"reason": "User not authorised to access virtual host"})
    found = await look(sensor())
    assert (found["up"], found["unconsumed"], found["queue_up@orders"]) == (1, None, None)


async def test_without_queues_none_are_asked_for(broker, sensor):
    found = await look(sensor(()))
    assert found["unconsumed"] is None
    assert ("GET", "queues", "/") not in broker.asked


async def test_a_management_that_does_not_answer_is_a_node_that_is_down(broker, sensor):
    broker.close()
    found = await look(sensor())
    assert (found.pop("up"), found.pop("generation")) == (0, "")
    assert "refused" in found.pop("message")
    assert set(found.values()) == {None}


async def test_a_node_its_cluster_does_not_count_is_down(broker, sensor):
    broker.node = {"name": double.NODE, "running": False}
    found = await look(sensor())
    assert (found["up"], found["generation"]) == (0, "")
    assert "does not run" in found["message"]


async def test_that_we_could_not_look_is_no_fact(broker, sensor):
    broker.odd["overview"] = (401, {"reason": "Login failed"})
    with pytest.raises(SensorError, match="Login failed"):
        await look(sensor())


@pytest.mark.parametrize("odd", ["lots", -5, None, [], {}, 1e300, float("nan"), True])
async def test_garbage_is_unknown(broker, sensor, odd):
    broker.node |= {"mem_used": odd, "fd_total": odd, "mem_alarm": odd if odd is not True else "yes", "partitions": odd}
    broker.queues["orders"] |= {"messages_ready": odd, "messages": odd}
    one = sensor()
    found = await look(one)
    assert found["up"] == 1
    assert one.garbage > 0 or odd is None
    for name in ("memory", "memory_use", "fds_use", "memory_alarm", "queue_messages@orders"):
        assert found[name] is None, name
    assert found["partitions"] == (0 if odd == [] else None)


@pytest.mark.parametrize("name", ["object_totals", "queue_totals", "message_stats"])
async def test_a_part_that_is_missing_takes_nothing_else_with_it(broker, sensor, name):
    for odd in (None, 7, "x"):
        broker.overview[name] = odd
        assert (await look(sensor()))["up"] == 1


async def test_no_queue_is_no_message_and_no_rate_is_unknown_where_none_is_kept(broker, sensor):
    broker.overview |= {"object_totals": {"queues": 0}, "queue_totals": {}, "rates_mode": "none"}
    found = await look(sensor(()))
    assert (found["messages"], found["publish_rate"]) == (0, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["rate", "queues", "messages"]), inner),
    max_leaves=4,
)
NAMES = ("uptime", "os_pid", "mem_used", "mem_limit", "mem_alarm", "disk_free", "fd_used", "fd_total", "partitions")


class Says:
    """A driver that says what it is told to."""

    def __init__(self, overview, node, queues):
        self.seen = Node(overview=overview, node=node, took=0.1)
        self.found = queues
        self.inner = RabbitMQ("rabbitmq:x", Place(url="http://h"), None, SystemClock())

    async def look(self):
        return self.seen

    async def queues(self, _patterns):
        return self.found

    def generation(self, seen):
        return self.inner.generation(seen)


@given(
    overview=st.dictionaries(st.sampled_from(["object_totals", "queue_totals", "message_stats", "rates_mode"]), JSON),
    node=st.dictionaries(st.sampled_from(NAMES), JSON),
    queue=st.dictionaries(st.sampled_from(["messages", "messages_ready", "consumers", "state", "message_stats"]), JSON),
)
@settings(max_examples=50, deadline=None)
def test_whatever_it_says_a_reading_is_sane_or_unknown(overview, node, queue):
    overview |= {"node": "a@b", "rabbitmq_version": "3.10.8"}
    target = Target(kind="rabbitmq", name="x", organ="stomach", spec={"queues": ("orders",)})
    says = Says(overview, node | {"name": "a@b", "running": True}, {"orders": queue})
    readings = asyncio.run(RabbitSensor(target, says).look(10.0))
    for reading in readings:
        if isinstance(reading, Observation):
            assert clean(reading.metric, reading.value) is not None or isinstance(reading.value, str)
    assert len({reading.series for reading in readings}) == len(readings)
