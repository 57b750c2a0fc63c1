"""The kernel forgets what it is told to, and the files stay as they are."""

import ctypes
import mmap
import os

import pytest

from healer.drivers import pagecache
from healer.errors import ActionError


def resident(path):
    """Pages of the file that are in memory (mincore)."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        pages = len(mapped) // mmap.PAGESIZE
        seen = (ctypes.c_ubyte * pages)()
        held = (ctypes.c_char * len(mapped)).from_buffer(mapped)
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.mincore(ctypes.byref(held), ctypes.c_size_t(len(mapped)), seen) == 0
        del held
        return sum(one & 1 for one in seen)


def test_the_pages_of_one_file_are_forgotten_and_its_content_is_not(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(b"x" * mmap.PAGESIZE * 64)
    before = resident(path)
    if not before:
        pytest.skip("this file system keeps nothing in memory")
    assert pagecache.drop_file(str(path)) == mmap.PAGESIZE * 64
    after = resident(path)
    if after == before:
        pytest.skip("this file system lives in memory")
    assert after < before
    assert path.read_bytes() == b"x" * mmap.PAGESIZE * 64


def test_links_folders_and_what_is_missing_are_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "none", "pipe", "."):
        with pytest.raises(ActionError):
            pagecache.drop_file(str(tmp_path / name))


def test_the_hosts_cache_is_dropped_by_the_word_for_pages_alone(tmp_path):
    (tmp_path / "drop").write_text("")
    (tmp_path / "meminfo").write_text("MemTotal: 1 kB\nCached:  2048 kB\n")
    assert pagecache.drop_all(tmp_path / "drop", tmp_path / "meminfo") == (2048 * 1024, 2048 * 1024)
    assert (tmp_path / "drop").read_text() == "1\n"


def test_without_the_right_it_says_so(tmp_path):
    (tmp_path / "meminfo").write_text("Cached:  2048 kB\n")
    with pytest.raises(ActionError, match="cannot write"):
        pagecache.drop_all(tmp_path, tmp_path / "meminfo")
    for text in ("", "Cached:\n", "Cached: x kB\n"):
        (tmp_path / "meminfo").write_text(text)
        with pytest.raises(ActionError):
            pagecache.cached(tmp_path / "meminfo")
