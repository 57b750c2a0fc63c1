"""Small files that say where reading stopped: whole or not there, whoever has been at them."""

import os

import pytest

from healer.drivers.bookmarks import read, write


def test_what_was_written_is_read_again_and_nobody_else_may(tmp_path):
    path = tmp_path / "log" / "app.json"
    write(path, {"count": 1})
    write(path, {"count": 2})
    assert read(path) == {"count": 2}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["app.json"]


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a": 1}garbage'])
def test_what_is_damaged_is_nothing(tmp_path, text):
    (tmp_path / "x").write_bytes(text)
    assert read(tmp_path / "x") == {}


def test_a_link_a_pipe_and_nothing_at_all_are_nothing(tmp_path):
    (tmp_path / "link").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe")
    assert read(tmp_path / "link") == read(tmp_path / "pipe") == read(tmp_path / "none") == {}


def test_a_link_in_the_way_is_not_written_through(tmp_path):
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "app.json.new").symlink_to(tmp_path / "victim")
    write(tmp_path / "app.json", {"a": 1})
    assert (tmp_path / "victim").read_text() == "kept"
    assert read(tmp_path / "app.json") == {"a": 1}
