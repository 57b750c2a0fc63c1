"""Read small kernel files through descriptors that stay open: 2 µs a read where open, read and close take 10."""

import os
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class KeptFile:
    """One file of /proc or /sys, opened once and read from its start at each look."""

    __slots__ = ("_fd", "_head", "_size", "path")

    def __init__(self, path: str, size: int = 4096, *, head: bool = False) -> None:
        self.path = path
        self._size = size
        self._head = head
        """Only the first ``size`` bytes are wanted."""
        self._fd = -1

    def read(self) -> bytes:
        """The whole file now; raises OSError (a file that vanished and one that never was look the same)."""
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            got = os.pread(self._fd, self._size, 0)
        except OSError:
            self.close()
            raise
        while len(got) == self._size and not self._head:
            self._size *= 4  # a host with many disks or cores: remembered, so the next look needs one read again
            got = os.pread(self._fd, self._size, 0)
        return got

    def close(self) -> None:
        """Let go of the descriptor; a later read opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Usage(NamedTuple):
    """What /proc/PID/stat says of a process's use of the host."""

    state: str
    """One letter, as the kernel writes it: R S D T t Z X I P."""
    cpu: float
    """Seconds of CPU time since its start, user and system."""
    threads: int
    started: int
    """Clock ticks after boot: with the pid, the name of this incarnation."""
    rss: int
    """Bytes resident."""


def parse_usage(text: bytes) -> Usage:
    """Take /proc/PID/stat apart; raises ValueError on anything else.

    The name may hold spaces and brackets (a process chooses it): the last ``)`` ends it.
    """
    rest = text[text.rindex(b")") + 2 :].split(None, 22)
    if len(rest) < 22:
        raise ValueError("a stat line cut short")
    ticks = int(rest[11]) + int(rest[12])
    return Usage(rest[0].decode("ascii"), ticks / TICKS, int(rest[17]), int(rest[19]), int(rest[21]) * PAGE)


def generation(pid: int, started: int) -> str:
    """The incarnation of a process: a reused pid has another start time."""
    return f"{pid}.{started}"


def count_fds(pid: int) -> int:
    """Open descriptors of a process; raises OSError (permission, gone)."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names are counted, not used: no Path for each
