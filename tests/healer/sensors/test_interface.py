"""What every sensor has."""

from healer.model.target import Target
from healer.sensors.interface import QuickSensor, Sensor, TargetSensor


class Plain(Sensor):
    async def look(self, now):
        return []


class Quick(QuickSensor):
    def glance(self, now):
        return [now]


class Aimed(TargetSensor):
    async def look(self, now):
        return []


async def test_opening_and_closing_do_nothing_by_default():
    sensor = Plain(name="x", every=1.0, timeout=1.0, max_age=3.0)
    assert await sensor.open(print) is None
    assert await sensor.close() is None
    assert not sensor.quick


async def test_a_quick_sensor_glances_when_it_is_asked_to_look():
    sensor = Quick(name="x", every=1.0, timeout=1.0, max_age=3.0)
    assert await sensor.look(5.0) == [5.0]
    assert sensor.quick


def test_a_sensor_covers_its_name_and_its_target():
    sensor = Plain(name="x", every=1.0, timeout=1.0, max_age=3.0, target="http:a")
    assert sensor.covers("x")
    assert sensor.covers("http:a")
    assert not sensor.covers("http:b")


def test_a_target_sensor_keeps_the_targets_own_time():
    given = Aimed(Target(kind="tcp", name="a", organ="lungs", spec={"every": 2.0, "timeout": 1.0, "max_age": 4.0}))
    assert (given.every, given.timeout, given.max_age, given.name, given.target) == (2.0, 1.0, 4.0, "tcp:a", "tcp:a")
    silent = Aimed(Target(kind="tcp", name="a", organ="lungs"), every=7.0, margin=0.5)
    assert (silent.every, silent.patience, silent.timeout, silent.max_age) == (7.0, 5.0, 5.5, 26.5)
