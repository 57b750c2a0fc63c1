"""The order in which things are told, from a source that says what it is told to; a real one is in integration."""

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from healer.drivers.container_events import Events
from healer.drivers.containers import RESUMED, Container, Greeting, OddError
from healer.errors import HealerError

WEB = Container(
    id="a" * 64, name="web", state="running", health="none", restarts=0, started_at="2026-01-01T00:00:00Z",
    exit_code=None, policy="no",
)  # fmt: skip


class Feed:
    """A stream that says what it is given, and ends when it is closed."""

    def __init__(self, said):
        self.said = list(said)
        self.closed = threading.Event()

    def __iter__(self):
        yield from self.said
        self.closed.wait(5)

    def close(self):
        self.closed.set()


class Source:
    def __init__(self, *streams, engine="one", at=100):
        self.streams = list(streams)
        self.engine, self.at = engine, at
        self.since = []
        self.found = WEB

    def greet_now(self):
        return Greeting(engine=self.engine, version="1", at=self.at)

    def stream_now(self, since):
        self.since.append(since)
        if not self.streams:
            raise HealerError("away")
        return Feed(self.streams.pop(0))

    def inspect_now(self, name):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def raw(action, at, name="web", id_="a" * 64, **about):
    actor = {"ID": id_, "Attributes": {"name": name, **about}}
    return {"Type": "container", "Action": action, "Actor": actor, "timeNano": at}


async def until(check):
    end = time.monotonic() + 5
    while not check():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.002)


@pytest.fixture
def hear(monkeypatch):
    monkeypatch.setattr("healer.drivers.container_events._RETRY", (0.01,))
    made = []

    async def listen(source, enough, name=""):
        events, heard = Events(source), []
        made.append(events)
        events.subscribe(heard.append, name)
        await until(lambda: enough(heard))
        return events, heard

    yield listen
    for events in made:
        events.close()


async def test_it_begins_with_now_by_the_engines_clock(hear):
    source = Source([raw("die", 101, exitCode="1")])
    _, heard = await hear(source, len)
    assert source.since == [101]
    assert (heard[0].what, heard[0].late, heard[0].container, heard[0].exit_code) == ("die", False, None, 1)


async def test_after_a_break_it_goes_on_where_it_was_and_says_what_is_late(hear):
    source = Source([raw("start", 150)], [raw("die", 180), raw("die", 220)])
    events, heard = await hear(source, len, "web")
    source.at = 200
    events.interrupt()
    await until(lambda: len(heard) == 4)
    assert source.since == [101, 151]
    assert [(one.what, one.late) for one in heard] == [
        ("start", False), (RESUMED, True), ("die", True), ("die", False),
    ]  # fmt: skip
    assert heard[2].container is WEB
    assert events.breaks == 1


async def test_another_engine_is_not_asked_for_the_past_of_the_first(hear):
    source = Source([raw("start", 150)], [])
    events, _ = await hear(source, len)
    source.engine, source.at = "two", 900
    events.interrupt()
    await until(lambda: len(source.since) == 2)
    assert source.since == [101, 901]
    assert "another engine" in events.changed


@pytest.mark.parametrize(
    ("before", "asked"), [([], False), ([raw("kill", 200)], True), ([raw("kill", 200), raw("start", 300)], False)]
)
async def test_a_death_is_put_down_to_who_asked_for_it_since_its_start(hear, before, asked):
    death = raw("die", 400)
    _, heard = await hear(Source([*before, death]), lambda heard: heard and heard[-1].what == "die")
    assert heard[-1].asked is asked


async def test_a_signal_of_long_ago_is_no_asking(hear):
    long = 121 * 10**9
    _, heard = await hear(Source([raw("kill", 200), raw("die", 200 + long)]), lambda heard: len(heard) == 2)
    assert not heard[1].asked


async def test_junk_in_the_stream_is_passed_over(hear):
    source = Source([None, 3, "x", {}, {"Action": "die"}, raw("exec_start: x", 130), raw("pause", 140)])
    source.found = replace(WEB, state="paused")
    _, heard = await hear(source, len)
    assert [one.what for one in heard] == ["pause"]


async def test_a_description_that_is_odd_costs_its_event_nothing(hear):
    source = Source([raw("start", 130)])
    source.found = OddError("what is this?")
    _, heard = await hear(source, len)
    assert heard[0].container is None


async def test_the_thread_ends_with_the_last_listener():
    events = Events(Source([]))
    end = events.subscribe(print)
    end()
    end()
    for _ in range(400):
        if "docker-events" not in [thread.name for thread in threading.enumerate()]:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the thread goes on")


async def test_those_who_asked_are_forgotten_in_their_order(hear, monkeypatch):
    monkeypatch.setattr("healer.drivers.container_events._MOST_ASKED", 2)
    kills = [raw("kill", 200 + number, id_=f"{number}" * 64) for number in range(3)]
    deaths = [raw("die", 300 + number, id_=f"{number}" * 64) for number in range(3)]
    _, heard = await hear(Source([*kills, *deaths]), lambda heard: len(heard) == 6)
    assert [one.asked for one in heard[3:]] == [False, True, True]
