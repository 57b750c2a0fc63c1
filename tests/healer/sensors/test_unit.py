"""What is seen of a unit, and who is to blame when it is not."""

import pytest

from healer.drivers.interface import DriverError
from healer.drivers.systemd.unit import UNSET, describe
from healer.errors import SensorError
from healer.model.kinds.unit import KIND
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.model.vocabulary import METRICS
from healer.sensors.unit import UnitSensor

SAID = {
    "Id": "a.service", "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success",
    "InvocationID": b"\x01" * 16, "NRestarts": 0, "MainPID": 7, "Type": "simple", "Restart": "no",
    "ActiveEnterTimestamp": 900_000_000, "CPUUsageNSec": 10**9, "MemoryCurrent": 4096, "TasksCurrent": 3,
}  # fmt: skip


class Clock:
    def now(self):
        return 50.0

    def wall(self):
        return 1000.0


class Manager:
    """Says what it is told to say."""

    def __init__(self):
        self.said, self.error, self.instances, self.listeners = dict(SAID), None, {}, []

    async def unit(self, name):
        self.name = name
        if self.error:
            raise self.error
        return describe(self.said)

    async def family(self, template):
        self.name = template
        if self.error:
            raise self.error
        return self.instances

    def subscribe(self, name, listener):
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


@pytest.fixture
def manager():
    return Manager()


def sensor(manager, name="a", **spec):
    return UnitSensor(Target(kind="unit", name=name, organ="heart", spec=spec), manager, Clock())


def values(readings):
    return {one.metric: one.because if isinstance(one, Unknown) else one.value for one in readings}


async def test_a_running_unit_says_all_there_is(manager):
    looks = sensor(manager)
    await looks.look(0.0)
    manager.said["CPUUsageNSec"] = 2 * 10**9
    found = values(await looks.look(2.0))
    assert found | {
        "unit.up": 1, "unit.failed": 0, "unit.state": "active", "unit.sub": "running", "unit.load": "loaded",
        "unit.generation": "01" * 16, "unit.restarts": 0, "unit.uptime": 100, "unit.cpu": 0.5, "unit.memory": 4096,
        "unit.tasks": 3,
    } == found  # fmt: skip
    assert manager.name == "a.service"
    assert looks.garbage == 0


async def test_every_reading_is_a_declared_metric_of_its_target(manager):
    readings = await sensor(manager).look(0.0)
    assert {one.metric for one in readings} <= set(METRICS)
    assert {one.labels for one in readings} == {(("target", "unit:a"),)}


async def test_the_unit_s_own_name_wins_over_the_target_s(manager):
    await sensor(manager, unit="b.timer").look(0.0)
    assert manager.name == "b.timer"


async def test_a_manager_that_cannot_be_asked_says_nothing_of_the_unit(manager):
    manager.error = DriverError("cannot connect to the bus", hint="is it running?")
    with pytest.raises(SensorError, match="cannot connect") as caught:
        await sensor(manager).look(0.0)
    assert caught.value.hint == "is it running?"


@pytest.mark.parametrize("load", ["not-found", "masked"])
async def test_a_unit_that_is_not_there_is_down_and_uses_nothing(manager, load):
    manager.said |= {"LoadState": load, "ActiveState": "inactive", "SubState": "dead", "CPUUsageNSec": UNSET}
    found = values(await sensor(manager).look(0.0))
    assert (found["unit.up"], found["unit.load"], found["unit.generation"]) == (0, load, "")
    assert (found["unit.cpu"], found["unit.memory"], found["unit.tasks"]) == (0, 0, 0)


async def test_what_nobody_counts_is_unknown_and_not_nothing(manager):
    manager.said |= {"CPUUsageNSec": UNSET, "MemoryCurrent": UNSET, "TasksCurrent": UNSET}
    found = values(await sensor(manager).look(0.0))
    assert all("does not count it" in found[name] for name in ("unit.cpu", "unit.memory", "unit.tasks"))


async def test_cpu_of_another_incarnation_is_not_compared_with_the_last_one_s(manager):
    looks = sensor(manager)
    await looks.look(0.0)
    manager.said |= {"InvocationID": b"\x02" * 16, "CPUUsageNSec": 5 * 10**9}
    assert "two looks" in values(await looks.look(1.0))["unit.cpu"]


async def test_in_transition_it_is_neither_up_nor_down(manager):
    manager.said |= {"ActiveState": "activating", "SubState": "auto-restart"}
    found = values(await sensor(manager).look(0.0))
    assert "start it again" in found["unit.up"]
    assert found["unit.failed"] == 0
    assert found["unit.state"] == "activating"


async def test_words_that_systemd_does_not_have_are_garbage(manager):
    manager.said |= {"ActiveState": "dancing", "LoadState": "loaded"}
    looks = sensor(manager)
    assert "garbage" in values(await looks.look(0.0))["unit.state"]
    assert looks.garbage == 1


async def test_a_clock_that_was_set_back_makes_no_negative_uptime(manager):
    manager.said["ActiveEnterTimestamp"] = 2_000_000_000
    assert values(await sensor(manager).look(0.0))["unit.uptime"] == 0


async def test_a_timer_tells_when_it_fired_and_uses_nothing(manager):
    manager.said |= {"Id": "a.timer", "LastTriggerUSec": 940_000_000, "SubState": "waiting", "CPUUsageNSec": UNSET}
    found = values(await sensor(manager, "a.timer").look(0.0))
    assert (found["unit.triggered"], found["unit.cpu"]) == (60, 0)


async def test_a_template_is_as_many_as_its_instances(manager):
    manager.instances = {"web@1.service": "active", "web@2.service": "failed", "web@3.service": "reloading"}
    found = values(await sensor(manager, "web@").look(0.0))
    assert manager.name == "web@.service"
    assert (found["unit.instances"], found["unit.up"]) == (2, 1)
    assert "its instances run" in found["unit.generation"]
    manager.instances = {}
    assert values(await sensor(manager, "web@").look(0.0))["unit.up"] == 0


# ------------------------------------------------------------------------------------------------------ pushes


@pytest.fixture
async def pushed(manager):
    """Everything pushed by a sensor that is open."""
    got = []
    looks = sensor(manager)
    await looks.open(got.append)
    await looks.open(got.append)  # after a crash it is opened again: still heard once
    yield got
    await looks.close()
    await looks.close()
    assert manager.listeners == []


def tell(manager, **changed):
    (listener,) = manager.listeners
    listener(describe(manager.said | changed))


async def test_a_death_is_conclusive(manager, pushed):
    tell(manager, ActiveState="failed", SubState="failed", Result="signal", ExecMainCode=2, ExecMainStatus=9)
    told = {one.metric: one for one in pushed[0]}
    assert (told["unit.up"].value, told["unit.failed"].value, told["unit.exit_code"].value) == (0, 1, 137)
    assert told["unit.up"].conclusive
    assert told["unit.failed"].conclusive
    assert told["unit.up"].at == 50.0


async def test_a_return_and_a_transition_are_not(manager, pushed):
    tell(manager)
    tell(manager, ActiveState="deactivating")
    up, down = ({one.metric: one for one in told}["unit.up"] for told in pushed)
    assert up.value == 1
    assert not up.conclusive
    assert isinstance(down, Unknown)


async def test_a_lost_bus_makes_everything_unknown_at_once(manager, pushed):
    (listener,) = manager.listeners
    listener("the bus went away")
    assert {one.metric for one in pushed[0]} == {metric.name for metric in KIND.metrics}
    assert all(isinstance(one, Unknown) and one.because == "the bus went away" for one in pushed[0])


async def test_a_template_hears_nothing(manager):
    looks = sensor(manager, "web@")
    await looks.open(print)
    assert manager.listeners == []
