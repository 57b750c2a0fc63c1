"""A connection to a bus, whatever is at the other end."""

import asyncio
import time

import pytest

from healer.drivers.interface import DriverError
from healer.drivers.systemd.bus import BUS, Bus, SaidNoError, Typed

NAME = "org.freedesktop.systemd1"
ROOT = "/org/freedesktop/systemd1"


@pytest.fixture
async def opened(bus):
    heard, lost = [], []
    made = Bus(NAME, heard.append, lost.append)
    made.heard, made.lost = heard, lost
    await made.open(bus.address)
    yield made
    made.close()


async def until(true):
    end = time.monotonic() + 3
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.002)


async def test_nobody_there_is_said_with_a_hint(tmp_path):
    with pytest.raises(DriverError, match="No such file") as caught:
        await Bus(NAME, print, print).open(f"unix:path={tmp_path}/nothing")
    assert "dbus running" in caught.value.hint
    assert not caught.value.fact  # it says nothing about any unit


@pytest.mark.parametrize("address", ["", "nonsense", "tcp:", "unix:", "unix:path=/\0"])
async def test_what_is_no_address_is_refused_as_the_driver_s_own_trouble(address):
    with pytest.raises(DriverError):
        await Bus(NAME, print, print).open(address, within=0.5)


@pytest.mark.parametrize("sasl", [None, b"REJECTED EXTERNAL\r\n", b"what?\r\n", b"\xff\xfe\r\n"])
async def test_a_bus_that_does_not_let_us_in_costs_the_patience_and_no_more(bus, sasl):
    bus.sasl = sasl
    begun = time.monotonic()
    with pytest.raises(DriverError, match="cannot connect"):
        await Bus(NAME, print, print).open(bus.address, within=0.3)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("wrong", ["silent", "cut", "garbage", "half"])
async def test_a_bus_that_breaks_off_while_we_connect_is_an_error(bus, wrong):
    bus.wrong["GetNameOwner"] = wrong
    with pytest.raises(DriverError):
        await Bus(NAME, print, print).open(bus.address, within=0.3)


async def test_a_bus_without_the_peer_says_so(bus):
    bus.wrong["GetNameOwner"] = "org.freedesktop.DBus.Error.NameHasNoOwner"
    with pytest.raises(DriverError, match="not on the bus") as caught:
        await Bus(NAME, print, print).open(bus.address)
    assert "does systemd run" in caught.value.hint


async def test_an_error_as_the_answer_keeps_its_name(bus, opened):
    bus.wrong["StartUnit"] = f"{NAME}.NoSuchUnit"
    with pytest.raises(SaidNoError, match="no") as caught:
        await opened.call(ROOT, f"{NAME}.Manager", "StartUnit", "ss", "x.service", "replace")
    assert caught.value.name == f"{NAME}.NoSuchUnit"


@pytest.mark.parametrize("wrong", ["cut", "garbage", "half"])
async def test_what_was_sent_may_have_arrived_when_the_connection_breaks(bus, opened, wrong):
    bus.wrong["StartUnit"] = wrong
    with pytest.raises(DriverError) as caught:
        await opened.call(ROOT, f"{NAME}.Manager", "StartUnit", "ss", "x.service", "replace")
    assert caught.value.sent
    await until(lambda: opened.lost)
    assert len(opened.lost) == 1


async def test_an_answer_that_does_not_come_is_given_up(bus, opened):
    bus.wrong["StartUnit"] = "silent"
    with pytest.raises(DriverError, match=r"within 0\.1 s") as caught:
        await opened.call(ROOT, f"{NAME}.Manager", "StartUnit", "ss", "x.service", "replace", within=0.1)
    assert caught.value.sent


async def test_the_end_is_told_at_once_and_once(bus, opened):
    bus.writers[0].close()
    await until(lambda: opened.lost)
    with pytest.raises(DriverError, match="not connected") as caught:
        await opened.call(ROOT, f"{NAME}.Manager", "Subscribe")
    assert not caught.value.sent
    assert len(opened.lost) == 1


async def test_whoever_closes_is_not_told(opened):
    opened.close()
    await asyncio.sleep(0.05)
    assert opened.lost == []


async def test_signals_of_the_peer_are_heard_and_those_of_anybody_else_are_not(bus, opened):
    bus.change("plain.service", sender=":1.66", ActiveState="failed")
    bus.change("plain.service", sender=NAME, ActiveState="failed")
    bus.change("plain.service", ActiveState="inactive")
    await until(lambda: len(opened.heard) == 2)
    assert opened.heard[1].body[1] == {"ActiveState": "inactive"}


async def test_a_peer_that_leaves_and_comes_back_is_told_and_only_by_the_bus(bus, opened):
    moves = []
    opened._moved = moves.append
    for sender, old, new in ((":1.66", ":1.1", ":1.66"), (BUS, ":1.1", "")):
        bus.tell("/org/freedesktop/DBus", BUS, "NameOwnerChanged", "sss", [NAME, old, new], sender)
    await until(lambda: moves)
    with pytest.raises(DriverError, match="is not on the bus") as caught:
        await opened.call(ROOT, f"{NAME}.Manager", "Subscribe")
    assert not caught.value.sent
    bus.change("plain.service", sender=":1.66", ActiveState="failed")
    bus.tell("/org/freedesktop/DBus", BUS, "NameOwnerChanged", "sss", [NAME, "", ":1.2"], BUS)
    await until(lambda: len(moves) == 2)
    assert moves == [False, True]
    assert opened.lost == opened.heard == []
    await opened.call(ROOT, f"{NAME}.Manager", "Subscribe")


async def test_news_that_cannot_be_taken_in_end_the_connection_loudly(bus, opened, caplog):
    def breaks(_signal):
        raise KeyError("a mistake of ours")

    opened._heard = breaks
    bus.change("plain.service", ActiveState="failed")
    await until(lambda: opened.lost)
    assert opened.lost == ["news from the bus could not be taken in"]
    assert "bus.news-not-taken" in caplog.text


async def test_properties_come_in_their_place_among_the_signals(bus, opened):
    """An answer and the signal after it may arrive in one piece: the older one must not be taken for the newer."""
    states = []
    where = "/org/freedesktop/systemd1/unit/plain_2eservice"
    opened._heard = lambda signal: states.append(signal.body[1].get("ActiveState"))
    answer = bus.reply

    def answered_with_news(asked):
        said = answer(asked)
        if asked.member == "GetAll":
            asyncio.get_running_loop().call_soon(lambda: bus.change("plain.service", ActiveState="failed"))
        return said

    bus.reply = answered_with_news
    await opened.properties(where, "", ["ActiveState"], lambda said: states.append(said["ActiveState"]))
    await until(lambda: len(states) >= 3)
    assert [state for state in states if state] == ["active", "failed"]


async def test_a_typed_value_travels_with_its_type(bus, opened):
    wanted = [["CPUWeight", Typed(signature="t", value=5)]]
    await opened.call(ROOT, f"{NAME}.Manager", "SetUnitProperties", "sba(sv)", "plain.service", True, wanted)
    assert bus.units["plain.service"]["CPUWeight"] == 5
