"""A damaged database is mended on a copy, proved, and swapped in; the old one is kept, and never written to."""

import os
import sqlite3
import subprocess

import pytest

from healer.drivers.sqlitefile import Repair
from healer.errors import ActionError


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "data" / "app.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA page_size = 1024")
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, word TEXT, raw BLOB)")
        db.execute("CREATE INDEX by_word ON t (word)")
        db.execute("CREATE VIEW v AS SELECT word FROM t")
        db.execute("PRAGMA user_version = 7")
        db.executemany("INSERT INTO t (word, raw) VALUES (?, ?)", [(f"w{n:05}" * 4, b"\0\xff") for n in range(2000)])
    db.close()
    path.chmod(0o640)
    return path


def repair(path, tmp_path, late=lambda: False):
    return Repair(path=str(path), work=tmp_path / "work", mark="abc", late=late)


def page_of(path, name):
    with sqlite3.connect(path) as db:
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name]).fetchone()[0]
    db.close()
    return root - 1


def harm(path, page, octets=b"\xff" * 1024):
    with path.open("r+b") as file:
        file.seek(page * 1024)
        file.write(octets)


def asked(path, query):
    db = sqlite3.connect(path)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def test_a_whole_one_is_left_alone(database, tmp_path):
    before = database.read_bytes()
    assert repair(database, tmp_path).run().how == ""
    assert database.read_bytes() == before
    assert [one.name for one in database.parent.iterdir()] == ["app.db"]
    assert not (tmp_path / "work").exists()


def test_an_index_that_does_not_fit_is_made_anew(database, tmp_path):
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_master SET sql = 'CREATE INDEX by_word ON t (raw)' WHERE name = 'by_word'")
    db.close()
    old = database.stat()
    done = repair(database, tmp_path).run()
    assert done.how == "reindexed"
    assert done.lost == ()
    assert asked(database, "PRAGMA integrity_check") == [("ok",)]
    assert asked(database, "SELECT count(*) FROM t") == [(2000,)]
    assert (database.stat().st_mode, database.stat().st_uid) == (old.st_mode, old.st_uid)
    assert (database.parent / done.kept[0]).stat().st_ino == old.st_ino


def test_rows_on_whole_pages_are_saved_from_a_damaged_table(database, tmp_path):
    pages = database.stat().st_size // 1024
    harm(database, pages // 3)
    broken = database.read_bytes()
    done = repair(database, tmp_path).run()
    assert done.how == "recovered"
    assert done.lost == ("t",)
    assert done.found
    (count,) = asked(database, "SELECT count(*) FROM t")[0]
    assert 1800 < count < 2000
    assert asked(database, "SELECT typeof(word), typeof(raw) FROM t LIMIT 1") == [("text", "blob")]
    assert asked(database, "PRAGMA user_version") == [(7,)]
    assert asked(database, "PRAGMA integrity_check") == [("ok",)]
    assert asked(database, "SELECT name FROM sqlite_master WHERE type IN ('index', 'view')") == [("by_word",), ("v",)]
    assert (database.parent / done.kept[0]).read_bytes() == broken


def test_what_is_in_the_log_beside_it_is_taken_along(database, tmp_path):
    program = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "db.execute('PRAGMA journal_mode = WAL'); db.execute('PRAGMA wal_autocheckpoint = 0'); "
        "db.execute(\"INSERT INTO t (word) VALUES ('the last')\"); os._exit(0)"
    )
    subprocess.run(["python3", "-c", program, str(database)], check=True)
    assert (database.parent / "app.db-wal").exists()
    harm(database, database.stat().st_size // 1024 // 3)
    done = repair(database, tmp_path).run()
    assert asked(database, "SELECT word FROM t ORDER BY id DESC LIMIT 1") == [("the last",)]
    assert "app.db.broken-abc-wal" in done.kept
    assert not (database.parent / "app.db-wal").exists()


def test_one_that_somebody_has_open_is_not_touched(database, tmp_path):
    before = database.read_bytes()
    with database.open("rb") as file, subprocess.Popen(["sleep", "60"], stdin=file) as child:
        try:
            with pytest.raises(ActionError, match=f"pid {child.pid} has app.db open"):
                repair(database, tmp_path).run()
        finally:
            child.kill()
    assert database.read_bytes() == before


@pytest.mark.parametrize("octets", [b"", b"garbage" * 1000, b"\0" * 4096])
def test_what_is_no_database_is_told_and_left_alone(octets, tmp_path):
    path = tmp_path / "data" / "x.db"
    path.parent.mkdir()
    path.write_bytes(octets)
    if octets:
        with pytest.raises(ActionError, match="not a database"):
            repair(path, tmp_path).run()
    else:  # a database without tables, to SQLite
        assert repair(path, tmp_path).run().how == ""
    assert path.read_bytes() == octets
    assert [one.name for one in path.parent.iterdir()] == ["x.db"]


def test_a_link_in_its_place_is_refused(database, tmp_path):
    (tmp_path / "link.db").symlink_to(database)
    with pytest.raises(ActionError, match="no regular file"):
        repair(tmp_path / "link.db", tmp_path).run()


def test_when_the_time_is_over_nothing_has_changed(database, tmp_path):
    harm(database, 5)
    before = database.read_bytes()
    with pytest.raises(ActionError):
        repair(database, tmp_path, late=lambda: True).run()
    assert database.read_bytes() == before
    assert os.listdir(database.parent) == ["app.db"]  # noqa: PTH208


def test_one_that_was_written_to_meanwhile_keeps_what_was_written(database, tmp_path):
    harm(database, database.stat().st_size // 1024 // 3)
    mend = repair(database, tmp_path)
    real = mend._rows

    def meanwhile(path):
        with database.open("ab") as file:
            file.write(b"\0" * 1024)
        return real(path)

    class Slow(Repair):
        def _rows(self, path):
            return meanwhile(path)

    slow = Slow(path=mend.path, work=mend.work, mark=mend.mark, late=mend.late)
    with pytest.raises(ActionError, match="written to meanwhile"):
        slow.run()
    assert os.listdir(database.parent) == ["app.db"]  # noqa: PTH208


def test_virtual_tables_are_left_to_a_command(tmp_path):
    path = tmp_path / "data" / "fts.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA page_size = 1024")
        db.execute("CREATE VIRTUAL TABLE f USING fts5(x)")
        db.executemany("INSERT INTO f VALUES (?)", [(f"word{n}",) for n in range(500)])
    db.close()
    harm(path, page_of(path, "f_data"))
    before = path.read_bytes()
    with pytest.raises(ActionError, match="virtual tables"):
        repair(path, tmp_path).run()
    assert path.read_bytes() == before
