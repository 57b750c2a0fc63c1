"""Reading leaves the log alone and survives what is not one."""

import os
import shutil
import sqlite3
import sys
import threading
import time

import pytest

from audit import canonical, reader
from audit.errors import Malformed, NothingThere, Unreadable
from audit.reader import Log, Row, ahead
from audit.writer import Writer


def heights(log: Log) -> list[int]:
    return [row.height for row in log.rows()]


def test_blocks_and_entries_come_in_order(honest):
    with Log.open(honest.folder) as log:
        assert log.top() == 9
        assert heights(log) == list(range(10))
        assert [row.height for row in log.rows(8)] == [8, 9]
        assert log.row(3).height == 3
        assert log.row(99) is None
        sealed = list(log.entries())
        assert [one.seq for one in sealed] == list(range(len(sealed)))
        assert [canonical.decode(one.octets)["seq"] for one in sealed] == list(range(len(sealed)))
        assert list(log.entries(9)) == sealed[-1:]
        assert list(log.entries_of(99)) == []


def test_many_blocks_are_read_in_batches(tmp_path, key, event, clock):
    with Writer.open(tmp_path / "s", node="n", signer=key, clock=clock, reserve_bytes=0, inline=True) as writer:
        for number in range(reader.BATCH + 3):
            writer.append(event(number))
    with Log.open(tmp_path / "s") as log:
        assert heights(log) == list(range(reader.BATCH + 3))


def test_the_folder_is_as_it_was_after_reading(honest):
    before = sorted(path.name for path in honest.folder.iterdir())
    with Log.open(honest.db) as log:
        log.top()
    assert sorted(path.name for path in honest.folder.iterdir()) == before


def test_a_log_is_read_while_it_is_written(tmp_path, key, event):
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        writer.append(event())
        with Log.open(tmp_path / "s") as log:
            assert log.top() == 0
            writer.append(event())
            assert log.top() == 1


def left_over(tmp_path, key, event):
    """A copy of a live log, as a crash of the host leaves it: the newest blocks are in the -wal alone."""
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        for number in range(3):
            writer.append(event(number))
        (tmp_path / "copy").mkdir()
        for name in ("audit.db", "audit.db-wal"):
            shutil.copyfile(tmp_path / "s" / name, tmp_path / "copy" / name)
    return tmp_path / "copy"


def test_a_wal_left_over_is_copied_aside_and_read_there(tmp_path, key, event):
    folder = left_over(tmp_path, key, event)
    with Log.open(folder) as log:
        assert heights(log) == [0, 1, 2]
    assert sorted(path.name for path in folder.iterdir()) == ["audit.db", "audit.db-wal"]


def test_a_wal_on_a_broken_shm_is_copied_aside(tmp_path, key, event):
    folder = left_over(tmp_path, key, event)
    (folder / "audit.db-shm").mkdir()
    with Log.open(folder) as log:
        assert heights(log) == [0, 1, 2]


def test_a_copy_takes_no_more_room_than_what_was_written(tmp_path):
    """Ten gigabytes of nothing, which a write-ahead file would have written out."""
    path = tmp_path / "audit.db"
    path.write_bytes(b"SQLite format 3\x00")
    os.truncate(path, 10 * 1024**3)
    path.with_name("audit.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))
    before = shutil.disk_usage(tmp_path).free
    with pytest.raises(Unreadable), Log.open(path):
        pass
    assert before - shutil.disk_usage(tmp_path).free < 1024**3
    reader._copy(path, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size == 10 * 1024**3
    assert (tmp_path / "copy").stat().st_blocks * 512 < 1024**2


def test_a_copy_that_does_not_fit_is_refused_with_a_sentence(tmp_path, key, event, monkeypatch):
    folder = left_over(tmp_path, key, event)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(Unreadable, match="bytes free"):
        Log.open(folder)

    def fail(*_args):
        raise OSError(28, "No space left")

    monkeypatch.setattr(shutil, "disk_usage", fail)
    with pytest.raises(Unreadable, match="No space left"):
        Log.open(folder)


def test_read_only_media_are_read_in_place(honest, monkeypatch):
    honest.folder.chmod(0o500)
    try:
        with Log.open(honest.folder) as log:
            assert log.top() == 9
            assert not log.moved()
    finally:
        honest.folder.chmod(0o700)


def test_a_writer_that_begins_while_a_resting_log_is_read_is_noticed(honest, key, event):
    with Log.open(honest.folder) as log:
        assert not log.moved()
        with Writer.open(honest.folder, node="web-1", signer=key, reserve_bytes=0) as writer:
            writer.append(event())
            assert log.moved()
        # It has folded its -wal into the file and gone again, but the file is another one.
        assert log.moved()


def test_a_log_that_is_being_written_is_not_taken_for_resting(tmp_path, key, event):
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        writer.append(event())
        with Log.open(tmp_path / "s") as log:
            writer.append(event())
            assert not log.moved()


def test_what_is_not_there_or_not_a_file_is_a_sentence(tmp_path):
    for path, because in (
        (tmp_path / "none", "there is no log"),
        (tmp_path, "there is no log"),
        (tmp_path / ("x" * 300), "cannot look at"),
        (tmp_path / "nul\0", "cannot look at"),
    ):
        with pytest.raises(Unreadable, match=because):
            Log.open(path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Unreadable, match="not a regular file"):
        Log.open(tmp_path / "fifo")
    with pytest.raises(Unreadable, match="not a regular file"):
        Log.open(tmp_path.__class__("/dev/zero"))


def test_an_empty_file_is_told_apart(tmp_path):
    (tmp_path / "audit.db").touch()
    with pytest.raises(NothingThere):
        Log.open(tmp_path)


@pytest.mark.parametrize("content", [b"x", b"PK\x03\x04" * 100, bytes(8192), b"SQLite format 3\x00" + bytes(4080)])
def test_what_is_not_a_database_is_a_sentence(tmp_path, content):
    (tmp_path / "audit.db").write_bytes(content)
    with pytest.raises(Unreadable):
        Log.open(tmp_path)


@pytest.mark.parametrize(
    "ddl",
    [
        "CREATE TABLE other (x)",
        "CREATE TABLE blocks (height INTEGER PRIMARY KEY)",
        """CREATE VIEW blocks AS WITH RECURSIVE c(height) AS (SELECT 0 UNION ALL SELECT height + 1 FROM c)
           SELECT height, 0 first, 0 n, x'' hdr, x'' sig, x'' rsig, x'' body FROM c""",
        "CREATE TABLE blocks (height INTEGER PRIMARY KEY, first, n, hdr, sig, rsig, body AS (zeroblob(1000000)))",
        "CREATE VIRTUAL TABLE blocks USING fts5(height, first, n, hdr, sig, rsig, body)",
    ],
)
def test_a_schema_that_answers_at_will_is_refused(tmp_path, ddl):
    connection = sqlite3.connect(tmp_path / "audit.db")
    connection.execute(ddl)
    connection.commit()
    connection.close()
    with pytest.raises(Unreadable, match="not a log"):
        Log.open(tmp_path)


def test_a_value_larger_than_any_block_is_refused_in_constant_memory(honest):
    honest.edit("UPDATE blocks SET body = zeroblob(60000000) WHERE height = 4")
    with Log.open(honest.folder) as log, pytest.raises(Unreadable, match="damaged"):
        heights(log)


def test_negative_heights_are_seen(honest):
    honest.edit("UPDATE blocks SET height = -7 WHERE height = 4")
    with Log.open(honest.folder) as log:
        assert heights(log) == [-7, 0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_text_cannot_pass_as_bytes(tmp_path):
    connection = sqlite3.connect(tmp_path / "audit.db")
    connection.execute("CREATE TABLE blocks (height INTEGER PRIMARY KEY, first, n, hdr, sig, rsig, body)")
    connection.execute("INSERT INTO blocks VALUES (0, 0, 1, CAST(x'ff' AS TEXT), x'', x'', x'')")
    connection.execute("INSERT INTO blocks VALUES (1, '0', 1, x'', x'', x'', x'')")
    connection.execute("INSERT INTO blocks VALUES (2, 0, 1.5, x'', x'', x'', NULL)")
    connection.commit()
    connection.close()
    with Log.open(tmp_path) as log:
        assert [row.wrong_types() for row in log.rows()] == ["hdr", "first", "n"]


def test_pages_overwritten_in_the_middle_are_a_sentence(honest):
    data = bytearray(honest.db.read_bytes())
    data[4096:12288] = os.urandom(8192)
    honest.db.write_bytes(data)
    with pytest.raises((Unreadable, Malformed)), Log.open(honest.folder) as log:
        list(log.entries())


def made_of(bodies):
    for height, body in enumerate(bodies):
        yield Row(height, height, 1, b"", b"", b"", body)


BIG = bytes(reader.LARGE)


def test_reading_ahead_changes_neither_rows_nor_order(honest):
    bodies = [b"", BIG, BIG, b"x", None, 7, "text", BIG, 1.5, BIG]
    assert [row.body for row in ahead(made_of(bodies))] == bodies
    with Log.open(honest.folder) as log:
        assert list(ahead(log.rows(3))) == list(log.rows(3))
    assert list(ahead(iter(()))) == []


def test_one_row_is_read_ahead_of_a_large_one_and_none_of_a_small_one():
    read = []

    def rows():
        for row in made_of([b"x", b"y", BIG, BIG, b"z", b"end"]):
            read.append(row.height)
            yield row

    seen = []
    for row in ahead(rows()):
        end = time.monotonic() + 5
        while len(read) < row.height + 1 + (row.height in {2, 3}) and time.monotonic() < end:
            time.sleep(0.001)
        seen.append(len(read))
    assert seen == [1, 2, 4, 5, 5, 6]


@pytest.mark.parametrize("body", [b"small", BIG])
def test_what_goes_wrong_ahead_is_told_in_its_turn(body):
    def rows():
        yield from made_of([body])
        raise Unreadable("the file is damaged")

    following = ahead(rows())
    assert next(following).body == body
    with pytest.raises(Unreadable, match="damaged"):
        next(following)


def test_large_blocks_of_a_real_log_are_read_ahead(tmp_path, key, event):
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        for number in range(4):
            writer.submit([event(number, text="x" * 60_000)] * 2).result()
    with Log.open(tmp_path / "s") as log:
        assert [row.height for row in ahead(log.rows())] == [0, 1, 2, 3]


def test_who_stops_early_leaves_no_thread_behind():
    following = ahead(made_of([BIG] * 9))
    next(following)
    following.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("audit reader")]


def test_the_reader_needs_no_third_party_module(honest):
    import subprocess
    from pathlib import Path

    root = Path(reader.__file__).parents[1]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from audit.reader import Log;"
        "print(Log.open(Path(sys.argv[2])).top(), [m for m in ('sqlalchemy', 'orjson') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(root), str(honest.folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "9 []\n", done.stderr
