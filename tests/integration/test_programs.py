"""Programs where numbers change hands: a pid namespace so small that the kernel reuses a pid at once."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.real

INSIDE = textwrap.dedent("""
    import asyncio, json, os, signal, subprocess, sys
    from pathlib import Path
    from healer.clock import SystemClock
    from healer.drivers import adopt, cgroups, processes, trees
    from healer.drivers.program import Remembered
    from healer.drivers.programs import Programs
    from healer.errors import ActionError
    from healer.model.target import Target

    Path("/proc/sys/kernel/pid_max").write_text("400")

    def reuse(wanted):
        '''Fork until the number comes round again; the new owner leads a session, as ours would.'''
        for _ in range(2000):
            child = subprocess.Popen(["sleep", "60"], start_new_session=True)
            if child.pid == wanted:
                return child
            child.kill()
            child.wait()
        raise AssertionError("the number never came round")

    async def main(state):
        programs = Programs(SystemClock(), state, groups=cgroups.Cgroups(None, "-"))
        programs.declare([Target(kind="program", name="api", organ="heart", spec={"command": ["sleep", "60"]})])
        await programs.open()
        while (low := subprocess.Popen(["true"])).wait() or low.pid < 310:  # what is below 300 never comes round
            pass
        generation = await programs.start("api")
        tree = programs.tree("api")
        pid, ticks = map(int, generation.split("."))
        os.kill(pid, signal.SIGKILL)
        while programs.generation("api"):
            await asyncio.sleep(0.01)
        while True:  # another start time: not within the tick in which the first one began
            stranger = reuse(pid)
            if processes.stat(pid).ticks != ticks:
                break
            stranger.kill()
            stranger.wait()
        told = {}
        for name, act in {
            "signal": lambda: processes.send(pid, generation, signal.SIGKILL),
            "program": lambda: programs.signal("api", signal.SIGKILL, generation),
        }.items():
            try:
                act()
                told[name] = "done"
            except ActionError as exc:
                told[name] = str(exc)
        told["tree"] = sorted(trees.members(tree))
        note = Remembered(pid=pid, ticks=ticks, boot=SystemClock().boot_id(), starts=1)
        told["adopted"] = adopt.by_note(note, SystemClock().boot_id()) is not None
        await programs.restart("api")   # must not mistake the stranger for what is left of the dead one
        told["stranger"] = stranger.poll()
        await programs.close("stop", force=True)
        stranger.kill()
        stranger.wait()
        print(json.dumps(told))

    asyncio.run(main(Path(sys.argv[1])))
""")


def test_a_reused_pid_is_never_signalled_killed_or_taken_over(real, tmp_path):
    real("unshare", root=True)
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", INSIDE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "pid_max" in done.stderr:
        pytest.skip("this kernel has one pid_max for all namespaces")
    assert done.returncode == 0, done.stderr
    assert '"signal": "pid ' in done.stdout
    assert "another incarnation now" in done.stdout
    assert '"tree": [], "adopted": false, "stranger": null' in done.stdout
