import math
import os
import sqlite3
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.errors import HealerError
from healer.model.observation import labels
from healer.store import schema
from healer.store.engine import DamagedError, NewSchemaError, OldSchemaError
from healer.store.kept import IncidentRecord, Keep, Sample
from healer.store.store import Store, open_store, set_aside


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture
def store(path):
    opened = Store(path)
    yield opened
    opened.close()


def disk(at, value=0.5, mount="/"):
    return Sample(metric="disk.used", labels=labels(mount=mount), at=at, value=value)


def test_samples_come_back_by_metric_and_time(store):
    store.record([disk(30.0, 0.3), disk(10.0, 0.1), disk(20.0, 0.2, "/var")])
    store.record([Sample(metric="organ.health", labels=labels(organ="heart"), at=10.0, value="failed")])
    assert store.samples("disk.used", 0.0) == [disk(10.0, 0.1), disk(20.0, 0.2, "/var"), disk(30.0, 0.3)]
    assert store.samples("disk.used", 15.0, until=25.0) == [disk(20.0, 0.2, "/var")]
    assert store.samples("disk.used", 0.0, limit=1) == [disk(10.0, 0.1)]
    assert [one.value for one in store.samples("organ.health", 0.0)] == ["failed"]
    assert store.samples("no.such", 0.0) == []


def test_history_survives_a_restart_and_goes_on_with_the_same_series(path):
    for at in (1.0, 2.0):
        store = Store(path)
        store.record([disk(at)])
        store.close()
    store = Store(path)
    assert len(store.samples("disk.used", 0.0)) == 2
    store.close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM series").fetchone() == (1,)
    raw.close()


def test_what_is_no_number_is_not_kept_and_the_same_moment_only_once(store):
    store.record([disk(1.0, math.nan), disk(2.0, math.inf), disk(3.0, 1.0), disk(3.0, 2.0)])
    store.record([])
    assert store.samples("disk.used", 0.0) == [disk(3.0, 1.0)]


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=4), st.text(max_size=20))
def test_any_labels_and_words_come_back_as_they_were(tmp_path_factory, pairs, word):
    store = Store(tmp_path_factory.mktemp("store") / "state.db")
    kept = Sample(metric="x.y", labels=tuple(sorted(pairs.items())), at=1.0, value=word)
    store.record([kept])
    assert store.samples("x.y", 0.0) == [kept]
    store.close()


def test_text_that_is_no_text_is_kept_readable(store):
    store.record([Sample(metric="x.\udcff", labels=labels(path="\udcfe"), at=1.0, value="\udcfd")])
    assert [(one.value, one.labels) for one in store.samples("x.?", 0.0)] == [("?", labels(path="\udcfe"))]


def test_the_newest_snapshot_comes_back_and_only_three_are_kept(store, path):
    assert store.latest_snapshot() is None
    for height in range(5):
        store.save_snapshot(height, f"{height:064x}", {"counter": height}, taken=float(height))
    found = store.latest_snapshot()
    assert (found.height, found.header, found.body, found.taken) == (4, f"{4:064x}", {"counter": 4}, 4.0)
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM snapshot").fetchone() == (3,)
    raw.close()


@pytest.mark.parametrize("damage", ['{"counter": 9}', "{", "[]", "null", "", b"\xff\xfe"])
def test_a_snapshot_somebody_changed_is_passed_over_for_the_one_before(store, path, damage):
    store.save_snapshot(1, "a" * 64, {"counter": 1}, taken=1.0)
    store.save_snapshot(2, "b" * 64, {"counter": 2}, taken=2.0)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE snapshot SET body = ? WHERE height = 2", (damage,))
    raw.close()
    assert store.latest_snapshot().height == 1


def test_a_snapshot_does_not_pass_for_another_block(store, path):
    store.save_snapshot(1, "a" * 64, {"counter": 1}, taken=1.0)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE snapshot SET height = 2")
    raw.close()
    assert store.latest_snapshot() is None


@pytest.mark.parametrize("value", [math.nan, object()])
def test_a_snapshot_that_is_no_json_is_refused(store, value):
    with pytest.raises((ValueError, TypeError)):
        store.save_snapshot(1, "a" * 64, {"x": value}, taken=1.0)


def episode(opened, **more):
    return IncidentRecord(
        **{"incident": "r@t", "opened": opened, "rule": "r", "target": "t", "phase": "firing", **more}
    )


def test_an_incident_is_kept_as_it_is_last_known(store):
    store.save_incident(episode(1.0))
    store.save_incident(episode(2.0))
    store.save_incident(episode(1.0, phase="inactive", closed=3.0, actions=1, verdict="verified"))
    assert store.incidents() == [
        episode(2.0),
        episode(1.0, phase="inactive", closed=3.0, actions=1, verdict="verified"),
    ]
    assert store.incidents(2.0) == [episode(2.0)]
    assert len(store.incidents(limit=1)) == 1


def test_what_is_old_is_forgotten_but_no_open_incident(store):
    store.record([disk(float(at)) for at in range(0, 50_000, 100)])
    store.save_incident(episode(1.0))
    store.save_incident(episode(2.0, closed=3.0))
    keep = Keep(raw=20_000.0, five_minutes=1.0, hour=1.0)
    for _ in range(2):
        list(store.upkeep(60_000.0, keep))
        assert [one.at for one in store.samples("disk.used", 0.0)] == [float(at) for at in range(36_000, 50_000, 100)]
        assert store.incidents() == [episode(1.0)]


def test_the_file_is_its_owners_alone_and_in_wal(store, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


def garbage(path):
    path.write_bytes(b"this is not a database" * 500)


def foreign(path):
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE other(x)")
    raw.close()


def nameless(path):
    Store(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM alembic_version")
    raw.close()


def headless(path):
    Store(path).close()
    with path.open("r+b") as file:
        file.write(os.urandom(4096))


@pytest.mark.parametrize("damage", [garbage, foreign, nameless, headless])
def test_what_is_no_store_of_ours_is_set_aside_whole_and_told(path, damage, caplog):
    damage(path)
    before = path.read_bytes()
    with pytest.raises(DamagedError):
        Store(path)
    store, because = open_store(path)
    store.record([disk(1.0)])
    assert len(store.samples("disk.used", 0.0)) == 1
    store.close()
    assert "state.db.aside-1" in because
    assert path.with_name("state.db.aside-1").read_bytes() == before
    assert [record.message for record in caplog.records] == ["store.set_aside"]


def test_damage_in_the_middle_is_named_when_it_is_met(path):
    store = Store(path)
    store.record([disk(float(at)) for at in range(5000)])
    store.close()
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(os.urandom(20 * 4096))
    store = Store(path)
    with pytest.raises(DamagedError, match="is damaged"):
        store.samples("disk.used", 0.0)
    store.close()


def test_labels_somebody_changed_are_named_as_damage(store, path):
    store.record([disk(1.0)])
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE series SET labels = '[1]'")
    raw.close()
    with pytest.raises(DamagedError, match="no labels"):
        store.samples("disk.used", 0.0)


def test_an_empty_file_is_a_new_store(path):
    path.touch()
    store, because = open_store(path)
    assert because == ""
    store.close()


def test_a_healthy_store_is_not_set_aside(path):
    Store(path).close()
    store, because = open_store(path)
    assert because == ""
    store.close()
    assert not list(path.parent.glob("*.aside-*"))


def test_where_no_file_can_be_there_is_one_sentence(tmp_path):
    with pytest.raises(HealerError, match="cannot make"):
        open_store(tmp_path / "missing" / "state.db")
    (tmp_path / "folder").mkdir()
    with pytest.raises(HealerError, match="unable to open"):
        open_store(tmp_path / "folder")


def test_copies_set_aside_are_bounded(path):
    for number in range(8):
        path.write_text(str(number))
        path.with_name("state.db-wal").write_text(f"wal {number}")
        os.utime(path, ns=(number * 10**9, number * 10**9))
        set_aside(path)
    copies = sorted(path.parent.glob("state.db.aside-?"))
    assert len(copies) == 5
    assert {copy.read_text() for copy in copies} == {"3", "4", "5", "6", "7"}
    assert all(copy.with_name(copy.name + "-wal").read_text() == f"wal {copy.read_text()}" for copy in copies)


def test_a_write_that_failed_leaves_no_half_of_it(store, path):
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TRIGGER no BEFORE INSERT ON sample WHEN NEW.at = 2 BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(HealerError, match="no"):
        store.record([disk(1.0), disk(2.0)])
    assert raw.execute("SELECT count(*) FROM series").fetchone() == (0,)
    with raw:
        raw.execute("DROP TRIGGER no")
    raw.close()
    store.record([disk(2.0)])  # the series' number was that of a transaction that never was
    assert len(store.samples("disk.used", 0.0)) == 1


def test_the_schema_says_its_revision(store, path):
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [(schema.REVISION,)]
    raw.close()


@pytest.mark.parametrize(
    ("revision", "error"), [("0001", OldSchemaError), ("0003", NewSchemaError), ("x", NewSchemaError)]
)
def test_another_releases_file_is_neither_touched_nor_set_aside(path, revision, error):
    Store(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    raw.close()
    before = path.read_bytes()
    with pytest.raises(error, match=revision) as raised:
        open_store(path)
    assert "healer db" in raised.value.hint
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.aside-*"))
