"""The agent sees itself; what a part does not tell is unknown."""

import math
import os
import time

import pytest

from healer.model.observation import Observation, Unknown
from healer.sensors.procfs import count_fds
from healer.sensors.self import TOLD, SelfSensor


def look(sensor, now):
    return {reading.metric: reading for reading in sensor.glance(now)}


def test_the_agents_own_process_is_measured():
    sensor = SelfSensor(dict)
    first = look(sensor, 100.0)
    used = time.process_time()
    while time.process_time() < used + 0.1:
        pass
    second = look(sensor, 101.0)
    assert first["self.memory"].value > 1_000_000
    assert first["self.fds"].value >= 3
    assert isinstance(first["self.cpu"], Unknown)
    assert second["self.cpu"].value >= 0.08  # of the second we said had passed; the kernel counts in ticks
    assert second["self.uptime"].value == 1


def test_what_is_told_is_passed_on_and_what_is_not_is_unknown():
    seen = look(SelfSensor(lambda: {"self.loop_lag": 0.25, "self.log_verified": True, "self.seal_age": None}), 1.0)
    assert seen["self.loop_lag"].value == 0.25
    assert seen["self.log_verified"].value == 1
    assert isinstance(seen["self.seal_age"], Unknown)
    assert isinstance(seen["self.audit_age"], Unknown)
    assert set(TOLD) <= set(seen)


@pytest.mark.parametrize("garbage", [math.nan, -1, "0", 1e308, [1]])
def test_a_part_that_tells_garbage_is_unknown_and_counted(garbage):
    sensor = SelfSensor(lambda: {"self.loop_lag": garbage})
    assert isinstance(look(sensor, 1.0)["self.loop_lag"], Unknown)
    assert sensor.garbage == 1


def test_a_figure_nobody_declared_is_not_passed_on():
    assert "self.mood" not in look(SelfSensor(lambda: {"self.mood": 1.0}), 1.0)


async def test_a_process_that_is_gone_is_unknown():
    sensor = SelfSensor(dict, pid=2**22 - 1)
    seen = look(sensor, 1.0)
    assert all(isinstance(seen[metric], Unknown) for metric in ("self.cpu", "self.memory", "self.fds"))
    assert isinstance(seen["self.uptime"], Observation)
    await sensor.close()


async def test_closing_lets_its_descriptor_go():
    before = count_fds(os.getpid())
    sensor = SelfSensor(dict)
    sensor.glance(1.0)
    await sensor.close()
    assert count_fds(os.getpid()) == before
