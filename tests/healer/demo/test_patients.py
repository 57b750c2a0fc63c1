"""What is run for a demonstration says what it complained of, and is ended whatever it does."""

import subprocess
import sys

import pytest

from healer.demo import patients
from healer.demo.patients import end, patiently, program, run
from healer.errors import HealerError

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def test_a_command_gives_what_it_printed_and_takes_what_it_is_given():
    assert run("cat", given=b"said\n") == "said"


@pytest.mark.parametrize(("argv", "told"), [(["false"], "false failed"), (["/nowhere/x"], "cannot be run")])
def test_a_command_that_fails_is_told(argv, told):
    with pytest.raises(HealerError, match=told):
        run(*argv)


def test_a_program_is_found_beside_the_path_or_not_at_all(tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert program("tool", tmp_path) == str(tool)
    assert program("no-such-program") == ""


def test_what_dies_before_it_is_there_is_not_waited_for():
    with pytest.raises(HealerError, match="it died"):
        patiently(lambda: False, lambda: False, lambda: "it died")


def test_what_never_comes_is_given_up(monkeypatch):
    monkeypatch.setattr(patients, "_PATIENCE", 0.1)
    with pytest.raises(HealerError, match="too late"):
        patiently(lambda: False, lambda: True, lambda: "too late")


def test_what_ignores_term_is_killed():
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"up\n"
    process.wait, waited = (lambda timeout: _soon(process, timeout)), process.wait
    end(process)
    assert waited(5) == -9
    process.stdout.close()
    end(None)


def _soon(process, timeout):
    """As `wait`, but never for long: the test is about what follows."""
    return subprocess.Popen.wait(process, min(timeout, 0.3) if process.poll() is None else timeout)
