"""A file that somebody has open, or mapped, is seen as such."""

import mmap
import subprocess

from healer.drivers import inuse


def test_an_open_file_and_a_mapped_one_are_in_use_and_others_are_not(tmp_path):
    for name in ("open", "mapped", "free"):
        (tmp_path / name).write_bytes(b"x" * 4096)
    inode = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    with (tmp_path / "open").open("rb"), (tmp_path / "mapped").open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
        file.close()
        found = inuse.inodes()
        mapped.close()
    assert {inode["open"], inode["mapped"]} <= found
    assert inode["free"] not in found


def test_the_holder_is_named_and_we_are_no_holder(tmp_path):
    path = tmp_path / "held"
    path.write_text("x")
    with path.open("rb") as file, subprocess.Popen(["sleep", "60"], stdin=file) as child:
        try:
            assert inuse.holders(path.stat().st_ino) == [child.pid]
        finally:
            child.kill()


def test_processes_that_go_or_are_not_ours_break_nothing(tmp_path):
    (tmp_path / "12" / "fd").mkdir(parents=True)
    (tmp_path / "12" / "fd" / "3").symlink_to("/gone/away")
    (tmp_path / "13").mkdir()
    (tmp_path / "13" / "maps").write_bytes(b"garbage\n\xff 1 2 3 x y\n")
    assert inuse.inodes(tmp_path) == frozenset()
