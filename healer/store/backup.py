"""Copies of state.db that are proved restorable when they are made, and putting one back."""

import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect

from healer.errors import HealerError
from healer.store import engine
from healer.store.engine import DamagedError, told

FOLDER: Final = "backups"
"""In the state folder."""
KEPT: Final = 5
"""Copies made before upgrades; those that were asked for by name lie elsewhere, and stay."""
_LOCK: Final = "audit.lock"
_NAME = re.compile(r"state-(\d{8}T\d{6}Z)-(?P<revision>\w+)-v(?P<version>[\w.]+?)(?:-(\d+))?\.db", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy of a store that was opened, checked and counted."""

    path: Path
    revision: str
    rows: Mapping[str, int]
    """Table to its rows."""
    size: int
    """Octets."""


def make(path: Path, copy: Path) -> Copy:
    """Copy a store, also one that is being written, and prove the copy; raises HealerError, and leaves no half of one.

    To be called in another process than the agent's: closing a file drops the locks its process holds on it.
    """
    if not path.exists():
        raise HealerError(f"there is no store at {path}")
    part = copy.with_name(f".{copy.name}.part")
    try:
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        counted = _copied(path, part)
        proved = prove(part)
        if dict(proved.rows) != counted:
            raise HealerError(f"the copy of {path} has other rows than it: {proved.rows} instead of {counted}")
        _durable(part)
        part.replace(copy)
        _durable(copy.parent)
    except OSError as exc:
        raise HealerError(f"cannot copy {path} to {copy}: {exc.strerror}", hint="is there room?") from exc
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return Copy(path=copy, revision=proved.revision, rows=proved.rows, size=proved.size)


def prove(copy: Path) -> Copy:
    """Open a copy, check every page of it and count its rows; raises HealerError where it could not be restored."""
    if not copy.is_file():
        raise HealerError(f"there is no copy at {copy}")
    held = engine.reading(copy, still=True)
    try:
        with told(copy), held.connect() as connection:
            revision = engine.revision_of(connection, copy)
            said = connection.exec_driver_sql("PRAGMA integrity_check(3)").scalars().all()
            if said != ["ok"]:
                raise DamagedError(f"{copy} is damaged: {'; '.join(map(str, said))}")
            rows = _counted(connection)
    finally:
        held.dispose()
    if revision is None:
        raise DamagedError(f"{copy} is empty")
    return Copy(path=copy, revision=revision, rows=rows, size=copy.stat().st_size)


def restore(copy: Path, path: Path) -> Copy:
    """Put a copy in the place of a store, in one move; raises HealerError, and then the store is as it was.

    Nobody may have the store open (see `alone`). Older tables are upgraded at the next start.
    """
    proved = prove(copy)
    part = path.with_name(f".{path.name}.part")
    try:
        with copy.open("rb") as source, os.fdopen(_private(part), "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        prove(part)
        _durable(part)
        for ending in ("-wal", "-shm"):
            # Of the store that goes: pages of it would be played into the other one.
            path.with_name(path.name + ending).unlink(missing_ok=True)
        part.replace(path)
        _durable(path.parent)
    except OSError as exc:
        raise HealerError(f"cannot restore {path}: {exc.strerror}", hint="is there room?") from exc
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return proved


def place(folder: Path, *, revision: str, version: str, now: float) -> Path:
    """A name for a copy that none has yet."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 1000):
        more = "" if number == 1 else f"-{number}"
        found = folder / f"state-{stamp}-{revision}-v{version}{more}.db"
        if not found.exists():
            return found
    raise HealerError(f"{folder} is full of copies")


def copies(folder: Path) -> list[Path]:
    """The copies in a folder, the newest first, by the time in their names."""
    found = [(named, path) for path in folder.glob("state-*.db") if (named := _NAME.fullmatch(path.name))]
    found.sort(key=lambda one: (one[0][1], int(one[0][4] or 1)), reverse=True)
    return [path for _, path in found]


def tidy(folder: Path) -> None:
    """Let go of all but the newest copies; raises OSError."""
    for path in copies(folder)[KEPT:]:
        path.unlink(missing_ok=True)


@contextmanager
def alone(state_dir: Path) -> Iterator[None]:
    """See to it that no agent runs on a state folder meanwhile; raises HealerError where one does."""
    try:
        lock = os.open(state_dir / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield  # no agent was ever here; one must not find a lock that belongs to somebody else
        return
    except OSError as exc:
        raise HealerError(f"cannot tell whether an agent runs on {state_dir}: {exc.strerror}") from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(lock)
        raise HealerError(f"an agent runs on {state_dir}", hint="stop it first: systemctl stop healer") from exc
    try:
        yield
    finally:
        os.close(lock)


def _copied(path: Path, part: Path) -> dict[str, int]:
    """Copy page by page; returns the rows at the moment of the copy."""
    held = engine.reading(path)
    try:
        with told(path), held.connect() as connection:
            engine.revision_of(connection, path)
            counted = _counted(connection)  # begins a read, which the copy is a part of
            source = connection.connection.driver_connection
            if not isinstance(source, sqlite3.Connection):
                raise HealerError(f"{path} is no file")
            with closing(sqlite3.connect(part)) as target:
                source.backup(target)
                target.execute("PRAGMA journal_mode=DELETE")  # one file, whole in itself
    except sqlite3.Error as exc:
        raise HealerError(f"cannot copy {path}: {exc}", hint="is there room?") from exc
    finally:
        held.dispose()
    return counted


def _counted(connection: Connection) -> dict[str, int]:
    names = sorted(inspect(connection).get_table_names())
    quoted = connection.dialect.identifier_preparer.quote
    return {
        name: int(connection.exec_driver_sql(f"SELECT count(*) FROM {quoted(name)}").scalar() or 0)  # noqa: S608 - quoted
        for name in names
    }


def _private(path: Path) -> int:
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _durable(path: Path) -> None:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
