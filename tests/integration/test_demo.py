"""`healer demo` as a stranger types it: another folder, a hostile environment, and a stop at a bad moment."""

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import audit
from healer.drivers import processes

COMMAND = [sys.executable, "-m", "healer", "demo"]
ROOT = Path(audit.__file__).parents[1]
HOSTILE = {
    "HEALER_MODE": "off",
    "HEALER_LIMITS__ACTIONS_PER_HOUR": "0",
    "HEALER_CONFIG": "/nowhere/organism.yaml",
    "HEALER_STATE_DIR": "/nowhere/state",
    "STATE_DIRECTORY": "/nowhere/state",
    "RUNTIME_DIRECTORY": "/nowhere/run",
    "NOTIFY_SOCKET": "/nowhere/notify",
}


@pytest.fixture
def environ(tmp_path):
    (tmp_path / "tmp").mkdir()
    return os.environ | HOSTILE | {"TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def state(tmp_path):
    """A state folder; whatever was started for it is ended afterwards."""
    yield tmp_path / "state"
    for pid in victims(tmp_path / "state"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def victims(state):
    home = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:16]
    alive = [pid for pid, seen in processes.everyone().items() if not seen.dead]
    return [pid for pid in alive if processes.marked(pid, {"HEALER_HOME": home})]


def test_from_another_folder_and_whatever_the_environment_says_it_goes_as_told(environ, tmp_path):
    command = [*COMMAND, "--json"]
    done = subprocess.run(command, cwd="/", env=environ, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert [(one["name"], one["fault"]) for one in found["victims"]] == [
        ("dies", "killed"),
        ("hangs", "hung"),
        ("leaks", "leaking"),
    ]
    assert all(one["verified"] and len(one["intent"]) == 64 for one in found["victims"])
    assert len(found["withheld"]) == 2
    assert done.stderr == ""
    assert list((tmp_path / "tmp").iterdir()) == [], "it leaves nothing behind"


def test_people_see_a_timeline_without_colours_in_a_pipe(environ):
    done = subprocess.run(COMMAND, cwd="/", env=environ, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = re.findall(r"^    (\w+) +\d+\.\d ms  \S", done.stdout, re.MULTILINE)
    assert steps == ["seen", "decided", "sealed", "acted", "verified"] * 3
    assert "\x1b" not in done.stdout
    assert done.stdout.count("as it must") == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["at the start", "at work"])
def test_a_stop_ends_it_in_order_and_its_programs_with_it(environ, state, number, moment):
    command = [*COMMAND, "--loop", "--json", "--state-dir", str(state)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as demo:
        if moment == "at work":
            assert demo.stdout.readline().startswith(b'{"name": "dies"')
        else:
            # The mark is written, and the handlers stand, right before the agent is built.
            deadline = time.monotonic() + 30
            while not (state / "demo.json").exists():
                assert time.monotonic() < deadline
                time.sleep(0.005)
        demo.send_signal(number)
        _, said = demo.communicate(timeout=30)
    assert (demo.returncode, said) == (0, b"")
    assert victims(state) == []
    verify = [sys.executable, "-I", "-S", str(ROOT / "audit"), "verify", str(state), "--deep", "--no-memory", "--json"]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    report = json.loads(done.stdout)
    if (state / "audit.db").exists():
        assert (done.returncode, report["open"]) == (0, 0), report


def test_two_on_one_folder_are_one_too_many(environ, state):
    command = [*COMMAND, "--loop", "--json", "--state-dir", str(state)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        assert first.stdout.readline()
        second = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
        assert second.returncode == 1
        assert json.loads(second.stdout)["ok"] is False
        assert "Traceback" not in second.stderr
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=30)
    assert first.returncode == 0
