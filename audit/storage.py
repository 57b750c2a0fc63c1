"""The log's file as its one writer holds it: durable or refused, never in between."""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import create_engine
from sqlalchemy.engine import Connection
from sqlalchemy.pool import NullPool

from audit import schema
from audit.block import APPLICATION_ID
from audit.errors import Busy, Damaged, DiskFull, Poisoned, Unreadable
from audit.files import sync_folder
from audit.reader import WRITTEN_HERE, Blocks, Log

_FULL: Final = 2
_INSERT: Final = "INSERT INTO blocks (height, first, n, hdr, sig, rsig, body) VALUES (?, ?, ?, ?, zeroblob(?), ?, ?)"
_RESERVE_SLACK: Final = 2
"""The reserve is rebuilt when so many times its size are free again, lest it be taken and given back in turns."""


class Store:
    """One read-write connection, the only one there ever is.

    Readers of other processes never checkpoint and there is no second writer, so the write-ahead file is only ever
    reset by the connection that writes it: the SQLite bug fixed in 3.51.3 needs two.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        """Open the file; with ``create`` it may be absent. Raises ``Damaged`` when it is not a log."""
        self.path = path
        self._turn = threading.Lock()
        """Sealing and pruning come from two threads; transactions on one connection must not mix."""
        mode = "rwc" if create else "rw"
        engine = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=5.0,
                isolation_level=None,  # BEGIN and COMMIT are ours
                check_same_thread=False,  # opened here, used by one thread at a time, closed after them
            ),
            poolclass=NullPool,
        )
        with _damage(path):
            self._connection: Connection = engine.connect()
            try:
                self._prepare(create=create)
            except BaseException:
                self._connection.close()
                raise
        found = path.stat()
        self._file = (found.st_dev, found.st_ino)
        WRITTEN_HERE.add(self._file)
        sync_folder(path.parent)

    def _prepare(self, *, create: bool) -> None:
        driver = self._connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise Damaged("the log needs SQLite's own driver")
        self.driver = driver
        self.blocks: Blocks = Log(driver)
        if create and driver.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
            self._set_durable()
            driver.execute("BEGIN IMMEDIATE")
            schema.create(self._connection)
            driver.execute("COMMIT")
        elif driver.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            raise Damaged(f"{self.path} is a database, but not a sealed log", hint="move it away, or restore the log")
        else:
            self._set_durable()

    def _set_durable(self) -> None:
        """Ask for a flush at each commit, and read the answer back: SQLite may keep another mode silently."""
        mode = self.driver.execute("PRAGMA journal_mode = WAL").fetchone()
        self.driver.execute("PRAGMA synchronous = FULL").fetchall()
        level = self.driver.execute("PRAGMA synchronous").fetchone()
        if mode != ("wal",) or level != (_FULL,):
            raise Damaged(
                f"{self.path} cannot be made durable: journal_mode={mode}, synchronous={level}",
                hint="keep the state folder on a local file system",
            )

    def append(
        self, row: tuple[int, int, int, bytes, int, bytes, bytes], signature: Callable[[], bytes] | None
    ) -> None:
        """Commit one block: (height, first, n, hdr, size of the signature, rsig, body).

        ``signature`` is asked for only after the body has been written, so that signing and writing overlap; without
        one its octets stay zero until ``sign``. Raises ``DiskFull`` (nothing was kept, going on is safe) or
        ``Poisoned`` (nobody knows what was kept).
        """
        with self._turn:
            self._append(row, signature)

    def _append(
        self, row: tuple[int, int, int, bytes, int, bytes, bytes], signature: Callable[[], bytes] | None
    ) -> None:
        try:
            if signature is None:
                self.driver.execute(_INSERT, row)  # by itself a transaction: two statements less
                return
            self.driver.execute("BEGIN IMMEDIATE")
            self.driver.execute(_INSERT, row)
            self._write_signature(row[0], signature())
            self.driver.execute("COMMIT")
        except sqlite3.Error as exc:
            raise self._failed(exc) from exc
        except Exception as exc:  # the signer's: a module of its own, which may raise anything
            self._roll_back()
            raise Poisoned(f"sealing failed: {exc}", hint="look at the signer, then start again") from exc

    def sign(self, signatures: Sequence[tuple[int, bytes]]) -> None:
        """Write the signatures (height, octets) that blocks still lack, in one transaction; raises as ``append`` does.

        Nothing else of a sealed block is touched, and a signature that is there is never replaced.
        """
        with self._turn:
            try:
                self.driver.execute("BEGIN IMMEDIATE")
                for height, signature in signatures:
                    self._write_signature(height, signature)
                self.driver.execute("COMMIT")
            except sqlite3.Error as exc:
                raise self._failed(exc) from exc
            except Poisoned:
                self._roll_back()
                raise

    def _write_signature(self, height: int, signature: bytes) -> None:
        """Written in place: an UPDATE would write the whole row again, body and all."""
        with self.driver.blobopen("blocks", "sig", height) as blob:
            if blob.read() != bytes(len(signature)):
                raise Poisoned(
                    f"block {height} has no room for a signature, or has one", hint="run: healer audit verify"
                )
            blob.seek(0)
            blob.write(signature)

    def drop(self, heights: Sequence[int]) -> None:
        """Empty the bodies of these blocks in one transaction; raises as ``append`` does.

        What was in them is overwritten, not only let go: that is what a retention is for.
        """
        with self._turn:
            try:
                self.driver.execute("PRAGMA secure_delete = ON").fetchall()
                self.driver.execute("BEGIN IMMEDIATE")
                # The seat-belt comes off and on again in the same transaction: nobody ever sees the table without it.
                self.driver.execute("DROP TRIGGER IF EXISTS blocks_no_update")
                self.driver.executemany("UPDATE blocks SET body = x'' WHERE height = ?", [(one,) for one in heights])
                self.driver.execute(schema.NO_UPDATE)
                self.driver.execute("COMMIT")
            except sqlite3.Error as exc:
                raise self._failed(exc) from exc

    def fasten(self) -> list[str]:
        """Put missing seat-belts on; return their names. Raises ``DiskFull`` or ``Poisoned``."""
        with self._turn:
            try:
                return schema.fasten(self.driver)
            except sqlite3.Error as exc:
                raise self._failed(exc) from exc

    def _failed(self, exc: sqlite3.Error) -> DiskFull | Poisoned:
        rolled_back = self._roll_back()
        # Extended codes carry the plain one in their low byte.
        if rolled_back and getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            return DiskFull("no space is left for the log", hint=f"free space on the file system of {self.path}")
        return Poisoned(f"a commit to {self.path} failed: {exc}", hint="check the disk, then start again")

    def _roll_back(self) -> bool:
        with contextlib.suppress(sqlite3.Error):
            if self.driver.in_transaction:
                self.driver.execute("ROLLBACK")
        return not self.driver.in_transaction

    def close(self) -> None:
        """Close the connection; SQLite then folds the write-ahead file into the log."""
        with contextlib.suppress(sqlite3.Error):  # a full or broken disk: what was committed stays in the -wal
            self._connection.close()
        WRITTEN_HERE.discard(self._file)


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (sqlite3.Error, DBAPIError) as exc:
        # Extended codes carry the plain one in their low byte.
        plain = getattr(exc, "orig", exc)
        code = getattr(plain, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise DiskFull("no space is left for the log", hint=f"free space on the file system of {path}") from exc
        if code == sqlite3.SQLITE_READONLY:
            raise Unreadable(f"{path} cannot be written", hint="is its file system read-only?") from exc
        # SQLite calls it an I/O error, too, when there is no room for its shared memory.
        trouble = code == sqlite3.SQLITE_IOERR
        way_out = "is the disk full, or failing?" if trouble else "restore it from a backup"
        raise Damaged(f"{path} cannot be opened as a log: {plain}", hint=f"{way_out}; it is never recreated") from exc


class Lock:
    """The right to write, held as an advisory lock on a side file; it ends with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock at once; raises ``Busy``."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.read(self._fd, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise Busy(f"another writer (process {holder}) owns {path.parent}", hint="stop it first") from exc
        with contextlib.suppress(OSError):  # whose it is is said for people: on a full disk the lock holds all the same
            os.ftruncate(self._fd, 0)
            os.write(self._fd, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let another writer in."""
        os.close(self._fd)


class Reserve:
    """Space set aside, given back when the disk is full, so that what happens then can still be sealed."""

    def __init__(self, path: Path, size: int) -> None:
        """Set ``size`` bytes aside at ``path`` if there is room."""
        self._path = path
        self._size = size
        self.held = size == 0 or self._present() or self._take()

    def _present(self) -> bool:
        try:
            found = self._path.stat()
        except OSError:
            return False
        return found.st_size >= self._size and found.st_blocks * 512 >= self._size

    def release(self) -> None:
        """Give the space back to the file system, and with it to the log."""
        if self._size:
            self._path.unlink(missing_ok=True)
        self.held = False

    def rebuild(self) -> bool:
        """Set the space aside again if there is plenty; tell whether it is held."""
        if not self.held and shutil.disk_usage(self._path.parent).free >= self._size * _RESERVE_SLACK:
            self.held = self._take()
        return self.held

    def _take(self) -> bool:
        if not self._size:
            return True
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(fd, 0, self._size)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        finally:
            os.close(fd)
        return True
