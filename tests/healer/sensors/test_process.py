"""Other people's processes, found among real ones."""

import os
import subprocess
import time

import psutil
import pytest

from healer.clock import SystemClock
from healer.errors import SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors import process as module
from healer.sensors.process import ProcessSensor, read_pidfile


def sensor(**spec):
    return ProcessSensor(Target(kind="process", name="p", organ="heart", spec=spec), SystemClock())


async def look(sensor, now=1.0):
    return {r.metric: None if isinstance(r, Unknown) else r.value for r in await sensor.look(now)}


def die(child):
    """Dead, and left a zombie."""
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


@pytest.fixture
def mark():
    """A word no other process on the machine has in its command line."""
    return f"{4_000_000 + os.getpid()}.{time.monotonic_ns() % 10**9}"


@pytest.fixture
def sleepers(mark):
    started = []

    def start():
        started.append(subprocess.Popen(["sleep", mark]))
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.wait()


async def test_processes_are_found_by_name_and_command_line(sleepers, mark):
    first = sleepers()
    sleepers()
    looking = sensor(process="sl?ep", cmdline=f"sleep {mark}")
    now = SystemClock().now()
    seen = await look(looking, now)
    assert seen["process.up"] == 1
    assert seen["process.count"] == 2
    assert seen["process.memory"] > 0
    assert seen["process.threads"] == 2
    assert seen["process.fds"] >= 6
    assert seen["process.state"] == "sleeping"
    assert 0 <= seen["process.uptime"] < 30
    assert seen["process.generation"].startswith(f"{first.pid}.")
    assert seen["process.cpu"] is None
    assert (await look(looking, now + 1))["process.cpu"] == 0


async def test_nothing_that_matches_is_a_fact(mark):
    seen = await look(sensor(cmdline=f"sleep {mark}"))
    assert seen["process.up"] == 0
    assert seen["process.count"] == 0
    assert seen["process.generation"] == ""
    assert seen["process.state"] == "absent"
    assert seen["process.memory"] is None


async def test_all_criteria_must_hold(sleepers, mark):
    sleepers()
    assert (await look(sensor(process="cat", cmdline=f"*{mark}")))["process.count"] == 0
    me = psutil.Process().username()
    assert (await look(sensor(user=me, cmdline=f"*{mark}")))["process.count"] == 1
    assert (await look(sensor(user="nobody-at-all", cmdline=f"*{mark}")))["process.count"] == 0


async def test_a_zombie_is_not_up(sleepers, mark):
    child = sleepers()
    looking = sensor(process="sleep", cmdline=f"*{mark}")
    assert (await look(looking))["process.up"] == 1
    die(child)
    assert (await look(looking))["process.up"] == 0


async def test_a_new_incarnation_is_another_generation_and_starts_its_own_count(sleepers, mark):
    old = sleepers()
    looking = sensor(cmdline=f"*{mark}", process="sleep")
    before = await look(looking, 1.0)
    old.kill()
    old.wait()
    sleepers()
    after = await look(looking, 2.0)
    assert after["process.generation"] != before["process.generation"]
    assert after["process.cpu"] is None


def test_an_empty_description_selects_nothing_and_is_refused():
    with pytest.raises(SensorError, match="does not say which"):
        sensor()


async def test_a_pid_file_names_its_process(sleepers, tmp_path):
    child = sleepers()
    (tmp_path / "pid").write_text(f"{child.pid}\n")
    seen = await look(sensor(pidfile=str(tmp_path / "pid")))
    assert seen["process.count"] == 1
    assert seen["process.generation"].startswith(f"{child.pid}.")


async def test_a_pid_that_was_used_again_is_not_ours(sleepers, tmp_path):
    child = sleepers()
    (tmp_path / "pid").write_text(f"{child.pid}\n")
    os.utime(tmp_path / "pid", (1_000_000, 1_000_000))  # written long before this process began
    assert (await look(sensor(pidfile=str(tmp_path / "pid"))))["process.up"] == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to a stranger")
async def test_a_strangers_pid_file_is_not_believed(sleepers, tmp_path):
    child = sleepers()
    (tmp_path / "pid").write_text(f"{child.pid}\n")
    looking = sensor(pidfile=str(tmp_path / "pid"))
    assert (await look(looking))["process.up"] == 1
    os.chown(tmp_path / "pid", 1234, 1234)
    assert (await look(looking))["process.up"] == 0


async def test_no_pid_file_is_no_process_and_a_bad_one_is_unknown(tmp_path):
    assert (await look(sensor(pidfile=str(tmp_path / "none"))))["process.up"] == 0
    (tmp_path / "pid").write_text("")
    with pytest.raises(SensorError, match="holds no pid"):
        await look(sensor(pidfile=str(tmp_path / "pid")))


@pytest.mark.parametrize("text", ["", "x", "1", "0", "-5", "12 13", "99999999999999999999", "²", "12.5", "\x00" * 64])
def test_what_is_no_pid_is_not_taken_for_one(tmp_path, text):
    (tmp_path / "pid").write_text(text)
    with pytest.raises(SensorError, match="holds no pid"):
        read_pidfile(str(tmp_path / "pid"))


def test_a_pid_file_that_is_no_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/hostname")
    for name in ("fifo", "link", "."):
        with pytest.raises(SensorError, match=r"pid file"):
            read_pidfile(str(tmp_path / name))


async def test_a_process_that_goes_between_list_and_look_is_left_out(mark, monkeypatch):
    monkeypatch.setattr(psutil, "pids", lambda: [2**22 - 1])
    assert (await look(sensor(cmdline=f"*{mark}")))["process.count"] == 0


async def test_processes_that_hide_make_it_unknown_not_down(mark, monkeypatch):
    def hide(self):
        raise psutil.AccessDenied(self.pid)

    monkeypatch.setattr(psutil.Process, "cmdline", hide)
    with pytest.raises(SensorError, match="hidden"):
        await look(sensor(cmdline=f"*{mark}"))


async def test_a_proc_that_hides_others_makes_it_unknown_not_down(mark, monkeypatch):
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    with pytest.raises(SensorError, match="hidden"):
        await look(sensor(cmdline=f"*{mark}"))


async def test_descriptors_that_may_not_be_counted_are_unknown(sleepers, mark, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "no")

    sleepers()
    monkeypatch.setattr(module, "count_fds", refuse)
    seen = await look(sensor(cmdline=f"*{mark}", process="sleep"))
    assert seen["process.fds"] is None
    assert seen["process.up"] == 1
