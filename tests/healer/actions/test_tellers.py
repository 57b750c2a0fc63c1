"""Those who know a kind tell what can be told of it, and say so where a tool could not be asked."""

import pytest

from healer.actions import tellers
from healer.actions.evidence import Told, nothing
from healer.clock import SystemClock
from healer.drivers import evidence
from healer.drivers.catalog import Drivers
from healer.drivers.docker_engine import DockerError
from healer.drivers.interface import DriverError
from healer.model.target import Target


@pytest.fixture
def bin_dir(tmp_path, monkeypatch):
    """A folder of tools of this test's own, first on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(name, text):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)

    monkeypatch.setattr("healer.drivers.argv.FIXED_PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr("healer.drivers.argv.check_owners", lambda _: None)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return put


async def test_a_unit_is_told_by_its_manager_and_its_journal_without_its_environment(order, bin_dir):
    bin_dir(
        "systemctl",
        'echo MainPID=0; echo Result=exit-code; echo Environment=SECRET=hunter2; echo "Args=$*"\n'
        "echo FragmentPath=/etc/x.service; echo DropInPaths=/etc/x.d/a.conf /etc/x.d/b.conf",
    )
    bin_dir("journalctl", 'echo "line one"; echo "$*"')
    told = await tellers.of_unit(order(kind="unit", name="nginx", spec={"unit": "nginx.service"}))
    assert told.facts["properties"]["Result"] == "exit-code"
    assert told.files == ["/etc/x.service", "/etc/x.d/a.conf", "/etc/x.d/b.conf"]
    assert told.facts["properties"]["Args"] == "show --no-pager -- nginx.service"
    assert "hunter2" not in str(told.facts)
    assert told.facts["log"].startswith("line one\n")
    assert "--unit nginx.service" in told.facts["log"]
    user = await tellers.of_unit(order(kind="unit", name="x.service", spec={"bus": "user"}))
    assert user.facts["properties"]["Args"].startswith("--user show")
    assert "--user-unit x.service" in user.facts["log"]


SAID = {
    "Id": "nginx.service", "LoadState": "loaded", "ActiveState": "failed", "SubState": "failed", "Result": "oom-kill",
    "InvocationID": b"\x0a" * 16,
}  # fmt: skip


def test_of_a_dead_unit_is_kept_how_it_ended_and_what_its_last_run_wrote(order, bin_dir, programs):
    bin_dir("journalctl", 'echo "last words"; echo "$*"')
    drivers = Drivers(SystemClock())
    glance = tellers.glances(programs, drivers)["unit"]
    dead = order(kind="unit", name="nginx")
    assert glance(dead) is nothing  # nothing was ever told of it
    manager = drivers.systemd("system")
    manager._known["/nginx"], manager._paths["nginx.service"] = dict(SAID), "/nginx"
    later = glance(dead)
    manager._known["/nginx"].update(ActiveState="active", Result="success", InvocationID=b"\x0b" * 16)  # it is cured
    told = later()
    assert (told["unit"]["result"], told["unit"]["invocation"]) == ("oom-kill", "0a" * 16)
    assert told["log"].startswith("last words\n")
    assert f"_SYSTEMD_INVOCATION_ID={'0a' * 16} + INVOCATION_ID={'0a' * 16}" in told["log"]


def test_a_journal_that_hangs_costs_its_patience(bin_dir, monkeypatch):
    monkeypatch.setattr(tellers, "_PATIENCE", 0.1)
    bin_dir("journalctl", "exec sleep 60")
    assert "timed out" in tellers._of_run("0a" * 16, "system")
    assert tellers._of_run("", "system") == tellers._of_run("0a" * 16, "unix:path=/run/other") == ""


async def test_a_name_that_looks_like_an_option_is_none(order, bin_dir):
    bin_dir("systemctl", 'echo "Args=$*"')
    bin_dir("journalctl", "true")
    told = await tellers.of_unit(order(kind="unit", name="--root=x"))
    assert told.facts["properties"]["Args"].endswith("-- --root=x.service")


async def test_a_unit_of_another_bus_is_asked_about_there_and_nowhere_else(order, programs, bin_dir):
    bin_dir("systemctl", "echo Result=of-a-namesake")
    drivers = Drivers(SystemClock())
    try:
        with pytest.raises(DriverError):
            await tellers.tellers(programs, drivers)["unit"](
                order(kind="unit", name="nginx.service", spec={"bus": "unix:path=/no/such/bus"})
            )
    finally:
        await drivers.close()


async def test_the_processes_of_a_group_are_found_and_a_missing_one_is_empty():
    assert tellers._of_group("/no/such/group") == []
    assert tellers._of_group("") == tellers._of_group("/") == []


async def test_a_process_is_told_with_what_stems_from_it(order, programs):
    spec = {"command": ["sh", "-c", "sleep 60 & wait"]}
    programs.declare([Target(kind="program", name="api", organ="heart", spec=spec)])
    generation = await programs.start("api")
    while len((told := await tellers.of_process(order(kind="process", generation=generation))).pids) < 2:
        pass
    assert told.pids[0] == int(generation.split(".")[0])
    assert await tellers.of_process(order(kind="process")) == Told()


async def test_stacks_of_python_programs_are_told_where_the_tool_is(order, programs, bin_dir, monkeypatch):
    monkeypatch.setattr(tellers, "_exe", lambda pid: "python3.11")
    assert await tellers._stacks([1]) == {} or "stacks" in await tellers._stacks([1])
    bin_dir("py-spy", 'echo "Thread 1 (idle): $*"')
    told = await tellers._stacks([7, 8])
    assert told == {
        "stacks": {
            "7": "Thread 1 (idle): dump --nonblocking --pid 7\n",
            "8": "Thread 1 (idle): dump --nonblocking --pid 8\n",
        }
    }


async def test_a_tool_that_is_missing_hangs_or_floods_says_so_in_its_place(bin_dir):
    assert "no-such-tool" in await tellers.said(["no-such-tool"])
    assert "did not end within" in await tellers.said(["sleep", "60"], 0.1)
    bin_dir("flood", "yes | head -c 3000000")
    text = await tellers.said(["flood"], 5.0)
    assert len(text) < 300_000
    assert "bytes left out" in text


async def test_an_engine_that_does_not_answer_is_told_in_its_place(order, programs, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such/engine.sock")
    drivers = Drivers(SystemClock())
    try:
        with pytest.raises(DockerError):
            await tellers.tellers(programs, drivers)["container"](order(kind="container"))
    finally:
        await drivers.close()


def test_what_is_told_passes_the_net_for_secrets():
    assert "abc" not in str(evidence.without_secrets({"properties": {"ExecStart": "x --token abc"}}))
