"""Reading history in whole columns; what is asked of buckets and streams stands in test_archive and test_buckets."""

import math
from itertools import pairwise

import pytest

from healer.model.observation import labels
from healer.store import engine
from healer.store.kept import Keep, Sample
from healer.store.reader import Reader
from healer.store.store import Store

BEGIN = 1_700_006_400


@pytest.fixture
def reader(tmp_path):
    store = Store(tmp_path / "state.db")
    store.record(
        Sample(metric="disk.used", labels=labels(mount=mount), at=float(BEGIN + at), value=at / 1e5)
        for at in range(0, 5 * 3600, 300)
        for mount in ("/", "/var")
    )
    list(store.upkeep(BEGIN + 3 * 3600.0, Keep()))
    store.record([Sample(metric="organ.health", at=BEGIN + 60.0, value="failed")])
    store.close()
    return Reader(engine.reading(tmp_path / "state.db"), tmp_path / "state.db")


def test_columns_hold_what_the_stream_holds(reader):
    known = reader.series()
    streamed = sorted(reader.stream(known))
    columns = [
        (series, at, value)
        for stretch in reader.stretches(known)
        for series, times, values in stretch
        for at, value in zip(times, values, strict=True)
    ]
    assert sorted(columns) == streamed
    assert len(streamed) == 121


def test_stretches_follow_each_other_and_are_cut_at_both_ends(reader):
    known = reader.series({"disk.used"})
    stretches = list(reader.stretches(known, BEGIN + 600, BEGIN + 9000))
    spans = [(min(times[0] for _, times, _ in one), max(times[-1] for _, times, _ in one)) for one in stretches]
    assert spans[0][0] == BEGIN + 600
    assert spans[-1][1] == BEGIN + 9000
    assert all(before[1] < after[0] for before, after in pairwise(spans))


def test_of_nothing_there_is_nothing(reader):
    assert list(reader.stretches({})) == []
    assert list(reader.stretches(reader.series(), math.inf, math.inf)) == []
