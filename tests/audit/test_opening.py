import os

import pytest

from audit.errors import NothingThere, Unreadable
from audit.opening import has_log, open_log
from audit.postgres import POINTER
from audit.reader import Log


def test_a_file_and_a_state_folder_are_opened_as_they_are(honest):
    for path in (honest.folder, honest.db):
        with open_log(path) as log:
            assert isinstance(log, Log)
            assert log.top() == 9


def test_a_pointer_leads_to_a_connection_string(tmp_path):
    (tmp_path / POINTER).write_text(f"{tmp_path}/log.dsn\n")
    with pytest.raises(Unreadable, match=r"log\.dsn cannot be read"):
        open_log(tmp_path)
    (tmp_path / POINTER).write_bytes(b"\xff" * 10)
    with pytest.raises(Unreadable, match=POINTER):
        open_log(tmp_path)


def test_a_log_of_its_own_comes_before_a_pointer(honest):
    (honest.folder / POINTER).write_text("/nowhere/log.dsn")
    with open_log(honest.folder) as log:
        assert isinstance(log, Log)


def test_what_is_no_log_is_a_sentence(tmp_path):
    with pytest.raises(Unreadable):
        open_log(tmp_path / "missing")
    with pytest.raises(Unreadable):
        open_log(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(NothingThere):
        open_log(tmp_path / "empty")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(Unreadable):
        open_log(fifo)


def test_a_folder_tells_whether_it_has_a_log(tmp_path, honest):
    assert has_log(honest.folder)
    assert not has_log(tmp_path / "missing")
    (tmp_path / POINTER).touch()
    assert has_log(tmp_path)
