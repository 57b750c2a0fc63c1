"""Commands in units of their own, on a bus that does as it is told, or not."""

import asyncio

import pytest

from healer.drivers import argv
from healer.drivers.commands import Command
from healer.drivers.systemd import transient
from healer.errors import ActionError, AmbiguousError

NAME = "healer-run-0.service"


def command(*words, **more):
    return Command(argv=words, env={"PATH": "/usr/bin:/bin", "HEALER_INTENT": "0"}, markers={}, **more)


@pytest.fixture
def begun(bus, tmp_path):
    """Has the bus start what it is told to; ``begun(state, output)`` says what comes of it."""
    original = bus.reply

    def comes(said, output=b"", job="done"):
        def reply(asked):
            if asked.member != "StartTransientUnit":
                return original(asked)
            bus.units[NAME] = {**bus.units["plain.service"], **said}
            (tmp_path / "out").write_bytes(output)
            bus.results["StartTransientUnit"] = (job, {})
            comes.started.set()
            return "o", [bus.job(asked)]

        bus.reply = reply

    comes.started = asyncio.Event()
    return comes


async def run(manager, tmp_path, *words, timeout=0.2, **more):
    return await transient.run(
        manager, NAME, command(*(words or ("true",)), **more), output=tmp_path / "out", timeout=timeout, grace=0.1
    )


EXITED = {"ActiveState": "active", "SubState": "exited", "ExecMainCode": 1, "ExecMainStatus": 0}


async def test_an_end_is_told_with_its_output_and_nothing_is_left(bus, manager, begun, tmp_path):
    begun(EXITED, b"said\n")
    ended = await run(manager, tmp_path)
    assert (ended.code, ended.output, ended.size, ended.timed_out) == (0, b"said\n", 5, False)
    assert not (tmp_path / "out").exists()
    assert [member for member, _ in bus.asked[-2:]] == ["StopUnit", "ResetFailedUnit"]


async def test_an_end_that_comes_later_is_waited_for(bus, manager, begun, tmp_path):
    begun({"ActiveState": "active", "SubState": "running"})
    async with asyncio.TaskGroup() as group:
        runs = group.create_task(run(manager, tmp_path))
        await begun.started.wait()
        await asyncio.sleep(0.05)
        bus.change(NAME, **EXITED | {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code"})
        bus.units[NAME] |= {"ExecMainStatus": 3}
        assert (await runs).code in (0, 3)


@pytest.mark.parametrize(
    ("result", "code", "status", "told"),
    [("exit-code", 1, 200, 200), ("signal", 2, 9, -9), ("core-dump", 3, 11, -11), ("timeout", 2, 15, -15)],
)
async def test_exit_codes_and_signals_are_kept_apart(manager, begun, tmp_path, result, code, status, told):
    failed = {"ActiveState": "failed", "SubState": "failed", "Result": result}
    begun({**failed, "ExecMainCode": code, "ExecMainStatus": status})
    ended = await run(manager, tmp_path)
    assert ended.code == told
    assert ended.timed_out is (result == "timeout")


async def test_an_end_that_nobody_tells_is_ambiguous(manager, begun, tmp_path, monkeypatch):
    monkeypatch.setattr(transient, "_ODDS", 0.0)
    begun({"ActiveState": "active", "SubState": "running"})
    with pytest.raises(AmbiguousError, match="nobody told"):
        await run(manager, tmp_path, timeout=0.05)
    assert not (tmp_path / "out").exists()


async def test_a_bus_lost_meanwhile_is_ambiguous(bus, manager, begun, tmp_path):
    begun({"ActiveState": "active", "SubState": "running"})
    async with asyncio.TaskGroup() as group:
        runs = group.create_task(lost(manager, tmp_path))
        await begun.started.wait()
        await asyncio.sleep(0.05)
        bus.writers[-1].close()
        await runs


async def lost(manager, tmp_path):
    with pytest.raises(AmbiguousError):
        await run(manager, tmp_path, timeout=3.0)


async def test_what_systemd_does_not_start_has_not_happened(bus, manager, begun, tmp_path):
    bus.wrong["StartTransientUnit"] = "org.freedesktop.DBus.Error.AccessDenied"
    with pytest.raises(ActionError, match="not permitted"):
        await run(manager, tmp_path)
    del bus.wrong["StartTransientUnit"]
    begun({"ActiveState": "failed", "SubState": "failed"}, job="failed")
    with pytest.raises(ActionError, match="ended as failed"):
        await run(manager, tmp_path)
    with pytest.raises(ActionError, match="there is no command"):
        await run(manager, tmp_path, "/nowhere/at/all")


def test_words_are_handed_over_as_they_are(tmp_path):
    told = dict(
        transient.properties(
            command("echo", "$HOME %n", cwd="/tmp", who=argv.own_account()), ["echo", "$HOME %n"], "/bin/echo",
            tmp_path / "out", 1.5, 0.5,
        )
    )  # fmt: skip
    assert told["ExecStartEx"].value == [["/bin/echo", ["echo", "$HOME %n"], ["no-env-expand"]]]
    assert told["RuntimeMaxUSec"].value == 1_500_000
    assert told["Environment"].value == ["PATH=/usr/bin:/bin", "HEALER_INTENT=0"]
    assert told["User"].value == argv.own_account().name
    assert told["KillMode"].value == "control-group"
