"""Sensors are asked in their turn, and none holds up another. Time is virtual: no test waits."""

import asyncio
import contextlib
import itertools
import random

import pytest

from healer.errors import SensorError
from healer.model.observation import Observation, labels
from healer.model.unit import Unit
from healer.runtime.poll import CRASHES, Poll
from healer.sensors.interface import QuickSensor, Sensor


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer instead of waiting for it."""

    def __init__(self):
        self.virtual = 1000.0
        super().__init__()

    def time(self):
        return self.virtual

    def _run_once(self):
        if not self._ready and self._scheduled:
            self.virtual = max(self.virtual, self._scheduled[0]._when)
        super()._run_once()


class LoopClock:
    def __init__(self):
        self._random = random.Random(7)

    def now(self):
        return asyncio.get_running_loop().time()

    def wall(self):
        return 1e9 + self.now()

    def boot_id(self):
        return "virtual"

    def chance(self):
        return self._random.random()


def reading(now, value=1.0):
    return Observation(metric="tcp.ok", labels=labels(target="tcp:a"), value=value, unit=Unit.FLAG, at=now)


class Scripted(Sensor):
    """Does at each look what its script says; the last line goes on for ever."""

    def __init__(self, name="tcp:a", *script, every=10.0, timeout=1.0):
        super().__init__(name=name, every=every, timeout=timeout, max_age=30.0, target=name)
        self.script = list(script) or [0.0]
        self.began = []
        self.running = 0
        self.most = 0
        self.opened = 0
        self.closed = 0
        self.push = None

    async def open(self, push):
        self.opened += 1
        self.push = push

    async def look(self, now):
        self.began.append(now)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if isinstance(step, Exception):
                raise step
            if callable(step):
                await step()
            else:
                await asyncio.sleep(step)
            return [reading(now)]
        finally:
            self.running -= 1

    async def close(self):
        self.closed += 1


class Glancing(QuickSensor):
    def __init__(self, *script, every=1.0):
        super().__init__(name="host", every=every, timeout=1.0, max_age=10.0)
        self.script = list(script) or [0.0]
        self.began = []
        self.tasks = set()

    def glance(self, now):
        self.began.append(now)
        self.tasks.add(asyncio.current_task())
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return [reading(now)]


def run(seconds, *sensors, meanwhile=None):
    """Poll for so many virtual seconds; gives the poll and all that was delivered."""
    seen = []

    async def main():
        poll = Poll(sensors=sensors, clock=LoopClock(), deliver=seen.append)
        task = asyncio.get_running_loop().create_task(poll.run())
        if meanwhile:
            await meanwhile(poll)
        await asyncio.sleep(seconds)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return poll

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main()), seen


def test_each_sensor_is_looked_at_once_per_interval():
    sensor = Scripted()
    _, seen = run(100.0, sensor)
    assert 11 <= len(sensor.began) <= 12
    steady = sensor.began[2:]
    assert [round(b - a, 6) for a, b in itertools.pairwise(steady)] == [10.0] * (len(steady) - 1)
    assert all(looked.readings and not looked.because for looked in seen)


def test_the_second_look_comes_within_two_seconds_of_the_first():
    sensor = Scripted(every=60.0)
    run(10.0, sensor)
    assert len(sensor.began) >= 2
    assert sensor.began[1] - sensor.began[0] <= 2.1


def test_phases_of_many_sensors_are_spread():
    sensors = [Scripted(f"tcp:{n}", every=60.0) for n in range(40)]
    run(130.0, *sensors)
    assert len({int(sensor.began[-1] % 60 / 6) for sensor in sensors}) >= 8


def test_a_late_look_is_unknown_and_its_answer_thrown_away():
    sensor = Scripted("tcp:a", 1.5, 0.0)
    _, seen = run(9.0, sensor)
    assert "no answer within 1 s" in seen[0].because
    assert not seen[0].readings
    assert all(looked.at - sensor.began[0] != 1.5 for looked in seen)


def test_a_look_that_ignores_its_cancellation_is_never_doubled_and_stays_unknown():
    async def stubborn():
        end = asyncio.get_running_loop().time() + 35
        while asyncio.get_running_loop().time() < end:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1)

    sensor = Scripted("tcp:a", stubborn, 0.0)
    other = Scripted("tcp:b")
    _, seen = run(100.0, sensor, other)
    assert sensor.most == 1
    mine = [looked for looked in seen if looked.sensor == "tcp:a"]
    assert "no answer within" in mine[0].because
    assert "not come back yet" in mine[1].because
    assert all(looked.at - looked.readings[0].at < sensor.timeout for looked in mine if looked.readings)
    assert mine[-1].readings
    assert len([looked for looked in seen if looked.sensor == "tcp:b" and looked.readings]) >= 10


def test_a_hundred_hung_sensors_do_not_slow_one_good():
    hung = [Scripted(f"tcp:{n}", 1e6) for n in range(100)]
    good = Scripted("tcp:good", every=1.0)
    run(30.0, *hung, good)
    assert len(good.began) >= 29


def test_a_failed_look_is_unknown_with_its_reason_and_the_next_is_tried():
    sensor = Scripted("tcp:a", SensorError("no route", hint="is the cable in?"), 0.0)
    poll, seen = run(5.0, sensor)
    assert seen[0].because == "no route (is the cable in?)"
    assert seen[1].readings
    assert poll.states() == {"tcp:a": ""}


def test_a_crashing_sensor_is_opened_anew_then_quarantined_while_others_go_on():
    sensor = Scripted("tcp:a", ZeroDivisionError("bug"), every=1.0)
    other = Scripted("tcp:b", every=1.0)
    poll, seen = run(30.0, sensor, other)
    assert len(sensor.began) == CRASHES
    assert sensor.opened == CRASHES
    assert sensor.closed >= CRASHES
    mine = [looked.because for looked in seen if looked.sensor == "tcp:a"]
    assert "ZeroDivisionError: bug" in mine[0]
    assert mine[-1].startswith("quarantined after 5 crashes")
    assert len(mine) >= 28  # it is reported unknown at every beat
    assert len(other.began) >= 29
    assert poll.figures() == {"self.sensors_ok": 0.5, "self.sensors_quarantined": 1, "self.garbage": 0}


@pytest.mark.parametrize("found", [None, 5, "readings", [1.0], {"a": 1}])
def test_a_look_that_gives_no_readings_is_a_crash_of_its_own(found):
    class Forgetful(Scripted):
        async def look(self, now):
            return found

    poll, seen = run(5.0, Forgetful("tcp:a"), Scripted("tcp:b", every=1.0))
    assert "return sieve.readings" in poll.states()["tcp:a"]
    assert [looked for looked in seen if looked.sensor == "tcp:b"]


def test_a_look_that_asks_to_exit_ends_nothing_but_itself():
    class Quitter(Scripted):
        async def look(self, now):
            raise SystemExit(3)

    poll, _ = run(5.0, Quitter("tcp:a"))
    assert "it asked to exit with 3" in poll.states()["tcp:a"]


def test_crashes_far_apart_do_not_add_up():
    sensor = Scripted("tcp:a", *[ZeroDivisionError("bug"), *[0.0] * 20] * 8, every=60.0)
    poll, _ = run(8 * 21 * 60.0, sensor)
    assert poll.figures()["self.sensors_quarantined"] == 0


def test_a_sensor_that_cannot_open_is_tried_again():
    class Shy(Scripted):
        async def open(self, push):
            await super().open(push)
            if self.opened < 3:
                raise SensorError("not up yet")

    sensor = Shy("tcp:a", every=1.0)
    _, seen = run(10.0, sensor)
    assert [looked.because for looked in seen[:2]] == ["not up yet", "not up yet"]
    assert sensor.opened == 3
    assert sensor.closed == 1


def test_a_quick_sensor_makes_no_task_once_it_is_open():
    sensor = Glancing()
    _, seen = run(20.0, sensor)
    assert len(sensor.began) in (20, 21)
    assert len(sensor.tasks) == 2  # its opening look's, and the poller's own
    assert len(seen) == len(sensor.began)


def test_quick_sensors_share_their_wake_ups():
    first, second = Glancing(), Glancing()
    second.name = "self"
    run(10.0, first, second)
    assert first.began == second.began


def test_a_crashing_glance_is_quarantined_too():
    sensor = Glancing(0.0, KeyError("x"))
    poll, seen = run(20.0, sensor)
    assert len(sensor.began) == CRASHES + 1
    assert seen[-1].because.startswith("quarantined")
    assert poll.figures()["self.sensors_quarantined"] == 1


def test_a_glance_that_fails_is_unknown():
    sensor = Glancing(0.0, SensorError("no such file"), 0.0)
    _, seen = run(5.0, sensor)
    assert seen[1].because == "no such file"
    assert seen[2].readings


def test_look_now_looks_now_and_keeps_the_beat():
    sensor = Scripted(every=60.0)

    async def ask(poll):
        await asyncio.sleep(70)
        before = len(sensor.began)
        assert poll.look_now("tcp:a")
        assert not poll.look_now("tcp:nobody")
        await asyncio.sleep(0.01)
        assert len(sensor.began) == before + 1

    run(60.0, sensor, meanwhile=ask)
    assert round(sensor.began[-1] - sensor.began[-3], 6) == 60.0


def test_look_now_during_a_look_looks_again_after_it():
    third = asyncio.Event()

    async def slow():
        third.set()
        await asyncio.sleep(0.5)

    sensor = Scripted("tcp:a", 0.0, 0.0, slow, 0.0, every=60.0)

    async def ask(poll):
        await third.wait()
        poll.look_now("tcp:a")
        await asyncio.sleep(0.6)
        assert len(sensor.began) == 4

    run(1.0, sensor, meanwhile=ask)
    assert sensor.most == 1


def test_pushed_readings_are_delivered_at_once():
    sensor = Scripted(every=60.0)

    async def push(poll):
        await asyncio.sleep(30)
        sensor.push([reading(1.0, 0.0)])

    _, seen = run(1.0, sensor, meanwhile=push)
    assert seen[-1].readings[0].value == 0.0


def test_stretch_looks_less_often():
    sensor = Scripted(every=1.0)

    async def economize(poll):
        await asyncio.sleep(10)
        poll.stretch(5.0)

    run(100.0, sensor, meanwhile=economize)
    assert 10 + 19 <= len(sensor.began) <= 10 + 23


def test_every_sensor_is_closed_when_it_stops_even_if_one_cannot():
    class Clinging(Scripted):
        async def close(self):
            raise OSError("stuck")

    first, second = Clinging("tcp:a"), Scripted("tcp:b", 1e6)
    run(3.0, first, second)
    assert second.closed == 1


def test_replace_keeps_a_sensor_given_again_and_retires_the_rest():
    kept, old, new = Scripted("tcp:a", every=1.0), Scripted("tcp:b", 0.9, every=1.0), Scripted("tcp:b", every=1.0)

    async def reload(poll):
        await asyncio.sleep(5)
        await poll.replace([kept, new])
        old.push([reading(0.0)])  # nobody listens any more

    poll, seen = run(5.0, kept, old, meanwhile=reload)
    assert kept.opened == 1
    assert kept.closed == 1
    assert old.closed == 1
    assert new.opened == 1
    assert len(kept.began) >= 9
    assert set(poll.max_ages()) == {"tcp:a", "tcp:b"}
    assert not [looked for looked in seen if looked.readings and looked.readings[0].at == 0.0]


def test_a_listener_that_raises_is_loud():
    def deaf(_):
        raise RuntimeError("the core is broken")

    async def main():
        await Poll(sensors=[Scripted()], clock=LoopClock(), deliver=deaf).run()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.raises(ExceptionGroup):
        runner.run(main())
