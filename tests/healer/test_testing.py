import pytest

from healer.actions.interface import Done, Order
from healer.errors import ActionError, SensorError
from healer.model.observation import Observation
from healer.model.target import Target
from healer.model.unit import Unit
from healer.testing import START, WALL, FakeClock, FakeSensor, MemoryLog, RecordingAction

API = Target(kind="program", name="api", organ="heart")


def test_a_fake_clock_moves_only_when_told():
    clock = FakeClock()
    assert (clock.now(), clock.wall(), clock.now()) == (START, WALL, START)
    clock.at += 5
    assert (clock.now(), clock.wall(), clock.boot_id(), clock.chance()) == (START + 5, WALL + 5, "boot-1", 0.5)


async def test_a_fake_sensor_answers_what_it_was_given_and_then_the_last_again():
    seen = Observation(metric="cpu.used", value=0.5, unit=Unit.RATIO, at=1.0)
    sensor = FakeSensor("cpu", (), SensorError("gone"), (seen,))
    assert await sensor.look(1.0) == ()
    with pytest.raises(SensorError, match="gone"):
        await sensor.look(2.0)
    assert await sensor.look(3.0) == (seen,)
    assert await sensor.look(4.0) == (seen,)
    assert sensor.looks == 4
    assert await FakeSensor("nothing").look(1.0) == ()


async def test_a_recording_action_only_remembers():
    order = Order(intent="ab", target=API, timeout=1.0, generation="")
    hand = RecordingAction("stop")
    assert await hand.act(order) == Done(because="pretended to stop program:api")
    assert hand.orders == [order]
    assert hand.would(order) == "would pretend to stop program:api"
    failing = RecordingAction(fails=ActionError("no"))
    with pytest.raises(ActionError, match="no"):
        await failing.act(order)
    assert failing.orders == [order]


def test_a_memory_log_keeps_entries_in_order_and_apart():
    log, entry = MemoryLog(), {"kind": "event", "n": 1}
    leaves = [log.seal(entry), log.seal({"kind": "state"})]
    entry["n"] = 2
    assert log.kinds() == ["event", "state"]
    assert log.of("event") == [{"kind": "event", "n": 1}]
    assert len(set(leaves)) == 2
    assert {len(leaf) for leaf in leaves} == {64}
