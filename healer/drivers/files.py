"""Deleting below one declared folder, by directory descriptors: no name is trusted twice, no link or mount is crossed.

The folder may belong to others, who may do their worst while we walk. What they can win: a file of theirs inside it is
deleted or spared. What they cannot: that anything outside is.
"""

import contextlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path

from healer.drivers import inuse
from healer.errors import ActionError
from healer.model.paths import refusal

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DEEPEST = 64
_MOST_SEEN = 500_000
"""Entries looked at in one walk: memory for them is bounded, and so is the time."""
_MOUNT = re.compile(rb"^mnt_id:\s*(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may go. Bytes and seconds."""

    older: float = 86400.0
    """Not changed for so long."""
    pattern: str = "*"
    """Of the name alone (``*`` and ``?``)."""
    keep: int = 0
    """The newest files stay, as long as they take up no more than this together."""
    most_files: int = 10_000
    most_bytes: int = 10 * 2**30
    """Bounds of one run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One regular file as the walk met it."""

    parents: tuple[str, ...]
    """Names of the folders above it, from the declared one down."""
    folder: tuple[int, int]
    name: str
    identity: tuple[int, int, int, int]
    changed: float
    size: int
    """Bytes on disk, holes left out."""
    links: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a walk found."""

    chosen: tuple[File, ...] = ()
    """What would go, the oldest first."""
    spared: Mapping[str, int] = field(default_factory=dict)
    """How many things stay, by the reason."""
    cut: str = ""
    """Why the walk did not see everything; empty when it did."""

    @property
    def size(self) -> int:
        """Bytes that would be free afterwards."""
        return sum(file.size for file in self.chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What was done."""

    files: int
    size: int
    """Bytes freed."""
    spared: Mapping[str, int]
    cut: str = ""


class Clearing:
    """One folder and what may go there. All of it blocks: call it through `blocking`, never twice at a time."""

    def __init__(
        self,
        path: str,
        policy: Policy,
        *,
        wall: float,
        until: float,
        now: Callable[[], float],
        keep_out: Collection[int],
    ) -> None:
        """``wall`` is the second files' ages count to; the walk ends when ``now()`` passes ``until``.

        ``keep_out`` are inodes of folders that are never entered: the agent's own. Raises ActionError for a path
        nothing may be deleted below.
        """
        if because := refusal(path):
            raise ActionError(f"nothing is deleted there: {because}", transient=False)
        self._path, self._policy = path, policy
        self._wall, self._until, self._now = wall, until, now
        self._keep_out = frozenset(keep_out)
        self._spared: Counter[str] = Counter()
        self._seen = 0
        self._cut = ""

    def survey(self) -> Survey:
        """Look, and choose; nothing is touched. Raises ActionError where the folder cannot be opened without links."""
        with opened(self._path) as root:
            found = list(self._walk(root, (), os.fstat(root).st_dev, _mount(root)))
        held = inuse.files()
        return Survey(chosen=tuple(self._chosen(found, held)), spared=dict(self._spared), cut=self._cut)

    def clear(self) -> Cleared:
        """Delete what a fresh survey chooses; raises ActionError where the folder cannot be opened without links."""
        survey = self.survey()
        spared, files, freed = Counter(survey.spared), 0, 0
        with opened(self._path) as root:
            for file in sorted(survey.chosen, key=attrgetter("parents")):
                if self._late():
                    break
                because = _delete(root, file)
                if because:
                    spared[because] += 1
                else:
                    files, freed = files + 1, freed + file.size
        return Cleared(files=files, size=freed, spared=dict(spared), cut=self._cut)

    def _late(self) -> bool:
        if self._now() > self._until:
            self._cut = "its time was over"
        elif self._seen > _MOST_SEEN:
            self._cut = f"it holds more than {_MOST_SEEN} entries"
        return bool(self._cut)

    def _walk(self, fd: int, parents: tuple[str, ...], device: int, mount: int) -> Iterator[File]:
        here = os.fstat(fd)
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    self._seen += 1
                    if self._late():
                        return
                    yield from self._met(entry, fd, parents, device, mount, (here.st_dev, here.st_ino))
        except OSError:  # a disk that fails, a share that is gone
            self._spared["folder that cannot be read"] += 1

    def _met(
        self,
        entry: "os.DirEntry[str]",
        fd: int,
        parents: tuple[str, ...],
        device: int,
        mount: int,
        folder: tuple[int, int],
    ) -> Iterator[File]:
        try:
            seen = entry.stat(follow_symlinks=False)
        except OSError:
            return  # it went in between
        if stat.S_ISDIR(seen.st_mode):
            yield from self._below(fd, entry.name, parents, device, mount)
        elif stat.S_ISREG(seen.st_mode) and seen.st_dev == device:
            if (file := self._fits(entry.name, seen, parents, folder)) is not None:
                yield file
        else:
            self._spared["no regular file"] += 1

    def _below(self, fd: int, name: str, parents: tuple[str, ...], device: int, mount: int) -> Iterator[File]:
        if len(parents) >= _DEEPEST:
            self._spared["too deep"] += 1
            return
        try:
            child = os.open(name, _FOLDER, dir_fd=fd)
        except OSError:  # swapped for a link meanwhile, gone, or not ours to read
            self._spared["folder that cannot be opened"] += 1
            return
        try:
            seen = os.fstat(child)
            # A bind mount has the same device: the mount's own number tells.
            if seen.st_dev != device or _mount(child) != mount:
                self._spared["mount point"] += 1
            elif seen.st_ino in self._keep_out:
                self._spared["the agent's own folder"] += 1
            else:
                yield from self._walk(child, (*parents, name), device, mount)
        finally:
            os.close(child)

    def _fits(self, name: str, seen: os.stat_result, parents: tuple[str, ...], folder: tuple[int, int]) -> File | None:
        if not fnmatchcase(name, self._policy.pattern):
            self._spared["another name"] += 1
            return None
        return File(
            parents=parents,
            folder=folder,
            name=name,
            identity=_identity(seen),
            changed=seen.st_mtime,
            size=seen.st_blocks * 512,
            links=seen.st_nlink,
        )

    def _chosen(self, found: list[File], held: frozenset[inuse.File]) -> Iterator[File]:
        policy = self._policy
        left, files, size = sum(file.size for file in found), 0, 0
        for file in sorted(found, key=attrgetter("changed")):
            because = ""
            if self._wall - file.changed < policy.older:
                because = "too young"
            elif left <= policy.keep:
                because = "kept, as there is room for them"
            elif file.links > 1:
                because = "has other names (hard links)"
            elif inuse.held(*file.identity[:2], held):
                because = "open"
            elif files >= policy.most_files or size + file.size > policy.most_bytes:
                because = "over the bound of one run"
            if because:
                self._spared[because] += 1
                continue
            left, files, size = left - file.size, files + 1, size + file.size
            yield file


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of a folder, reached from the root part by part without following a link; raises ActionError."""
    fd = os.open("/", _FOLDER)
    try:
        for part in path.strip("/").split("/"):
            if part in {"", "."}:
                continue
            try:
                child = os.open(part, _FOLDER, dir_fd=fd)
            except OSError as exc:
                hint = "write the path without links (readlink -f)" if exc.errno in {20, 40} else ""
                raise ActionError(
                    f"cannot open {path} at {part!r}: {exc.strerror}", hint=hint, transient=False
                ) from exc
            os.close(fd)
            fd = child
        yield fd
    finally:
        os.close(fd)


def _delete(root: int, file: File) -> str:
    """Delete one file where it still is what was seen; returns why not, empty when it is gone."""
    with contextlib.ExitStack() as held:
        fd = root
        try:
            for part in file.parents:
                fd = os.open(part, _FOLDER, dir_fd=fd)
                held.callback(os.close, fd)
            here = os.fstat(fd)
            if (here.st_dev, here.st_ino) != file.folder:
                return "changed while we looked"
            if _identity(os.stat(file.name, dir_fd=fd, follow_symlinks=False)) != file.identity:
                return "changed while we looked"
            # Between these two lines the name may be given to another file: it is one of this folder, never another's.
            os.unlink(file.name, dir_fd=fd)
        except FileNotFoundError:
            return "gone by itself"
        except NotADirectoryError:
            return "changed while we looked"
        except OSError as exc:
            return exc.strerror or "cannot be deleted"
    return ""


def _identity(seen: os.stat_result) -> tuple[int, int, int, int]:
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)


def _mount(fd: int) -> int:
    """Number of the mount a descriptor lies in; 0 where the kernel does not say."""
    with contextlib.suppress(OSError), Path(f"/proc/self/fdinfo/{fd}").open("rb") as file:
        found = _MOUNT.search(file.read(4096))
        return int(found[1]) if found else 0
    return 0
