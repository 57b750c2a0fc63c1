"""The sensor of a log: what it tells of files that come, go and are denied, and over a restart."""

import json
import os
import time
from pathlib import Path

import pytest

from healer.errors import SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.log import LogSensor


class Clock:
    def __init__(self):
        self.time = 1000.0

    def now(self):
        return self.time

    def wall(self):
        return time.time()


class Place:
    def __init__(self, folder):
        self.folder, self.path = folder, folder / "app.log"
        self.clock = Clock()
        self.made = []
        self.sensor = self.start()

    def start(self, **spec):
        patterns = {"panic": "panic: {what}"}
        target = Target(
            kind="log", name="app", organ="heart", spec={"path": str(self.path), "patterns": patterns, **spec}
        )
        self.made.append(LogSensor(target, self.clock, self.folder / "kept"))
        self.sensor = self.made[-1]
        return self.sensor

    def write(self, text):
        with self.path.open("a") as file:
            file.write(text)

    async def look(self):
        self.clock.time += 2.0
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
    yield made
    for sensor in made.made:
        await sensor.close()


async def test_a_log_is_told_with_what_matched(place):
    place.write("old panic: no news\n")
    assert (await place.look())["log.count", "panic"] == 0
    place.write("all is well\npanic: disk\n")
    found = await place.look()
    assert (found["log.up",], found["log.files",], found["log.lines",], found["log.lag",]) == (1, 1, 2, 0)
    assert found["log.message",] == ""
    assert found["log.count", "panic"] == 1
    assert found["log.rate", "panic"] == 0.5
    assert found["log.capture", "what", "panic"] == "disk"
    assert 0 <= found["log.silence",] < 60


async def test_no_such_file_is_a_fact_and_its_first_line_is_news(place):
    found = await place.look()
    assert (found["log.up",], found["log.message",]) == (0, "there is no such file")
    assert found["log.count", "panic"] == 0
    place.write("panic: first\n")
    assert (await place.look())["log.count", "panic"] == 1


async def test_what_may_not_be_read_is_unknown(place):
    place.path.mkdir()
    with pytest.raises(SensorError, match="no regular file"):
        await place.look()


async def test_a_restart_counts_nothing_twice_and_misses_nothing(place):
    await place.look()
    place.write("panic: one\n")
    await place.look()
    await place.sensor.close()
    place.write("panic: two\n")
    place.start()
    found = await place.look()
    assert found["log.count", "panic"] == 2
    assert found["log.lines",] == 2


async def test_a_crash_loses_no_place(place):
    await place.look()
    place.write("panic: one\n")
    await place.look()
    place.start()  # the one before was never closed
    assert (await place.look())["log.count", "panic"] == 1


async def test_another_path_under_the_same_name_begins_anew(place):
    place.write("panic: one\n")
    await place.look()
    await place.sensor.close()
    other = place.folder / "other.log"
    other.write_text("panic: old\n")
    place.path = other
    place.start()
    assert (await place.look())["log.count", "panic"] == 0


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "{",
        "[]",
        '{"path": 1}',
        '{"path": PATH, "files": 7, "lines": -3, "patterns": []}',
        '{"path": PATH, "files": [{"path": "x"}, 1, null], "lines": true}',
    ],
)
async def test_a_place_that_is_damaged_is_no_place(place, kept):
    place.write("old\n")
    folder = place.folder / "kept" / "log"
    folder.mkdir(parents=True)
    (folder / "app.json").write_text(kept.replace("PATH", json.dumps(str(place.path))))
    found = await place.look()
    assert found["log.up",] == 1
    assert found["log.lines",] in {0, 1}


async def test_where_places_cannot_be_kept_it_looks_on(place, caplog):
    (place.folder / "kept").write_text("in the way")
    await place.look()
    place.write("panic: one\n")
    assert (await place.look())["log.count", "panic"] == 1
    assert "log.not-noted" in caplog.text


async def test_a_skipped_backlog_makes_silence_unknown(place):
    place.start(backlog=1 << 16)
    await place.look()
    place.write("all is well\n" * 10_000)
    found = await place.look()
    assert found["log.skipped",] > 0
    assert "skipped" in found["log.count", "panic"]
    assert (await place.look())["log.count", "panic"] == 0


async def test_nothing_is_kept_where_there_is_no_folder_for_it(place):
    target = Target(kind="log", name="app", organ="heart", spec={"path": str(place.path)})
    sensor = LogSensor(target, place.clock)
    place.write("x\n")
    assert told(await sensor.look(1.0))["log.up",] == 1
    await sensor.close()
    assert not (place.folder / "kept").exists()


async def test_a_reader_and_its_files_are_let_go_of(place):
    place.write("x\n")
    await place.look()
    assert held(place.path)
    await place.sensor.close()
    assert not held(place.path)


def held(path):
    """Whether this process has the file open."""
    opened = {os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()}
    return str(path.resolve()) in opened
