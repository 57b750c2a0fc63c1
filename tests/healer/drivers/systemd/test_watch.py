"""systemd's units over a bus that does as it is told, or not."""

import asyncio
import time

import pytest

from healer.clock import SystemClock
from healer.drivers.interface import DriverError, LinkState
from healer.drivers.systemd.systemd import Systemd
from healer.drivers.systemd.unit import Unit
from healer.drivers.systemd.watch import NAME, SYSTEM, bus_address

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


def test_an_address_comes_from_a_word_or_the_environment(monkeypatch):
    monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS", raising=False)
    assert bus_address("system") == bus_address("") == SYSTEM
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/other")
    assert bus_address("system") == "unix:path=/other"
    assert bus_address("unix:path=/own") == "unix:path=/own"
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/session")
    assert bus_address("user") == "unix:path=/session"
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert bus_address("user") == "unix:path=/run/user/7/bus"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with pytest.raises(DriverError, match="no address"):
        bus_address("user")


async def test_it_connects_when_it_is_first_asked_and_says_how_it_is_doing(bus, manager):
    assert manager.status().state is LinkState.IDLE
    assert bus.connections == 0
    assert (await manager.unit("plain.service")).generation == RUN
    await manager.unit("plain.service")
    await manager.health()
    assert (manager.status().state, manager.status().version, bus.connections) == (LinkState.CONNECTED, "252", 1)


async def test_many_who_look_at_once_share_one_connection(bus, manager):
    found = await asyncio.gather(*(manager.unit("plain.service") for _ in range(50)))
    assert {unit.state for unit in found} == {"active"}
    assert bus.connections == 1


async def test_while_the_bus_is_away_it_is_refused_at_once_and_tried_again_later(tmp_path):
    manager = Systemd(SystemClock(), bus=f"unix:path={tmp_path}/nothing")
    with pytest.raises(DriverError, match="cannot connect"):
        await manager.unit("plain.service")
    with pytest.raises(DriverError, match="next try"):
        await manager.unit("plain.service")
    await manager.close()


@pytest.mark.parametrize("wrong", ["cut", "garbage", "half", "org.freedesktop.DBus.Error.AccessDenied"])
async def test_a_look_that_breaks_off_says_nothing_of_the_unit(bus, manager, wrong):
    bus.wrong["GetAll"] = wrong
    with pytest.raises(DriverError) as caught:
        await manager.unit("plain.service")
    assert not caught.value.fact


@pytest.mark.parametrize(
    "change",
    [{"ActiveState": ""}, {"ActiveState": 7}, {"LoadState": True}, {"SubState": b"running"}],
)
async def test_properties_that_make_no_sense_are_an_error(bus, manager, change):
    bus.units["plain.service"].update(change)
    with pytest.raises(DriverError, match="makes no sense"):
        await manager.unit("plain.service")


async def test_changes_are_told_without_a_question(bus, manager, news):
    asked = len(bus.asked)
    bus.change("plain.service", ActiveState="failed", SubState="failed", Result="signal")
    await until(lambda: news)
    assert (news[0].state, news[0].result, news[0].generation, news[0].standing()) == ("failed", "signal", "", False)
    assert len(bus.asked) == asked


async def test_news_about_what_is_not_read_here_wake_nobody(bus, manager, news):
    bus.change("plain.service", ActiveState="active")
    await until(lambda: news)
    for line in ("1 of 3", "2 of 3"):
        bus.change("plain.service", StatusText=line)
    bus.change("plain.service", ActiveState="failed", SubState="failed")
    await until(lambda: news[-1].state == "failed")
    assert len(news) == 2
    bus.writers[-1].close()
    await until(lambda: isinstance(news[-1], str))
    manager._link._again_at = None
    await manager.unit("plain.service")
    bus.change("plain.service", ActiveState="failed")  # the same as before: but in between nothing was known
    await until(lambda: isinstance(news[-1], Unit))


async def test_a_death_under_a_restart_policy_is_asked_about_before_it_is_told(bus, manager, news):
    bus.change("plain.service", Restart="always")
    await until(lambda: news)
    news.clear()
    died = {"ActiveState": "failed", "SubState": "failed", "Result": "signal"}
    coming = {"ActiveState": "activating", "SubState": "auto-restart"}
    bus.change("plain.service", **died)
    bus.units["plain.service"].update(coming)  # what it says when it is asked
    await until(lambda: news)
    assert [unit.sub for unit in news] == ["auto-restart"]
    news.clear()
    bus.change("plain.service", **died)  # and nothing is to come
    await until(lambda: news)
    assert [unit.standing() for unit in news] == [False]


async def test_news_that_make_no_sense_are_left_to_the_next_look(bus, manager, news):
    bus.change("plain.service", ActiveState="")
    bus.change("plain.service", ActiveState="active")
    await until(lambda: news)
    assert [unit.state for unit in news] == ["active"]


async def test_a_lost_bus_is_told_to_all_and_found_again(bus, manager, news):
    bus.writers[-1].close()
    await until(lambda: news)
    assert isinstance(news[0], str)
    assert manager.status().state is LinkState.LOST
    with pytest.raises(DriverError, match="next try"):
        await manager.unit("plain.service")
    manager._link._again_at = None  # its time has come
    assert (await manager.unit("plain.service")).state == "active"
    assert manager.status().reconnects == 1
    bus.change("plain.service", ActiveState="failed", SubState="failed")
    await until(lambda: isinstance(news[-1], Unit))


async def test_a_systemd_that_executes_itself_anew_is_heard_again_without_a_look(bus, manager, news):
    of_bus = "org.freedesktop.DBus"
    bus.tell("/org/freedesktop/DBus", of_bus, "NameOwnerChanged", "sss", [NAME, ":1.1", ""], of_bus)
    await until(lambda: news)
    assert news == ["systemd left the bus"]
    with pytest.raises(DriverError, match="not on the bus"):
        await manager.unit("plain.service")
    bus.units["plain.service"]["NRestarts"] = 5  # what happened meanwhile
    bus.owner = ":1.2"
    bus.tell("/org/freedesktop/DBus", of_bus, "NameOwnerChanged", "sss", [NAME, "", ":1.2"], of_bus)
    await until(lambda: isinstance(news[-1], Unit))
    assert news[-1].restarts == 5
    assert [member for member, _ in bus.asked].count("Subscribe") == 2
    bus.change("plain.service", sender=":1.2", ActiveState="failed", SubState="failed")
    await until(lambda: news[-1].state == "failed")
    assert bus.connections == 1


async def test_who_hears_no_more_is_told_no_more(bus, manager):
    heard = []
    leave = manager.subscribe("plain.service", heard.append)
    await manager.unit("plain.service")
    leave()
    leave()
    bus.change("plain.service", ActiveState="failed")
    await manager.health()
    assert heard == []


async def test_an_alias_is_told_of_under_its_own_name(bus, manager):
    bus.units["plain.service"]["Id"] = "plain.service"
    bus.units["also.service"] = {**bus.units["plain.service"], "Id": "plain.service"}
    heard = []
    manager.subscribe("also.service", heard.append)
    assert (await manager.unit("also.service")).id == "plain.service"
    bus.change("plain.service", ActiveState="failed", SubState="failed")
    await until(lambda: heard)


async def test_more_units_than_the_bus_lets_us_hear_are_looked_at_only(bus, manager):
    await manager.health()
    bus.wrong["AddMatch"] = "org.freedesktop.DBus.Error.LimitsExceeded"
    manager.subscribe("plain.service", print)
    assert (await manager.unit("plain.service")).state == "active"


async def test_a_family_is_its_own_instances_and_nobody_elses(bus, manager):
    for name, state in (("web@1.service", "active"), ("web@2.service", "failed"), ("webs@1.service", "active")):
        bus.units[name] = {**bus.units["plain.service"], "ActiveState": state}
    assert await manager.family("web@.service") == {"web@1.service": "active", "web@2.service": "failed"}
