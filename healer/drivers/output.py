"""Files that programs write to: they outlive the agent, are never a pipe, and never grow without bound."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

CAP = 8 * 1024 * 1024
"""Bytes after which a file is turned over; one old file is kept beside it."""
_KEEP = 1024 * 1024


@contextlib.contextmanager
def opened(path: Path, cap: int = CAP) -> Iterator[int]:
    """A descriptor that appends to ``path``, turned over first when it is full; raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        if path.lstat().st_size >= cap:
            path.replace(_old(path))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(f"{path} is not a regular file")
        os.set_blocking(fd, True)
        yield fd
    finally:
        os.close(fd)


def trim(path: Path, cap: int = CAP) -> bool:
    """Keep the end of a file that grew past ``cap`` while its writer holds it open; True when it was cut.

    The writer appends, so cutting the file to nothing under it is safe; what is written between the copy and the cut is
    lost, which is why the ordinary turn-over happens at a start.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        size = os.fstat(fd).st_size
        if size < cap:
            return False
        _old(path).write_bytes(os.pread(fd, _KEEP, max(0, size - _KEEP)))
        os.ftruncate(fd, 0)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def tail(path: Path, most: int) -> bytes:
    """The last ``most`` bytes; empty when there is nothing to read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(fd, most, max(0, os.fstat(fd).st_size - most))
    except OSError:
        return b""
    finally:
        os.close(fd)


def last_words(path: Path, most: int) -> Callable[[], bytes]:
    """Mark the end of the file as it is now; what is returned reads the last ``most`` bytes before that mark, later.

    Also where the file has grown, or was turned over, by then. The mark costs microseconds.
    """
    try:
        seen = path.lstat()
    except OSError:
        return bytes

    def read() -> bytes:
        for one in (path, _old(path)):
            try:
                fd = os.open(one, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue
            with os.fdopen(fd, "rb") as file:
                if os.fstat(fd).st_ino == seen.st_ino:
                    return os.pread(file.fileno(), min(most, seen.st_size), max(0, seen.st_size - most))
        return b""

    return read


def _old(path: Path) -> Path:
    return path.with_name(path.name + ".1")
