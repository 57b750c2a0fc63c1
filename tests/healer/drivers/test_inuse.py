"""A file that somebody has open, or mapped, is seen as such."""

import mmap
import os
import subprocess

from healer.drivers import inuse


def test_an_open_file_and_a_mapped_one_are_in_use_and_others_are_not(tmp_path):
    for name in ("open", "mapped", "free"):
        (tmp_path / name).write_bytes(b"x" * 4096)
    seen = {path.name: path.stat() for path in tmp_path.iterdir()}
    with (tmp_path / "open").open("rb"), (tmp_path / "mapped").open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
        file.close()
        found = inuse.files()
        mapped.close()
    in_use = {name for name, stat in seen.items() if inuse.held(stat.st_dev, stat.st_ino, found)}
    assert in_use == {"open", "mapped"}


def test_the_holder_is_named_and_we_are_no_holder(tmp_path):
    path = tmp_path / "held"
    path.write_text("x")
    with path.open("rb") as file, subprocess.Popen(["sleep", "60"], stdin=file) as child:
        try:
            assert inuse.holders(path.stat().st_dev, path.stat().st_ino) == [child.pid]
        finally:
            child.kill()


def test_processes_that_go_or_are_not_ours_break_nothing(tmp_path):
    (tmp_path / "12" / "fd").mkdir(parents=True)
    (tmp_path / "12" / "fd" / "3").symlink_to("/gone/away")
    (tmp_path / "13").mkdir()
    (tmp_path / "13" / "maps").write_bytes(b"garbage\n\xff 1 2 3 x y\n")
    assert inuse.files(tmp_path) == frozenset()


def test_where_the_device_is_told_the_same_number_on_another_one_is_another_file():
    found = frozenset({(os.makedev(8, 1), 7), (inuse.ANY, 9), (inuse.NAMELESS, 11)})
    real, other, made_up = os.makedev(8, 1), os.makedev(8, 2), os.makedev(0, 30)
    assert inuse.held(real, 7, found)
    assert not inuse.held(other, 7, found)
    assert inuse.held(real, 9, found)
    assert inuse.held(made_up, 9, found)
    assert inuse.held(made_up, 11, found)
    assert not inuse.held(real, 11, found)


def test_mounts_and_maps_are_read_as_the_kernel_writes_them(tmp_path):
    ours = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n22 1 0:30 / /tmp rw - tmpfs x rw\ngarbage\n"
    for name, namespace, mounts in (("12", "mnt:[1]", ours), ("13", "mnt:[2]", "21 1 8:2 / / rw - ext4 x rw\n")):
        pid = tmp_path / name
        for folder in ("fd", "fdinfo", "ns"):
            (pid / folder).mkdir(parents=True)
        (pid / "ns" / "mnt").symlink_to(namespace)
        (pid / "mountinfo").write_text(mounts)
        for fd, mount in (("3", 21), ("4", 22)):
            (pid / "fd" / fd).symlink_to("/x")
            (pid / "fdinfo" / fd).write_text(f"pos:\t0\nflags:\t0\nmnt_id:\t{mount}\nino:\t{mount + int(name)}\n")
    (tmp_path / "12" / "maps").write_text("55-56 r-xp 00000000 08:01 99 /usr/bin/x\n57-58 r--p 0 00:00 0\n")
    assert inuse.files(tmp_path) == {(2049, 33), (inuse.NAMELESS, 34), (2050, 34), (inuse.ANY, 35), (2049, 99)}
