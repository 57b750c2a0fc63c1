"""Shares and niceness are two words for one thing; what cannot be set says why."""

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import priority
from healer.drivers.priority import Limits
from healer.errors import ActionError


@pytest.mark.parametrize(("nice", "weight"), [(0, 100.0), (-1, 125.0), (1, 80.0)])
def test_a_step_of_niceness_is_a_quarter(nice, weight):
    assert priority.weight_of(nice) == pytest.approx(weight)
    assert priority.nice_of(weight) == nice


@given(st.floats(-1e9, 1e9))
def test_no_weight_leads_beyond_what_may_be_set(weight):
    assert -10 <= priority.nice_of(weight) <= 19


@given(st.integers(-10, 19))
def test_a_niceness_survives_the_way_there_and_back(nice):
    assert priority.nice_of(priority.weight_of(nice)) == nice


def test_what_is_gone_is_told():
    for look in (priority.nice, priority.oom):
        with pytest.raises(ActionError, match="gone"):
            look(2**22 + 1)
    assert priority.set_oom([2**22 + 1], 100) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may put a niceness back")
def test_every_thread_of_a_process_is_reniced():
    code = (
        "import threading, time\n"
        "for _ in range(3): threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "print(1, flush=True)"
    )
    with subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE) as child:
        try:
            child.stdout.readline()
            assert priority.renice([child.pid], 7) == 4
            tasks = [int(name) for name in os.listdir(f"/proc/{child.pid}/task")]  # noqa: PTH208
            assert {os.getpriority(os.PRIO_PROCESS, one) for one in tasks} == {7}
        finally:
            child.kill()


def test_without_root_nothing_is_made_that_cannot_be_put_back(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ActionError, match="only root"):
        priority.renice([os.getpid()], 5)


def test_a_group_without_the_controller_says_so(tmp_path):
    for folder in (None, tmp_path):
        with pytest.raises(ActionError, match=r"no cpu\.max to set here"):
            Limits(folder).write("cpu.max", "1 1")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    Limits(tmp_path).write("cpu.max", "5000 100000")
    assert Limits(tmp_path).read("cpu.max") == "5000 100000"
