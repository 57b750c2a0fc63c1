"""One open file that somebody else writes: its whole lines, each once, in constant memory however long they are."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

CHUNK = 1 << 16
LONGEST_LINE = 16_384
"""Octets of a line that are looked at; of a longer one the head."""
_HEAD = 256
_TAIL = 64
Take = Callable[[str], None]
"""Gets whole lines, with line feeds between them and none at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a file was read, and by what it is known again: its inode alone may be another file's by tomorrow."""

    path: str
    inode: str
    """``device.inode``."""
    offset: int
    head: int
    """Octets of its beginning that are known."""
    hash: str
    """Of those, and of the last ones before ``offset``."""
    skipping: bool = False
    """The rest of a line that was cut comes next."""
    lost: bool = False
    """It had lost its name, and all of it was read."""


class Followed:
    """A file held open. Closing it is the owner's."""

    def __init__(self, fd: int, path: str) -> None:
        seen = os.fstat(fd)
        self.fd, self.path = fd, path
        self.inode = inode(seen)
        self.offset, self.skipping = 0, False
        self.size = seen.st_size
        self.written = seen.st_mtime
        """Wall second of the last write."""
        self.cut = 0
        """Lines of which only the head was looked at."""
        self.skipped = 0
        """Octets passed over unread."""
        self.quiet_since: float | None = None
        """Since when it has lost its name and nothing was written to it; None while it has its name."""
        self._head = self._tail = b""

    @property
    def lag(self) -> int:
        """Octets that are not read yet."""
        return max(0, self.size - self.offset)

    def go_on_at(self, offset: int) -> None:
        """What is before that is no news; nor is the rest of a line that was half written there."""
        self.offset = offset
        self.skipping = offset > 0 and _pread(self.fd, 1, offset - 1) != b"\n"
        self._remember()

    def go_to(self, mark: Mark) -> None:
        """Go on where it, or what it is a copy of, was left."""
        self.offset, self.skipping = mark.offset, mark.skipping
        self._remember()

    def mark(self) -> Mark:
        """Where it is left."""
        return Mark(
            path=self.path, inode=self.inode, offset=self.offset, head=len(self._head),
            hash=_digest(self._head, self._tail), skipping=self.skipping,
            lost=self.quiet_since is not None and not self.lag,
        )  # fmt: skip

    def look(self) -> bool:
        """See how large it is now; True when it was cut, or written anew, since what was read of it."""
        seen = os.fstat(self.fd)
        same = (seen.st_size, seen.st_mtime) == (self.size, self.written)
        self.size, self.written = seen.st_size, seen.st_mtime
        return not same and (self.size < self.offset or self._is_another())

    def _is_another(self) -> bool:
        return _pread(self.fd, len(self._head), 0) != self._head or self._before(len(self._tail)) != self._tail

    def begin_again(self) -> None:
        """Read it from its beginning."""
        self.offset, self.skipping = 0, False
        self._head = self._tail = b""

    def read(self, take: Take, most: int, enough: Callable[[], bool]) -> int:
        """Hand over whole lines, from about ``most`` octets at most; returns how many octets were passed."""
        first = self.offset
        while self.offset - first < most and not enough():
            data = _pread(self.fd, CHUNK, self.offset)
            if not data or not self._take(data, take):
                break
        if self.offset != first:
            self._remember()
        return self.offset - first

    def _take(self, data: bytes, take: Take) -> bool:
        """Use one chunk; False when what is left is the beginning of a line."""
        if data[0] == 0 and self._leap():
            return True
        end = data.rfind(b"\n")
        if self.skipping:
            after = data.find(b"\n") + 1
            self.offset += after or len(data)
            self.skipping = not after
            return True
        if end < 0:
            if len(data) <= LONGEST_LINE:
                return False
            take(_text(data[:LONGEST_LINE]))
            self.cut += 1
            self.offset, self.skipping = self.offset + len(data), True
            return True
        self.offset += end + 1
        take(self._cut(data[:end]))
        return True

    def _leap(self) -> bool:
        """Pass over a hole: a file cut under a writer that does not append goes on where it was."""
        try:
            there = os.lseek(self.fd, self.offset, os.SEEK_DATA)
        except OSError:
            return False  # the hole goes to the end, or the file system knows no holes
        leapt, self.offset = there - self.offset, there
        return leapt > 0

    def _cut(self, block: bytes) -> str:
        lines = block.split(b"\n")
        if max(map(len, lines)) <= LONGEST_LINE:
            return _text(block)
        self.cut += sum(len(line) > LONGEST_LINE for line in lines)
        return _text(b"\n".join(line[:LONGEST_LINE] for line in lines))

    def finish(self, take: Take) -> None:
        """Nobody will end its last line any more: it is a line."""
        rest = b"" if self.skipping else _pread(self.fd, LONGEST_LINE, self.offset)
        if rest.strip(b"\0"):
            take(_text(rest))
        self.offset = self.size

    def skip(self, kept: int) -> int:
        """Pass over all but the last ``kept`` octets; returns how many were skipped."""
        skipped = max(0, self.lag - kept)
        if skipped:
            self.offset += skipped
            self.skipping = True
            self.skipped += skipped
            self._remember()
        return skipped

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(OSError):
            os.close(self.fd)

    def _remember(self) -> None:
        if len(self._head) < _HEAD:
            self._head = _pread(self.fd, min(_HEAD, self.offset), 0)
        self._tail = self._before()

    def _before(self, count: int = _TAIL) -> bytes:
        count = min(count, self.offset)
        return _pread(self.fd, count, self.offset - count)


def is_the_one(fd: int, mark: Mark) -> bool:
    """Whether an open file begins as the one that was left there, and holds the same right before that place."""
    if os.fstat(fd).st_size < mark.offset:
        return False
    count = min(_TAIL, mark.offset)
    return _digest(_pread(fd, mark.head, 0), _pread(fd, count, mark.offset - count)) == mark.hash


def inode(seen: os.stat_result) -> str:
    """``device.inode``."""
    return f"{seen.st_dev}.{seen.st_ino}"


def _digest(head: bytes, tail: bytes) -> str:
    return hashlib.sha256(len(head).to_bytes(4, "big") + head + tail).hexdigest()[:32]


def _pread(fd: int, count: int, offset: int) -> bytes:
    return os.pread(fd, count, offset) if count else b""


def _text(block: bytes) -> str:
    """Octets that are no UTF-8 become U+FFFD; NULs, of which a hole is full, and CRs before line feeds are left out."""
    return block.replace(b"\0", b"").replace(b"\r\n", b"\n").removesuffix(b"\r").decode("utf-8", "replace")
