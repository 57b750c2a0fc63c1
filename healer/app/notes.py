"""Cosigned checkpoints, kept beside the log: which of them stay, and which a newer one replaces."""

import contextlib
import re
import threading
from pathlib import Path
from typing import Final

from audit import places
from audit.errors import AuditError
from audit.files import read_small, write_atomically
from healer.clock import Clock

_STARTS: Final = "starts"
_NOTE = re.compile(r"(\d{12})\.note", re.ASCII)
_HOUR = 3600.0
_YEAR = 366 * 86400.0
_MAX = 65_536
_MOST_STARTS = 4096


class Notes:
    """The newest note, the last of each hour for a year, and the newest from before each start.

    The last kind says what was seen before a crash: what a break of the ratchet costs ends there. Blocks.
    """

    def __init__(self, state_dir: Path, *, clock: Clock, size: int) -> None:
        """Take up what lies there; ``size`` is how many blocks the log has. Raises OSError."""
        self.folder = state_dir / places.WITNESSED
        self._clock = clock
        self._turn = threading.Lock()
        self._loose: tuple[int, float] | None = None
        """Size and hour of the note that the next one of its hour replaces."""
        self._pinned = 0
        """Size of the note that was given to an authority last: its time stamp is worth nothing without it."""
        self.folder.mkdir(mode=0o755, exist_ok=True)
        kept = [one for one in self._sizes() if one <= size]  # an older log than its notes: they are not of this one
        self.newest = max(kept, default=0)
        """Blocks that the newest note covers; 0 without one."""
        self._starts = self._read_starts()
        if self.newest and self.newest not in self._starts:
            self._starts = [*self._starts, self.newest][-_MOST_STARTS:]
            text = "".join(f"{one}\n" for one in self._starts)
            write_atomically(self.folder / _STARTS, text.encode())
        self._sweep()

    def path(self, size: int) -> Path:
        """Where the note of so many blocks lies; its time stamp has the suffix ``.tsr``."""
        return self.folder / f"{size:012d}.note"

    def read(self, size: int) -> bytes:
        """The note of so many blocks; raises OSError or AuditError."""
        return read_small(self.path(size), _MAX)

    def keep(self, size: int, note: bytes) -> None:
        """Keep a cosigned note, in place of the one before where that was of the same hour; raises OSError."""
        with self._turn:
            write_atomically(self.path(size), note)
            hour = self._clock.wall() // _HOUR
            loose, self._loose = self._loose, (size, hour)
            self.newest = max(self.newest, size)
            if loose is None or loose[0] == size:
                return
            if loose[1] != hour:
                self._sweep()
            elif loose[0] != self._pinned:
                self.path(loose[0]).unlink(missing_ok=True)

    def pin(self, size: int, note: bytes) -> bytes:
        """Have a note stay, ``note`` itself where none of that size is kept; returns what is kept. Raises OSError."""
        with self._turn:
            self._pinned = size
            if not self.path(size).exists():
                write_atomically(self.path(size), note)
                return note
            return self.read(size)

    def stamp(self, size: int, token: bytes) -> None:
        """Keep the time stamp of a note that was pinned; raises OSError."""
        write_atomically(self.path(size).with_suffix(".tsr"), token)

    def stamped_at(self) -> float:
        """Wall-clock second at which the newest time stamp was kept; 0 without one."""
        return max((_age_mark(path) for path in self.folder.glob("*.tsr")), default=0.0)

    def _sizes(self) -> list[int]:
        return [int(found[1]) for path in self.folder.iterdir() if (found := _NOTE.fullmatch(path.name))]

    def _read_starts(self) -> list[int]:
        try:
            words = read_small(self.folder / _STARTS, _MAX).split()
        except (OSError, AuditError):
            return []
        return [int(word) for word in words if word.isdigit() and len(word) <= 12]

    def _sweep(self) -> None:
        """Drop what is older than a year, but not what covers a start."""
        before = self._clock.wall() - _YEAR
        for size in self._sizes():
            path = self.path(size)
            if size == self.newest or size in self._starts or _age_mark(path) >= before:
                continue
            for one in (path, path.with_suffix(".tsr")):
                with contextlib.suppress(OSError):
                    one.unlink(missing_ok=True)


def _age_mark(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
