"""One open file: marks by which it is known again, and what is left of it."""

import os

import pytest

from healer.drivers.followed import Followed, is_the_one


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthr")
    made = Followed(os.open(path, os.O_RDONLY), str(path))
    yield made
    made.close()


def test_whole_lines_come_at_once_and_the_rest_of_a_line_stays(file):
    got = []
    assert file.read(got.append, 1000, lambda: False) == 8
    assert (got, file.lag) == (["one\ntwo"], 3)


def test_a_file_is_known_again_by_its_beginning_and_by_what_was_read_last(file, tmp_path):
    file.read(lambda _: None, 1000, lambda: False)
    mark = file.mark()
    assert is_the_one(file.fd, mark)
    for changed in (b"One\ntwo\nthr", b"one\ntWo\nthr", b"one"):
        (tmp_path / "log").write_bytes(changed)
        assert not is_the_one(file.fd, mark)


def test_it_sees_that_it_was_cut(file, tmp_path):
    file.read(lambda _: None, 1000, lambda: False)
    assert not file.look()
    (tmp_path / "log").write_bytes(b"1\n")
    assert file.look()
    file.begin_again()
    got = []
    file.read(got.append, 1000, lambda: False)
    assert got == ["1"]


def test_the_last_half_line_is_a_line_when_nobody_will_end_it(file):
    got = []
    file.read(got.append, 1000, lambda: False)
    file.finish(got.append)
    assert got == ["one\ntwo", "thr"]
    assert file.lag == 0


def test_skipping_goes_on_at_the_next_whole_line(file):
    got = []
    assert file.skip(6) == 5
    file.read(got.append, 1000, lambda: False)
    assert got == []
    assert (file.skipped, file.skipping) == (5, False)


def test_closing_twice_is_no_trouble(tmp_path):
    (tmp_path / "log").touch()
    made = Followed(os.open(tmp_path / "log", os.O_RDONLY), "log")
    made.close()
    made.close()
