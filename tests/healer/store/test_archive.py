import itertools
import math
import os
import shutil
import sqlite3
import tempfile
import tracemalloc
from pathlib import Path

import pytest

from healer.errors import HealerError
from healer.model.observation import Series, labels
from healer.store.archive import Archive
from healer.store.chunks import DAY, SLOT
from healer.store.engine import DamagedError, NewSchemaError, OldSchemaError
from healer.store.kept import IncidentRecord, Keep, Sample
from healer.store.store import Store

BEGIN = 1_700_006_400


@pytest.fixture
def folder(tmp_path):
    """Three slots of history, the last one not packed yet."""
    store = Store(tmp_path / "state.db")
    store.record(
        Sample(metric=metric, labels=labels(mount=mount), at=float(BEGIN + at), value=at / 8)
        for at in range(0, 3 * SLOT, 300)
        for metric, mount in (("disk.used", "/"), ("disk.used", "/var"), ("disk.free", "/"))
    )
    store.record([Sample(metric="organ.health", at=BEGIN + 1.0, value="failed")])
    store.save_incident(IncidentRecord(incident="r@t", opened=5.0, rule="r", target="t", phase="firing"))
    list(store.upkeep(BEGIN + 2 * SLOT + 100.0, Keep()))
    store.close()
    return tmp_path


def test_all_series_come_in_order_of_time(folder):
    with Archive(folder) as archive:
        found = list(archive.samples())
        assert len(found) == 3 * 72 + 1
        assert [at for _, at, _ in found] == sorted(at for _, at, _ in found)
        assert [one.metric for one, _, _ in found[:4]] == ["disk.free", "disk.used", "disk.used", "organ.health"]
        assert archive.span() == (BEGIN, BEGIN + 3 * SLOT - 300.0)


def test_a_metric_labels_and_a_span_choose(folder):
    with Archive(folder / "state.db") as archive:
        found = list(archive.samples("disk.used", {"mount": "/var"}, BEGIN + 300.0, BEGIN + SLOT))
        assert {one for one, _, _ in found} == {Series("disk.used", labels(mount="/var"))}
        assert [at - BEGIN for _, at, _ in found] == [300.0 * place for place in range(1, 25)]
        assert len(list(archive.samples(["disk.used", "disk.free"]))) == 216
        assert list(archive.samples("no.such")) == []
        assert list(archive.samples("disk.used", {"mount": "/x"})) == []
        assert list(archive.samples([], None)) == []
        assert list(archive.samples(None, None, 5e9, 6e9)) == []
        assert len(archive.series("disk.used")) == 2
        assert [one.incident for one in archive.incidents()] == ["r@t"]
        (line,) = archive.lines("disk.used", {"mount": "/"}, start=0.0, end=math.inf, step=SLOT)
        assert [one.samples for one in line.buckets] == [24, 24, 24]


def test_the_agent_that_writes_meanwhile_is_not_disturbed(folder):
    with Archive(folder) as archive:
        stream = archive.samples()
        next(stream)
        store = Store(folder / "state.db")
        store.record([Sample(metric="disk.used", labels=labels(mount="/"), at=BEGIN + 3.0 * SLOT, value=1.0)])
        list(store.upkeep(BEGIN + 4 * SLOT + 100.0, Keep()))  # what was rows is packed under the reader's hands
        with store._engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").first()[0] == 0  # nobody holds it
        store.close()
        assert sum(1 for _ in stream) >= 216


def test_memory_does_not_grow_with_what_is_read(tmp_path):
    store = Store(tmp_path / "state.db")
    for day in range(4):
        store.record(
            Sample(metric=f"m{number}", at=BEGIN + day * DAY + at, value=float(at))
            for at in range(0, DAY, 60)
            for number in range(5)
        )
        list(store.upkeep(BEGIN + (day + 1) * DAY + 100.0, Keep()))
    store.close()
    with Archive(tmp_path) as archive:
        for _ in itertools.islice(archive.samples(), 10):
            pass  # what is imported and cached the first time
        peaks = []
        for days in (1, 4):
            tracemalloc.start()
            read = sum(1 for _ in archive.samples(start=BEGIN, end=BEGIN + days * DAY - 1.0))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert read == days * 7200
    assert peaks[1] < 2 * peaks[0]


def test_a_file_of_another_release_says_what_to_type(folder):
    for revision, error in (("0001", OldSchemaError), ("0009", NewSchemaError)):
        with sqlite3.connect(folder / "state.db") as raw:
            raw.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        raw.close()
        with pytest.raises(error), Archive(folder):
            pass


def test_what_is_no_store_is_told(tmp_path):
    with pytest.raises(HealerError, match="no history"), Archive(tmp_path):
        pass
    (tmp_path / "state.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(DamagedError), Archive(tmp_path):
        pass


def test_a_chunk_that_lies_is_named(folder):
    with sqlite3.connect(folder / "state.db") as raw:
        raw.execute("UPDATE chunk SET amount = 7 WHERE id = 1")
    raw.close()
    with Archive(folder) as archive, pytest.raises(DamagedError, match="chunk 1"):
        list(archive.samples())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
def test_a_copy_on_a_medium_that_cannot_be_written_is_read_too(folder):
    medium = Path(tempfile.mkdtemp(prefix="healer-medium-"))
    store = Store(folder / "state.db")
    store.record([Sample(metric="late", at=BEGIN + 1.0, value=1.0)])
    for ending in ("", "-wal"):  # as pulled from a machine that died: no index, a log left over
        shutil.copyfile(folder / f"state.db{ending}", medium / f"state.db{ending}")
    store.close()
    medium.chmod(0o555)
    try:
        os.seteuid(65534)
        with Archive(medium) as archive:
            assert len(list(archive.samples())) == 218
    finally:
        os.seteuid(0)
        shutil.rmtree(medium)
