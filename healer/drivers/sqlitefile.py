"""Mending a database of SQLite that nobody has open: on a copy, proved before it takes the old one's place.

Nothing is written into the file itself. The copy is made, checked and mended in a folder of the agent's own; what comes
out is put beside the old file, and takes its name in one rename. The old one is kept under another.
"""

import contextlib
import hashlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from healer.drivers import inuse
from healer.drivers.files import opened
from healer.errors import ActionError

_BESIDE = ("-wal", "-journal")
"""What belongs to a database besides its file; the index of the log, ``-shm``, is made anew."""
_MOST = 4 * 2**30
_CHUNK = 1 << 20
_FEW = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What became of it."""

    how: str
    """Empty where nothing was wrong; else ``reindexed`` or ``recovered``."""
    found: tuple[str, ...] = ()
    """What integrity_check said of it before, the first few lines."""
    rows: int = 0
    lost: tuple[str, ...] = ()
    """Tables whose rows could not all be read."""
    kept: tuple[str, ...] = ()
    """Where the old files are now."""


@dataclass(slots=True)
class Repair:
    """One database, one try. All of it blocks."""

    path: str
    work: Path
    """A folder of ours alone, made for this."""
    mark: str
    """Goes into the names of what is kept."""
    late: Callable[[], bool]
    _lost: list[str] = field(default_factory=list)

    def run(self) -> Mended:
        """Check it, mend it, take the old one's place; raises ActionError, and then the old one is as it was."""
        pure = PurePosixPath(self.path)
        with opened(str(pure.parent)) as folder:
            self._check_free(folder, pure.name)
            self.work.mkdir(mode=0o700, parents=True)
            try:
                return self._mended(folder, pure.name)
            except sqlite3.Error as exc:
                raise ActionError(f"cannot mend {self.path}: {exc}") from exc
            except OSError as exc:
                raise ActionError(f"cannot mend {self.path}: {exc.strerror or exc}") from exc
            finally:
                shutil.rmtree(self.work, ignore_errors=True)

    def _check_free(self, folder: int, name: str) -> None:
        for one in (name, *(f"{name}{tail}" for tail in _BESIDE)):
            with contextlib.suppress(FileNotFoundError):
                seen = os.stat(one, dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISREG(seen.st_mode):
                    raise ActionError(f"{one} is no regular file", transient=False)
                if pids := inuse.holders(seen.st_dev, seen.st_ino):
                    raise ActionError(f"pid {pids[0]} has {one} open", hint="stop it first, and start it afterwards")

    def _mended(self, folder: int, name: str) -> Mended:
        copy = self.work / "old"
        seen = self._copied(folder, name, copy)
        for tail in _BESIDE:
            with contextlib.suppress(FileNotFoundError):
                self._copied(folder, f"{name}{tail}", self.work / f"old{tail}")
        found = self._problems(copy)
        if not found:
            return Mended(how="")
        fresh, how = self._cured(copy)
        if left := self._problems(fresh):
            raise ActionError(f"{self.path} is still not whole: {left[0]}", transient=False)
        rows = self._rows(fresh)
        kept = self._swapped(folder, name, fresh, seen)
        return Mended(how=how, found=tuple(found[:_FEW]), rows=rows, lost=tuple(self._lost), kept=kept)

    def _copied(self, folder: int, name: str, to: Path) -> os.stat_result:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(fd, "rb") as old, to.open("xb") as new:
            seen = os.fstat(fd)
            if not stat.S_ISREG(seen.st_mode) or seen.st_size > _MOST:
                raise ActionError(f"{name} is no regular file of at most {_MOST >> 30} GiB", transient=False)
            while chunk := old.read(_CHUNK):
                if self.late():
                    raise ActionError(f"{self.path}: its time was over before it was copied")
                new.write(chunk)
        return seen

    @contextlib.contextmanager
    def _connected(self, path: Path) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.set_progress_handler(lambda: 1 if self.late() else 0, 10_000)
            db.text_factory = _text  # whatever it holds
            yield db
        finally:
            db.close()

    def _problems(self, path: Path) -> list[str]:
        """What integrity_check finds; raises sqlite3.OperationalError when the time is over."""
        try:
            with self._connected(path) as db:
                said = [str(row[0]) for row in db.execute(f"PRAGMA integrity_check({_FEW})")]
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as exc:  # it cannot even be read
            return [str(exc)]
        return [] if said == ["ok"] else said

    def _cured(self, copy: Path) -> tuple[Path, str]:
        """Indexes made anew where that is enough; else all rows that can be read, in a new file."""
        with contextlib.suppress(sqlite3.DatabaseError), self._connected(copy) as db:
            db.execute("REINDEX")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if not self._problems(copy):
            return copy, "reindexed"
        fresh = self.work / "new"
        with self._connected(copy) as old, self._connected(fresh) as new:
            new.execute("PRAGMA synchronous=OFF")
            new.execute("BEGIN")
            self._recover(old, new)
            new.execute("COMMIT")
        return fresh, "recovered"

    def _recover(self, old: sqlite3.Connection, new: sqlite3.Connection) -> None:
        parts = [(str(kind), str(name), str(sql)) for kind, name, sql in old.execute(_SCHEMA)]
        if any("VIRTUAL" in sql.upper().split("(", 1)[0] for kind, _, sql in parts if kind == "table"):
            raise ActionError(f"{self.path} has virtual tables", hint="repair it by a command", transient=False)
        tables = [(name, sql) for kind, name, sql in parts if kind == "table" and not name.startswith("sqlite_")]
        for _, sql in tables:
            new.execute(sql)
        counted = [name for kind, name, _ in parts if kind == "table" and name == "sqlite_sequence"]
        for name in [*(name for name, _ in tables), *counted]:
            if name in counted:
                new.execute("DELETE FROM sqlite_sequence")  # filled by itself meanwhile
            self._fill(old, new, name)
        for kind, name, sql in parts:
            if kind != "table":
                try:
                    new.execute(sql)
                except sqlite3.DatabaseError:  # a unique index over rows that are double now
                    self._lost.append(f"{kind} {name}")
        for pragma in ("user_version", "application_id"):
            new.execute(f"PRAGMA {pragma} = {int(old.execute(f'PRAGMA {pragma}').fetchone()[0])}")

    def _fill(self, old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
        """Rows from the front until a damaged page stops us, then from the back."""
        named = [str(row[1]) for row in new.execute(f"PRAGMA table_info({_quoted(table)})")]  # no generated columns
        columns = ", ".join(map(_quoted, named))
        query = f"SELECT {columns} FROM {_quoted(table)} NOT INDEXED"  # noqa: S608 - quoted names
        places = ", ".join("?" * len(named))
        insert = f"INSERT OR IGNORE INTO {_quoted(table)} ({columns}) VALUES ({places})"  # noqa: S608 - quoted names
        if not self._read(old, new, query, insert):
            self._lost.append(table)
            self._read(old, new, f"{query} ORDER BY rowid DESC", insert)  # not WITHOUT ROWID: there is no way round

    def _read(self, old: sqlite3.Connection, new: sqlite3.Connection, query: str, insert: str) -> bool:
        try:
            for row in old.execute(query):
                new.execute(insert, row)
        except sqlite3.DatabaseError:
            if self.late():
                raise
            return False
        return True

    def _rows(self, path: Path) -> int:
        with self._connected(path) as db:
            names = [str(row[0]) for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
            counts = (db.execute(f"SELECT count(*) FROM {_quoted(name)}") for name in names)  # noqa: S608
            return sum(int(count.fetchone()[0]) for count in counts)

    def _swapped(self, folder: int, name: str, fresh: Path, seen: os.stat_result) -> tuple[str, ...]:
        """Put the new file in the old one's place; what was there is kept."""
        made = f".{name}.{self.mark}.new"
        digest = _written(folder, made, fresh, seen)
        self._check_free(folder, name)  # somebody may have opened it meanwhile
        if _changed(folder, name, seen):
            os.unlink(made, dir_fd=folder)
            raise ActionError(f"{self.path} was written to meanwhile")
        kept = []
        for tail in (*_BESIDE, "-shm"):  # before the swap: an old log must never be taken for the new file's
            with contextlib.suppress(FileNotFoundError):
                old = f"{name}.broken-{self.mark}{tail}"
                os.rename(f"{name}{tail}", old, src_dir_fd=folder, dst_dir_fd=folder)
                kept.append(old)
        broken = f"{name}.broken-{self.mark}"
        os.link(name, broken, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.rename(made, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise ActionError(f"{self.path} is not what was written", transient=False)
        return (broken, *kept)


_SCHEMA = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"


def _written(folder: int, made: str, fresh: Path, seen: os.stat_result) -> str:
    """Copy the mended file beside the old one, with its owner and mode; returns the hash of what was written."""
    digest = hashlib.sha256()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(made, flags, 0o600, dir_fd=folder)
    with os.fdopen(fd, "wb") as new, fresh.open("rb") as old:
        while chunk := old.read(_CHUNK):
            digest.update(chunk)
            new.write(chunk)
        if (seen.st_uid, seen.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(fd, seen.st_uid, seen.st_gid)
        os.fchmod(fd, stat.S_IMODE(seen.st_mode))
        new.flush()
        os.fsync(fd)
    return digest.hexdigest()


def _changed(folder: int, name: str, seen: os.stat_result) -> bool:
    now = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return (now.st_ino, now.st_size, now.st_mtime_ns) != (seen.st_ino, seen.st_size, seen.st_mtime_ns)


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
