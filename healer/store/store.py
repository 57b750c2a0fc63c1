"""The store: metric history, incident index and snapshots in state.db, through SQLAlchemy Core."""

import hashlib
import json
import logging
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, tuple_

from healer.errors import HealerError
from healer.model.observation import Labels, Series
from healer.store import chunks, engine, schema
from healer.store.engine import DamagedError, NewSchemaError, OldSchemaError, told
from healer.store.kept import IncidentRecord, Keep, Sample, Snapshot
from healer.store.reader import FAR, Reader

__all__ = ["DamagedError", "IncidentRecord", "Keep", "NewSchemaError", "OldSchemaError", "Sample", "Snapshot", "Store"]

log = logging.getLogger(__name__)

_KEPT_SNAPSHOTS = 3
_KEPT_ASIDE = 5
_KNOWN_SERIES = 20_000
_LONGEST_WORD = 1000
_NAMED_AT_ONCE = 400


class Store:
    """One state.db. Writes come from one thread; reads may come from any.

    Every method raises HealerError when the database cannot do it, DamagedError when it is no database any more.
    """

    def __init__(self, path: Path) -> None:
        """Open, or begin, the store at ``path``; a damaged or foreign file raises DamagedError and is left as it is."""
        self.path = path
        self._ids: dict[Series, int] = {}
        _begin_file(path)
        self._engine = engine.writing(path)
        self._writer = self._engine.execution_options(writes=True)
        try:
            with told(path):
                with self._writer.begin() as connection:
                    engine.prepare(connection, path)
                engine.use_wal(self._engine)
        except HealerError:
            self._engine.dispose()
            raise
        self.reader = Reader(self._engine, path)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def save_snapshot(self, height: int, header: str, body: Mapping[str, Any], *, taken: float) -> None:
        """Keep a snapshot of the core's memory (JSON values only) and forget all but the last three."""
        table = schema.snapshot
        text = json.dumps(body, separators=(",", ":"), allow_nan=False)
        with told(self.path), self._writer.begin() as connection:
            row = {"height": height, "header": header, "taken": taken, "body": text}
            connection.execute(insert(table).values(**row, digest=_digest(height, header, text)))
            kept = select(table.c.id).order_by(table.c.id.desc()).limit(_KEPT_SNAPSHOTS)
            connection.execute(delete(table).where(table.c.id.not_in(kept)))

    def latest_snapshot(self) -> Snapshot | None:
        """Find the newest snapshot that can be read; None when there is none (the log is folded from its start)."""
        with told(self.path), self._engine.connect() as connection:
            rows = connection.execute(select(schema.snapshot).order_by(schema.snapshot.c.id.desc())).all()
        return next((found for row in rows if (found := _snapshot(row)) is not None), None)

    def record(self, samples: Iterable[Sample]) -> None:
        """Keep samples; a second one of the same series and moment is ignored, and so is what is not finite."""
        good = [one for one in samples if _sane(one)]
        if not good:
            return
        with self.begin() as connection:
            ids = self._ids | self._named(
                {Series(one.metric, one.labels) for one in good} - self._ids.keys(), connection
            )
            rows = [
                {"series_id": ids[Series(one.metric, one.labels)], "at": one.at, **_value(one.value)} for one in good
            ]
            connection.execute(insert(schema.sample).prefix_with("OR IGNORE"), rows)
        # Only now: numbers of a transaction that failed name nothing.
        self._ids = ids if len(ids) <= _KNOWN_SERIES else {}

    def samples(self, metric: str, since: float, *, until: float = math.inf, limit: int = 100_000) -> list[Sample]:
        """Read the samples of every series of a metric between two wall seconds, the oldest first."""
        found = islice(self.reader.stream(self.reader.series({metric}), since, until), limit)
        return [Sample(metric=metric, labels=one.labels, at=at, value=value) for one, at, value in found]

    def upkeep(self, now: float, keep: Keep) -> Iterator[int]:
        """Pack, roll up and let go of samples, and of incidents that are long closed; see `chunks.upkeep`."""
        yield from chunks.upkeep(self.begin, now, keep)
        self._ids.clear()  # series of which nothing is left were forgotten

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction that writes, whole or not at all."""
        with told(self.path), self._writer.begin() as connection:
            yield connection

    def save_incident(self, record: IncidentRecord) -> None:
        """Keep an incident as it is now, in place of what was known of it."""
        with told(self.path), self._writer.begin() as connection:
            connection.execute(insert(schema.incident).prefix_with("OR REPLACE"), asdict(record))

    def incidents(self, since: float = 0.0, *, limit: int = 1000) -> list[IncidentRecord]:
        """Read the incidents opened at or after a wall second, the newest first."""
        return self.reader.incidents(since, limit=limit)

    def _named(self, unknown: Collection[Series], connection: Connection) -> dict[Series, int]:
        """The numbers of series, new ones where they have none."""
        if not unknown:
            return {}
        texts = {(_text(one.metric), _labels_text(one.labels)): one for one in unknown}
        names = [{"metric": metric, "labels": held} for metric, held in texts]
        connection.execute(insert(schema.series).prefix_with("OR IGNORE"), names)
        found: dict[Series, int] = {}
        names_left = list(texts)
        for place in range(0, len(names_left), _NAMED_AT_ONCE):
            some = names_left[place : place + _NAMED_AT_ONCE]
            wanted = tuple_(schema.series.c.metric, schema.series.c.labels).in_(some)
            for row in connection.execute(select(schema.series).where(wanted)):
                found[texts[row.metric, row.labels]] = row.id
        # Two whose texts are the same share a line.
        return {one: found[texts[_text(one.metric), _labels_text(one.labels)]] for one in unknown}


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


def _sane(one: Sample) -> bool:
    """Whether it can be kept: a moment of this age of the world, and a word or a number that a column holds."""
    try:
        return 0.0 <= one.at < FAR and (isinstance(one.value, str) or math.isfinite(one.value))
    except OverflowError:
        return False  # an integer that no double holds


def _value(value: float | str) -> dict[str, float | str | None]:
    if isinstance(value, str):
        return {"value": None, "word": _text(value)[:_LONGEST_WORD]}
    return {"value": float(value), "word": None}


def _text(text: str) -> str:
    """Replace what UTF-8 cannot hold: a file name of arbitrary bytes must not stop the writer."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _labels_text(labels: Labels) -> str:
    return json.dumps(dict(labels), sort_keys=True, separators=(",", ":"))
