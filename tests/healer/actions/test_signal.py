"""A signal reaches the process that was judged, and no other."""

import signal
import subprocess

import pytest

from healer.actions.signal import Signal
from healer.drivers import processes
from healer.errors import ActionError


async def test_the_judged_process_gets_it(order):
    with subprocess.Popen(["sleep", "60"]) as child:  # noqa: ASYNC220
        try:
            await Signal().act(order({"signal": "USR1"}, kind="process", generation=processes.generation(child.pid)))
            assert child.wait(5) == -signal.SIGUSR1
        finally:
            child.kill()


async def test_a_dead_one_and_an_unknown_signal_are_refused(order):
    with pytest.raises(ActionError, match="does not run"):
        await Signal().act(order({"signal": "HUP"}))
    with pytest.raises(ActionError, match="no signal"):
        await Signal().act(order({"signal": "NOPE"}, generation="999999.1"))


def test_the_dry_run_names_signal_and_pid(order):
    assert Signal().would(order({"signal": "HUP"}, generation="42.7")) == "would send HUP to program:api (pid 42)"
