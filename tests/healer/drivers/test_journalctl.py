"""The driver of the journal, with a program in journalctl's place that says what it is told to; the real one is in
tests/integration/test_journal.py."""

import asyncio
import json
import os
import signal
import sys

import pytest

from healer.clock import SystemClock
from healer.drivers import journalctl
from healer.drivers.interface import DriverError, LinkState
from healer.drivers.journal_entries import Filter
from healer.drivers.journal_feed import CHUNK
from healer.drivers.journalctl import Journal

SOURCE = "a" * 32


def cursor(number, at):
    return f"s={SOURCE};i={number:x};b={SOURCE};m=1;t={int(at * 1e6):x};x=1"


def entry(number, at, message="hello", **fields):
    return json.dumps({"__CURSOR": cursor(number, at), "MESSAGE": message, "PRIORITY": "6", **fields})


class Program:
    """In the place of journalctl: notes what it was asked, and writes what stands in a file."""

    def __init__(self, folder, monkeypatch):
        self.asked, self.says = folder / "asked", folder / "says"
        self.says.write_text("")
        code = (
            f"import sys, time\nopen({str(self.asked)!r}, 'a').write(repr(sys.argv[1:]) + chr(10))\n"
            f"for line in open({str(self.says)!r}):\n"
            "    if line.startswith('!'): sys.stderr.write(line[1:]); sys.stderr.flush()\n"
            "    elif line.startswith('?'): sys.exit(1)\n"
            "    else: sys.stdout.write(line)\n"
            "sys.stdout.flush()\ntime.sleep(60)\n"
        )
        (folder / "program.py").write_text(code)
        monkeypatch.setattr(journalctl, "PROGRAM", (sys.executable, str(folder / "program.py")))
        monkeypatch.setattr(journalctl, "QUIET", 0.05)

    def runs(self):
        return self.asked.read_text().splitlines() if self.asked.exists() else []


@pytest.fixture
def program(tmp_path, monkeypatch):
    return Program(tmp_path, monkeypatch)


@pytest.fixture
async def journal():
    made = Journal(SystemClock())
    yield made
    await made.close()


class Got:
    def __init__(self, journal, wants=None, **keys):
        self.messages, self.flushed = [], 0
        self.one = journal.subscribe(
            Filter() if wants is None else wants, lambda entry: self.messages.append(entry.message), self.flush, **keys
        )

    def flush(self):
        self.flushed += 1


async def until(true):
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


async def test_nobody_who_wants_entries_starts_nothing(journal, program):
    assert journal.status().state is LinkState.IDLE
    assert program.runs() == []


async def test_entries_from_now_on_are_given_and_older_ones_are_not(journal, program):
    now = SystemClock().wall()
    program.says.write_text("\n".join([entry(1, now - 60, "old"), "garbage", entry(2, now + 60, "new"), ""]))
    got = Got(journal)
    await journal.health()
    await until(lambda: got.messages)
    assert got.messages == ["new"]
    assert got.one.ready
    assert got.one.cursor == cursor(2, now + 60)
    assert journal.cut == 1
    assert "--since=@" in program.runs()[0]


async def test_who_has_a_place_goes_on_after_it_and_gets_nothing_twice(journal, program):
    now = SystemClock().wall()
    program.says.write_text("\n".join([entry(number, now - 60 + number, str(number)) for number in range(1, 6)]) + "\n")
    late = Got(journal, cursor=cursor(3, now - 57))
    early = Got(journal, cursor=cursor(1, now - 59))
    fresh = Got(journal)
    await journal.health()
    await until(lambda: fresh.one.ready and len(early.messages) == 4)
    assert (late.messages, early.messages, fresh.messages) == (["4", "5"], ["2", "3", "4", "5"], [])
    assert f"--after-cursor={cursor(1, now - 59)}" in program.runs()[0]


async def test_nobody_begins_with_what_is_older_than_all_he_has(journal, program):
    now = SystemClock().wall()
    quiet = Got(journal, Filter(units=frozenset({"a.service"})), cursor=cursor(1, now - 900_000), seen=now - 60)
    await journal.health()
    await until(lambda: quiet.one.ready and program.runs())
    assert f"--since=@{int(now - 60)}" in program.runs()[0]
    await journal.health()
    assert quiet.one.seen == pytest.approx(now - journalctl.MARGIN, abs=10)
    Got(journal)
    await journal.health()
    await until(lambda: len(program.runs()) == 2)
    assert "--after-cursor" not in program.runs()[1]


async def test_who_read_all_and_found_nothing_goes_on_from_there(journal, program):
    now = SystemClock().wall()
    program.says.write_text("".join(f"{entry(number, now - 60 + number, str(number))}\n" for number in range(1, 4)))
    got = Got(journal, seen=now - 57.5)
    await journal.health()
    await until(lambda: got.one.ready and got.messages)
    assert got.messages == ["3"]


async def test_a_child_that_is_replaced_brings_nobody_what_was_before_him(journal, program):
    now = SystemClock().wall()
    program.says.write_text(entry(1, now - 1, "before") + "\n")
    first = Got(journal)
    await journal.health()
    await until(lambda: first.one.ready)
    await journal.health()
    Got(journal, cursor=cursor(9, now - 100))
    await journal.health()
    await until(lambda: len(program.runs()) == 2)
    await until(lambda: all(one.ready for one in journal._subscribers))
    assert first.messages == []


async def test_one_child_serves_all_and_another_is_started_only_where_more_is_wanted(journal, program):
    units = Filter(units=frozenset({"a.service"}))
    first = Got(journal, units)
    await journal.health()
    Got(journal, Filter(units=frozenset({"a.service"}), priority=3))
    await journal.health()
    await until(lambda: len(program.runs()) == 1)
    Got(journal)
    await journal.health()
    await until(lambda: len(program.runs()) == 2)
    assert "_SYSTEMD_UNIT=a.service" in program.runs()[0]
    assert "_SYSTEMD_UNIT=" not in program.runs()[1]
    journal.unsubscribe(first.one)
    journal.unsubscribe(first.one)


async def test_one_that_ends_is_told_and_tried_again_after_a_pause(journal, program):
    program.says.write_text("!the disk is on fire\n?\n")
    Got(journal)
    await journal.health()
    await until(lambda: journal.status().state is LinkState.LOST)
    assert "the disk is on fire" in journal.status().because
    with pytest.raises(DriverError, match="the next try is in"):
        await journal.health()


async def test_a_place_that_is_not_found_is_forgotten_and_told(journal, program):
    now = SystemClock().wall()
    program.says.write_text("!Failed to seek to cursor: Invalid argument\n?\n")
    got = Got(journal, cursor=cursor(7, now - 5))
    await journal.health()
    await until(lambda: journal.gaps)
    assert got.one.cursor == ""
    assert journal.gaps == 1


async def test_what_is_no_place_is_none():
    made = Journal(SystemClock())
    assert Got(made, cursor="s=1;rm -rf").one.cursor == ""


async def test_one_that_is_held_is_no_silent_journal(journal, program):
    Got(journal)
    await journal.health()
    await until(program.runs)
    seat = await journal._link.get()
    os.kill(seat.feed.pid, signal.SIGSTOP)
    await until(lambda: seat.feed.held)
    with pytest.raises(DriverError, match="stopped by a signal"):
        await journal.health()
    os.kill(seat.feed.pid, signal.SIGCONT)
    await until(lambda: not seat.feed.held)
    await journal.health()


async def test_who_sees_only_a_part_of_it_is_told_so(journal, program):
    program.says.write_text("!Hint: You are currently not seeing messages from other users and the system.\n")
    Got(journal)
    await journal.health()
    seat = await journal._link.get()
    await until(lambda: seat.feed.said)
    with pytest.raises(DriverError, match="may not be read"):
        await journal.health()


async def test_where_there_is_no_journal_nothing_is_known_until_there_is(journal, program):
    now = SystemClock().wall()
    program.says.write_text("!No journal files were found.\n")
    got = Got(journal)
    await journal.health()
    seat = await journal._link.get()
    await until(lambda: seat.feed.said)
    with pytest.raises(DriverError, match="no journal yet"):
        await journal.health()
    journal._lines(seat, [entry(1, now + 60).encode()], more=False)
    await journal.health()
    assert got.messages == ["hello"]


async def test_too_large_a_backlog_is_skipped_and_told(journal, program, monkeypatch):
    monkeypatch.setattr(journalctl, "BACKLOG", CHUNK + 1)
    now = SystemClock().wall()
    text = "x" * 1000
    program.says.write_text("".join(entry(number, now + 60, text) + "\n" for number in range(1, 3000)))
    got = Got(journal)
    await journal.health()
    await until(lambda: journal.gaps)
    assert len(got.messages) < 2999
    program.says.write_text("")
    await journal.health()
    await until(lambda: len(program.runs()) == 2)
    assert got.one.place is None


async def test_without_journalctl_it_is_unknown(journal, monkeypatch):
    monkeypatch.setattr(journalctl, "PROGRAM", ("no-such-program-anywhere",))
    Got(journal)
    with pytest.raises(DriverError, match="cannot be followed"):
        await journal.health()
