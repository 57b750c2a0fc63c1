"""What the sensor of the journal makes of entries; a real journald is followed in tests/integration/test_journal.py."""

import json

import pytest

from healer.drivers.interface import DriverError
from healer.drivers.journal_entries import read
from healer.drivers.journalctl import Subscriber
from healer.errors import SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors import journal
from healer.sensors.journal import JournalSensor

SOURCE = "a" * 32


class Clock:
    def __init__(self):
        self.time = 100.0

    def now(self):
        return self.time

    def wall(self):
        return 1_000_000.0 + self.time


class Driver:
    """In the place of the journal's driver: gives what it is told to give."""

    def __init__(self, clock):
        self.clock, self.trouble = clock, None
        self.gaps = self.cut = self.number = 0
        self.lag = None
        self.subscribers = []

    async def health(self):
        if self.trouble:
            raise self.trouble
        for one in self.subscribers:
            one.ready = True

    def subscribe(self, wants, take, flush, *, cursor="", seen=0.0):
        now = self.clock.wall()
        made = Subscriber(wants=wants, take=take, flush=flush, cursor=cursor, since=now, came=now, seen=seen)
        self.subscribers.append(made)
        return made

    def unsubscribe(self, one):
        self.subscribers.remove(one)

    def write(self, *messages, priority=6, unit="a.service"):
        for message in messages:
            self.number += 1
            at = round((self.clock.wall() + 1) * 1e6)
            fields = {
                "__CURSOR": f"s={SOURCE};i={self.number:x};b={SOURCE};m=1;t={at:x};x=1",
                "MESSAGE": message, "PRIORITY": str(priority), "_SYSTEMD_UNIT": unit,
            }  # fmt: skip
            for one in self.subscribers:
                one.offer(read(json.dumps(fields).encode()))
        for one in self.subscribers:
            one.flush()


class Place:
    def __init__(self, folder):
        self.clock = Clock()
        self.driver = Driver(self.clock)
        self.folder, self.pushed = folder, []

    async def start(self, **spec):
        spec = {"patterns": {"failed": "failed for {user}"}, **spec}
        target = Target(kind="journal", name="x", organ="nervous", spec=spec)
        self.sensor = JournalSensor(target, self.driver, self.clock, self.folder)
        await self.sensor.open(self.pushed.append)

    async def look(self):
        self.clock.time += 5.0
        return told(await self.sensor.look(self.clock.time))


def told(readings):
    return {
        (one.metric, *(value for name, value in one.labels if name != "target")): one.because
        if isinstance(one, Unknown)
        else one.value
        for one in readings
    }


@pytest.fixture
async def place(tmp_path):
    made = Place(tmp_path)
    await made.start()
    return made


async def test_entries_are_counted_by_priority_and_patterns_by_name(place):
    await place.look()
    place.driver.write("hello", "failed for bob")
    place.driver.write("bad", priority=3)
    found = await place.look()
    assert found["journal.up",] == 1
    assert (found["journal.entries", "info"], found["journal.entries", "err"]) == (2, 1)
    assert found["journal.entry_rate", "info"] == 0.4
    assert found["journal.rate", "failed"] == 0.2
    assert found["journal.silence",] == 5
    assert (found["journal.lagging",], found["journal.gaps",], found["journal.cut",]) == (0, 0, 0)


async def test_a_match_is_pushed_and_anything_else_is_not(place):
    await place.look()
    place.driver.write("hello")
    assert not place.pushed
    place.driver.write("failed for bob")
    (pushed,) = map(told, place.pushed)
    assert pushed["journal.count", "failed"] == 1
    assert pushed["journal.capture", "user", "failed"] == "bob"
    assert ("journal.rate", "failed") not in pushed


async def test_before_it_has_caught_up_all_is_unknown_and_nothing_is_pushed(place, monkeypatch):
    monkeypatch.setattr(journal, "_TURN", 0.001)
    place.driver.health = _nothing
    with pytest.raises(SensorError, match="still being read"):
        await place.look()
    assert not place.pushed


async def _nothing():
    return None


async def test_a_journal_that_cannot_be_followed_is_unknown(place):
    place.driver.trouble = DriverError("no journalctl", fact=True)
    with pytest.raises(SensorError, match="no journalctl"):
        await place.look()


async def test_filters_are_its_own(tmp_path):
    place = Place(tmp_path)
    await place.start(units=("a",), priority="warning")
    place.driver.write("failed for a", priority=4)
    place.driver.write("failed for b", priority=4, unit="b.service")
    place.driver.write("failed for c", priority=6)
    found = await place.look()
    assert found["journal.count", "failed"] == 1
    assert ("journal.entries", "info") not in found


async def test_a_restart_goes_on_with_its_counts_and_its_place(place):
    await place.look()
    place.driver.write("failed for bob")
    await place.look()
    await place.sensor.close()
    assert not place.driver.subscribers
    await place.start()
    assert place.driver.subscribers[0].cursor.endswith("x=1")
    found = await place.look()
    assert found["journal.count", "failed"] == 1
    assert found["journal.entries", "info"] == 1


async def test_how_far_it_was_read_is_kept_where_nothing_was_found(place):
    await place.look()
    place.driver.subscribers[0].seen = 1_000_900.0
    await place.look()
    await place.sensor.close()
    await place.start()
    assert place.driver.subscribers[0].seen == 1_000_900.0


@pytest.mark.parametrize(
    "kept", [{}, {"seen": "x"}, {"seen": -1}, {"cursor": 7, "entries": "x"}, {"cursor": "x", "entries": [1, True] * 4}]
)
async def test_what_was_kept_and_damaged_is_no_place(tmp_path, kept):
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "x.json").write_text(json.dumps(kept))
    place = Place(tmp_path)
    await place.start()
    assert place.driver.subscribers[0].cursor == ""
    assert (await place.look())["journal.count", "failed"] == 0


async def test_after_a_gap_silence_is_no_answer(place):
    await place.look()
    place.driver.gaps += 1
    found = await place.look()
    assert found["journal.count", "failed"] == "entries were skipped unread"
    assert (await place.look())["journal.count", "failed"] == 0


async def test_a_message_of_several_lines_is_looked_at_line_by_line(tmp_path):
    place = Place(tmp_path)
    await place.start(patterns={"second": "^second$"})
    place.driver.write("first\nsecond")
    assert (await place.look())["journal.count", "second"] == 1


async def test_an_entry_too_large_is_counted(place):
    place.driver.write(None)
    assert (await place.look())["journal.cut",] == 1


async def test_where_its_place_cannot_be_kept_it_looks_on(tmp_path, caplog):
    (tmp_path / "journal").write_text("in the way")
    place = Place(tmp_path)
    await place.start()
    place.driver.write("failed for bob")
    assert (await place.look())["journal.count", "failed"] == 1
    assert "journal.not-noted" in caplog.text
