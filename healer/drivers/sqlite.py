"""An SQLite database of somebody else: asked read-only in short looks, changed in one short transaction."""

import contextlib
import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from healer.clock import Clock
from healer.drivers.interface import Driver, DriverStatus, LinkState
from healer.drivers.slot import Slot
from healer.drivers.sql import SqlError, Statements
from healer.errors import SensorError
from healer.model.target import Target

T = TypeVar("T")
_READS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)  # fmt: skip
_LONGEST = 1_000_000
"""Bytes of one value, or of a statement."""
_STEPS = 20_000
"""Of SQLite's machine between two looks at the clock."""
_MAGIC = b"SQLite format 3\0"
_OURS = 0x48454C31
"""``application_id`` of the sealed log (docs/log-format.md)."""
_NAMED = re.compile(r"%(?:\((\w+)\)s|(s)|(%))")
_ITS_OWN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class Sqlite(Driver):
    """One database file, opened for each question and closed again: nobody else is kept from it for long."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self.name = target.id
        self.path = Path(str(target.spec["path"]))
        self.patience = float(target.spec.get("timeout") or 5.0)
        self._clock = clock
        self._slot = Slot(target.id)
        self._since = clock.now()
        self._because: str | None = None

    def status(self) -> DriverStatus:
        """How it is doing."""
        state = LinkState.IDLE if self._because is None else LinkState.LOST if self._because else LinkState.CONNECTED
        return DriverStatus(name=self.name, state=state, since=self._since, because=self._because or "")

    async def health(self) -> None:
        """See that the file is a database; raises DriverError."""
        await self.select("SELECT 1 FROM sqlite_master", most=1)

    async def close(self) -> None:
        """Nothing is held."""

    async def select(self, query: str, *, most: int) -> list[tuple[Any, ...]]:
        """At most ``most`` rows of one SELECT; raises SqlError."""
        return await self._off_the_loop(lambda: self._select(query, most))

    async def change(
        self, statements: Statements, *, at_most: int, timeout: float, generation: str | None = None
    ) -> int:
        """Run statements in one transaction; returns the rows they changed. Raises SqlError: nothing was changed.

        A file has no incarnations: ``generation`` is not looked at.
        """
        del generation
        return await self._off_the_loop(lambda: self._change(statements, at_most, timeout))

    async def _off_the_loop(self, work: Callable[[], T]) -> T:
        try:
            made = await self._slot.call(work)
        except SensorError as exc:  # the last one hangs in its file system
            self._note(exc.message)
            raise SqlError(exc.message, fact=True, again=True) from exc
        except SqlError as exc:
            self._note("" if exc.asked else exc.message)
            raise
        self._note("")
        return made

    def _note(self, because: str) -> None:
        if because != self._because:
            self._because, self._since = because, self._clock.now()

    def _select(self, query: str, most: int) -> list[tuple[Any, ...]]:
        with self._opened("ro", self.patience) as connection:
            connection.execute("PRAGMA query_only=ON")
            connection.set_authorizer(_only_reading)
            return connection.execute(query).fetchmany(most)

    def _change(self, statements: Statements, at_most: int, timeout: float) -> int:
        with self._opened("rw", timeout) as connection:
            connection.execute("BEGIN IMMEDIATE")
            changed = 0
            for text, values in statements:
                changed += max(0, connection.execute(translated(text) if values else text, values or ()).rowcount)
                if changed > at_most:  # closing without a commit undoes it
                    raise SqlError(f"it would change {changed} rows or more of at most {at_most}", asked=True)
                if not connection.in_transaction:
                    raise SqlError("a statement ended the transaction it was in", sent=True, asked=True)
            connection.execute("COMMIT")
            return changed

    @contextlib.contextmanager
    def _opened(self, mode: str, timeout: float) -> Iterator[sqlite3.Connection]:
        check_foreign(self.path)
        end = self._clock.now() + timeout
        connection: sqlite3.Connection | None = None
        try:
            uri = f"file:{quote(str(self.path))}?mode={mode}"
            connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.set_progress_handler(lambda: self._clock.now() > end, _STEPS)
            yield connection
        except sqlite3.Error as exc:
            raise _said(self.path, exc, timeout) from exc
        finally:
            if connection is not None:
                connection.close()


def check_foreign(path: Path) -> None:
    """See that this is somebody else's database, and one at all; raises SqlError.

    The agent's own log has one writer and knows it by the changes: nothing else here may open it.
    """
    try:
        head = _head(path)
    except FileNotFoundError as exc:
        raise SqlError(f"there is no {path}", fact=True) from exc
    except OSError as exc:
        raise SqlError(f"cannot read {path}: {exc.strerror}", hint="may the agent's account read it?") from exc
    if head and not head.startswith(_MAGIC):
        raise SqlError(f"{path} is not an SQLite database", fact=True)
    siblings = path.resolve().parent
    if int.from_bytes(head[68:72], "big") == _OURS or (
        (siblings / "audit.db").exists() and (siblings / "keys").is_dir()
    ):
        raise SqlError(f"{path} belongs to the agent itself", hint="ask the agent: healer history, healer incidents")


def _head(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # a pipe or a device would keep us, or worse
            raise SqlError(f"{path} is no regular file", fact=True)
        return os.read(handle, 100)
    finally:
        os.close(handle)


def translated(statement: str) -> str:
    """``%(name)s`` and ``%s`` as SQLite writes them; ``%%`` is a percent sign."""
    return _NAMED.sub(lambda found: "%" if found[3] else f":{found[1]}" if found[1] else "?", statement)


def _only_reading(action: int, *_details: object) -> int:
    return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY


def _said(path: Path, exc: sqlite3.Error, timeout: float) -> SqlError:
    code = getattr(exc, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary == sqlite3.SQLITE_INTERRUPT:
        return SqlError(f"{path} did not answer within {timeout:g} s", asked=True, again=True)
    if primary in _BUSY:
        return SqlError(f"{path} was locked for {timeout:g} s", fact=True, again=True)
    if primary in _ITS_OWN:
        return SqlError(f"{path}: {exc}", fact=True)
    if primary in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return SqlError(f"{path}: {exc}", hint="may the agent's account use it, and its folder?")
    return SqlError(str(exc)[:300], asked=True)
