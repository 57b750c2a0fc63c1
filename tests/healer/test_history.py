import asyncio
import os
import sqlite3
import stat
import threading
import time

import pytest

from healer.errors import HealerError
from healer.history import History, Thinner
from healer.model.observation import Observation, Unknown, labels
from healer.model.unit import Unit
from healer.store.asked import Asked
from healer.store.kept import IncidentRecord, Keep
from healer.store.store import Store


def disk(at, value=0.5, mount="/"):
    return Observation(metric="disk.used", labels=labels(mount=mount), value=value, unit=Unit.RATIO, at=at)


def flag(at, value):
    return Observation(metric="program.up", value=value, unit=Unit.FLAG, at=at)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture
def history(path):
    opened = History(path, linger=0.01)
    opened.start()
    yield opened
    assert opened.close()


EPISODE = IncidentRecord(incident="r@t", opened=1.0, rule="r", target="t", phase="firing")


async def test_readings_become_history_on_the_wall_clock(history):
    history.record([disk(95.0), Unknown(metric="disk.used", because="gone", at=95.0)], now=100.0, wall=1_000_000.0)
    assert history.flush()
    (sample,) = await history.samples("disk.used", 0.0)
    assert (sample.at, sample.value, sample.labels) == (999_995.0, 0.5, labels(mount="/"))
    assert (history.written, history.lost, history.trouble) == (1, 0, "")


async def test_incidents_and_snapshots_go_the_same_way(history):
    history.save_incident(EPISODE)
    history.save_snapshot(7, "a" * 64, {"counter": 3}, wall=5.0)
    assert history.flush()
    assert await history.incidents() == [EPISODE]
    assert (history.latest_snapshot().height, history.latest_snapshot().body) == (7, {"counter": 3})


async def test_pruning_forgets(history):
    history.record([disk(1.0), disk(90_000.0)], now=0.0, wall=0.0)
    history.tidy(100_000.0, Keep(raw=20_000.0))
    assert history.flush()
    assert [one.at for one in await history.samples("disk.used", 0.0)] == [90_000.0]


def test_closing_writes_what_waits(path):
    history = History(path, linger=60.0)
    history.start()
    history.record([disk(1.0)], now=1.0, wall=1.0)
    assert history.close()
    store = Store(path)
    assert len(store.samples("disk.used", 0.0)) == 1
    store.close()


def test_closing_what_never_started_is_no_error(path):
    assert History(path).close()
    assert not path.exists()


class Held:
    """Keeps the writer at work until told, as a disk that does not answer would."""

    def __init__(self, history):
        self.reached, self.go = threading.Event(), threading.Event()
        history._put(self)
        assert self.reached.wait(5)

    def __call__(self, _store):
        self.reached.set()
        assert self.go.wait(5)


def test_a_disk_that_hangs_holds_nobody_and_what_is_too_much_is_counted(path):
    history = History(path, capacity=5, linger=0.0, resolution=0.0)
    history.start()
    held = Held(history)
    for at in range(8):
        history.record([disk(float(at))], now=0.0, wall=0.0)
    assert history.lost == 3
    assert not history.flush(0.01)
    assert not history.close(0.01)
    held.go.set()
    assert history.close()
    assert (history.written, history.lost) == (6, 3)


def test_too_many_records_are_counted_too(path, monkeypatch):
    monkeypatch.setattr("healer.history._MOST_JOBS", 2)
    history = History(path, linger=0.0)
    history.start()
    held = Held(history)
    for _ in range(5):
        history.save_incident(EPISODE)
    assert history.lost == 3
    held.go.set()
    assert history.close()


async def test_without_a_place_to_write_the_agent_goes_on_and_the_loss_is_told(tmp_path, caplog):
    history = History(tmp_path / "missing" / "state.db", linger=0.0)
    history.start()
    for at in range(3):
        history.record([disk(at * 100.0), disk(at * 100.0, mount="/var")], now=0.0, wall=0.0)
        assert history.flush()
    assert history.lost == 6
    assert "cannot make" in history.trouble
    assert history.latest_snapshot() is None
    with pytest.raises(HealerError, match="there is no history: cannot make"):
        await history.samples("disk.used", 0.0)
    assert [record.message for record in caplog.records] == ["history.failed"]  # once, not once per batch
    history.path.parent.mkdir()
    history.record([disk(1000.0)], now=0.0, wall=0.0)
    assert history.flush()
    assert (history.trouble, history.written) == ("", 1)
    assert history.close()


def test_a_damaged_file_is_replaced_at_the_start(path):
    path.write_bytes(b"garbage" * 1000)
    history = History(path, linger=0.0)
    history.start()
    history.record([disk(1.0)], now=0.0, wall=0.0)
    assert history.flush()
    assert (history.written, len(history.set_aside)) == (1, 1)
    assert history.close()


def damage_inside(path):
    """Overwrite the root of one table: the file opens well all the same."""
    raw = sqlite3.connect(path)
    (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'snapshot'").fetchone()
    raw.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))


def test_a_file_damaged_inside_is_replaced_when_it_is_met_and_nothing_is_lost(path, caplog):
    Store(path).close()
    damage_inside(path)
    history = History(path, linger=0.0)
    history.start()
    assert history.set_aside == []
    assert history.latest_snapshot() is None
    assert "is damaged" in history.trouble
    history.save_snapshot(2, "b" * 64, {"counter": 1}, wall=1.0)
    history.record([disk(1.0)], now=0.0, wall=0.0)
    assert history.flush()
    assert history.latest_snapshot().height == 2
    assert (history.lost, history.trouble, len(history.set_aside)) == (0, "", 1)
    assert path.with_name("state.db.aside-1").exists()
    assert "store.set_aside" in [record.message for record in caplog.records]
    assert history.close()


def test_one_record_that_cannot_be_written_does_not_take_the_next_with_it(history):
    history.save_snapshot(1, "a" * 64, {"x": float("nan")}, wall=1.0)
    history.save_incident(EPISODE)
    assert history.flush()
    assert (history.lost, history.written) == (1, 1)


def test_somebody_elses_lock_costs_records_and_not_the_agent(path):
    history = History(path, linger=0.0)
    history.start()
    history._store._engine.dispose()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with history._store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=1")
    history.save_incident(EPISODE)
    assert history.flush()
    assert history.lost == 1
    assert "locked" in history.trouble
    other.close()
    assert history.close()


def test_the_file_is_private(history, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def passed(thinner, readings):
    return [one.at for one in readings if thinner.passes(one)]


def test_numbers_are_thinned_per_series_to_the_resolution():
    readings = [disk(float(at), mount=mount) for at in range(25) for mount in ("/", "/var")]
    assert passed(Thinner(10.0), readings) == [0.0, 0.0, 10.0, 10.0, 20.0, 20.0]


def test_every_turn_of_a_flag_is_kept():
    values = [1, 1, 0, 0, 1, 1]
    assert passed(Thinner(10.0), [flag(float(at), value) for at, value in enumerate(values)]) == [0.0, 2.0, 4.0]


def test_a_clock_of_another_boot_does_not_silence_a_series():
    assert passed(Thinner(10.0), [disk(1e6), disk(5.0), disk(6.0)]) == [1e6, 5.0]


def test_series_without_end_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("healer.history._MOST_SERIES", 10)
    thinner = Thinner(10.0)
    assert len(passed(thinner, [disk(1.0, mount=f"/{n}") for n in range(100)])) == 100
    assert len(thinner._last) <= 10


def test_a_snapshot_is_written_at_once_and_not_when_the_next_samples_are(path):
    history = History(path, linger=60.0)
    history.start()
    history.save_snapshot(7, "ab" * 32, {"memory": {}}, wall=1.0)
    deadline = time.monotonic() + 5
    while not history.written and time.monotonic() < deadline:
        time.sleep(0.01)
    assert history.latest_snapshot().height == 7
    history.close()


async def test_upkeep_goes_on_beside_the_writing_and_loses_nothing(path):
    history = History(path, linger=0.0, resolution=0.0)
    history.start()
    begin = 1_700_006_400.0
    for hour in range(26):
        history.record([disk(hour * 3600.0 + at, mount=f"/{at}") for at in range(20)], now=0.0, wall=begin)
    assert history.flush()
    history.tidy(begin + 90_000.0 + 7200, Keep())
    history.tidy(begin + 90_000.0 + 7200, Keep())  # one at a time
    for at in range(50):
        history.record([disk(94_000.0 + at)], now=0.0, wall=begin)
        await asyncio.sleep(0)
    history.save_snapshot(7, "a" * 64, {}, wall=1.0)
    assert history.flush()
    assert len(await history.samples("disk.used", 0.0)) == 26 * 20 + 50
    found = await history.answer(
        Asked(metric="disk.used", labels={"mount": "/3"}, start=begin, end=begin + 1e5, step=3600.0)
    )
    assert [one["count"] for one in found["lines"][0]["buckets"]] == [1] * 26
    assert (history.lost, history.trouble) == (0, "")
    assert history.close()


def test_upkeep_that_fails_is_told_and_the_writing_goes_on(path):
    history = History(path, linger=0.0)
    history.start()
    history.record([disk(1.0)], now=0.0, wall=1e9)
    assert history.flush()
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TRIGGER no BEFORE INSERT ON chunk BEGIN SELECT RAISE(ABORT, 'no room'); END")
    raw.close()
    history.tidy(2e9, Keep())
    assert history.flush()
    assert "no room" in history.trouble
    history.record([disk(100.0)], now=0.0, wall=1e9)
    assert history.flush()
    assert (history.written, history.lost) == (3, 0)
    assert history.close()


def test_what_is_damaged_is_replaced_when_upkeep_meets_it(path):
    history = History(path, linger=0.0)
    history.start()
    history.record([disk(float(at), mount=f"/{at}") for at in range(5000)], now=0.0, wall=1e9)
    assert history.flush()
    history._store._engine.dispose()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'chunk'").fetchone()
    raw.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    history.tidy(2e9, Keep())
    assert history.flush()
    assert len(history.set_aside) == 1
    history.record([disk(9999.0)], now=0.0, wall=1e9)
    assert history.flush()
    assert history.trouble == ""
    assert history.close()


async def test_the_loop_is_not_held_by_a_day_of_upkeep(path):
    history = History(path, linger=0.0, resolution=0.0)
    history.start()
    for at in range(0, 7200, 10):
        history.record([disk(float(at), value=at / 7, mount=f"/{number}") for number in range(10)], now=0.0, wall=1e9)
    assert history.flush(20.0)
    history.tidy(2e9, Keep(raw=2e9))
    late, until = [], time.monotonic() + 20
    while history._care or history._jobs or history._busy:
        before = time.monotonic()
        await asyncio.sleep(0.001)
        late.append(time.monotonic() - before)
        assert time.monotonic() < until
    late.sort()
    assert late[len(late) // 2] < 0.05  # a busy machine is late too: it is the middle that upkeep would move
    assert history.close()


def test_a_full_disk_costs_samples_and_not_the_agent_and_what_is_there_stays(path):
    history = History(path, linger=0.0, resolution=0.0)
    history.start()
    history.record([disk(float(at)) for at in range(100)], now=0.0, wall=1e9)
    assert history.flush()
    with history._store._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={connection.exec_driver_sql('PRAGMA page_count').scalar()}")
    history.record([disk(float(at), mount=f"/{at}") for at in range(1000)], now=0.0, wall=2e9)
    assert history.flush()
    assert "full" in history.trouble
    assert history.lost == 1000
    with history._store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    history.record([disk(1.0)], now=0.0, wall=3e9)
    assert history.flush()
    assert (history.trouble, history.written, history.set_aside) == ("", 101, [])
    assert history.close()
