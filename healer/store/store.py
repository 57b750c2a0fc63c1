"""The store: metric history, incident index and snapshots in state.db, through SQLAlchemy Core."""

import hashlib
import json
import logging
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, create_engine, delete, event, insert, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from healer.errors import HealerError
from healer.model.observation import Labels, Series
from healer.store import schema

log = logging.getLogger(__name__)

_KEPT_SNAPSHOTS = 3
_KEPT_ASIDE = 5
_PRUNED_AT_ONCE = 10_000
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class DamagedError(HealerError):
    """The file is no store of ours (any more): it is set aside and a new one begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of one series, kept for later."""

    metric: str
    labels: Labels = ()
    at: float
    """Wall seconds since 1970: history outlives a boot."""
    value: float | str
    """A finite number or a word. What was unknown is not kept: a gap is a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The core's memory after one block, so that a start need not fold the whole log."""

    height: int
    """Of the last block folded into it."""
    header: str
    """Hex SHA-256 of that block's header: if the log has another there, the snapshot is void."""
    taken: float
    """Wall seconds."""
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRecord:
    """One line of the incident index."""

    incident: str
    """``RULE@TARGET``."""
    opened: float
    """Wall seconds."""
    rule: str
    target: str
    organ: str = ""
    phase: str
    closed: float | None = None
    """Wall seconds; None while it is open."""
    actions: int = 0
    verdict: str = ""
    because: str = ""


class Store:
    """One state.db. Writes come from one thread; reads may come from any.

    Every method raises HealerError when the database cannot do it, DamagedError when it is no database any more.
    """

    def __init__(self, path: Path) -> None:
        """Open, or begin, the store at ``path``; a damaged or foreign file raises DamagedError and is left as it is."""
        self.path = path
        self._ids: dict[Series, int] = {}
        _begin_file(path)
        self._engine = _engine(path)
        self._writer = self._engine.execution_options(writes=True)
        try:
            with _told(path):
                with self._writer.begin() as connection:
                    _prepare(connection, path)
                _use_wal(self._engine)
        except HealerError:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def save_snapshot(self, height: int, header: str, body: Mapping[str, Any], *, taken: float) -> None:
        """Keep a snapshot of the core's memory (JSON values only) and forget all but the last three."""
        table = schema.snapshot
        text = json.dumps(body, separators=(",", ":"), allow_nan=False)
        with _told(self.path), self._writer.begin() as connection:
            row = {"height": height, "header": header, "taken": taken, "body": text}
            connection.execute(insert(table).values(**row, digest=_digest(height, header, text)))
            kept = select(table.c.id).order_by(table.c.id.desc()).limit(_KEPT_SNAPSHOTS)
            connection.execute(delete(table).where(table.c.id.not_in(kept)))

    def latest_snapshot(self) -> Snapshot | None:
        """Find the newest snapshot that can be read; None when there is none (the log is folded from its start)."""
        with _told(self.path), self._engine.connect() as connection:
            rows = connection.execute(select(schema.snapshot).order_by(schema.snapshot.c.id.desc())).all()
        return next((found for row in rows if (found := _snapshot(row)) is not None), None)

    def record(self, samples: Iterable[Sample]) -> None:
        """Keep samples; a second one of the same series and second is ignored, and so is what is not finite."""
        good = [one for one in samples if isinstance(one.value, str) or math.isfinite(one.value)]
        if not good:
            return
        added: dict[Series, int] = {}
        with _told(self.path), self._writer.begin() as connection:
            rows = [
                {"series_id": self._series_id(connection, one, added), "at": one.at, **_value(one.value)}
                for one in good
            ]
            connection.execute(insert(schema.sample).prefix_with("OR IGNORE"), rows)
        self._ids |= added  # only now: ids of a transaction that failed name nothing

    def samples(self, metric: str, since: float, *, until: float = math.inf, limit: int = 100_000) -> list[Sample]:
        """Read the samples of every series of a metric between two wall seconds, the oldest first."""
        sample, series = schema.sample, schema.series
        query = (
            select(series.c.labels, sample.c.at, sample.c.value, sample.c.word)
            .join_from(sample, series)
            .where(series.c.metric == metric, sample.c.at >= since, sample.c.at <= until)
            .order_by(sample.c.at)
            .limit(limit)
        )
        with _told(self.path), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [
            Sample(
                metric=metric,
                labels=_labels(row.labels, self.path),
                at=row.at,
                value=row.word if row.value is None else row.value,
            )
            for row in rows
        ]

    def save_incident(self, record: IncidentRecord) -> None:
        """Keep an incident as it is now, in place of what was known of it."""
        with _told(self.path), self._writer.begin() as connection:
            connection.execute(insert(schema.incident).prefix_with("OR REPLACE"), asdict(record))

    def incidents(self, since: float = 0.0, *, limit: int = 1000) -> list[IncidentRecord]:
        """Read the incidents opened at or after a wall second, the newest first."""
        table = schema.incident
        query = select(table).where(table.c.opened >= since).order_by(table.c.opened.desc()).limit(limit)
        with _told(self.path), self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [IncidentRecord(**row) for row in rows]

    def prune(self, before: float) -> int:
        """Forget samples, and incidents that closed, before a wall second; say how many samples."""
        sample, incident = schema.sample, schema.incident
        one = delete(sample).where(sample.c.series_id == bindparam("s"), sample.c.at == bindparam("t"))
        gone = 0
        while True:
            # In portions: one long transaction would grow the write-ahead log by all of it.
            oldest = select(sample.c.series_id, sample.c.at).where(sample.c.at < before).limit(_PRUNED_AT_ONCE)
            with _told(self.path), self._writer.begin() as connection:
                rows = [{"s": row.series_id, "t": row.at} for row in connection.execute(oldest)]
                if rows:
                    connection.execute(one, rows)
            gone += len(rows)
            if len(rows) < _PRUNED_AT_ONCE:
                break
        with _told(self.path), self._writer.begin() as connection:
            connection.execute(delete(incident).where(incident.c.closed < before))
        return gone

    def _series_id(self, connection: Connection, one: Sample, added: dict[Series, int]) -> int:
        key = Series(one.metric, one.labels)
        known = self._ids.get(key) or added.get(key)
        if known is not None:
            return known
        name = {"metric": _text(one.metric), "labels": _labels_text(one.labels)}
        connection.execute(insert(schema.series).prefix_with("OR IGNORE"), name)
        table = schema.series.c
        query = select(table.id).where(table.metric == name["metric"], table.labels == name["labels"])
        added[key] = int(connection.execute(query).scalar_one())
        return added[key]


def open_store(path: Path) -> tuple[Store, str]:
    """Open the store, setting a damaged or foreign file aside and beginning a new one.

    The second value says what was set aside and why, and is empty when all was well. Raises HealerError when there
    can be no store there at all (no room, no right, a folder in its place).
    """
    try:
        return Store(path), ""
    except DamagedError as exc:
        aside = set_aside(path)
        because = f"{exc.message}; it was set aside as {aside.name} and a new one begun"
        log.warning("store.set_aside", extra={"path": str(path), "because": because})
        return Store(path), because


def set_aside(path: Path) -> Path:
    """Rename a database and its -wal and -shm; the oldest of five such copies makes room."""
    copies = [path.with_name(f"{path.name}.aside-{number}") for number in range(1, _KEPT_ASIDE + 1)]
    free = [copy for copy in copies if not copy.exists()]
    aside = free[0] if free else min(copies, key=lambda copy: copy.stat().st_mtime_ns)
    for ending in ("", "-wal", "-shm"):
        old, new = path.with_name(path.name + ending), aside.with_name(aside.name + ending)
        new.unlink(missing_ok=True)
        if old.exists():
            old.rename(new)
    return aside


def _begin_file(path: Path) -> None:
    try:
        if not path.exists():
            path.touch(mode=0o600)
    except OSError as exc:
        raise HealerError(f"cannot make {path}: {exc.strerror}") from exc


def _engine(path: Path) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": 5.0})
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


def _prepare(connection: Connection, path: Path) -> None:
    tables = set(inspect(connection).get_table_names())
    if not tables:
        schema.metadata.create_all(connection)
        connection.execute(insert(schema.schema_version).values(version=schema.VERSION))
        return
    if not tables.issuperset(schema.metadata.tables):
        raise DamagedError(f"{path} is not a store of healer")
    version = connection.execute(select(schema.schema_version.c.version)).scalar()
    if version != schema.VERSION:
        raise DamagedError(f"{path} has schema {version}, and this healer knows {schema.VERSION}")


def _use_wal(engine: Engine) -> None:
    # Not at connect: a file that turns out to be another program's is not to be changed. It stays with the file.
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        raw.close()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the library's errors into ours, damage apart from trouble that may pass."""
    try:
        yield
    except DatabaseError as exc:
        code = getattr(exc.orig, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            raise DamagedError(f"{path} is damaged: {exc.orig}") from exc
        raise HealerError(f"{path}: {exc.orig}", hint="history is lost while this lasts, healing goes on") from exc
    except SQLAlchemyError as exc:
        raise HealerError(f"{path}: {exc}") from exc


def _snapshot(row: Row[Any]) -> Snapshot | None:
    try:
        if row.digest != _digest(row.height, row.header, row.body):
            return None
        body = json.loads(row.body)
    except (ValueError, TypeError, AttributeError):
        return None  # whatever was made of it: the log can be folded again
    return Snapshot(height=row.height, header=row.header, taken=row.taken, body=body)


def _digest(height: int, header: str, body: str) -> str:
    return hashlib.sha256(f"{height}\n{header}\n{body}".encode()).hexdigest()


def _value(value: float | str) -> dict[str, float | str | None]:
    return {"value": None, "word": _text(value)} if isinstance(value, str) else {"value": float(value), "word": None}


def _text(text: str) -> str:
    """Replace what UTF-8 cannot hold: a file name of arbitrary bytes must not stop the writer."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _labels_text(labels: Labels) -> str:
    return json.dumps(dict(labels), sort_keys=True, separators=(",", ":"))


def _labels(text: str, path: Path) -> Labels:
    try:
        return tuple(sorted((str(name), str(value)) for name, value in json.loads(text).items()))
    except (ValueError, TypeError, AttributeError) as exc:
        raise DamagedError(f"{path} is damaged: {text[:80]!r} are no labels") from exc
