"""Small files are read without hanging and written without tearing."""

import os
from pathlib import Path

import pytest

from audit.errors import Unreadable
from audit.files import check_owner, read_small, write_atomically


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "f"
    write_atomically(path, b"one")
    write_atomically(path, b"two", mode=0o600)
    assert read_small(path, 3) == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_fifo_does_not_hang_the_reader(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Unreadable, match="not a regular file"):
        read_small(tmp_path / "fifo", 10)


def test_devices_and_folders_are_refused(tmp_path):
    with pytest.raises(Unreadable):
        read_small(tmp_path, 10)
    with pytest.raises(Unreadable, match="regular"):
        read_small(tmp_path.__class__("/dev/zero"), 10)


def test_a_file_that_breaks_while_it_is_read_is_named():
    with pytest.raises(Unreadable, match="cannot read /proc/self/mem: Input/output error"):
        read_small(Path("/proc/self/mem"), 10)


def test_a_large_file_is_refused(tmp_path):
    (tmp_path / "f").write_bytes(b"xxxx")
    with pytest.raises(Unreadable, match="larger than 3"):
        read_small(tmp_path / "f", 3)


def test_a_missing_file_is_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "f", 3)


def test_a_loop_of_links_is_unreadable(tmp_path):
    (tmp_path / "l").symlink_to("l")
    with pytest.raises(Unreadable):
        read_small(tmp_path / "l", 3)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "f"
    write_atomically(path, b"old")

    def fail(_fd):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        write_atomically(path, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert path.read_bytes() == b"old"


def test_litter_of_a_crash_is_no_obstacle_and_a_link_is_not_followed(tmp_path):
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / ".f.new").symlink_to("victim")
    write_atomically(tmp_path / "f", b"new")
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_only_a_folder_is_a_state_folder(tmp_path):
    (tmp_path / "log.db").write_bytes(b"")
    check_owner(tmp_path, "command")
    for place, words in ((tmp_path / "log.db", "is no state folder"), (tmp_path / "nothing", "there is no state")):
        with pytest.raises(Unreadable, match=words):
            check_owner(place, "command")
