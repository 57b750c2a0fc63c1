"""How state.db is opened: its transactions, its pragmas, and what its errors mean."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, column, create_engine, event, insert, inspect, select, table
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from healer.errors import HealerError
from healer.store import schema

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNOPENED = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
_FIRST = "schema_version"
"""A table that only revision 0001 has: it was made before there were migrations."""


class DamagedError(HealerError):
    """The file is no store of ours (any more): it is set aside and a new one begun."""


class OldSchemaError(HealerError):
    """The file was written by an older healer: it is upgraded, not set aside."""


class NewSchemaError(HealerError):
    """The file was written by a newer healer: it is left as it is."""


class UnopenedError(HealerError):
    """The file is there and cannot be opened where it lies: its folder takes no write-ahead index."""


def writing(path: Path) -> Engine:
    """An engine that makes the file where there is none."""
    return _listened(create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": 5.0}))


def reading(path: Path, *, still: bool = False) -> Engine:
    """An engine that cannot write; ``still``: nobody else writes either, and there is no write-ahead log."""
    mode = "immutable=1" if still else "mode=ro"
    url = URL.create("sqlite", database=f"file:{quote(str(path))}", query={"uri": "true", **dict([mode.split("=")])})
    return _listened(create_engine(url, connect_args={"timeout": 5.0}))


def revision_of(connection: Connection, path: Path) -> str | None:
    """The revision of a file, None for an empty one; raises DamagedError for what is no store of ours."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if schema.revision.name in tables:
        found = connection.execute(select(schema.revision.c.version_num)).scalars().all()
        if len(found) == 1 and "series" in tables:
            return str(found[0])
    elif tables.issuperset({_FIRST, "snapshot", "series", "sample", "incident"}):
        version = connection.execute(select(column("version")).select_from(table(_FIRST))).scalar()
        return f"{version:04}" if isinstance(version, int) else str(version)
    raise DamagedError(f"{path} is not a store of healer")


def prepare(connection: Connection, path: Path) -> None:
    """Make the tables of a new file; raises OldSchemaError, NewSchemaError or DamagedError for another one."""
    revision = revision_of(connection, path)
    if revision is None:
        schema.metadata.create_all(connection)
        connection.execute(insert(schema.revision).values(version_num=schema.REVISION))
        return
    check(revision, path)
    if not set(inspect(connection).get_table_names()).issuperset(schema.metadata.tables):
        raise DamagedError(f"{path} is not a store of healer")


def check(revision: str | None, path: Path) -> None:
    """Raise OldSchemaError or NewSchemaError unless the revision is ours."""
    if revision == schema.REVISION:
        return
    if revision in schema.PAST or revision is None:
        raise OldSchemaError(
            f"{path} has the tables of revision {revision}, and this healer needs {schema.REVISION}",
            hint="healer db upgrade",
        )
    raise NewSchemaError(
        f"{path} was written by a newer healer: it has revision {revision}, and this one knows {schema.REVISION}",
        hint="install that version again, and with it: healer db downgrade VERSION",
    )


def use_wal(engine: Engine) -> None:
    """Once for a file, which remembers it. Not at connect: what turns out to be another program's is not changed."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        raw.close()


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn the library's errors into ours, damage apart from trouble that may pass."""
    try:
        yield
    except DatabaseError as exc:
        code = getattr(exc.orig, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            raise DamagedError(f"{path} is damaged: {exc.orig}") from exc
        if code in _UNOPENED:
            raise UnopenedError(f"{path}: {exc.orig}", hint="is it a file that may be opened?") from exc
        raise HealerError(f"{path}: {exc.orig}", hint="history is lost while this lasts, healing goes on") from exc
    except SQLAlchemyError as exc:
        raise HealerError(f"{path}: {exc}") from exc


def _listened(engine: Engine) -> Engine:
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own idea of transactions leaves half of a failed schema change behind: we begin them ourselves.
    connection.isolation_level = None
    # Not FULL: a power cut may lose the last seconds of history, and the sealed log is the memory.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA journal_size_limit=16777216")


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
