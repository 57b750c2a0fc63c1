"""Upkeep: what was rows becomes chunks and buckets, at no moment is anything missing or told twice."""

import itertools
import sqlite3
from contextlib import contextmanager

import pytest

from healer.model.observation import labels
from healer.store.chunks import DAY, SLOT, upkeep
from healer.store.kept import Keep, Sample
from healer.store.reader import Reader
from healer.store.store import Store

BEGIN = 1_700_006_400  # the first second of a day
KEEP = Keep()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture
def store(path):
    opened = Store(path)
    yield opened
    opened.close()


def seen(at, value, mount="/"):
    return Sample(metric="disk.used", labels=labels(mount=mount), at=at, value=value)


def counts(path):
    with sqlite3.connect(path) as raw:
        (rows,) = raw.execute("SELECT count(*) FROM sample").fetchone()
        levels = dict(raw.execute("SELECT level, count(*) FROM chunk GROUP BY level").fetchall())
    raw.close()
    return rows, levels


def told(store, start=0.0):
    return [(one.at, one.value) for one in store.samples("disk.used", start)]


def test_only_slots_that_are_over_are_packed(store, path):
    kept = [(float(BEGIN + at), at / 8) for at in range(0, 3 * SLOT, 600)]
    store.record([seen(at, value) for at, value in kept])
    list(store.upkeep(BEGIN + 2 * SLOT + 59.0, KEEP))
    assert counts(path) == (24, {0: 1})
    list(store.upkeep(BEGIN + 2 * SLOT + 60.0, KEEP))
    assert counts(path) == (12, {0: 2})
    assert told(store) == kept


def test_at_every_step_of_upkeep_everything_is_there_once(store):
    kept = [(float(BEGIN + at), at / 8) for at in range(0, DAY + SLOT, 900)]
    store.record([seen(at, value, mount) for at, value in kept for mount in ("/", "/var")])
    for _ in store.upkeep(BEGIN + DAY + 2 * SLOT, KEEP):
        assert len(store.samples("disk.used", 0.0)) == 2 * len(kept)
        lines = store.reader.lines(store.reader.series(), float(BEGIN), BEGIN + 2.0 * DAY, 3600.0)
        assert [sum(one.samples for one in line.buckets) for line in lines] == [len(kept)] * 2


def test_a_day_that_is_over_is_rolled_up(store, path):
    store.record([seen(BEGIN + at, at / 8) for at in range(0, DAY, 100)])
    list(store.upkeep(BEGIN + DAY + 100.0, KEEP))
    assert counts(path) == (0, {0: 12, 300: 1, 3600: 1})
    (line,) = store.reader.lines(store.reader.series(), float(BEGIN), BEGIN + float(DAY), 3600.0)
    assert len(line.buckets) == 24
    assert line.buckets[1] == (BEGIN + 3600.0, 450.0, 887.5, 668.75, 887.5, 36)


def test_what_comes_late_is_packed_beside_and_told_in_its_place(store, path):
    store.record([seen(BEGIN + at, 1.0) for at in range(0, SLOT, 600)])
    list(store.upkeep(BEGIN + DAY + 100.0, KEEP))
    store.record([seen(BEGIN + 300.0, 5.0), seen(BEGIN + 600.0, 9.0)])  # the second one is known already
    for _ in range(2):
        assert [value for at, value in told(store) if at <= BEGIN + 600.0] == [1.0, 5.0, 1.0]
        list(store.upkeep(BEGIN + DAY + 100.0, KEEP))
    assert counts(path) == (0, {0: 2, 300: 2, 3600: 2})
    (line,) = store.reader.lines(store.reader.series(), float(BEGIN), BEGIN + float(DAY), 7200.0)
    assert (line.buckets[0].most, line.buckets[0].samples) == (9.0, 14)


def test_a_moment_that_is_recorded_again_after_it_was_packed_is_told_once(store):
    for value in (1.0, 2.0):
        store.record([seen(BEGIN + 600.0004, value)])
        list(store.upkeep(BEGIN + 3.0 * SLOT, KEEP))
        assert told(store) == [(BEGIN + 600.0, 1.0)]  # to the millisecond
    store.record([seen(BEGIN + 600.0004, 3.0)])
    assert told(store) == [(BEGIN + 600.0, 1.0)]


def test_words_and_numbers_of_one_series_are_both_kept(store, path):
    store.record([seen(BEGIN + 1.0, "up"), seen(BEGIN + 2.0, 1.5), seen(BEGIN + 3.0, "down")])
    list(store.upkeep(BEGIN + DAY + 100.0, KEEP))
    assert counts(path) == (0, {0: 2, 300: 1, 3600: 1})
    assert told(store) == [(BEGIN + 1.0, "up"), (BEGIN + 2.0, 1.5), (BEGIN + 3.0, "down")]
    (line,) = store.reader.lines(store.reader.series(), float(BEGIN), BEGIN + float(DAY), 3600.0)
    assert [(one.last, one.samples) for one in line.buckets] == [(1.5, 1), ("down", 2)]


def test_each_level_is_kept_as_long_as_it_is_to_be(store, path):
    for day in range(6):
        store.record([seen(BEGIN + day * DAY + at, float(day)) for at in range(0, DAY, 1200)])
    now = BEGIN + 6.0 * DAY + 100
    keep = Keep(raw=2.0 * DAY, five_minutes=4.0 * DAY, hour=400.0 * DAY)
    for _ in range(6):  # a day of each level in one go
        list(store.upkeep(now, keep))
    assert told(store)[0][0] >= now - 2 * DAY - SLOT
    (line,) = store.reader.lines(store.reader.series(), float(BEGIN), now, 60.0)
    starts = [one.at for one in line.buckets]
    assert starts == sorted(starts)
    assert starts[0] == BEGIN  # in hours, which is what is left of then
    assert sum(one.samples for one in line.buckets) == 6 * 72
    spans = {round(after - before) for before, after in itertools.pairwise(starts)}
    assert spans <= {1200, 3600}


def test_a_clock_that_jumps_years_ahead_costs_a_day_and_not_all(store):
    for day in range(3):
        store.record([seen(BEGIN + day * DAY + at, 1.0) for at in range(0, DAY, 3600)])
    list(store.upkeep(BEGIN + 3.0 * DAY + 100, KEEP))
    list(store.upkeep(BEGIN + 3650.0 * DAY, KEEP))
    assert told(store)[0][0] == BEGIN + DAY + SLOT
    list(store.upkeep(BEGIN + 3.0 * DAY + 200, KEEP))  # it is right again
    assert len(told(store)) == 46


def test_the_names_of_series_that_are_gone_go_too(store, path):
    store.record([seen(BEGIN + 1.0, 1.0, mount="/gone"), seen(BEGIN + 90.0 * DAY, 1.0)])
    keep = Keep(raw=1.0, five_minutes=1.0, hour=1.0)
    for _ in range(2):
        list(store.upkeep(BEGIN + 90.0 * DAY + 10, keep))
    assert len(store.reader.series()) == 1
    store.record([seen(BEGIN + 90.0 * DAY + 5, 2.0, mount="/gone")])  # its number may be another one now
    assert {one.labels for one in store.samples("disk.used", 0.0)} == {labels(mount="/"), labels(mount="/gone")}


def test_a_damaged_chunk_has_no_buckets_and_holds_nobody_up(store, path):
    store.record([seen(BEGIN + at, 1.0) for at in range(0, DAY, 600)])
    list(store.upkeep(BEGIN + DAY - 100.0, KEEP))
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE chunk SET body = x'00ff' WHERE id = 3")
    raw.close()
    list(store.upkeep(BEGIN + DAY + 100.0, KEEP))
    (line,) = store.reader.lines(store.reader.series(), float(BEGIN), BEGIN + float(DAY), 3600.0)
    assert sum(one.samples for one in line.buckets) == 132


def test_a_backlog_of_many_slots_makes_one_chunk_of_each(store, path, monkeypatch):
    monkeypatch.setattr("healer.store.chunks.AT_ONCE", 10)
    store.record([seen(BEGIN + at, float(at)) for at in range(0, 10 * SLOT, 1000)])
    did = list(store.upkeep(BEGIN + DAY - 1.0, KEEP))
    assert counts(path) == (0, {0: 10})
    assert max(did) <= 10
    assert len(told(store)) == 72


def test_a_backlog_is_packed_in_portions(store, monkeypatch):
    monkeypatch.setattr("healer.store.chunks.AT_ONCE", 7)
    store.record([seen(BEGIN + at, float(at)) for at in range(0, 1000, 20)])
    did = list(store.upkeep(BEGIN + DAY - 1.0, KEEP))
    assert max(did) == 7
    assert len(told(store)) == 50


def test_what_is_rolled_up_while_it_is_read_is_neither_missed_nor_told_twice(store, monkeypatch):
    store.record([seen(BEGIN + at, 1.0) for at in range(0, DAY, 600)])
    list(store.upkeep(BEGIN + DAY - 1.0, KEEP))
    real = Reader._rolled

    def meanwhile(*args):
        found = real(*args)
        list(store.upkeep(BEGIN + DAY + 100.0, KEEP))
        return found

    monkeypatch.setattr(Reader, "_rolled", meanwhile)
    (line,) = store.reader.lines(store.reader.series(), float(BEGIN), BEGIN + float(DAY), 3600.0)
    assert sum(one.samples for one in line.buckets) == 144


def test_ten_thousand_series_are_kept_and_read_apart(store):
    store.record([seen(BEGIN + 1.0, float(number), mount=f"/{number}") for number in range(10_000)])
    assert len(store.reader.series()) == 10_000
    list(itertools.islice(store.upkeep(BEGIN + 3.0 * SLOT, KEEP), 50))
    assert len(store.samples("disk.used", 0.0)) == 10_000
    assert sum(1 for _ in store.reader.stream(store.reader.series(), BEGIN, BEGIN + 10.0)) == 10_000


def test_what_dies_before_any_commit_is_done_again_and_nothing_is_lost(store):
    store.record([seen(BEGIN + at, 1.0, mount) for at in range(0, DAY, 1800) for mount in ("/", "/var")])
    survived, number = False, 0
    while not survived:
        number += 1
        left = number

        @contextmanager
        def dying():
            nonlocal left
            left -= 1
            with store.begin() as connection:
                yield connection
                if left == 0:
                    raise MachineDiedError

        try:
            list(upkeep(dying, BEGIN + DAY + 100.0, KEEP))
            survived = True
        except MachineDiedError:
            pass
        assert len(store.samples("disk.used", 0.0)) == 96
        lines = store.reader.lines(store.reader.series(), float(BEGIN), BEGIN + float(DAY), 300.0)
        assert [sum(one.samples for one in line.buckets) for line in lines] == [48, 48]
    assert number > 4


class MachineDiedError(Exception):
    """As if the power went."""
