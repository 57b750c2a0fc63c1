"""Processes are told apart by start time, and a signal never hits a stranger."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import argv, processes
from healer.errors import ActionError

LINE = b"42 (%s) S 1 42 42 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 12345 100 0 0\n"


@contextlib.contextmanager
def sleeper(**more):
    with subprocess.Popen(["sleep", "60"], **more) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("name", [b"x", b"a) R 9 9 (b", b"two\nlines", b"\xff\xfe", b")", b""])
def test_a_process_name_cannot_pass_for_other_fields(name):
    seen = processes.parse_stat(LINE % name)
    assert (seen.pid, seen.state, seen.parent, seen.ticks) == (42, "S", 1, 12345)
    assert seen.generation == "42.12345"


@pytest.mark.parametrize("line", [b"", b"42", b"42 (x", b"42 (x) S 1 2"])
def test_half_a_line_is_no_process(line):
    assert processes.parse_stat(line) is None


def test_a_zombie_is_dead():
    with subprocess.Popen(["true"]) as child:
        fd = os.pidfd_open(child.pid)
        os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOWAIT)
        os.close(fd)
        assert processes.stat(child.pid).dead
        assert processes.generation(child.pid) == ""


def test_a_pid_that_is_not_there_has_no_generation():
    assert processes.generation(2**22 + 1) == ""
    assert processes.environ(2**22 + 1) == {}


@pytest.mark.parametrize("whose", ["init", "agent", "parent"])
def test_init_the_agent_and_its_parents_are_never_signalled(whose):
    pid = {"init": 1, "agent": os.getpid(), "parent": os.getppid()}[whose]
    with pytest.raises(ActionError, match="never done"):
        processes.send(pid, processes.generation(pid), signal.SIGCONT)


def test_a_signal_for_another_incarnation_is_refused():
    with sleeper() as child:
        pid, ticks = processes.generation(child.pid).split(".")
        with pytest.raises(ActionError, match="another incarnation"):
            processes.send(child.pid, f"{pid}.{int(ticks) - 1}", signal.SIGKILL)
        assert child.poll() is None
        processes.send(child.pid, f"{pid}.{ticks}", signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


def test_a_marker_is_a_whole_variable_not_the_beginning_of_one():
    with sleeper(env={"HEALER_PROGRAM": "api2", "XHEALER_PROGRAM": "api"}) as child:
        while not processes.environ(child.pid):  # the kernel shows it a moment after the exec
            assert child.poll() is None
        assert not processes.marked(child.pid, {"HEALER_PROGRAM": "api"})
        assert processes.marked(child.pid, {"HEALER_PROGRAM": "api2"})
        assert not processes.marked(child.pid, {})


def test_descendants_are_found_through_parents_and_cycles_end():
    def seen(pid, parent):
        return processes.Stat(pid=pid, state="S", parent=parent, group=0, session=0, ticks=1)

    table = {one.pid: one for one in (seen(2, 3), seen(3, 2), seen(4, 3), seen(9, 1))}
    assert processes.descendants([2], table) == {2, 3, 4}


async def test_waiting_for_several_ends_needs_all_of_them():
    children = [subprocess.Popen(["sleep", t]) for t in ("0", "0", "1000")]  # noqa: ASYNC220
    fds = [os.pidfd_open(child.pid) for child in children]
    assert not await processes.gone(fds, 0.2)
    assert await processes.gone(fds[:2], 5.0)
    children[2].kill()
    assert await processes.gone(fds, 5.0)
    assert [processes.reap(fd) for fd in fds] == [0, 0, -9]
    assert processes.reap(fds[0]) is None
    for fd, child in zip(fds, children, strict=True):
        os.close(fd)
        child.returncode = 0


@pytest.mark.parametrize(
    ("executable", "transient"), [("/no/such/file", False), ("/etc/hostname", False), ("/etc", False)]
)
def test_what_cannot_be_started_is_an_error_that_says_whether_to_try_again(executable, transient):
    with pytest.raises(ActionError) as caught:
        processes.spawn([executable], executable=executable, env={}, cwd="/", output=1)
    assert caught.value.transient == transient


def test_another_account_is_really_taken():
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    reading, writing = os.pipe()
    code = "import os; print(os.getuid(), os.getgid(), os.getgroups(), os.environ['HOME'])"
    who = argv.account("nobody")
    env = argv.environment({}, {}, who)
    pid = processes.spawn(["/usr/bin/env", "python3", "-c", code], executable="/usr/bin/env", env=env, cwd="/",
                          output=writing, who=who)  # fmt: skip
    os.close(writing)
    os.waitpid(pid, 0)
    said = os.read(reading, 1000).decode()
    os.close(reading)
    assert said.startswith(f"{who.uid} {who.gid} [{who.gid}")


@given(st.binary())
def test_no_octets_at_all_break_the_parser(line):
    try:
        processes.parse_stat(line)
    except ValueError:
        assert b")" in line  # only a line that looks whole may be found not to hold numbers


def test_this_process_is_its_own_ancestor():
    assert {1, os.getpid(), os.getppid()} <= processes.lineage()
    assert processes.stat(os.getpid()).generation == processes.generation(os.getpid())
    assert sys.executable


@pytest.mark.parametrize(("ours", "left"), [("-900", "0"), ("0", "300"), ("garbage", "300")])
def test_a_child_does_not_inherit_the_protection_of_the_agent(tmp_path, ours, left):
    own = tmp_path / "oom_score_adj"
    own.write_text(ours)
    child = subprocess.Popen(["sleep", "30"])
    score = Path(f"/proc/{child.pid}/oom_score_adj")
    score.write_text("300")  # what it inherited; a better score than ours only root with CAP_SYS_RESOURCE can give
    try:
        processes.unprotect(child.pid, own)
        assert score.read_text().strip() == left
    finally:
        child.kill()
        child.wait()
    processes.unprotect(child.pid, own)  # gone: nothing to do, and no error
