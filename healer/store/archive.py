"""History read from outside: another process looks into state.db, and the agent that writes it notices nothing."""

import math
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine, select

from healer.errors import HealerError
from healer.model.observation import Series
from healer.store import engine, schema
from healer.store.after import add_after
from healer.store.asked import Asked, answer
from healer.store.engine import told
from healer.store.kept import IncidentRecord, Line
from healer.store.reader import Moment, Reader


class Archive:
    """A store opened for reading only, for as long as the ``with`` lasts.

    Every read is short: nothing keeps the agent from tidying its file. Not for the agent's own process, whose locks
    would be dropped by a file that is closed. Raises HealerError where it cannot be read, OldSchemaError and
    NewSchemaError where other releases wrote it, DamagedError where it lies.
    """

    def __init__(self, path: Path) -> None:
        """``path`` is a state.db, or the state folder it lies in."""
        self.path = path / "state.db" if path.is_dir() else path
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if not self.path.is_file():
            raise HealerError(f"there is no history at {self.path}", hint="--state-dir names the agent's state folder")
        self._engine = self._opened()
        self._reader = Reader(self._engine, self.path)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def samples(
        self,
        metrics: str | Collection[str] | None = None,
        labels: Mapping[str, str] | None = None,
        start: float = 0.0,
        end: float = math.inf,
    ) -> Iterator[Moment]:
        """``(series, wall second, value)`` of every sample in order of time, in memory that does not grow with them.

        ``metrics`` None: of all; ``labels``: of those series that have these among theirs; both ends are included.
        Times are to the millisecond, numbers that are not whole to five digits; what was unknown is a gap.
        """
        names = {metrics} if isinstance(metrics, str) else metrics
        return self._reader.stream(self._reader.series(names, labels), start, end)

    def stretches(
        self, start: float = 0.0, end: float = math.inf
    ) -> Iterator[list[tuple[Series, list[float], list[Any]]]]:
        """Everything between two wall seconds, two hours after two hours, in whole columns: series, times, values."""
        return self._reader.stretches(self._reader.series(), start, end)

    def series(
        self, metrics: str | Collection[str] | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Series]:
        """The series there are of these metrics, by name."""
        return list(self._reader.series({metrics} if isinstance(metrics, str) else metrics, labels).values())

    def lines(self, metric: str, labels: Mapping[str, str], *, start: float, end: float, step: float) -> list[Line]:
        """One metric in buckets of ``step`` seconds, from the coarsest level that still shows them."""
        return self._reader.lines(self._reader.series({metric}, labels), start, end, step)

    def add_after(self, healings: Iterable[MutableMapping[str, Any]]) -> None:
        """Fill in what became of the values that healings rested on."""
        add_after(self._reader, healings)

    def answer(self, asked: Asked) -> dict[str, Any]:
        """What a metric was, as one JSON document."""
        return answer(self._reader, asked)

    def span(self) -> tuple[float, float] | None:
        """The wall seconds of the first and the last sample, to the slot; None where there is none."""
        return self._reader.span()

    def incidents(self, since: float = 0.0, *, limit: int = 1000) -> list[IncidentRecord]:
        """The incidents opened at or after a wall second, the newest first."""
        return self._reader.incidents(since, limit=limit)

    def _opened(self) -> Engine:
        held = self._tried(engine.reading(self.path))
        if held is None:
            # On a medium that cannot be written: nobody else writes there, so a copy is whole.
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="healer-history-")))
            for ending in ("", "-wal"):
                source = self.path.with_name(self.path.name + ending)
                if source.exists():
                    shutil.copyfile(source, folder / source.name)
            held = engine.reading(folder / self.path.name)
            self._check(held)
        self._stack.callback(held.dispose)
        return held

    def _tried(self, held: Engine) -> Engine | None:
        try:
            self._check(held)
        except engine.UnopenedError:
            held.dispose()
            return None
        except HealerError:
            held.dispose()
            raise
        return held

    def _check(self, held: Engine) -> None:
        with told(self.path), held.connect() as connection:
            engine.check(engine.revision_of(connection, self.path), self.path)
            connection.execute(select(schema.series.c.id).limit(1))
