"""Beginning: nothing begins anew by itself, and nobody goes on with what is not his."""

import os
import subprocess

import pytest

from audit import keys
from audit.errors import AuditError, Busy, Damaged, KeyRefused, Malformed, RolledBack, Unreadable
from audit.verifier import Ask, verify
from audit.writer import Writer


def written(opened, event, **more):
    with opened(inline=True, **more) as writer:
        for number in range(5):
            writer.append(event(number))
    return writer.folder


def test_the_first_start_makes_a_key_that_is_kept(tmp_path, event):
    with Writer.open(tmp_path / "s", node="n") as writer:
        writer.append(event())
        fingerprint = writer.public.fingerprint
    assert keys.load(tmp_path / "s" / "keys").public.fingerprint == fingerprint
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    with Writer.open(tmp_path / "s", node="n") as writer:
        assert writer.public.fingerprint == fingerprint
    assert verify(Ask(log=tmp_path / "s", deep=True)).exit_code == 0


def test_a_missing_log_is_never_recreated(opened, event):
    folder = written(opened, event)
    (folder / "audit.db").unlink()
    with pytest.raises(Damaged, match="its anchor is there"):
        opened()
    assert not (folder / "audit.db").exists()


def test_an_empty_file_in_place_of_the_log_is_refused(opened, event):
    folder = written(opened, event)
    (folder / "audit.db").write_bytes(b"")
    with pytest.raises(Damaged, match="missing or empty"):
        opened()


def test_a_key_without_its_log_is_refused(tmp_path):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0):
        pass
    (tmp_path / "s" / "audit.db").unlink()
    with pytest.raises(Damaged, match="its key is there"):
        Writer.open(tmp_path / "s", node="n")


def test_a_log_without_its_key_is_refused(tmp_path, event):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0) as writer:
        writer.append(event())
    (tmp_path / "s" / "keys" / "seal.pem").unlink()
    for anchor_too in (False, True):
        if anchor_too:
            (tmp_path / "s" / "anchor").unlink()
        with pytest.raises(KeyRefused, match="the log is not empty"):
            Writer.open(tmp_path / "s", node="n")
    assert not keys.exists(tmp_path / "s" / "keys")


def test_emptied_rows_are_refused(opened, event):
    import sqlite3

    folder = written(opened, event)
    connection = sqlite3.connect(folder / "audit.db", isolation_level=None)
    connection.execute("DROP TRIGGER blocks_no_delete")
    connection.execute("DELETE FROM blocks")
    connection.close()
    with pytest.raises(Damaged, match="emptied"):
        opened()


def test_a_first_start_that_crashed_begins_again(tmp_path, event):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0):
        pass
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0) as writer:
        assert writer.head is None
        writer.append(event())


def test_garbage_in_place_of_the_log_is_refused(opened, event):
    folder = written(opened, event)
    (folder / "audit.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(Damaged):
        opened()
    assert (folder / "audit.db").read_bytes() == b"garbage" * 1000


def test_another_name_for_the_same_log_is_refused(opened, event):
    written(opened, event, origin="mine/1")
    with pytest.raises(Damaged, match="mine/1, not yours/1"):
        opened(origin="yours/1")
    with pytest.raises(Malformed, match="cannot name a log"):
        opened(folder=opened().folder.parent / "t", origin="a b")


@pytest.mark.real
@pytest.mark.parametrize("left", [0, 4096, 12288])
def test_a_log_cannot_begin_on_a_full_disk_and_says_so(tmp_path, key, left, small_disk):
    with small_disk(tmp_path / "small", "1m") as place:
        (place / "filler").write_bytes(bytes((1 << 20) - left))
        with pytest.raises(AuditError, match=r"no space is left|disk I/O error") as told:
            Writer.open(place, node="n", signer=key)
        assert "backup" not in told.value.hint
        (place / "filler").unlink()
        Writer.open(place, node="n", signer=key).close()  # nothing was spoilt, and no lock stayed behind


@pytest.mark.real
def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path, key, small_disk):
    with small_disk(tmp_path / "small", "1m") as place:
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        with pytest.raises(Unreadable, match="Read-only file system"):
            Writer.open(place, node="n", signer=key)
    (tmp_path / "file").touch()
    with pytest.raises(Unreadable, match="Not a directory"):
        Writer.open(tmp_path / "file" / "state", node="n", signer=key)


def test_a_second_writer_is_refused(opened):
    writer = opened()
    with pytest.raises(Busy, match=f"process {os.getpid()}"):
        opened()
    writer.close()
    writer.close()
    opened()


def test_a_damaged_anchor_is_called_damaged_and_not_missing(tmp_path, key, event):
    for _ in range(2):
        with Writer.open(tmp_path / "s", node="n", signer=key) as writer:
            writer.append(event())
    (tmp_path / "s" / "anchor").write_text("junk\n")
    with Writer.open(tmp_path / "s", node="n", signer=key) as writer:
        assert "damaged" in writer.rollback
        assert not [note for note in writer.notes if "missing" in note]
        with pytest.raises(RolledBack, match="resume-healing"):
            writer.append(event())


def test_what_cannot_be_opened_is_let_go_of_again(opened, event):
    folder = written(opened, event)
    kept = (folder / "audit.db").read_bytes()
    (folder / "audit.db").write_bytes(b"garbage" * 1000)
    for _ in range(2):
        with pytest.raises(Damaged):  # never Busy: the lock is free again
            opened()
    (folder / "audit.db").write_bytes(kept)
    assert opened().append(event()).seq > 0
