"""What a container's state says; a real engine is asked in tests/integration/test_container.py."""

from dataclasses import replace

import pytest

from healer.drivers.containers import Container, Event, Limits, Usage
from healer.drivers.interface import DriverError
from healer.errors import SensorError
from healer.model.observation import Observation, Unknown
from healer.model.target import Target
from healer.sensors.container import ContainerSensor

RUNNING = Container(
    id="0123456789abcdef", name="web", state="running", health="healthy", restarts=2,
    started_at="2001-09-09T01:46:40.123456789Z", exit_code=None, policy="no", image="web:1",
)  # fmt: skip
DEAD = replace(RUNNING, state="exited", exit_code=137)


class Engine:
    """In the place of the driver: says what it is told to say."""

    def __init__(self, found=RUNNING, usage=None):
        self.found = found
        self.usage = usage
        self.listeners = []

    async def inspect(self, name):
        return self.found if name == "spare-1" else None

    async def look(self, name):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found, self.usage

    def subscribe(self, listener, name=""):
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


class Clock:
    def now(self):
        return 50.0

    def wall(self):
        return 1_000_000_060.0


def sensor(engine, **spec):
    return ContainerSensor(Target(kind="container", name="web", organ="heart", spec=spec), engine, Clock())


def told(readings):
    return {reading.metric: None if isinstance(reading, Unknown) else reading.value for reading in readings}


async def test_a_running_container_is_told_with_what_it_uses_between_two_looks():
    bounded = replace(RUNNING, limits=Limits(memory=8192))
    engine = Engine(bounded, usage=Usage(cpu=10.0, memory=4096, pids=3, periods=10, throttled=0))
    looking = sensor(engine)
    first = told(await looking.look(1.0))
    engine.usage = Usage(cpu=11.0, memory=4096, pids=3, periods=30, throttled=5)
    second = told(await looking.look(3.0))
    assert first["container.cpu"] is first["container.throttled"] is None
    assert second == {
        "container.up": 1, "container.state": "running", "container.health": "healthy", "container.restarts": 2,
        "container.generation": "0123456789ab.2001-09-09T01:46:40.123456789Z", "container.exit_code": None,
        "container.uptime": pytest.approx(59.877, abs=0.001),
        "container.cpu": 0.5, "container.memory": 4096,
        "container.memory_used": 0.5,
        "container.pids": 3, "container.throttled": 0.25, "container.oom_killed": 0, "container.image": "web:1",
        "container.asked_to_end": 0, "container.memory_limit": 8192, "container.cpu_limit": None,
    }  # fmt: skip


async def test_another_incarnation_counts_its_own_time():
    engine = Engine(usage=Usage(cpu=10.0, memory=1))
    looking = sensor(engine)
    await looking.look(1.0)
    engine.found = replace(RUNNING, started_at="2001-09-09T01:47:00Z")
    engine.usage = Usage(cpu=10.5, memory=1)
    assert told(await looking.look(2.0))["container.cpu"] is None


async def test_a_dead_container_is_not_up_and_told_with_its_exit():
    seen = told(await sensor(Engine(DEAD)).look(1.0))
    assert seen["container.up"] == 0
    assert seen["container.exit_code"] == 137
    assert seen["container.generation"] == ""
    assert seen["container.memory"] is None


async def test_a_container_that_is_not_there_is_absent():
    seen = told(await sensor(Engine(None)).look(1.0))
    assert seen["container.up"] == 0
    assert seen["container.state"] == "absent"


async def test_an_engine_that_cannot_be_asked_makes_all_unknown():
    with pytest.raises(SensorError, match="away"):
        await sensor(Engine(DriverError("away", hint="is it running?"))).look(1.0)


@pytest.mark.parametrize("started", ["0001-01-01T00:00:00Z", "", "yesterday"])
async def test_a_start_that_is_not_told_is_unknown(started):
    seen = told(await sensor(Engine(replace(RUNNING, started_at=started))).look(1.0))
    assert seen["container.uptime"] is None


async def test_garbage_of_the_engine_is_unknown_and_counted():
    looking = sensor(Engine(replace(RUNNING, state="splendid", health="fine", restarts=-1)))
    seen = told(await looking.look(1.0))
    assert seen["container.state"] is None
    assert seen["container.health"] is None
    assert seen["container.restarts"] is None
    assert seen["container.up"] == 0
    assert looking.garbage == 3


def event(what="die", **fields):
    return Event(**{"what": what, "id": RUNNING.id, "name": "web", "exit_code": 1, "container": None, **fields})


async def hearing(engine, **spec):
    looking, pushed = sensor(engine, **spec), []
    await looking.open(pushed.append)
    await looking.look(1.0)
    return looking, pushed


async def test_a_death_is_pushed_and_conclusive_where_nobody_else_heals_it():
    engine = Engine()
    looking, pushed = await hearing(engine)
    engine.listeners[0](event())
    assert told(pushed[0])["container.up"] == 0
    assert told(pushed[0])["container.exit_code"] == 1
    assert all(isinstance(r, Observation) and r.conclusive and r.at == 50.0 for r in pushed[0])
    await looking.close()
    await looking.close()
    assert not engine.listeners


@pytest.mark.parametrize("policy", ["always", "on-failure", "unless-stopped"])
async def test_a_death_is_only_a_sample_where_the_engine_may_heal_it(policy):
    engine = Engine(replace(RUNNING, policy=policy))
    _, pushed = await hearing(engine)
    engine.listeners[0](event())
    assert not any(reading.conclusive for reading in pushed[0])


async def test_a_death_never_looked_at_before_is_only_a_sample():
    engine = Engine()
    looking, pushed = sensor(engine), []
    await looking.open(pushed.append)
    engine.listeners[0](event(exit_code=None))
    assert not any(reading.conclusive for reading in pushed[0])
    assert "container.exit_code" not in told(pushed[0])


async def test_other_events_push_what_the_container_is_now():
    engine = Engine()
    _, pushed = await hearing(engine)
    engine.listeners[0](event("health_status", container=replace(RUNNING, health="unhealthy")))
    assert told(pushed[0])["container.health"] == "unhealthy"


async def test_what_was_removed_is_absent_at_once():
    engine = Engine()
    _, pushed = await hearing(engine)
    engine.listeners[0](event("destroy"))
    assert told(pushed[0])["container.state"] == "absent"
    engine.listeners[0](event("rename"))
    assert len(pushed) == 1


async def test_an_old_death_told_late_says_only_how_it_is_now():
    engine = Engine()
    _, pushed = await hearing(engine)
    engine.listeners[0](event(late=True, container=RUNNING))
    assert told(pushed[0])["container.up"] == 1
    engine.listeners[0](event(late=True))
    assert len(pushed) == 1


async def test_a_death_that_was_asked_for_is_only_a_sample_and_is_remembered_as_such():
    engine = Engine()
    looking, pushed = await hearing(engine)
    engine.listeners[0](event(asked=True))
    assert not any(reading.conclusive for reading in pushed[0])
    engine.found = DEAD
    assert told(await looking.look(2.0))["container.asked_to_end"] == 1
    engine.found = replace(DEAD, id="f" * 16)
    assert told(await looking.look(3.0))["container.asked_to_end"] is None


async def test_without_bounds_there_is_no_share_of_them_and_without_a_measure_nothing():
    engine = Engine(usage=Usage(cpu=1.0, memory=4096))
    seen = told(await sensor(engine).look(1.0))
    assert seen["container.memory"] == 4096
    for metric in ("memory_used", "pids", "throttled"):
        assert seen[f"container.{metric}"] is None
    assert told(await sensor(Engine()).look(1.0))["container.memory"] is None


async def test_a_container_that_just_started_on_a_clock_ahead_of_ours_is_no_garbage():
    looking = sensor(Engine(replace(RUNNING, started_at="2001-09-09T01:47:50Z"), Usage(cpu=0.0, memory=1)))
    assert told(await looking.look(1.0))["container.uptime"] == 0
    assert looking.garbage == 0


async def test_what_happens_to_others_is_not_heard():
    engine = Engine()
    _, pushed = await hearing(engine)
    engine.listeners[0](event(name="db", id="f" * 64))
    assert not pushed


@pytest.mark.parametrize("name", ["0123456789ab", "0123456789abcdef", "web"])
async def test_a_container_is_heard_by_its_id_as_by_its_name(name):
    engine = Engine()
    _, pushed = await hearing(engine, container=name)
    engine.listeners[0](event())
    assert pushed


async def test_spares_that_run_are_counted_with_it():
    looking = sensor(Engine(), spare=("spare-1", "spare-2"))
    assert told(await looking.look(1.0))["container.instances"] == 2
    assert "container.instances" not in told(await sensor(Engine()).look(1.0))


async def test_a_kill_for_want_of_memory_is_remembered_for_its_run_whatever_the_engine_forgets():
    engine = Engine()
    looking, pushed = await hearing(engine)
    engine.listeners[0](event("oom", container=RUNNING))
    assert told(pushed[0])["container.oom_killed"] == 1
    assert told(await looking.look(2.0))["container.oom_killed"] == 1
    engine.listeners[0](event())
    assert told(pushed[1])["container.oom_killed"] == 1
    engine.found = replace(RUNNING, started_at="2001-09-09T01:47:00Z")
    assert told(await looking.look(3.0))["container.oom_killed"] == 0
