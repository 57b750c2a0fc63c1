"""A file that is set aside keeps owner and mode, comes back to its place, and never takes another's."""

import os
import stat

import pytest

from healer.drivers import setaside
from healer.errors import ActionError

MARK = "0123456789abcdef"


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "data" / "bad.bin"
    path.parent.mkdir()
    path.write_bytes(b"poison")
    path.chmod(0o640)
    return path


def test_it_goes_away_and_comes_back_as_it_was(bad, tmp_path):
    before = bad.stat()
    moved = setaside.away(str(bad), str(tmp_path / "aside"), MARK)
    assert not bad.exists()
    lies = tmp_path / "aside" / moved.name
    assert lies.read_bytes() == b"poison"
    assert (lies.stat().st_ino, lies.stat().st_mode, lies.stat().st_mtime_ns) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime_ns,
    )
    assert stat.S_IMODE((tmp_path / "aside").stat().st_mode) == 0o700
    setaside.back(str(bad), str(tmp_path / "aside"), moved.name, moved.inode)
    assert bad.stat().st_ino == before.st_ino
    assert list((tmp_path / "aside").iterdir()) == []


def test_a_new_file_in_its_place_is_not_replaced(bad, tmp_path):
    moved = setaside.away(str(bad), str(tmp_path / "aside"), MARK)
    bad.write_text("fresh")
    with pytest.raises(ActionError, match=r"another .* by now"):
        setaside.back(str(bad), str(tmp_path / "aside"), moved.name, moved.inode)
    assert bad.read_text() == "fresh"
    assert (tmp_path / "aside" / moved.name).read_bytes() == b"poison"


def test_what_lies_aside_is_put_back_only_when_it_is_what_was_moved(bad, tmp_path):
    moved = setaside.away(str(bad), str(tmp_path / "aside"), MARK)
    with pytest.raises(ActionError, match="another file"):
        setaside.back(str(bad), str(tmp_path / "aside"), moved.name, moved.inode + 1)
    with pytest.raises(ActionError, match="not in"):
        setaside.back(str(bad), str(tmp_path / "aside"), "other", moved.inode)


def test_links_and_folders_are_refused(bad, tmp_path):
    (tmp_path / "link").symlink_to(bad)
    for path in (tmp_path / "link", bad.parent, tmp_path / "none"):
        with pytest.raises(ActionError):
            setaside.away(str(path), str(tmp_path / "aside"), MARK)
    (tmp_path / "up").symlink_to(bad.parent)
    with pytest.raises(ActionError, match="without links"):
        setaside.away(str(tmp_path / "up" / "bad.bin"), str(tmp_path / "aside"), MARK)
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(ActionError, match="cannot open"):
        setaside.away(str(bad), str(tmp_path / "elsewhere"), MARK)
    assert bad.exists()


def test_a_folder_that_others_may_write_to_is_refused(bad, tmp_path):
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside").chmod(0o777)
    with pytest.raises(ActionError, match="others may write"):
        setaside.away(str(bad), str(tmp_path / "aside"), MARK)
    assert bad.exists()


def test_another_device_is_refused(bad):
    if os.stat("/dev/shm").st_dev == bad.stat().st_dev:  # noqa: PTH116
        pytest.skip("/dev/shm is on the same device here")
    folder = f"/dev/shm/healer-test-{os.getpid()}"
    try:
        with pytest.raises(ActionError, match="another device"):
            setaside.away(str(bad), folder, MARK)
    finally:
        os.rmdir(folder)  # noqa: PTH106
    assert bad.exists()


def test_the_same_name_twice_is_refused_and_nothing_is_lost(bad, tmp_path):
    setaside.away(str(bad), str(tmp_path / "aside"), MARK)
    bad.write_text("second")
    with pytest.raises(ActionError, match="already"):
        setaside.away(str(bad), str(tmp_path / "aside"), MARK)
    assert bad.read_text() == "second"


@pytest.mark.parametrize("path", ["relative", "/", "/a/../b"])
def test_a_path_that_is_not_plain_is_refused(path, tmp_path):
    with pytest.raises(ActionError):
        setaside.look(path)
