"""What a witness remembers: the newest tree head it has cosigned of each log, on disk before anybody is told."""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from audit.errors import Busy, Damaged, Malformed, Poisoned
from audit.files import sync_folder
from audit.note import Note
from audit.treehead import TreeHead

DATABASE: Final = "witness.db"
LOCK: Final = "lock"
_APPLICATION: Final = 0x48574954
_CURABLE: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
"""What says something about the disk, and nothing about what is on it."""
_FORGOTTEN: Final = "retire this witness's key: what it has cosigned is forgotten"
_EMPTY_ROOT: Final = sha256(b"").digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The newest tree head of one log, as it was cosigned."""

    size: int
    root: bytes
    note: bytes
    """With the log's and our own signatures; empty before the first."""


NOTHING: Final = Held(size=0, root=_EMPTY_ROOT, note=b"")


class State:
    """The memory of one witness; ``put`` counts at once, and may be told to others only after ``flush``."""

    def __init__(self, folder: Path, lock: int, database: sqlite3.Connection, held: dict[str, Held]) -> None:
        """Use ``open`` instead."""
        self.folder = folder
        self._lock = lock
        self._database = database
        self._held = held
        self._unwritten: dict[str, Held] = {}
        self._poisoned = False

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Take the state in ``folder``, made new where there has never been one.

        Raises ``Busy`` where another witness uses it, ``Poisoned`` where it cannot be written, and ``Damaged`` for what
        is not a witness's state: a state that was lost is never replaced silently, because a witness that forgot
        cosigns a fork.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _take(folder / LOCK)
        try:
            database, held = _opened(folder, lock)
        except BaseException:
            os.close(lock)
            raise
        return cls(folder, lock, database, held)

    def __getitem__(self, origin: str) -> Held:
        """Return what is remembered of a log; ``NOTHING`` before the first time."""
        return self._held.get(origin, NOTHING)

    def put(self, origin: str, held: Held) -> None:
        """Remember a newer head; durable after the next ``flush``."""
        self._held[origin] = self._unwritten[origin] = held

    def flush(self) -> None:
        """Write everything that was put since the last time, in one transaction that is flushed to the disk.

        Raises ``Poisoned`` where that fails: what is on the disk is then unknown, and only a new start may go on.
        """
        if self._poisoned:
            raise Poisoned("an earlier write of the witness's state failed")
        if not self._unwritten:
            return
        rows = [(origin, held.size, held.note) for origin, held in self._unwritten.items()]
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT OR REPLACE INTO head (origin, size, note) VALUES (?, ?, ?)", rows)
            self._database.execute("COMMIT")
        except sqlite3.Error as exc:
            # No second try: after a failed flush the kernel may have dropped what was not written.
            self._poisoned = True
            raise Poisoned(f"cannot write {self.folder / DATABASE}: {exc}", hint="is the disk full?") from exc
        self._unwritten.clear()

    def logs(self) -> Mapping[str, Held]:
        """Return everything that is remembered, by origin."""
        return self._held

    def close(self) -> None:
        """Let go of the database and the lock; what was not flushed is lost, and was never told."""
        self._database.close()
        os.close(self._lock)


def _take(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if not stat.S_ISREG(os.fstat(lock).st_mode):
        os.close(lock)
        raise Damaged(f"{path} is not a regular file")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(lock)
        raise Busy(f"another witness uses {path.parent}") from exc
    return lock


def _opened(folder: Path, lock: int) -> tuple[sqlite3.Connection, dict[str, Held]]:
    """Open the database; the lock file's content says whether there must be one."""
    path = folder / DATABASE
    made = os.fstat(lock).st_size > 0
    if made and not path.exists():
        raise Damaged(f"{path} is missing", hint=_FORGOTTEN)
    # One thread serves, which need not be the one that opened.
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        _make_durable(path, database)
        _adopt(path, database, made=made)
        held = _read(path, database)
    except sqlite3.Error as exc:
        database.close()
        if exc.sqlite_errorcode & 0xFF in _CURABLE:
            raise Poisoned(f"cannot write {path}: {exc}", hint="is the disk full, or read-only?") from exc
        raise Damaged(f"{path} is not a witness's state: {exc}") from exc
    except BaseException:
        database.close()
        raise
    if not made:
        sync_folder(folder)
        sync_folder(folder.parent)
        os.pwrite(lock, b"made\n", 0)
        os.fsync(lock)
    return database, held


def _make_durable(path: Path, database: sqlite3.Connection) -> None:
    """See to it that a commit is on the disk when it returns; raises ``Damaged`` where that cannot be had."""
    # Exclusive: nobody else has business here, and older SQLite can lose a WAL reset between two processes.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    database.execute("PRAGMA synchronous = FULL")
    level = database.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        raise Damaged(f"{path} cannot be written durably (journal {mode}, synchronous {level})")


def _adopt(path: Path, database: sqlite3.Connection, *, made: bool) -> None:
    application = database.execute("PRAGMA application_id").fetchone()[0]
    tables = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if made and application == 0 and tables == 0:
        raise Damaged(f"{path} was emptied", hint=_FORGOTTEN)
    if application == 0 and tables == 0:
        database.executescript(
            f"BEGIN; PRAGMA application_id = {_APPLICATION};"
            "CREATE TABLE head (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, note BLOB NOT NULL) STRICT; COMMIT"
        )
    elif application != _APPLICATION:
        raise Damaged(f"{path} is not a witness's state")
    found = database.execute("PRAGMA quick_check").fetchone()[0]
    if found != "ok":
        raise Damaged(f"{path} is damaged: {found}")


def _read(path: Path, database: sqlite3.Connection) -> dict[str, Held]:
    held = {}
    for origin, size, octets in database.execute("SELECT origin, size, note FROM head"):
        try:
            head = TreeHead.parse(Note.parse(octets).text)
        except Malformed as exc:
            raise Damaged(f"{path} holds no tree head for {origin!r}: {exc.message}") from exc
        if (head.origin, head.size) != (origin, size):
            raise Damaged(f"{path} contradicts itself about {origin!r}")
        held[origin] = Held(size=size, root=head.root, note=octets)
    return held
