"""Numbers that queries return: on an SQLite file or a PostgreSQL server, read-only, within a time and so many rows."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from healer.clock import Clock
from healer.drivers.interface import DriverError
from healer.drivers.sql import Database, SqlError
from healer.errors import SensorError
from healer.model.observation import Labels, Reading, labels
from healer.model.target import Target
from healer.sensors.interface import TargetSensor
from healer.sensors.sane import Sieve

_LONGEST = 120


class SqlSensor(TargetSensor):
    """Keys of the target: ``queries`` (name -> SELECT) and ``rows``, and where the database is.

    The last column is the number; those before it, joined by ``/``, name the row. A query that is wrong, returns what
    is no number, several rows of one name, or more rows than said, makes its own series unknown and nothing else.
    """

    def __init__(self, target: Target, database: Database, clock: Clock) -> None:
        super().__init__(target, every=60.0)
        self._database, self._clock = database, clock
        self._queries: Mapping[str, Any] = target.spec["queries"]
        self._most = int(target.spec.get("rows") or 20)
        self.timeout = (
            len(self._queries) + 2
        ) * self.patience + 0.5  # each query has its own time, and so has coming in

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask each query in turn."""
        sieve = Sieve(now, self.marks)
        down = ""
        for name, query in self._queries.items():
            down = await self._ask(sieve, str(name), str(query))
            if down:
                break
        if down:  # the database, not the query: the others would say the same
            for name in self._queries:
                self._unknown(sieve, str(name), down)
        sieve.number("sql.up", not down)
        sieve.word("sql.message", down)
        self.garbage += sieve.garbage
        return sieve.readings

    async def _ask(self, sieve: Sieve, name: str, query: str) -> str:
        """Why the database is down; empty when it is not. Raises SensorError when we could not look."""
        start = self._clock.now()
        try:
            rows = await self._database.select(query, most=self._most + 1)
        except DriverError as exc:
            if isinstance(exc, SqlError) and exc.asked:
                self._unknown(sieve, name, exc.message)
                return ""
            if not exc.fact:
                raise SensorError(exc.message, hint=exc.hint) from exc
            return exc.message
        sieve.number("sql.latency", self._clock.now() - start, self._with(name))
        self._tell(sieve, name, rows)
        return ""

    def _tell(self, sieve: Sieve, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if len(rows) > self._most:
            because = f"it returns more than {self._most} rows"
            sieve.unknown("sql.rows", because, self._with(name))
            sieve.unknown("sql.value", because, self._with(name, row=""))
            return
        sieve.number("sql.rows", len(rows), self._with(name))
        named: dict[str, list[object]] = {}
        for row in rows:
            named.setdefault(_row(row[:-1]), []).append(row[-1] if row else None)
        for row_name, values in named.items():
            self._tell_value(sieve, values, self._with(name, row=row_name), row_name)

    @staticmethod
    def _tell_value(sieve: Sieve, values: Sequence[object], marks: Labels, row_name: str) -> None:
        (value, *others) = values
        if others:
            sieve.unknown("sql.value", f"{len(values)} rows are called '{row_name}'", marks)
        elif value is None:
            sieve.unknown("sql.value", "it returns NULL", marks)
        else:
            sieve.number("sql.value", float(value) if isinstance(value, Decimal | bool) else value, marks)

    def _unknown(self, sieve: Sieve, name: str, because: str) -> None:
        for metric in ("sql.rows", "sql.latency"):
            sieve.unknown(metric, because, self._with(name))
        sieve.unknown("sql.value", because, self._with(name, row=""))

    def _with(self, name: str, **more: str) -> Labels:
        return labels(target=self.target, name=name, **more)


def _row(columns: Sequence[object]) -> str:
    text = "/".join("" if column is None else str(column)[:_LONGEST] for column in columns)[:_LONGEST]
    return "".join(char if char.isprintable() else "?" for char in text)
