"""What systemd is told to do, over a bus that does as it is told, or not."""

import asyncio
import time

import pytest

from healer.clock import SystemClock
from healer.drivers.systemd.systemd import Systemd
from healer.errors import ActionError, AmbiguousError

RUN = "01" * 16
NEXT = b"\x02" * 16


async def until(true):
    end = time.monotonic() + 3
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.002)


@pytest.fixture
async def news(manager):
    """What is told of plain.service, which has been looked at."""
    heard = []
    manager.subscribe("plain.service", heard.append)
    await manager.unit("plain.service")
    return heard


async def test_a_job_that_ends_before_its_path_is_told_is_not_waited_for_in_vain(bus, manager):
    bus.results["RestartUnit"] = ("done", {"InvocationID": NEXT})
    after = await manager.restart("plain.service", generation=RUN, within=2)
    assert after.generation == "02" * 16


async def test_a_restart_that_leaves_the_same_incarnation_is_none(bus, manager):
    with pytest.raises(ActionError, match="skipped"):
        await manager.restart("plain.service", generation=RUN, within=2)


async def test_another_incarnation_than_was_judged_is_left_alone(bus, manager):
    for act in (manager.restart, manager.start, manager.stop, manager.reload):
        with pytest.raises(ActionError, match="another incarnation") as caught:
            await act("plain.service", generation="ff" * 16, within=2)
        assert not caught.value.transient
    with pytest.raises(ActionError, match="another incarnation"):
        await manager.adjust("plain.service", {"CPUWeight": 5}, generation="")
    assert not {"RestartUnit", "StartUnit", "StopUnit", "SetUnitProperties"} & {member for member, _ in bus.asked}


@pytest.mark.parametrize("wrong", ["cut", "garbage", "half"])
async def test_a_lost_answer_to_an_order_is_ambiguous(bus, manager, wrong):
    bus.wrong["RestartUnit"] = wrong
    with pytest.raises(AmbiguousError):
        await manager.restart("plain.service", generation=RUN, within=2)


async def test_a_bus_lost_while_a_job_runs_is_ambiguous(bus, manager):
    bus.results["RestartUnit"] = ("never", {})
    async with asyncio.TaskGroup() as group:
        act = group.create_task(expect_ambiguous(manager))
        await until(lambda: bus.jobs)
        bus.writers[-1].close()
        assert "before systemd said" in await act


async def expect_ambiguous(manager):
    with pytest.raises(AmbiguousError) as caught:
        await manager.restart("plain.service", generation=RUN, within=5)
    return caught.value.message


async def test_a_job_that_does_not_end_is_cancelled(bus, manager):
    bus.results["StartUnit"] = ("never", {})
    bus.units["plain.service"].update(ActiveState="inactive", SubState="dead")
    with pytest.raises(ActionError, match="had not ended") as caught:
        await manager.start("plain.service", generation="", within=0.1)
    assert caught.value.transient
    assert bus.asked[-1][0] == "Cancel"


async def test_what_does_not_stop_is_killed_after_its_grace(bus, manager):
    bus.results["StopUnit"] = ("never", {})
    with pytest.raises(ActionError, match="had not ended"):
        await manager.stop("plain.service", generation=RUN, within=0.2, grace=0.05)
    assert ("KillUnit", ["plain.service", "all", 9]) in bus.asked


async def test_a_dead_unit_that_we_hear_of_is_started_without_another_question(bus, manager, news):
    bus.change("plain.service", ActiveState="failed", SubState="failed")
    await until(lambda: news)
    asked = len(bus.asked)
    bus.results["StartUnit"] = ("done", {"InvocationID": NEXT, "ActiveState": "active", "SubState": "running"})
    after = await manager.restart("plain.service", generation="", within=2)
    assert after.generation == "02" * 16
    # StartUnit, not RestartUnit: a run that somebody else began meanwhile is not ended by it.
    assert [member for member, _ in bus.asked[asked:]] == ["StartUnit", "GetAll"]


async def test_a_dead_unit_that_we_do_not_hear_of_is_asked_about_first(bus, manager):
    bus.units["plain.service"].update(ActiveState="failed", SubState="failed")
    await manager.unit("plain.service")
    bus.wrong["AddMatch"] = "org.freedesktop.DBus.Error.LimitsExceeded"
    manager.subscribe("plain.service", print)
    await manager.unit("plain.service")
    bus.units["plain.service"].update(ActiveState="active", SubState="running")  # nobody told us
    with pytest.raises(ActionError, match="another incarnation"):
        await manager.restart("plain.service", generation="", within=2)


async def test_who_cannot_be_reached_has_done_nothing(tmp_path):
    manager = Systemd(SystemClock(), bus=f"unix:path={tmp_path}/nothing")
    with pytest.raises(ActionError, match="cannot restart") as caught:
        await manager.restart("plain.service", generation=RUN, within=2)
    assert caught.value.transient
    assert not isinstance(caught.value, AmbiguousError)
    await manager.close()


async def test_settings_are_read_back(bus, manager):
    bus.units["plain.service"]["CPUWeight"] = 100
    assert await manager.settings("plain.service", ["CPUWeight", "Result"]) == {"CPUWeight": 100}
    await manager.adjust("plain.service", {"CPUWeight": 200}, generation=RUN)
    bus.units["plain.service"]["CPUWeight"] = 200
    original = bus.reply
    bus.reply = lambda asked: ("", []) if asked.member == "SetUnitProperties" else original(asked)
    with pytest.raises(ActionError, match="did not change"):
        await manager.adjust("plain.service", {"CPUWeight": 300}, generation=RUN)
