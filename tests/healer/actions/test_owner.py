"""Each kind's owner acts on the incarnation that was judged, within the step's timeout."""

import os
import subprocess

import pytest

from healer.actions.owner import ContainerOwner, ProcessOwner, UnitOwner, grace, incarnation, most_of, unit_of
from healer.drivers import processes
from healer.drivers.systemd.unit import describe
from healer.errors import ActionError


def test_the_grace_is_as_ordered_else_the_targets_and_never_past_the_timeout(order):
    assert grace(order({"grace": 2.0}), 5.0) == 2.0
    assert grace(order({"grace": 0}), 5.0) == 0.0
    assert grace(order(timeout=30.0), 9.0) == 9.0
    assert grace(order({"grace": 60.0}, timeout=30.0), 5.0) == 25.0
    assert grace(order(timeout=1.0), 5.0) == 0.0


async def test_a_strangers_process_is_stopped_with_what_stems_from_it(order):
    with subprocess.Popen(["sh", "-c", "sleep 61 & sleep 62"]) as child:  # noqa: ASYNC220
        try:
            await ProcessOwner().stop(order(kind="process", generation=processes.generation(child.pid)))
            assert child.wait(5) < 0
        finally:
            child.kill()


@pytest.mark.parametrize("whose", ["init", "agent", "parent"])
async def test_init_the_agent_and_its_parents_are_never_stopped(order, whose):
    pid = {"init": 1, "agent": os.getpid(), "parent": os.getppid()}[whose]
    with pytest.raises(ActionError, match="never done"):
        await ProcessOwner().stop(order(kind="process", generation=processes.generation(pid)))


async def test_a_number_that_changed_hands_is_left_alone(order):
    with subprocess.Popen(["sleep", "60"]) as child:  # noqa: ASYNC220
        try:
            with pytest.raises(ActionError, match="another incarnation"):
                await ProcessOwner().stop(order(kind="process", generation=f"{child.pid}.1"))
            assert child.poll() is None
        finally:
            child.kill()


@pytest.mark.parametrize("generation", ["", "x", "1", "1.", ".1", "-1.2", "1.2.3"])
def test_a_generation_that_is_none_means_it_does_not_run(order, generation):
    with pytest.raises(ActionError, match="does not run"):
        incarnation(order(kind="process", generation=generation))


async def test_what_the_agent_did_not_start_it_cannot_start(order):
    with pytest.raises(ActionError, match="not started by the agent"):
        await ProcessOwner().restart(order(kind="process"))


class Engine:
    def __init__(self):
        self.asked = []

    async def start(self, name, *, generation):
        self.asked.append(("start", name, generation))
        return "new"

    async def stop(self, name, *, generation, grace):
        self.asked.append(("stop", name, generation, grace))
        return ""

    async def restart(self, name, *, generation, grace):
        self.asked.append(("restart", name, generation, grace))
        return "new"


async def test_a_dead_container_is_started_not_restarted_and_its_own_name_is_used(order):
    engine = Engine()
    owner = ContainerOwner(lambda: engine)
    dead = order(kind="container", name="web", spec={"container": "web-1"}, timeout=30.0)
    alive = order({"grace": 3.0}, kind="container", name="web", generation="ab.c", timeout=30.0)
    assert await owner.restart(dead) == "new"
    assert await owner.restart(alive) == "new"
    await owner.stop(alive)
    assert engine.asked == [("start", "web-1", ""), ("restart", "web", "ab.c", 3.0), ("stop", "web", "ab.c", 3.0)]


class Manager:
    def __init__(self):
        self.asked, self.bus = [], ""

    def __call__(self, bus):
        self.bus = bus
        return self

    def _note(self, *asked):
        self.asked.append(asked)
        said = {"Id": "x", "LoadState": "loaded", "ActiveState": "active", "SubState": "running"}
        return describe({**said, "InvocationID": b"\x02" * 16})

    async def start(self, name, *, generation, within):
        return self._note("start", name, generation, within)

    async def stop(self, name, *, generation, within, grace):
        return self._note("stop", name, generation, within, grace)

    async def restart(self, name, *, generation, within, grace):
        return self._note("restart", name, generation, within, grace)


async def test_a_unit_is_systemd_s_to_start_and_stop_as_its_file_says(order):
    manager = Manager()
    owner = UnitOwner(manager)
    plain = order(kind="unit", name="web", generation="ab", timeout=30.0)
    renamed = order({"grace": 3.0}, kind="unit", name="web", spec={"unit": "w@1", "bus": "user"}, timeout=30.0)
    assert await owner.restart(plain) == "02" * 16
    assert manager.bus == ""
    assert await owner.start(plain) == "02" * 16
    await owner.stop(renamed)
    assert manager.bus == "user"
    assert manager.asked == [
        ("restart", "web.service", "ab", 25.0, None),
        ("start", "web.service", "ab", 25.0),
        ("stop", "w@1.service", "", 25.0, 3.0),
    ]


def test_a_short_step_keeps_a_fifth_of_its_time_to_tell_how_it_went():
    assert (most_of(1.0), most_of(100.0)) == (0.8, 95.0)


def test_a_unit_is_named_in_full(order):
    assert unit_of(order(kind="unit", name="web").target) == "web.service"
    assert unit_of(order(kind="unit", name="web", spec={"unit": "a.timer"}).target) == "a.timer"
