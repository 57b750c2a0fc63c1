import os

import pytest

from healer.app.notes import Notes
from healer.testing import FakeClock

HOUR = 3600.0


@pytest.fixture
def clock():
    clock = FakeClock()
    clock.at += HOUR - clock.wall() % HOUR  # at the full hour
    return clock


def sizes(notes):
    return sorted(int(path.stem) for path in notes.folder.glob("*.note"))


def aged(notes, clock, *marked, days=400):
    for size in marked:
        os.utime(notes.path(size), (clock.wall() - days * 86400.0,) * 2)


def test_of_one_hour_the_newest_stays_and_every_hour_keeps_its_last(tmp_path, clock):
    notes = Notes(tmp_path, clock=clock, size=0)
    for size in range(1, 8):
        notes.keep(size, b"%d" % size)
        clock.at += HOUR / 3
    assert sizes(notes) == [3, 6, 7]
    assert notes.newest == 7
    assert notes.read(7) == b"7"
    assert notes.path(7).stat().st_mode & 0o777 == 0o644


def test_the_newest_from_before_each_start_stays(tmp_path, clock):
    for size in (3, 6, 9):
        notes = Notes(tmp_path, clock=clock, size=size)
        notes.keep(size, b"x")
        notes.keep(size + 1, b"y")
    assert sizes(notes) == [4, 7, 10]
    aged(notes, clock, 4, 7)
    assert sizes(Notes(tmp_path, clock=clock, size=12)) == [4, 7, 10]


def test_what_is_older_than_a_year_goes_with_its_time_stamp(tmp_path, clock):
    notes = Notes(tmp_path, clock=clock, size=0)
    for size in (1, 2, 3):
        notes.keep(size, b"x")
        notes.pin(size, b"x")
        notes.stamp(size, b"t")
        clock.at += HOUR
    aged(notes, clock, 1, 3)
    notes.keep(4, b"x")
    assert sizes(notes) == [2, 4]
    assert sorted(path.stem for path in notes.folder.glob("*.tsr")) == ["000000000002"]


def test_a_note_given_to_an_authority_stays_though_newer_ones_come_meanwhile(tmp_path, clock):
    notes = Notes(tmp_path, clock=clock, size=0)
    notes.keep(2, b"cosigned")
    assert notes.pin(2, b"bare") == b"cosigned"
    notes.keep(3, b"x")
    assert notes.pin(4, b"bare") == b"bare"
    notes.keep(4, b"cosigned later")
    notes.keep(5, b"x")
    notes.stamp(4, b"t")
    assert sizes(notes) == [2, 4, 5]
    assert notes.read(4) == b"cosigned later"
    assert notes.stamped_at() > 0


def test_a_log_older_than_its_notes_begins_below_them(tmp_path, clock):
    Notes(tmp_path, clock=clock, size=0).keep(9, b"x")
    notes = Notes(tmp_path, clock=clock, size=5)
    assert notes.newest == 0
    notes.keep(6, b"y")
    assert sizes(notes) == [6, 9]


def test_strange_files_in_the_folder_are_left_alone(tmp_path, clock):
    folder = tmp_path / "witnessed"
    folder.mkdir()
    for name in ("7.note", "x.note", "000000000001.tsr", "0000000000012.note"):
        (folder / name).write_text("?")
    (folder / "starts").write_bytes(b"\xff\x00 12 999999999999999999999 -3 x")
    notes = Notes(tmp_path, clock=clock, size=5)
    assert notes.newest == 0
    notes.keep(5, b"x")
    assert {path.name for path in folder.iterdir()} >= {"7.note", "x.note", "0000000000012.note"}


def test_a_file_in_place_of_the_folder_is_told(tmp_path, clock):
    (tmp_path / "witnessed").write_text("")
    with pytest.raises(OSError, match="exists"):
        Notes(tmp_path, clock=clock, size=0)
