import sqlite3

import pytest

from audit import archive, block
from audit.errors import Damaged, DiskFull, Unreadable
from audit.prune import DAY_US
from audit.reader import Log
from audit.verifier import Ask, verify
from audit.writer import Writer


@pytest.fixture
def log(honest):
    with Log.open(honest.folder) as opened:
        yield opened


def test_an_archive_is_a_log_file_of_some_blocks_that_nobody_writes_to(log, tmp_path):
    made = archive.write(log, 2, 5, tmp_path)
    assert made.path == tmp_path / "archive-2-5.sealed"
    assert made.path.stat().st_mode & 0o777 == 0o400
    assert archive.digest(made.path) == (made.sha256, made.size)
    raw = sqlite3.connect(made.path)
    assert raw.execute("PRAGMA application_id").fetchone() == (block.APPLICATION_ID,)
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert raw.execute("SELECT name FROM sqlite_schema").fetchall() == [("blocks",)]
    raw.close()
    with Log.open(made.path) as copy:
        assert list(copy.rows()) == list(log.rows(2, 5))
    assert [path.name for path in tmp_path.iterdir() if "archive" in path.name] == [made.path.name]


def test_a_whole_log_can_be_copied_and_verifies(honest, log, tmp_path):
    archive.put(log.rows(), tmp_path / "copy.db")
    report = verify(Ask(log=tmp_path / "copy.db", key=honest.key, anchors=(honest.anchor,), deep=True))
    assert report.exit_code == 0, report.text()


@pytest.mark.parametrize(
    ("statement", "because"),
    [
        ("UPDATE blocks SET body = CAST(body || x'00' AS BLOB) WHERE height = 3", "block 3"),
        ("UPDATE blocks SET sig = zeroblob(384) WHERE height = 3", "block 3 is not the log's"),
        ("DELETE FROM blocks WHERE height = 3", "block 4 does not belong there"),
        ("DELETE FROM blocks WHERE height = 5", "ends before block 5"),
        ("UPDATE blocks SET height = 9 WHERE height = 5", "block 9 does not belong there"),
    ],
)
def test_what_came_back_different_is_not_trusted(log, tmp_path, statement, because):
    made = archive.write(log, 2, 5, tmp_path)
    made.path.chmod(0o600)
    with sqlite3.connect(made.path) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(Damaged, match=because):
        archive.check(made.path, log, 2, 5)


def test_a_file_half_written_is_unreadable(log, tmp_path):
    made = archive.write(log, 2, 5, tmp_path)
    half = tmp_path / "half.sealed"
    half.write_bytes(made.path.read_bytes()[: made.size // 2])
    with pytest.raises((Unreadable, Damaged)):
        archive.check(half, log, 2, 5)


def test_a_folder_that_cannot_be_used_is_a_sentence(log, tmp_path):
    with pytest.raises(Unreadable, match="does its folder exist"):
        archive.write(log, 2, 5, tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unreadable):
        archive.write(log, 2, 5, tmp_path / "file")
    with pytest.raises(Unreadable):
        archive.digest(tmp_path)


def test_a_full_disk_leaves_nothing_behind(log, tmp_path):
    def endless():
        yield next(log.rows(2))
        raise DiskFull("no space")

    with pytest.raises(DiskFull):
        archive.put(endless(), tmp_path / "a.sealed")
    assert not [path for path in tmp_path.iterdir() if "sealed" in path.name]


def test_pruned_bodies_are_joined_again_and_never_skipped(tmp_path, key, clock, event):
    with Writer.open(tmp_path / "s", node="n", signer=key, clock=clock, inline=True, reserve_bytes=0) as writer:
        for number in range(4):
            writer.append(event(number))
        clock.wait(2 * DAY_US)
        writer.append(event(4))
        with Log.open(tmp_path / "s") as log:
            before = list(log.rows())
        made = writer.prune(DAY_US, tmp_path, because="a test").path
    with Log.open(tmp_path / "s") as log:
        assert list(archive.whole(log, 0, [tmp_path / "elsewhere", tmp_path]))[:5] == before
        assert [row.height for row in archive.whole(log, 4, [])] == [4, 5]
        with pytest.raises(Unreadable, match=r"block 1 was pruned.*archive-1-3\.sealed"):
            list(archive.whole(log, 0, [tmp_path / "elsewhere"]))
        made.chmod(0o600)
        made.write_bytes(made.read_bytes()[:-1] + b"x")
        with pytest.raises(Unreadable, match="missing"):
            list(archive.whole(log, 0, [tmp_path]))


def test_a_name_that_is_taken_by_a_folder_is_a_sentence_and_leaves_nothing_behind(log, tmp_path):
    (tmp_path / "archive-2-5.sealed").mkdir()
    with pytest.raises(Unreadable, match="cannot be written"):
        archive.write(log, 2, 5, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".archive")] == []


def test_a_large_archive_is_flushed_as_it_grows(log, tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(archive, "_FLUSH", 100)
    monkeypatch.setattr(archive.os, "fdatasync", flushed.append)
    archive.write(log, 2, 5, tmp_path)
    assert len(flushed) == 4
