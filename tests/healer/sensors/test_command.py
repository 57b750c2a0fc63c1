"""Checks of the operator's own, run for real."""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from healer.clock import SystemClock
from healer.errors import SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.command import MOST_OUTPUT, CommandSensor
from healer.sensors.procfs import count_fds


def sensor(*argv, **spec):
    target = Target(kind="command", name="c", organ="heart", spec={"argv": list(argv), "timeout": 5.0, **spec})
    return CommandSensor(target, SystemClock())


async def look(*argv, **spec):
    readings = await sensor(*argv, **spec).look(1.0)
    return {
        r.metric + dict(r.labels).get("name", ""): r.because if isinstance(r, Unknown) else r.value for r in readings
    }


async def test_a_number_is_its_value():
    seen = await look("echo", "42.5")
    assert seen["command.ok"] == 1
    assert seen["command.rc"] == 0
    assert seen["command.value"] == 42.5
    assert 0 < seen["command.latency"] < 5


@pytest.mark.parametrize(("printed", "value"), [("-1", -1), ("+.5", 0.5), ("7.", 7), ("1e3", 1000), (" 3 \n", 3)])
async def test_numbers_as_people_print_them(printed, value):
    assert (await look("printf", "%s", printed))["command.value"] == value


@pytest.mark.parametrize(
    "printed", ["", "nan", "inf", "1_000", "42 widgets", "0x10", "1e999", "true", "[1]", '"1"', "{", "9" * 400]
)
async def test_what_is_no_number_is_unknown_and_the_exit_code_still_counts(printed):
    seen = await look("printf", "%s", printed)
    assert isinstance(seen["command.value"], str)
    assert seen["command.ok"] == 1


async def test_a_failing_command_is_not_ok_and_a_killed_one_neither():
    assert (await look("false"))["command.ok"] == 0
    seen = await look("sh", "-c", "kill -9 $$")
    assert seen["command.rc"] == 137
    assert seen["command.ok"] == 0


async def test_json_tells_state_error_message_value_and_metrics():
    seen = await look("echo", '{"state": "busy", "error": "", "message": "x", "value": 3, "metrics": {"lag": 1.5}}')
    assert seen["command.ok"] == 1
    assert seen["command.state"] == "busy"
    assert seen["command.error"] == 0
    assert seen["command.message"] == "x"
    assert seen["command.value"] == 3
    assert seen["command.metriclag"] == 1.5


async def test_json_that_says_there_is_an_error_is_not_ok():
    assert (await look("echo", '{"error": "disk full"}'))["command.ok"] == 0


async def test_json_is_read_by_the_targets_own_paths():
    paths = {"value": "a.b", "metrics": {"n": "c.0"}, "state": "s"}
    seen = await look("echo", '{"a": {"b": 1}, "c": [2], "s": "fine", "error": "not mapped"}', json=paths)
    assert seen["command.value"] == 1
    assert seen["command.metricn"] == 2
    assert seen["command.state"] == "fine"
    assert seen["command.ok"] == 1


async def test_there_is_no_shell():
    assert (await look("echo", "$HOME;ls"))["command.value"].startswith("it printed no number")
    assert (await look("printf", "%s", "1; exit 3"))["command.rc"] == 0


async def test_the_environment_is_rebuilt_and_nothing_leaks(monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_AGENT", "x")
    code = (
        "import os, json; print(json.dumps({'value': len(os.listdir('/proc/self/fd')), 'state': os.getcwd(),"
        " 'message': ','.join(sorted(os.environ))}))"
    )
    held = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(held, True)
    seen = await look(sys.executable, "-I", "-S", "-c", code, env={"ADDED": "1"})
    os.close(held)
    assert seen["command.value"] <= 4  # its three, and the one that lists them
    assert seen["command.state"] == "/"
    assert "ADDED" in seen["command.message"]
    assert "HEALER_TARGET" in seen["command.message"]
    assert "SECRET" not in seen["command.message"]


async def test_a_command_that_does_not_end_is_unknown_and_killed_with_its_children(tmp_path):
    script = f"sleep 1000 & echo $! > {tmp_path}/child; wait"
    with pytest.raises(SensorError, match=r"did not end within 0.5 s"):
        await look("sh", "-c", script, timeout=0.5)
    assert await is_gone(int(await asyncio.to_thread((tmp_path / "child").read_text)))


async def is_gone(pid):
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()  # noqa: ASYNC240 - it is no disk
        except (FileNotFoundError, ProcessLookupError):
            return True
        if stat.rpartition(")")[2].split()[0] in "ZX":
            return True
        await asyncio.sleep(0.01)
    return False


async def test_a_child_left_behind_neither_holds_the_look_nor_outlives_it(tmp_path):
    start = time.monotonic()
    seen = await look("sh", "-c", f"sleep 1000 & echo $! > {tmp_path}/child; echo 5")
    assert time.monotonic() - start < 3
    assert seen["command.value"] == 5
    assert await is_gone(int(await asyncio.to_thread((tmp_path / "child").read_text)))


async def test_output_without_end_is_cut_and_unknown():
    with pytest.raises(SensorError, match=f"more than {MOST_OUTPUT} bytes"):
        await look("sh", "-c", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done")
    with pytest.raises(SensorError, match="more than"):
        await look("head", "-c", "70000", "/dev/zero")


async def test_output_up_to_the_bound_is_read_whole():
    seen = await look("sh", "-c", "printf '%65535s' ''; printf 7")
    assert seen["command.value"] == 7


async def test_binary_output_is_no_number():
    assert isinstance((await look("head", "-c", "1000", "/dev/urandom"))["command.value"], str)


@pytest.mark.parametrize("argv", [("no-such-command-anywhere",), ("/etc/hostname",), ("/",), ("a\0b",)])
async def test_what_cannot_be_started_is_unknown(argv):
    with pytest.raises(SensorError, match="cannot run"):
        await look(*argv)


async def test_an_account_that_is_not_there_is_unknown():
    with pytest.raises(SensorError, match="no account"):
        await look("true", user="nobody-at-all")


async def test_a_look_given_up_from_outside_leaves_no_process_and_no_descriptor():
    looking = sensor("sleep", "1000")
    await sensor("true").look(1.0)
    before, children = count_fds(os.getpid()), psutil.Process().children()
    task = asyncio.ensure_future(looking.look(1.0))
    await asyncio.sleep(0.1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.2)
    assert count_fds(os.getpid()) == before
    assert psutil.Process().children() == children


async def test_a_command_that_ignores_signals_is_killed():
    with pytest.raises(SensorError, match="did not end"):
        await look("sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done", timeout=0.3)
