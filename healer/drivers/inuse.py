"""Which files are open, or mapped, anywhere on the host: deleting those frees nothing, and moving them moves nobody."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_INO = b"\nino:"
_MOST_MAPS = 4 * 1024 * 1024


def inodes(proc: Path = _PROC) -> frozenset[int]:
    """Inode numbers of all files that a process holds open or mapped, as far as we may look. Blocks for milliseconds.

    Numbers alone, without their device: another file system's file of the same number counts too, which only spares a
    file too many. Nothing is stat'ed through a descriptor: on a dead network mount that would never come back.
    """
    return frozenset(number for pid in _pids(proc) for number in (*_open(pid), *_mapped(pid)))


def holders(number: int, proc: Path = _PROC) -> list[int]:
    """Pids of the processes that hold the inode, ourselves left out."""
    own = os.getpid()
    return [int(pid.name) for pid in _pids(proc) if int(pid.name) != own and number in (*_open(pid), *_mapped(pid))]


def _pids(proc: Path) -> Iterator[Path]:
    with os.scandir(proc) as entries:
        yield from (Path(entry.path) for entry in entries if entry.name.isdigit())


def _open(pid: Path) -> Iterator[int]:
    with contextlib.suppress(OSError), os.scandir(pid / "fd") as entries:  # it went, or is not ours to look at
        for entry in entries:
            with contextlib.suppress(OSError):
                link = pid / "fd" / entry.name
                if str(link.readlink()).startswith("/"):  # no socket, no pipe
                    yield _told(pid / "fdinfo" / entry.name, link)


def _told(info: Path, link: Path) -> int:
    with info.open("rb") as file:
        text = file.read(4096)
    _, found, rest = text.partition(_INO)
    return int(rest.split(b"\n", 1)[0]) if found else link.stat().st_ino  # before Linux 5.14 it is not told


def _mapped(pid: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        with (pid / "maps").open("rb") as file:
            text = file.read(_MOST_MAPS)
        for line in text.splitlines():
            fields = line.split(None, 5)
            if len(fields) > 5 and fields[4] != b"0" and fields[4].isdigit():
                yield int(fields[4])
