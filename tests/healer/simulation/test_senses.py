"""Toy senses fail as real ones do, and the tap between them and the agent misses nothing."""

import math

import pytest

from healer.errors import SensorError
from healer.model.event import Looked
from healer.model.observation import Observation, labels
from healer.model.unit import Unit
from healer.simulation.loop import SimLoop, run
from healer.simulation.senses import GARBAGE, ToySensor


def looked(house, *values, target="program:p0", metric="program.up"):
    for value in values:
        house.clock.at += 1.0
        reading = Observation(
            metric=metric, labels=labels(target=target), value=value, unit=Unit.FLAG, at=house.clock.now()
        )
        house.tap.take(Looked(sensor=target, at=house.clock.now(), readings=(reading,)))
    return house.tap.last[target, metric]


def look(house, *faults, target="program:p0"):
    house.chance.rates = dict.fromkeys(faults, 1.0)
    sensor = ToySensor(house.world.things[target], house.world, every=1.0)
    loop = SimLoop(house.clock, house.chance.interleaving)
    return {one.metric: one.value for one in run(loop, sensor.look(house.clock.now())) if hasattr(one, "value")}


def test_an_honest_look_says_what_is(house):
    assert look(house)["program.up"] == 1
    house.world.die("program:p0")
    assert look(house) == {"program.up": 0.0, "program.generation": ""}
    assert look(house, target="http:front") == {"http.ok": 0.0}


def test_a_lying_look_says_the_contrary(house):
    assert look(house, "sensor.lie")["program.up"] == 0


@pytest.mark.parametrize(("fault", "raised"), [("sensor.error", SensorError), ("sensor.crash", ValueError)])
def test_a_look_may_fail(house, fault, raised):
    with pytest.raises(raised):
        look(house, fault)


def test_a_look_may_be_empty_or_take_for_ever(house):
    assert look(house, "sensor.empty") == {}
    before = house.clock.at
    look(house, "sensor.hang")
    assert house.clock.at - before > 0.4


def test_a_stale_look_repeats_an_old_answer(house):
    sensor = ToySensor(house.world.things["program:p0"], house.world, every=1.0)
    first = run(SimLoop(house.clock, house.chance.interleaving), sensor.look(house.clock.now()))
    house.chance.rates = {"sensor.stale": 1.0}
    again = run(SimLoop(house.clock, house.chance.interleaving), sensor.look(house.clock.now()))
    assert again is first


@pytest.mark.parametrize("value", GARBAGE, ids=repr)
def test_to_the_tap_garbage_is_unknown(house, value):
    sample = looked(house, 1.0, value)
    assert sample.value is None or value in (1, 0)
    assert not (isinstance(sample.value, float) and math.isnan(sample.value))


def test_the_tap_counts_known_samples_and_forgets_them_with_the_agent(house):
    assert looked(house, 1.0, 0.0, 1.0).seen == 3
    house.tap.begin()
    assert looked(house, 1.0).seen == 1


def test_a_look_that_failed_makes_all_of_its_sensor_unknown(house):
    looked(house, 1.0)
    house.tap.take(Looked(sensor="program:p0", at=house.clock.now(), because="it hangs"))
    assert house.tap.last["program:p0", "program.up"].value is None


def test_a_late_answer_about_an_earlier_moment_changes_nothing(house):
    looked(house, 1.0, 0.0)
    old = Observation(
        metric="program.up",
        labels=labels(target="program:p0"),
        value=1.0,
        unit=Unit.FLAG,
        at=house.clock.now() - 5,
    )
    house.tap.take(Looked(sensor="program:p0", at=house.clock.now(), readings=(old,)))
    assert house.tap.last["program:p0", "program.up"].value == 0


def test_the_alarm_is_raised_when_half_of_a_group_and_three_are_seen_bad(house):
    names = [f"program:p{number}" for number in range(4)]
    for name in names:
        looked(house, 1.0, target=name)
    looked(house, 0.0, target=names[0])
    looked(house, 0.0, target=names[1])
    assert not house.tap.alarms
    looked(house, 0.0, target=names[2])
    assert [group for _, _, group in house.tap.alarms] == ["kind program"]


def test_unknown_for_longer_than_any_rule_waits_is_worth_noting(house):
    looked(house, 1.0, None, None, None, None)
    assert not house.chance.reached
    looked(house, None, None)
    assert "unknown withheld" in house.chance.reached
