"""Durable or refused."""

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from audit.errors import Busy, Damaged, DiskFull, Poisoned
from audit.reader import WRITTEN_HERE, Log
from audit.storage import Lock, Reserve, Store

ROW = (0, 0, 1, b"hdr", 4, b"rsig", b"body")


def sign() -> bytes:
    return b"sign"


def test_a_block_is_kept_with_its_signature_and_the_modes_are_read_back(tmp_path):
    store = Store(tmp_path / "l.db", create=True)
    store.append(ROW, sign)
    assert store.driver.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store.driver.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()
    store = Store(tmp_path / "l.db", create=False)
    assert store.driver.execute("SELECT * FROM blocks").fetchall() == [(0, 0, 1, b"hdr", b"sign", b"rsig", b"body")]
    store.close()


def test_a_reader_in_the_writers_process_leaves_the_writer_its_locks(tmp_path):
    def locks():
        inode = (tmp_path / "l.db").stat().st_ino
        return sum(line.split()[5].endswith(f":{inode}") for line in Path("/proc/locks").read_text().splitlines())

    store = Store(tmp_path / "l.db", create=True)
    store.append(ROW, sign)
    assert locks() == 1
    with Log.open(tmp_path / "l.db") as log:
        assert log.top() == 0
    assert locks() == 1
    found = (tmp_path / "l.db").stat()
    assert (found.st_dev, found.st_ino) in WRITTEN_HERE
    store.close()
    assert (found.st_dev, found.st_ino) not in WRITTEN_HERE


def test_a_missing_file_is_not_made_unless_asked(tmp_path):
    with pytest.raises(Damaged, match="never recreated"):
        Store(tmp_path / "l.db", create=False)
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize("content", [b"", b"not a database at all", bytes(4096)])
def test_what_is_not_a_log_is_refused(tmp_path, content):
    (tmp_path / "l.db").write_bytes(content)
    with pytest.raises(Damaged):
        Store(tmp_path / "l.db", create=False)


def test_another_database_is_refused_even_where_a_log_may_begin(tmp_path):
    other = sqlite3.connect(tmp_path / "l.db")
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(Damaged, match="not a sealed log"):
        Store(tmp_path / "l.db", create=True)


def test_a_file_left_by_a_crash_before_its_table_is_begun_again(tmp_path):
    half = sqlite3.connect(tmp_path / "l.db")
    half.execute("PRAGMA journal_mode = WAL").fetchall()
    half.close()
    store = Store(tmp_path / "l.db", create=True)
    store.append(ROW, sign)
    store.close()


def test_a_store_that_cannot_be_made_durable_is_refused(tmp_path, monkeypatch):
    import audit.storage

    monkeypatch.setattr(audit.storage, "_FULL", 3)
    with pytest.raises(Damaged, match="durable"):
        Store(tmp_path / "l.db", create=True)


def test_a_failed_commit_poisons_and_keeps_nothing(tmp_path):
    store = Store(tmp_path / "l.db", create=True)
    store.append(ROW, sign)
    with pytest.raises(Poisoned, match="UNIQUE"):
        store.append(ROW, sign)
    with pytest.raises(Poisoned):
        store.append((1, 0, 1, b"h", 99, b"", b"b"), lambda: b"x" * 100)
    assert store.driver.execute("SELECT count(*) FROM blocks").fetchone() == (1,)
    store.close()


def test_a_signer_that_fails_poisons_and_keeps_nothing(tmp_path):
    def fail() -> bytes:
        raise RuntimeError("the token was pulled out")

    store = Store(tmp_path / "l.db", create=True)
    with pytest.raises(Poisoned, match="token was pulled out"):
        store.append(ROW, fail)
    assert store.driver.execute("SELECT count(*) FROM blocks").fetchone() == (0,)
    store.close()


def test_a_full_disk_is_not_poison(tmp_path):
    store = Store(tmp_path / "l.db", create=True)
    pages = store.driver.execute("PRAGMA page_count").fetchone()[0]
    store.driver.execute(f"PRAGMA max_page_count = {pages + 2}").fetchall()
    with pytest.raises(DiskFull):
        store.append((0, 0, 1, b"hdr", 4, b"", bytes(100_000)), sign)
    store.append(ROW, sign)
    store.close()


def test_the_second_lock_is_refused_and_names_the_first(tmp_path):
    lock = Lock(tmp_path / "l.lock")
    with pytest.raises(Busy, match=f"process {os.getpid()}"):
        Lock(tmp_path / "l.lock")
    lock.release()
    Lock(tmp_path / "l.lock").release()


def test_a_child_does_not_inherit_the_lock(tmp_path):
    lock = Lock(tmp_path / "l.lock")
    child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        lock.release()
        Lock(tmp_path / "l.lock").release()
    finally:
        child.kill()
        child.wait()


def test_the_reserve_is_real_space_given_back_and_taken_again(tmp_path):
    path = tmp_path / "reserve"
    reserve = Reserve(path, 1 << 20)
    assert reserve.held
    assert path.stat().st_blocks * 512 >= 1 << 20
    assert Reserve(path, 1 << 20).held
    reserve.release()
    assert not reserve.held
    assert not path.exists()
    assert reserve.rebuild()
    assert path.exists()
    assert reserve.rebuild()


def test_a_sparse_file_is_no_reserve(tmp_path):
    path = tmp_path / "reserve"
    with path.open("wb") as file:
        file.truncate(1 << 20)
    assert Reserve(path, 1 << 20).held
    assert path.stat().st_blocks * 512 >= 1 << 20


def test_without_room_nothing_is_held(tmp_path):
    reserve = Reserve(tmp_path / "gone" / "reserve", 1 << 20)
    assert not reserve.held
    huge = Reserve(tmp_path / "reserve", 1 << 60)
    assert not huge.held
    assert not huge.rebuild()
    assert not (tmp_path / "reserve").exists()


def test_a_reserve_nobody_asked_for_is_given_back_once_and_no_more(tmp_path):
    reserve = Reserve(tmp_path / "reserve", 0)
    assert reserve.held
    reserve.release()
    assert not reserve.held, "or a full disk would be tried for ever"
    assert reserve.rebuild()
    assert not (tmp_path / "reserve").exists()
