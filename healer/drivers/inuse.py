"""Which files are open, or mapped, anywhere on the host: deleting those frees nothing, and moving them moves nobody."""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_PROC = Path("/proc")
_INFO = re.compile(rb"^(mnt_id|ino):\s*(\d+)$", re.MULTILINE)
_MOST_MAPS = 4 * 1024 * 1024
ANY, NAMELESS = -1, 0
"""In place of a device: nobody can tell which; one of those file systems that have none (overlay, btrfs, NFS)."""
File = tuple[int, int]
"""Device and inode."""


def files(proc: Path = _PROC) -> frozenset[File]:
    """Every file that a process holds open or mapped, as far as we may look. Blocks for milliseconds.

    Nothing is stat'ed through a descriptor: on a dead network mount that would never come back.
    """
    mounts = _Mounts()
    return frozenset(one for pid in _pids(proc) for one in (*_open(pid, mounts), *_mapped(pid)))


def held(device: int, inode: int, among: frozenset[File]) -> bool:
    """Whether a file is, or may be, among those."""
    nameless = os.major(device) == 0 and (NAMELESS, inode) in among
    return nameless or (device, inode) in among or (ANY, inode) in among


def holders(device: int, inode: int, proc: Path = _PROC) -> list[int]:
    """Pids of the processes that hold the file, ourselves left out."""
    own, mounts = os.getpid(), _Mounts()
    return [
        int(pid.name)
        for pid in _pids(proc)
        if int(pid.name) != own and held(device, inode, frozenset((*_open(pid, mounts), *_mapped(pid))))
    ]


def _pids(proc: Path) -> Iterator[Path]:
    with os.scandir(proc) as entries:
        yield from (Path(entry.path) for entry in entries if entry.name.isdigit())


class _Mounts:
    """The number of each mount to its device; each namespace is read once."""

    def __init__(self) -> None:
        self._read: dict[str, Mapping[int, int]] = {}

    def of(self, pid: Path) -> Mapping[int, int]:
        """As this process sees them; raises OSError when it is gone, or not ours to look at."""
        namespace = str((pid / "ns" / "mnt").readlink())
        if namespace not in self._read:
            self._read[namespace] = dict(_mounts((pid / "mountinfo").read_bytes()))
        return self._read[namespace]


def _mounts(text: bytes) -> Iterator[tuple[int, int]]:
    for line in text.splitlines():
        with contextlib.suppress(ValueError, IndexError):
            number, _, device, _ = line.split(b" ", 3)
            major, _, minor = device.partition(b":")
            yield int(number), _device(int(major), int(minor))


def _device(major: int, minor: int) -> int:
    # Without a major number the file system made it up, and may give its files others (btrfs, overlay).
    return os.makedev(major, minor) if major else NAMELESS


def _open(pid: Path, mounts: "_Mounts") -> Iterator[File]:
    with contextlib.suppress(OSError), os.scandir(pid / "fd") as entries:  # it went, or is not ours to look at
        devices = mounts.of(pid)
        for entry in entries:
            with contextlib.suppress(OSError):
                link = pid / "fd" / entry.name
                if str(link.readlink()).startswith("/"):  # no socket, no pipe
                    yield _told(pid / "fdinfo" / entry.name, link, devices)


def _told(info: Path, link: Path, mounts: Mapping[int, int]) -> File:
    with info.open("rb") as file:
        told = {name: int(number) for name, number in _INFO.findall(file.read(4096))}
    inode = told.get(b"ino")
    if inode is None:  # before Linux 5.14 it is not told
        seen = link.stat()
        return seen.st_dev, seen.st_ino
    return mounts.get(told.get(b"mnt_id", -1), ANY), inode


def _mapped(pid: Path) -> Iterator[File]:
    with contextlib.suppress(OSError):
        with (pid / "maps").open("rb") as file:
            text = file.read(_MOST_MAPS)
        for line in text.splitlines():
            fields = line.split(None, 5)
            if len(fields) > 5 and fields[4] != b"0" and fields[4].isdigit():
                with contextlib.suppress(ValueError):
                    major, _, minor = fields[3].partition(b":")
                    yield _device(int(major, 16), int(minor, 16)), int(fields[4])
