"""Files by one name, or by a pattern over names, followed through every way there is to turn them over."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from healer.drivers.followed import LONGEST_LINE, Followed, Mark, Take, inode, is_the_one
from healer.drivers.names import PACKED, beside, is_pattern, spelled_out
from healer.errors import SensorError

MOST_FILES = 64
"""Files followed at once: those written last."""
LINGER = 60.0
"""Seconds for which a file that lost its name is still read: its writer may not have opened the new one yet."""
MOST_KEPT = 4 << 20
"""Octets at the end of a backlog that are not skipped."""
_MOST_LOST = 8
_ENOUGH = 32
"""Octets by which a file is told from another that begins alike."""


@dataclass(slots=True, kw_only=True)
class Step:
    """What one reading found; counts are of this reading alone."""

    files: int = 0
    """By the name that is followed."""
    lag: int = 0
    """Octets left for the next reading."""
    skipped: int = 0
    """Octets passed over unread."""
    turned: int = 0
    """Times a file was renamed, cut or written anew."""
    gaps: int = 0
    """Files whose unread rest was nowhere to be found."""
    cut: int = 0
    """Lines of which only the head was looked at."""
    written: float | None = None
    """Wall second of the last write."""
    troubles: list[str] = field(default_factory=list)
    """What could not be read, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one reading may cost."""

    most: int
    """Octets read, about."""
    backlog: int
    """Octets that may wait in one file: of more, all but the last are skipped."""
    enough: Callable[[], bool]
    """Says when its time is up."""


class _Name(NamedTuple):
    """A file by its name, not opened."""

    path: str
    fd: int
    inode: str
    written: float
    size: int


class Tail:
    """Follows ``path``, in which ``*``, ``?`` and ``[...]`` stand for many names; packed files are left out of those.

    All of it blocks: it belongs into a thread. ``link``: a symbolic link in the last place is followed.
    """

    def __init__(self, path: str, *, link: bool = False, now: Callable[[], float]) -> None:
        self.path = path
        self.many = is_pattern(path)
        self._link, self._now = link, now
        self._files: dict[str, Followed] = {}
        self._left: list[Mark] = []
        self._aside: dict[str, int] = {}
        """How far files were read that are not followed now, since others were written later."""
        self._began = False
        """It has looked before, or knows from an earlier run what it has read."""

    def resume(self, marks: Sequence[Mark]) -> None:
        """Go on where an earlier run stopped. Without this, what is there at the first reading is no news."""
        self._left = [mark for mark in marks if mark.hash]
        self._aside = {mark.inode: mark.offset for mark in marks if not mark.hash}
        self._began = True

    def marks(self) -> tuple[Mark, ...]:
        """Where every file is left now."""
        aside = (
            Mark(path="", inode=key, offset=offset, head=0, hash="", lost=True) for key, offset in self._aside.items()
        )
        return (*self._known(), *self._left, *aside)

    def read(self, take: Take, bounds: Bounds) -> Step:
        """Read what is new; raises SensorError when nothing can be read, and not because there is no such file."""
        step = Step()
        found = self._find(step)
        self._take_up(found, step)
        for file in list(self._files.values()):
            with self._held(file, found, step):
                self._turn(file, step)
        self._read_all(found, step, take, bounds)
        self._let_go(found, step, take)
        step.files = len(found)
        if step.troubles and not found:
            raise SensorError(step.troubles[0])
        self._began = True
        return step

    def close(self) -> None:
        """Let go of every file."""
        while self._files:
            self._files.popitem()[1].close()

    # -------------------------------------------------------------------------------------------- which files

    def _find(self, step: Step) -> dict[str, _Name]:
        """The files of that name now, by inode: a descriptor of the name only, so that a pipe cannot hang it."""
        found: dict[str, _Name] = {}
        for path in spelled_out(self.path, step.troubles) if self.many else (self.path,):
            name = self._named(path, step)
            if name is not None and name.inode in found:
                os.close(name.fd)
            elif name is not None:
                found[name.inode] = name
        self._aside = {key: offset for key, offset in self._aside.items() if key in found}
        for name in sorted(found.values(), key=lambda name: name.written)[:-MOST_FILES]:
            self._put_aside(found.pop(name.inode))
        return found

    def _put_aside(self, name: _Name) -> None:
        """Too many others were written later: it is followed no more, until it is written to again."""
        os.close(name.fd)
        file = self._files.pop(name.inode, None)
        if file is None:
            self._aside.setdefault(name.inode, 0 if self._began else name.size)
        else:
            self._aside[name.inode] = file.offset
            file.close()

    def _named(self, path: str, step: Step) -> _Name | None:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC | (0 if self._link else os.O_NOFOLLOW))
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ENOTDIR):
                step.troubles.append(f"cannot look at {path}: {exc.strerror}")
            return None
        seen = os.fstat(fd)
        if stat.S_ISREG(seen.st_mode):
            return _Name(path, fd, inode(seen), seen.st_mtime, seen.st_size)
        os.close(fd)
        if not self.many:
            link = stat.S_ISLNK(seen.st_mode)
            step.troubles.append(f"{path} is {'a symbolic link (link: true)' if link else 'no regular file'}")
        return None

    def _take_up(self, found: dict[str, _Name], step: Step) -> None:
        """Open what was not followed yet, and look for what an earlier run left."""
        for name in list(found.values()):
            known = self._files.get(name.inode)
            if known is not None:
                step.turned += known.path != name.path
                known.path = name.path
            else:
                self._open(found, name, step)
            os.close(name.fd)
        # While nothing is there at all, what it lies on may not be mounted yet; what cannot be read may be it.
        if found and not step.troubles:
            for mark in self._left:
                heir = self._search(mark)
                step.gaps += not mark.lost if heir is None else self._unseen(mark, heir)
            self._left = []

    def _open(self, found: dict[str, _Name], name: _Name, step: Step) -> None:
        try:
            file = Followed(_readable(name.fd), name.path)
        except OSError as exc:
            step.troubles.append(f"cannot read {name.path}: {exc.strerror}")
            del found[name.inode]
            return
        self._files[name.inode] = file
        with self._held(file, found, step):
            self._place(file)

    def _place(self, file: Followed) -> None:
        """Where to begin reading it."""
        left = next((mark for mark in self._left if _goes_on(file, mark)), None)
        # Whoever copies a log and then cuts it leaves a copy, which is no news as far as the log was read.
        others = (other.mark() for other in self._files.values() if other is not file)
        copied = next((mark for mark in others if _goes_on(file, mark)), None)
        aside = self._aside.pop(file.inode, None)
        if left is not None:
            self._left.remove(left)
            file.go_to(left)
        elif aside is not None:
            file.go_on_at(min(aside, file.size))
        elif copied is not None:
            file.go_to(copied)
        elif not self._began:
            file.go_on_at(file.size)

    @contextlib.contextmanager
    def _held(self, file: Followed, found: dict[str, _Name], step: Step) -> Iterator[None]:
        """Let go of a file that its disk does not give any more; when it does again, reading goes on where it was."""
        try:
            yield
        except OSError as exc:
            step.troubles.append(f"cannot read {file.path}: {exc.strerror}")
            self._left.append(file.mark())
            self._files.pop(file.inode).close()
            found.pop(file.inode, None)

    def _known(self) -> Iterator[Mark]:
        return (file.mark() for file in self._files.values())

    def _turn(self, file: Followed, step: Step) -> None:
        """Where a file was cut or written anew since the last reading, begin it again, and the copy that was made."""
        before, unread = file.mark(), file.lag
        if not file.look():
            return
        step.turned += 1
        step.gaps += self._search(before) is None and unread > 0
        file.begin_again()

    def _search(self, mark: Mark) -> Followed | None:
        """Follow the file that holds this now, beside where it was; None when there is none any more."""
        folder, _, name = mark.path.rpartition("/")
        likely = [one for one in beside(folder, name.partition(".")[0]) if not one.endswith(PACKED)]
        heirs = (self._heir(f"{folder}/{one}", mark) for one in likely[:MOST_FILES])
        return next((heir for heir in heirs if heir is not None), None)

    def _heir(self, path: str, mark: Mark) -> Followed | None:
        """The file of that name, where it holds the rest of what was left there; then it is followed."""
        try:
            name_fd = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            file = Followed(_readable(name_fd), path)
        except OSError:
            return None
        finally:
            os.close(name_fd)
        heir = _goes_on(file, mark)
        if not heir or file.inode in self._files:
            file.close()
            return self._files.get(file.inode) if heir else None
        file.go_to(mark)
        file.quiet_since = self._now()
        self._files[file.inode] = file
        return file

    def _unseen(self, mark: Mark, heir: Followed) -> int:
        """How many files were begun and put away after the one that was left, all while nobody looked."""
        folder, _, name = mark.path.rpartition("/")
        count = 0
        for one in beside(folder, name)[:MOST_FILES]:
            with contextlib.suppress(OSError):
                seen = Path(folder, one).lstat()
                later = stat.S_ISREG(seen.st_mode) and seen.st_mtime > heir.written
                count += later and inode(seen) not in self._files
        return count

    # ------------------------------------------------------------------------------------------ what is in them

    def _read_all(self, found: dict[str, _Name], step: Step, take: Take, bounds: Bounds) -> None:
        # Those that lost their name first: what is in them is older. Then the short ones, which leave more for others.
        files = sorted(self._files.values(), key=lambda file: (file.inode in found, file.lag))
        left = bounds.most
        for place, file in enumerate(files):
            with self._held(file, found, step):
                passed = self._read(file, step, take, replace(bounds, most=left // (len(files) - place)))
                left -= passed
                if file.inode in found:
                    file.quiet_since = None
                elif passed or file.quiet_since is None:
                    step.turned += file.quiet_since is None
                    file.quiet_since = self._now()

    @staticmethod
    def _read(file: Followed, step: Step, take: Take, bounds: Bounds) -> int:
        cut = file.cut
        if file.lag > bounds.backlog:
            step.skipped += file.skip(min(MOST_KEPT, bounds.backlog))
        passed = file.read(take, bounds.most, bounds.enough)
        step.cut += file.cut - cut
        step.lag += file.lag
        step.written = max(step.written or 0.0, file.written)
        return passed

    def _let_go(self, found: dict[str, _Name], step: Step, take: Take) -> None:
        """Let go of files that lost their name and to which nothing was written for long."""
        lost = [file for key, file in self._files.items() if key not in found]
        for place, file in enumerate(lost):
            quiet = file.quiet_since is not None and self._now() - file.quiet_since >= LINGER
            if quiet or place < len(lost) - _MOST_LOST:
                step.gaps += file.lag > LONGEST_LINE
                with contextlib.suppress(OSError):
                    file.finish(take)
                self._files.pop(file.inode).close()


def _goes_on(file: Followed, mark: Mark) -> bool:
    """Whether a file is the one that was left there, or a copy of it."""
    if mark.offset < _ENOUGH:
        return file.inode == mark.inode and is_the_one(file.fd, mark)
    return is_the_one(file.fd, mark)


def _readable(name_fd: int) -> int:
    """The very file that was looked at, opened for reading; raises OSError, also for what is no regular file."""
    if not stat.S_ISREG(os.fstat(name_fd).st_mode):
        raise OSError(errno.EINVAL, "no regular file")
    return os.open(f"/proc/self/fd/{name_fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
