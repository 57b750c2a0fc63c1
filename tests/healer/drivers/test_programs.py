"""Programs are started, seen to end, restarted, ended with all that stems from them, and found again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from healer.clock import SystemClock
from healer.drivers import cgroups, processes
from healer.drivers.programs import Programs
from healer.errors import ActionError
from healer.model.target import Target

NO_GROUPS = cgroups.Cgroups(None, "not in this test")
SLEEP = ["sleep", "120"]


def target(name="api", command=SLEEP, **spec):
    return Target(kind="program", name=name, organ="heart", spec={"command": command, **spec})


def python(code):
    return [sys.executable, "-c", textwrap.dedent(code)]


async def eventually(claim, within=5.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := claim():
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


@pytest.fixture
async def build(tmp_path):
    made = []

    async def make(*targets, push=None, groups=NO_GROUPS, tasks=None, state=tmp_path, **more):
        programs = Programs(SystemClock(), state, push, groups=groups, **more)
        programs.declare(targets or [target()])
        await programs.open(tasks)
        made.append(programs)
        return programs

    yield make
    for programs in made:
        await programs.close("stop", force=True)


async def test_an_exit_is_told_at_once_and_is_conclusive(build):
    told = []
    programs = await build(push=told.extend)
    generation = await programs.start("api", intent="aa11")
    assert programs.snapshot("api").state == "running"
    await asyncio.sleep(0)
    told.clear()
    pid = int(generation.split(".")[0])
    before = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: told)
    assert time.monotonic() - before < 1.0
    values = {one.metric: one.value for one in told}
    assert values == {
        "program.up": 0.0,
        "program.wanted": 1.0,
        "program.state": "stopped",
        "program.generation": "",
        "program.restarts": 0.0,
        "program.exit_code": -9.0,
    }
    assert all(one.conclusive for one in told)
    assert programs.generation("api") == ""


async def test_a_killed_program_is_replaced_under_its_intent(build):
    programs = await build()
    first = await programs.start("api")
    os.kill(int(first.split(".")[0]), signal.SIGKILL)
    await eventually(lambda: not programs.generation("api"))
    second = await programs.restart("api", intent="bb22", generation="")
    seen = programs.snapshot("api")
    assert second != first
    assert (seen.generation, seen.restarts, seen.intent) == (second, 1, "bb22")
    assert processes.environ(seen.pid)["HEALER_INTENT"] == "bb22"
    assert programs.intents() == {"bb22": "api"}


async def test_a_restart_of_another_incarnation_is_refused(build):
    programs = await build()
    first = await programs.start("api")
    with pytest.raises(ActionError, match="another incarnation"):
        await programs.restart("api", generation="1.1")
    assert programs.generation("api") == first


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit(0)", 0), ("raise SystemExit(78)", 78), ("import os; os.kill(os.getpid(), 11)", -11)],
)
async def test_exit_codes_are_kept(build, code, expected):
    programs = await build(target(command=python(code)))
    await programs.start("api")
    await eventually(lambda: not programs.generation("api"))
    assert programs.snapshot("api").exit_code == expected


async def test_one_that_ignores_term_is_killed_after_its_grace(build):
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        time.sleep(1000)
    """
    programs = await build(target(command=python(code), stop={"signal": "TERM", "grace": 0.2}))
    await programs.start("api")
    await eventually(lambda: b"deaf" in programs.output("api"))
    before = time.monotonic()
    await programs.stop("api")
    assert 0.2 <= time.monotonic() - before < 3.0
    assert programs.snapshot("api").exit_code == -9


DAEMON = """
    import os, sys, time
    time.sleep(0.1)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            {clear}
            print("daemon", os.getpid(), flush=True)
            time.sleep(1000)
        os._exit(0)
    os.wait()
    time.sleep(1000)
"""


@pytest.mark.parametrize("whose", ["markers", "cgroup"])
async def test_a_double_forked_daemon_dies_with_its_program(build, whose):
    groups = NO_GROUPS if whose == "markers" else cgroups.detect()
    if whose == "cgroup" and groups.root is None:
        pytest.skip(f"no cgroup can be made here: {groups.because}")
    clear = "" if whose == "markers" else "os.execve('/bin/sleep', ['sleep', '1000'], {})"
    say = DAEMON.format(clear="print('daemon', os.getpid(), flush=True); " + clear if clear else "")
    programs = await build(target(command=python(say), stop={"grace": 0.5}), groups=groups)
    await programs.start("api")
    line = await eventually(lambda: [x for x in programs.output("api").splitlines() if x.startswith(b"daemon")])
    daemon = int(line[0].split()[1])
    assert processes.generation(daemon)
    await programs.stop("api")
    assert processes.generation(daemon) == ""


async def test_a_stopped_process_hears_the_stop(build):
    programs = await build(target(stop={"grace": 30.0}))
    generation = await programs.start("api")
    os.kill(int(generation.split(".")[0]), signal.SIGSTOP)
    before = time.monotonic()
    await programs.stop("api")
    assert time.monotonic() - before < 5.0
    assert not programs.snapshot("api").wanted


async def test_workers_left_by_a_dead_parent_end_before_the_new_one_starts(build):
    code = "import os, time; os.fork(); print(os.getpid(), flush=True); time.sleep(1000)"
    programs = await build(target(command=python(code)))
    first = int((await programs.start("api")).split(".")[0])
    pids = await eventually(lambda: len(lines := programs.output("api").split()) == 2 and [int(x) for x in lines])
    worker = next(pid for pid in pids if pid != first)
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: not programs.generation("api"))
    assert processes.generation(worker)
    await programs.restart("api")
    assert processes.generation(worker) == ""


async def test_the_child_gets_a_clean_environment_no_descriptors_and_its_arguments_literally(build, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("CANARY", "secret")
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    code = """
        import os, sys
        print(sorted(os.environ), sorted(os.listdir('/proc/self/fd')), sys.argv[1:], os.getcwd(), flush=True)
    """
    nasty = ["$(touch /tmp/p)", "a;b", "`x`", "-oProxyCommand=x", "two\nlines"]
    programs = await build(target(command=[*python(code), *nasty], env={"MINE": "1"}))
    await programs.start("api")
    await eventually(lambda: not programs.generation("api"))
    os.close(reading)
    os.close(writing)
    said = programs.output("api").decode()
    assert "CANARY" not in said
    assert "LD_PRELOAD" not in said
    assert "'HEALER_HOME', 'HEALER_INTENT', 'HEALER_PROGRAM', 'HEALER_START', 'HOME', 'LANG'" in said
    assert "'MINE'" in said
    assert "['0', '1', '2', '3']" in said  # 3 is the listing itself
    assert str(nasty) in said


async def test_a_command_that_does_not_exist_is_permanent_and_one_that_is_empty_too(build):
    programs = await build(target(command=["no-such-command-here"]), target("empty", command=["  "]))
    for name in ("api", "empty"):
        with pytest.raises(ActionError) as caught:
            await programs.start(name)
        assert not caught.value.transient
        assert programs.snapshot(name).state == "stopped"


async def test_readiness_moves_it_from_starting_to_running(build, tmp_path):
    flag = tmp_path / "flag"
    async with asyncio.TaskGroup() as tasks:
        programs = await build(target(ready={"file": str(flag), "within": 5.0}), tasks=tasks)
        await programs.start("api")
        await asyncio.sleep(0.05)
        assert programs.snapshot("api").state == "starting"
        flag.touch()
        await eventually(lambda: programs.snapshot("api").state == "running")
        await programs.close("stop")


HOLDER = """
import asyncio, sys
from pathlib import Path
from healer.clock import SystemClock
from healer.drivers import cgroups
from healer.drivers.programs import Programs
from healer.model.target import Target

async def main():
    programs = Programs(SystemClock(), Path(sys.argv[1]), groups=cgroups.Cgroups(None, "-"))
    programs.declare([Target(kind="program", name="api", organ="heart", spec={"command": ["sleep", "120"]})])
    await programs.open()
    generation = await programs.start("api", intent="cc33")
    if sys.argv[2] == "saved":
        await asyncio.sleep(0.05)
    print(generation, flush=True)
    while True:
        if sys.argv[2] == "saved":
            await asyncio.sleep(1)

asyncio.run(main())
"""


def held(tmp_path, how):
    """Start a program under an agent of its own, and kill -9 that agent; returns the program's generation."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path), how], stdout=subprocess.PIPE) as holder:
        generation = holder.stdout.readline().decode().strip()
        holder.kill()
    return generation


@pytest.mark.parametrize("how", ["saved", "crashed-before-the-note"])
async def test_a_program_survives_its_agent_and_is_taken_over(build, tmp_path, how):
    generation = held(tmp_path, how)
    assert (tmp_path / "programs" / "api.json").exists() == (how == "saved")
    told = []
    programs = await build(push=told.extend)
    seen = programs.snapshot("api")
    assert (seen.generation, seen.intent, seen.exits_unknown) == (generation, "cc33", True)
    assert programs.intents() == {"cc33": "api"}
    assert programs.waiting() == ()
    told.clear()
    os.kill(seen.pid, signal.SIGKILL)
    await eventually(lambda: not programs.generation("api"))
    assert programs.snapshot("api").exit_code is None
    assert "program.exit_code" not in {one.metric for one in told}
    assert all(one.conclusive for one in told)
    assert await programs.restart("api") != generation


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff" * 100, b'{"pid": "1"}', b"[" * 60000, b'{"pid": true}', b"null"]
)
async def test_a_damaged_note_is_as_if_never_written(build, tmp_path, content):
    (tmp_path / "programs").mkdir(mode=0o700)
    (tmp_path / "programs" / "api.json").write_bytes(content)
    programs = await build()
    assert programs.snapshot("api").pid is None
    assert programs.waiting() == ("api",)


@pytest.mark.parametrize("lie", ["start time", "boot", "init", "agent", "not a leader"])
async def test_a_note_that_lies_about_a_process_is_not_believed(build, tmp_path, lie):
    with subprocess.Popen(SLEEP, start_new_session=lie != "not a leader") as stranger:  # noqa: ASYNC220
        pid = {"init": 1, "agent": os.getpid()}.get(lie, stranger.pid)
        seen = processes.stat(pid)
        note = {
            "pid": pid,
            "ticks": seen.ticks + (lie == "start time"),
            "boot": "another" if lie == "boot" else SystemClock().boot_id(),
            "starts": 1,
        }
        (tmp_path / "programs").mkdir(mode=0o700)
        (tmp_path / "programs" / "api.json").write_text(json.dumps(note))
        try:
            programs = await build()
            assert programs.snapshot("api").pid is None
        finally:
            stranger.kill()


async def test_stopped_on_purpose_stays_stopped_over_a_restart_of_the_agent(build):
    programs = await build()
    await programs.start("api")
    await programs.stop("api")
    again = await build()
    assert again.waiting() == ()
    await again.start("api")
    await again.close("stop")
    assert (await build()).waiting() == ("api",)


async def test_keep_leaves_it_running_and_the_next_agent_has_it(build):
    programs = await build(target(on_stop="keep"))
    generation = await programs.start("api")
    await programs.close()
    assert processes.generation(int(generation.split(".")[0])) == generation
    again = await build(target(on_stop="keep"))
    assert again.generation("api") == generation


async def test_signals_reach_only_the_incarnation_that_was_judged(build):
    programs = await build()
    generation = await programs.start("api")
    with pytest.raises(ActionError, match="another incarnation"):
        programs.signal("api", signal.SIGKILL, "1.2")
    programs.signal("api", signal.SIGTERM, generation)
    await eventually(lambda: not programs.generation("api"))
    assert programs.snapshot("api").exit_code == -15


async def test_starting_one_that_runs_changes_nothing(build):
    programs = await build()
    first = await programs.start("api")
    assert await programs.start("api") == first
    assert programs.snapshot("api").restarts == 0


async def test_an_unknown_program_is_refused_by_name(build):
    programs = await build()
    with pytest.raises(ActionError, match="'nobody'"):
        await programs.start("nobody")


async def test_a_daemon_left_by_a_dead_program_is_not_taken_for_the_program_and_ends_before_the_next_start(
    build, tmp_path
):
    say = DAEMON.format(clear="print('daemon', os.getpid(), flush=True)")
    programs = await build(target(command=python(say), on_stop="keep"))
    main = int((await programs.start("api")).split(".")[0])
    line = await eventually(lambda: [x for x in programs.output("api").splitlines() if x.startswith(b"daemon")])
    daemon = int(line[0].split()[1])
    os.kill(main, signal.SIGKILL)
    await eventually(lambda: not programs.generation("api"))
    await programs.close("keep", force=True)
    again = await build(target(command=SLEEP))
    assert again.generation("api") == ""
    assert processes.generation(daemon)
    await again.start("api")
    assert processes.generation(daemon) == ""


async def test_a_program_no_longer_declared_is_forgotten_not_stopped(build):
    programs = await build()
    generation = await programs.start("api")
    pid = int(generation.split(".")[0])
    await eventually(lambda: processes.marked(pid, {"HEALER_PROGRAM": "api"}))  # empty while it is being made
    programs.declare([target("other")])
    assert programs.names() == ("other",)
    assert processes.generation(pid) == generation
    programs.declare([target("api")])
    assert programs.adopt_all() == ("api",)
    assert programs.generation("api") == generation
