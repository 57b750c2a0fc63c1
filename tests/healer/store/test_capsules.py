"""Evidence lies under its own hash, bounded, and one that was changed is told."""

import hashlib
import os

import pytest

from healer.errors import HealerError
from healer.store import capsules


def test_what_is_kept_is_found_again_by_its_hash_and_only_we_may_read_it(tmp_path):
    name = capsules.keep(tmp_path, b"facts")
    assert name == hashlib.sha256(b"facts").hexdigest()
    assert capsules.read(tmp_path, name) == b"facts"
    path = tmp_path / "evidence" / f"{name}.json"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [(one.sha256, one.size) for one in capsules.every(tmp_path)] == [(name, 5)]


def test_the_same_twice_is_one_file(tmp_path):
    assert capsules.keep(tmp_path, b"facts") == capsules.keep(tmp_path, b"facts")
    assert len(capsules.every(tmp_path)) == 1


def test_the_oldest_makes_room(tmp_path):
    names = []
    for age in range(4):
        names.append(capsules.keep(tmp_path, bytes([65 + age]) * 10, total=25))
        os.utime(tmp_path / "evidence" / f"{names[-1]}.json", (age, age))
    assert [one.sha256 for one in capsules.every(tmp_path)] == names[2:]


def test_a_changed_byte_is_told(tmp_path):
    name = capsules.keep(tmp_path, b"facts")
    (tmp_path / "evidence" / f"{name}.json").write_bytes(b"facte")
    with pytest.raises(HealerError, match="was changed"):
        capsules.read(tmp_path, name)


def test_links_and_other_files_in_the_folder_are_not_evidence(tmp_path):
    name = capsules.keep(tmp_path, b"facts")
    (tmp_path / "evidence" / "README").write_text("x")
    (tmp_path / "evidence" / f"{'0' * 64}.json").symlink_to("/etc/passwd")
    assert [one.sha256 for one in capsules.every(tmp_path)] == [name]
    with pytest.raises(HealerError, match="cannot read"):
        capsules.read(tmp_path, "0" * 64)


def test_a_link_in_the_place_of_the_new_file_is_not_followed(tmp_path):
    (tmp_path / "evidence").mkdir()
    (tmp_path / "victim").write_text("mine")
    name = hashlib.sha256(b"x").hexdigest()
    (tmp_path / "evidence" / f".{name}.json.new").symlink_to(tmp_path / "victim")
    (tmp_path / "evidence" / f".{name}.new").symlink_to(tmp_path / "victim")
    capsules.keep(tmp_path, b"x")
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_no_hash_is_no_path_either(tmp_path, name):
    with pytest.raises(HealerError, match="is no hash"):
        capsules.read(tmp_path, name)


def test_what_could_not_be_written_takes_no_room(tmp_path, monkeypatch):
    def full(_fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        capsules.keep(tmp_path, b"facts")
    assert list((tmp_path / "evidence").iterdir()) == []


def test_an_empty_state_folder_holds_none(tmp_path):
    assert capsules.every(tmp_path) == []
