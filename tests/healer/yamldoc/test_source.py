import os
import threading

import pytest

from healer.yamldoc import source
from healer.yamldoc.mark import Problems


def refused(path):
    problems = Problems()
    assert source.read(path, problems) is None
    (problem,) = problems.found
    assert problem.mark.file == str(path)
    assert problem.mark.line >= 1
    return problem


def test_a_text_file_is_read_with_its_hash(tmp_path):
    (tmp_path / "f.yaml").write_text("a: ż\n", encoding="utf-8")
    found = source.read(tmp_path / "f.yaml", Problems())
    assert found.text == "a: ż\n"
    assert len(found.sha256) == 64


def test_a_missing_file_says_so(tmp_path):
    assert "cannot be read" in refused(tmp_path / "nothing.yaml").what


def test_a_folder_is_not_a_file(tmp_path):
    assert "folder" in refused(tmp_path).what


def test_a_pipe_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "not a regular file" in refused(tmp_path / "pipe.yaml").what


def test_a_device_is_never_read(tmp_path):
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    assert "not a regular file" in refused(tmp_path / "zero.yaml").what


def test_a_gigabyte_of_nothing_is_refused_unread(tmp_path):
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(1 << 30)
    assert "too large" in refused(tmp_path / "huge.yaml").what


def test_octets_that_are_no_text_have_their_place(tmp_path):
    (tmp_path / "f.yaml").write_bytes("a: ż\nbb: \xff".encode("latin-1", "replace").replace(b"?", "ż".encode()))
    problem = refused(tmp_path / "f.yaml")
    assert "0xff" in problem.what
    assert (problem.mark.line, problem.mark.column) == (2, 5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_of_somebody_else_says_so(tmp_path):
    (tmp_path / "f.yaml").write_text("a: 1")
    (tmp_path / "f.yaml").chmod(0)
    assert "may not read" in refused(tmp_path / "f.yaml").hint


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path, monkeypatch):
    path = tmp_path / "f.yaml"
    path.write_text("a: 1\n")
    once = source._octets

    def write_between(which):
        found = once(which)
        path.write_text("a: 2\nb: half")
        return found

    monkeypatch.setattr(source, "_octets", write_between)
    assert "changed while" in refused(path).what


def test_a_writer_racing_the_reader_never_gets_half_a_file_accepted(tmp_path):
    path = tmp_path / "f.yaml"
    whole = {"a: " + "1" * 5000 + "\n", "b: " + "2" * 9000 + "\n"}
    path.write_text(min(whole))
    stop = threading.Event()

    def rewrite():
        while not stop.is_set():
            for text in whole:
                fresh = tmp_path / "fresh"
                fresh.write_text(text)
                fresh.rename(path)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(300):
            found = source.read(path, Problems())
            assert found is None or found.text in whole
    finally:
        stop.set()
        writer.join()
