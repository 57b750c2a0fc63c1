"""Many programs in one look, on real processes of the test's own."""

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from healer.clock import SystemClock
from healer.model.observation import Observation, Unknown
from healer.sensors.procfs import KeptFile, count_fds, parse_usage
from healer.sensors.program import ProgramSensor


@dataclass(frozen=True)
class Snap:
    pid: int | None = None
    started_at: float | None = None
    state: str = "stopped"
    generation: str = ""
    restarts: int = 0
    exit_code: int | None = None
    wanted: bool = True


class View:
    def __init__(self):
        self.programs = {}

    def names(self):
        return tuple(self.programs)

    def generation(self, name):
        return self.programs[name].generation

    def snapshot(self, name):
        return self.programs[name]


class Children:
    """Real processes, behind a view as the driver gives it."""

    def __init__(self):
        self.view = View()
        self.started = []

    def start(self, name, command=("sleep", "1000")):
        child = subprocess.Popen(command)
        self.started.append(child)
        while not Path(f"/proc/{child.pid}/cmdline").read_bytes().startswith(command[0].encode()):
            pass  # it has not become its program yet, and uses no memory of its own
        with open(f"/proc/{child.pid}/stat", "rb") as file:  # noqa: PTH123 - one line of a double
            ticks = parse_usage(file.read()).started
        self.view.programs[name] = Snap(child.pid, SystemClock().now(), "running", f"{child.pid}.{ticks}")
        return child


@pytest.fixture
def children():
    made = Children()
    yield made
    for child in made.started:
        child.kill()
        child.wait()


def look(sensor, now):
    return {(r.metric, dict(r.labels)["target"]): r for r in sensor.glance(now)}


def value(seen, metric, name="a"):
    found = seen.get((metric, f"program:{name}"))
    return found.value if isinstance(found, Observation) else None


def test_a_running_program_is_up_with_what_it_uses(children):
    children.start("a")
    sensor = ProgramSensor(children.view)
    now = SystemClock().now()
    first = look(sensor, now)
    assert value(first, "program.up") == 1
    assert value(first, "program.memory") > 0
    assert value(first, "program.threads") == 1
    assert value(first, "program.fds") >= 3
    assert value(first, "program.uptime") >= 0
    assert value(first, "program.state") == "running"
    assert value(first, "program.generation") == children.view.programs["a"].generation
    assert value(first, "program.restarts") == 0
    assert isinstance(first["program.exit_code", "program:a"], Unknown)
    assert "two looks" in first["program.cpu", "program:a"].because
    assert value(look(sensor, now + 1), "program.cpu") == 0


def test_a_busy_program_uses_its_core(children):
    child = children.start("a", ("sh", "-c", "while :; do :; done"))
    sensor = ProgramSensor(children.view)
    sensor.glance(100.0)
    stat = KeptFile(f"/proc/{child.pid}/stat")
    used = parse_usage(stat.read()).cpu
    while parse_usage(stat.read()).cpu < used + 0.1:
        os.sched_yield()
    stat.close()
    assert value(look(sensor, 101.0), "program.cpu") >= 0.1  # of the second we said had passed


def test_a_killed_program_is_not_up_even_before_anybody_reaped_it(children):
    child = children.start("a")
    sensor = ProgramSensor(children.view)
    sensor.glance(1.0)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead now, and left a zombie
    assert value(look(sensor, 2.0), "program.up") == 0
    child.wait()
    assert value(look(sensor, 3.0), "program.up") == 0


def test_a_stopped_program_is_told_whole_with_its_exit(children):
    children.view.programs["a"] = Snap(exit_code=137, restarts=3)
    seen = look(ProgramSensor(children.view), 1.0)
    assert value(seen, "program.up") == 0
    assert value(seen, "program.exit_code") == 137
    assert value(seen, "program.restarts") == 3
    assert value(seen, "program.generation") == ""
    assert "does not run" in seen["program.cpu", "program:a"].because


def test_another_incarnation_is_told_whole_at_once_and_starts_its_own_count(children):
    children.start("a")
    sensor = ProgramSensor(children.view)
    for now in (1.0, 2.0, 3.0):
        sensor.glance(now)
    old = children.view.programs["a"].generation
    children.start("a")
    seen = look(sensor, 4.0)
    assert value(seen, "program.generation") not in (None, "", old)
    assert "two looks" in seen["program.cpu", "program:a"].because


def test_what_changes_seldom_is_told_in_turns(children):
    for n in range(10):
        children.start(f"p{n}")
    sensor = ProgramSensor(children.view)
    sensor.glance(0.0)
    told = [sum(metric == "program.state" for metric, _ in look(sensor, float(now))) for now in range(1, 21)]
    assert told == [1] * 20
    assert len(look(sensor, 30.0)) < 10 * 3 + 10


def test_a_slow_beat_still_tells_everything_in_time(children):
    children.start("a")
    sensor = ProgramSensor(children.view, every=30.0)
    for now in (0.0, 30.0, 60.0):
        assert value(look(sensor, now), "program.state") == "running"


def test_a_process_that_proc_hides_is_unknown_not_down(children):
    children.view.programs["a"] = Snap(pid=2**22 - 1, started_at=1.0, state="running", generation="x")
    seen = look(ProgramSensor(children.view), 1.0)
    assert isinstance(seen["program.up", "program:a"], Unknown)
    assert isinstance(seen["program.cpu", "program:a"], Unknown)


def test_descriptors_that_may_not_be_counted_are_unknown(children):
    def refuse(pid):
        raise PermissionError(13, "Permission denied")

    children.start("a")
    seen = look(ProgramSensor(children.view, fds=refuse), 1.0)
    assert "Permission denied" in seen["program.fds", "program:a"].because
    assert value(seen, "program.up") == 1


async def test_descriptors_are_let_go_with_the_program_and_at_the_end(children):
    before = count_fds(os.getpid())
    children.start("a")
    children.start("b")
    sensor = ProgramSensor(children.view)
    sensor.glance(1.0)
    assert count_fds(os.getpid()) == before + 2
    del children.view.programs["a"]
    sensor.glance(2.0)
    assert count_fds(os.getpid()) == before + 1
    await sensor.close()
    assert count_fds(os.getpid()) == before


@pytest.mark.parametrize("garbage", ["splendid", 7, None])
def test_a_state_that_is_none_is_unknown_and_counted(children, garbage):
    children.view.programs["a"] = replace(Snap(), state=garbage)
    sensor = ProgramSensor(children.view)
    assert isinstance(look(sensor, 1.0)["program.state", "program:a"], Unknown)
    assert sensor.garbage == 1


def test_one_sensor_covers_every_program():
    sensor = ProgramSensor(View())
    assert sensor.covers("program:any")
    assert sensor.covers("programs")
    assert not sensor.covers("process:any")


def test_a_program_that_is_down_is_told_whole_at_each_look(children):
    child = children.start("a")
    sensor = ProgramSensor(children.view)
    now = SystemClock().now()
    look(sensor, now)
    child.kill()
    child.wait()
    children.view.programs["a"] = Snap()
    for second in range(1, 5):
        seen = look(sensor, now + second)
        assert value(seen, "program.up") == 0
        assert value(seen, "program.wanted") == 1
