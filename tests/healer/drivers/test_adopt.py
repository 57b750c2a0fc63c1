"""What an earlier agent left running is found, and nothing else is taken for it."""

import contextlib
import os
import subprocess

import pytest

from healer.clock import SystemClock
from healer.drivers import adopt, processes
from healer.drivers.program import Remembered

HOME = "test-home-of-adopt"
BOOT = SystemClock().boot_id()


def OURS(_name):  # noqa: N802 - as a constant
    return {os.getuid()}


@contextlib.contextmanager
def running(leader=True, **env):
    env = {"HEALER_HOME": HOME, "HEALER_PROGRAM": "api", "PATH": "/usr/bin:/bin", **env}
    with subprocess.Popen(["sleep", "60"], env=env, start_new_session=leader) as child:
        try:
            while "PATH" not in processes.environ(child.pid):
                assert child.poll() is None
            yield child
        finally:
            child.kill()


def found(home=HOME):
    held = adopt.by_markers(home, OURS).leaders
    for one in (one for group in held.values() for one in group):
        os.close(one.fd)
    return {name: [(one.seen.pid, one.intent, one.start) for one in group] for name, group in held.items()}


def test_it_is_found_by_its_variables_with_intent_and_start():
    with running(HEALER_INTENT="aa", HEALER_START="3") as child:
        assert found() == {"api": [(child.pid, "aa", 3)]}
        assert found("another-home") == {}


@pytest.mark.parametrize("start", ["", "x", "-1", "9" * 40, "²"])
def test_a_start_that_is_no_number_counts_as_none(start):
    with running(HEALER_START=start) as child:
        assert found() == {"api": [(child.pid, "", 0)]}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start something as somebody else")
def test_what_another_account_started_with_our_variables_is_not_ours():
    env = {"HEALER_HOME": HOME, "HEALER_PROGRAM": "api", "HEALER_START": "99", "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(["sleep", "60"], env=env, start_new_session=True, user=65534, cwd="/") as child:
        try:
            while "PATH" not in processes.environ(child.pid):
                assert child.poll() is None
            assert found() == {}
            named = adopt.by_markers(HOME, lambda _: {65534})
            assert [one.seen.pid for one in named.leaders["api"]] == [child.pid]
            os.close(named.leaders["api"][0].fd)
        finally:
            child.kill()


def test_what_leads_no_session_was_not_started_by_us():
    with running(leader=False):
        assert found() == {}
        assert adopt.by_markers(HOME, OURS).names == {"api"}  # but something of the program is there


def test_a_note_is_believed_only_where_the_kernel_agrees():
    with running() as child:
        seen = processes.stat(child.pid)
        note = Remembered(pid=child.pid, ticks=seen.ticks, boot=BOOT, intent="aa", starts=2)
        held = adopt.by_note(note, BOOT)
        assert (held.seen.pid, held.intent, held.start) == (child.pid, "aa", 2)
        os.close(held.fd)
        assert adopt.by_note(note, "another boot") is None
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert adopt.by_note(note, BOOT) is None  # a zombie is dead
    assert adopt.by_note(note, BOOT) is None


def test_nothing_stays_open_after_a_refusal():
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for pid in (0, 1, os.getpid(), os.getppid(), 2**22 + 5):
        assert adopt.by_note(Remembered(pid=pid, ticks=1, boot=BOOT), BOOT) is None
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
