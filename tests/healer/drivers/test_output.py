"""Output files stay bounded and are never anything but regular files."""

import os

import pytest

from healer.drivers import output


def test_a_full_file_is_turned_over_at_a_start(tmp_path):
    path = tmp_path / "api.log"
    path.write_bytes(b"old" * 10)
    with output.opened(path, cap=30) as fd:
        os.write(fd, b"new")
    assert path.read_bytes() == b"new"
    assert (tmp_path / "api.log.1").read_bytes() == b"old" * 10
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_grows_under_its_writer_is_cut_and_its_end_kept(tmp_path):
    path = tmp_path / "api.log"
    with output.opened(path) as fd:
        os.write(fd, b"x" * 100)
        assert not output.trim(path, cap=101)
        assert output.trim(path, cap=100)
        os.write(fd, b"after")
    assert path.read_bytes() == b"after"
    assert (tmp_path / "api.log.1").read_bytes() == b"x" * 100


@pytest.mark.parametrize("what", ["link", "fifo", "folder"])
def test_what_is_no_regular_file_is_refused(tmp_path, what):
    path = tmp_path / "api.log"
    victim = tmp_path / "victim"
    victim.write_text("mine")
    {"link": lambda: path.symlink_to(victim), "fifo": lambda: os.mkfifo(path), "folder": path.mkdir}[what]()
    with pytest.raises(OSError, match=r"."), output.opened(path):
        pass
    assert not output.trim(path, cap=0)
    assert output.tail(path, 10) == b""
    assert victim.read_text() == "mine"


def test_the_tail_is_the_end(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    assert output.tail(path, 4) == b"6789"
    assert output.tail(path, 40) == b"0123456789"
    assert output.tail(tmp_path / "none", 4) == b""
