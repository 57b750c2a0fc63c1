import fcntl
import os
import shutil
import sqlite3
import stat

import pytest

from healer.errors import HealerError
from healer.store import backup
from healer.store.engine import DamagedError
from healer.store.kept import IncidentRecord, Sample
from healer.store.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture
def store(path):
    opened = Store(path)
    opened.record([Sample(metric="x.y", at=float(at), value=at / 8) for at in range(1000)])
    opened.save_incident(IncidentRecord(incident="r@t", opened=1.0, rule="r", target="t", phase="firing"))
    yield opened
    opened.close()


def test_a_copy_is_made_beside_a_writer_and_proved(store, path, tmp_path):
    made = backup.make(path, tmp_path / "copies" / "one.db")
    assert (made.revision, made.rows["sample"], made.rows["incident"]) == ("0002", 1000, 1)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert [one.name for one in made.path.parent.iterdir()] == ["one.db"]
    store.record([Sample(metric="x.y", at=5000.0, value=1.0)])  # the writer goes on
    assert backup.prove(made.path).rows["sample"] == 1000


def test_what_was_copied_can_be_put_back(store, path, tmp_path):
    made = backup.make(path, tmp_path / "one.db")
    store.record([Sample(metric="x.y", at=5000.0, value=1.0)])
    store.close()
    backup.restore(made.path, path)
    again = Store(path)
    assert len(again.samples("x.y", 0.0)) == 1000  # and nothing of what the write-ahead log of the other one held
    assert len(again.incidents()) == 1
    again.close()


def test_what_a_killed_agent_left_beside_its_store_does_not_get_into_the_copy(store, path, tmp_path):
    made = backup.make(path, tmp_path / "one.db")
    store.record([Sample(metric="x.y", at=5000.0, value=1.0)])
    killed = tmp_path / "killed"
    killed.mkdir()
    for ending in ("", "-wal"):
        shutil.copyfile(tmp_path / f"state.db{ending}", killed / f"state.db{ending}")
    backup.restore(made.path, killed / "state.db")
    assert not (killed / "state.db-wal").exists()
    again = Store(killed / "state.db")
    assert len(again.samples("x.y", 0.0)) == 1000
    again.close()


def flipped(copy):
    with copy.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(4096))


def shortened(copy):
    os.truncate(copy, copy.stat().st_size // 2)


def emptied(copy):
    copy.write_bytes(b"")


def foreign(copy):
    copy.unlink()
    with sqlite3.connect(copy) as raw:
        raw.execute("CREATE TABLE other(x)")
    raw.close()


def crossed(copy):
    """Everything can be read, and one index leads to the entries of another."""
    with sqlite3.connect(copy) as raw:
        raw.execute("PRAGMA writable_schema=ON")
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'series_name'").fetchone()
        raw.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = 'incident_opened'", (page,))
    raw.close()


@pytest.mark.parametrize("damage", [flipped, shortened, emptied, foreign, crossed])
def test_a_copy_that_is_damaged_is_not_put_back(store, path, tmp_path, damage):
    made = backup.make(path, tmp_path / "one.db")
    damage(made.path)
    store.close()
    before = path.read_bytes()
    with pytest.raises(DamagedError):
        backup.restore(made.path, path)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_a_store_that_is_damaged_gives_no_copy(store, path, tmp_path):
    store.close()
    flipped(path)
    with pytest.raises(HealerError, match=r"damaged|copy"):
        backup.make(path, tmp_path / "copies" / "one.db")
    assert list((tmp_path / "copies").iterdir()) == []


def test_where_there_is_nothing_or_no_room_is_told(store, path, tmp_path):
    with pytest.raises(HealerError, match="no store"):
        backup.make(tmp_path / "missing.db", tmp_path / "one.db")
    with pytest.raises(HealerError, match="no copy"):
        backup.restore(tmp_path / "missing.db", path)
    (tmp_path / "file").touch()
    with pytest.raises(HealerError, match="cannot copy"):
        backup.make(path, tmp_path / "file" / "one.db")


def test_a_full_disk_leaves_no_half_of_a_copy(store, path, tmp_path, monkeypatch):
    def full(_path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_durable", full)
    with pytest.raises(HealerError, match="No space left"):
        backup.make(path, tmp_path / "copies" / "one.db")
    assert list((tmp_path / "copies").iterdir()) == []


def test_the_newest_five_copies_stay_by_their_time_and_number(tmp_path):
    for now in (0.0, 0.0, 86400.0, 10.0, 20.0, 30.0):
        backup.place(tmp_path, revision="0001", version="2.0.10", now=now).touch()
    (tmp_path / "mine.db").touch()
    backup.tidy(tmp_path)
    assert [one.name for one in backup.copies(tmp_path)] == [
        "state-19700102T000000Z-0001-v2.0.10.db",
        "state-19700101T000030Z-0001-v2.0.10.db",
        "state-19700101T000020Z-0001-v2.0.10.db",
        "state-19700101T000010Z-0001-v2.0.10.db",
        "state-19700101T000000Z-0001-v2.0.10-2.db",
    ]
    assert (tmp_path / "mine.db").exists()


def test_nobody_is_replaced_under_a_running_agent(tmp_path):
    with backup.alone(tmp_path):  # no agent was ever here
        assert not (tmp_path / "audit.lock").exists()
    lock = os.open(tmp_path / "audit.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(HealerError, match="an agent runs"), backup.alone(tmp_path):
        pass
    os.close(lock)
    with backup.alone(tmp_path):
        pass
