"""What the kernel keeps of files in memory, and having it forget: one file, or, spelled out, all of the host."""

import os
import stat
from pathlib import Path, PurePosixPath

from healer.drivers.files import opened
from healer.errors import ActionError

DROP = Path("/proc/sys/vm/drop_caches")
_MEMINFO = Path("/proc/meminfo")
_CACHED = "Cached:"


def drop_file(path: str) -> int:
    """Have the kernel forget the pages of one file; returns its size. Nothing on disk changes. Raises ActionError."""
    pure = PurePosixPath(path)
    try:
        with opened(str(pure.parent)) as folder:
            fd = os.open(pure.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as exc:
        raise ActionError(f"cannot open {path}: {exc.strerror}", transient=False) from exc
    try:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode):
            raise ActionError(f"{path} is no regular file", transient=False)
        os.fsync(fd)  # what is not written yet cannot be forgotten
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError as exc:
        raise ActionError(f"cannot drop the pages of {path}: {exc.strerror}") from exc
    finally:
        os.close(fd)
    return seen.st_size


def drop_all(drop: Path = DROP, meminfo: Path = _MEMINFO) -> tuple[int, int]:
    """Have the kernel forget all clean pages of files; returns the cache's bytes before and after. Raises ActionError.

    Everything that is read next comes from disk: a cure for one illness, and the cause of another.
    """
    before = cached(meminfo)
    os.sync()
    try:
        drop.write_text("1\n", encoding="ascii")  # 1: pages alone; names and inodes stay
    except OSError as exc:
        raise ActionError(f"cannot write to {drop}: {exc.strerror}", hint="needs root", transient=False) from exc
    return before, cached(meminfo)


def cached(meminfo: Path = _MEMINFO) -> int:
    """Bytes of files that are kept in memory; raises ActionError where the kernel does not say."""
    try:
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith(_CACHED):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError) as exc:
        raise ActionError(f"cannot read {meminfo}") from exc
    raise ActionError(f"{meminfo} does not say how much is cached")
