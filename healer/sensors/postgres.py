"""A PostgreSQL server: whether it takes sessions, who waits, how late its standbys are, what it runs out of."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from healer.clock import Clock
from healer.drivers.interface import DriverError
from healer.drivers.pgbouncer import Pooler
from healer.drivers.postgres import Identity, Postgres, identify
from healer.drivers.postgres_session import PostgresError, Session
from healer.errors import SensorError
from healer.model.kinds.postgres import CHECKPOINT_CAUSES, CONNECTION_STATES, KIND
from healer.model.observation import Labels, Reading, labels
from healer.model.target import Target
from healer.sensors.down import tell_down
from healer.sensors.interface import TargetSensor
from healer.sensors.postgres_pieces import PIECES, Piece
from healer.sensors.rates import Rates
from healer.sensors.sane import Sieve

_SLOW = 60.0
"""Seconds between two askings of what is dear to answer."""
_GRANT = "GRANT pg_monitor TO"
_WRAP = 2.0**31
Rows = Sequence[tuple[Any, ...]]


class PostgresSensor(TargetSensor):
    """Keys of the target: ``host`` (or the folder of a Unix socket), ``port``, ``dbname``, ``user``, ``password`` ...

    A server that refuses, hangs, starts or is full is down (``postgres.up`` 0). That it does not let *us* in, that a
    name cannot be looked up, makes all unknown. What our role may not see is unknown, with the grant that shows it.
    """

    def __init__(self, target: Target, driver: Postgres, clock: Clock) -> None:
        super().__init__(target, margin=0.0)
        self.timeout = 6 * self.patience + 1.0  # it is asked to open its door, to let us in, who it is, and all else
        self._driver, self._clock = driver, clock
        self._rates = Rates()
        self._blocks: tuple[float, float] | None = None
        self._slow_at = -math.inf
        self._was_in_recovery: bool | None = None

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask it."""
        sieve = Sieve(now, self.marks)
        try:
            session, identity = await self._meet(sieve)
        except DriverError as exc:
            if not exc.fact:
                raise SensorError(exc.message, hint=exc.hint) from exc
            tell_down(sieve, KIND, exc.message, spared=("postgres.pooler_up",))
        else:
            await self._tell_all(sieve, session, identity)
        if self._driver.pooler is not None:
            await self._tell_pools(sieve, self._driver.pooler)
        self.garbage += sieve.garbage
        return sieve.readings

    async def _tell_pools(self, sieve: Sieve, pooler: Pooler) -> None:
        try:
            pools = await pooler.pools()
        except DriverError as exc:
            if exc.fact:
                sieve.number("postgres.pooler_up", 0)
            else:
                sieve.unknown("postgres.pooler_up", str(exc))
            return
        sieve.number("postgres.pooler_up", 1)
        for pool in pools:
            marks = self._with(pool=pool.name)
            sieve.number("postgres.pool_active", pool.active, marks)
            sieve.number("postgres.pool_waiting", pool.waiting, marks)
            sieve.number("postgres.pool_wait", pool.wait, marks)
            sieve.number("postgres.pool_servers", pool.servers, marks)

    async def _meet(self, sieve: Sieve) -> tuple[Session, Identity]:
        """Through the front door, as any client would come; then in our own session. Raises DriverError."""
        await self._driver.health()
        start = self._clock.now()
        try:
            session, identity = await self._identify()
        except PostgresError as exc:
            if not exc.lost:
                raise
            # It ended while nobody looked: a restart, an administrator. Whether it is back, only another try tells.
            session, identity = await self._identify()
        sieve.number("postgres.latency", self._clock.now() - start)
        return session, identity

    async def _identify(self) -> tuple[Session, Identity]:
        session = await self._driver.session()
        try:
            return session, await identify(session, timeout=self.patience)
        finally:
            self._driver.check(session)

    async def _tell_all(self, sieve: Sieve, session: Session, found: Identity) -> None:
        sieve.number("postgres.up", 1)
        sieve.word("postgres.message", "")
        sieve.word("postgres.version", found.version)
        sieve.number("postgres.in_recovery", found.in_recovery)
        sieve.number("postgres.uptime", found.uptime)
        sieve.word("postgres.generation", found.generation)
        end = sieve.at + 2 * self.patience
        slow = sieve.at - self._slow_at >= _SLOW
        for piece in PIECES:
            if piece.fits(session.version, in_recovery=found.in_recovery) and (slow or not piece.slow):
                await self._tell_piece(sieve, session, piece, end, monitor=found.monitor)
            elif self._was_in_recovery is not None and piece.on and self._was_in_recovery != found.in_recovery:
                sieve.all_unknown(piece.series, f"it is no {piece.on} any more")
        self._was_in_recovery = found.in_recovery
        if slow and session.alive:
            self._slow_at = sieve.at

    async def _tell_piece(self, sieve: Sieve, session: Session, piece: Piece, end: float, *, monitor: bool) -> None:
        if piece.monitor and not monitor:
            sieve.all_unknown(piece.series, f"not shown to our role: {_GRANT} {self._driver.place.user}")
            return
        left = end - self._clock.now()
        if left <= 0 or not session.alive:
            sieve.all_unknown(piece.series, "the server was too slow: no time was left to ask" if session.alive else
                              "the session ended before it was asked")  # fmt: skip
            return
        try:
            rows = await session.ask(piece.sql, timeout=min(left, self.patience))
        except PostgresError as exc:
            self._driver.check(session)
            hint = f": {_GRANT} {self._driver.place.user}" if exc.denied else ""
            sieve.all_unknown(piece.series, f"{exc.message}{hint}")
            return
        part = Sieve(sieve.at, self.marks)
        try:
            self._tellers[piece.name](self, part, rows)
        except (ArithmeticError, IndexError, TypeError, ValueError) as exc:  # it only looks like PostgreSQL
            self.garbage += 1
            sieve.all_unknown(piece.series, f"garbage: its answer has another shape ({type(exc).__name__})")
            return
        sieve.readings += part.readings
        sieve.garbage += part.garbage

    # ------------------------------------------------------------------------------------ one per piece

    def _tell_sessions(self, sieve: Sieve, rows: Rows) -> None:
        known = {str(row[0]): row for row in rows}
        for state in CONNECTION_STATES:
            sieve.number("postgres.connections", known[state][1] if state in known else 0, self._with(state=state))
        usable = int(rows[0][6]) if rows else 0
        used = sum(int(row[2]) for row in rows)
        if usable > 0:
            sieve.number("postgres.connections_used", min(1.0, used / usable))
        else:
            sieve.unknown("postgres.connections_used", "all its connections are reserved")
        for place, metric in (
            (3, "longest_transaction"), (4, "longest_query"), (5, "longest_idle_in_transaction"),
        ):  # fmt: skip
            worst = max((float(row[place]) for row in rows if row[place] is not None), default=0.0)
            sieve.number(f"postgres.{metric}", max(0.0, worst))  # a clock set back makes ages negative

    def _tell_locks(self, sieve: Sieve, rows: Rows) -> None:
        sieve.number("postgres.blocked", rows[0][0])
        if rows[0][1] is None:
            sieve.unknown("postgres.longest_wait", "PostgreSQL tells how long since version 14")
        else:
            sieve.number("postgres.longest_wait", max(0.0, rows[0][1]))

    def _tell_standbys(self, sieve: Sieve, rows: Rows) -> None:
        sieve.number("postgres.standbys", sum(int(row[1]) for row in rows))
        for name, _, size, seconds in rows:
            marks = self._with(standby=str(name) or "unnamed")
            self._or_unknown(sieve, "postgres.standby_lag_bytes", size, marks, "it has not said how far it is")
            self._or_unknown(sieve, "postgres.standby_lag_seconds", seconds, marks, "it has not said how late it is")

    def _tell_standby(self, sieve: Sieve, rows: Rows) -> None:
        receiving, behind, age = rows[0]
        sieve.number("postgres.receiving", receiving)
        nothing = "nothing streams in: nobody can tell how far its primary is"
        self._or_unknown(sieve, "postgres.lag_bytes", behind if receiving else None, self.marks, nothing)
        if receiving and behind is not None and behind <= 0:
            age = 0.0  # an idle primary writes nothing to replay: old is not late
        self._or_unknown(sieve, "postgres.lag_seconds", age if receiving else None, self.marks, nothing)

    def _tell_slots(self, sieve: Sieve, rows: Rows) -> None:
        for name, active, kept in rows:
            marks = self._with(slot=str(name))
            sieve.number("postgres.slot_active", active, marks)
            self._or_unknown(sieve, "postgres.slot_bytes", kept, marks, "it keeps nothing yet, or lost what it kept")

    def _tell_work(self, sieve: Sieve, rows: Rows) -> None:
        commits, rollbacks, deadlocks, temporary, hit, read = (float(value or 0) for value in rows[0])
        self._rate(sieve, "postgres.commits_rate", commits)
        self._rate(sieve, "postgres.rollbacks_rate", rollbacks)
        self._rate(sieve, "postgres.deadlocks_rate", deadlocks)
        self._rate(sieve, "postgres.temp_rate", temporary)
        before, self._blocks = self._blocks, (hit, read)
        if before is None or hit < before[0] or read < before[1]:
            sieve.unknown("postgres.cache_hit", "a ratio needs two looks, without a reset between them")
        elif (asked := hit - before[0] + read - before[1]) > 0:
            sieve.number("postgres.cache_hit", (hit - before[0]) / asked)
        else:
            sieve.unknown("postgres.cache_hit", "no block was asked for since the last look")

    def _tell_size(self, sieve: Sieve, rows: Rows) -> None:
        sieve.number("postgres.size", rows[0][0])

    def _tell_age(self, sieve: Sieve, rows: Rows) -> None:
        transactions, multis = rows[0]
        sieve.number("postgres.xid_age", transactions)
        sieve.number("postgres.wraparound", min(1.0, max(transactions, multis) / _WRAP))

    def _tell_dead(self, sieve: Sieve, rows: Rows) -> None:
        for table, share in rows:
            sieve.number("postgres.dead_ratio", share, self._with(table=str(table)))

    def _tell_checkpoints(self, sieve: Sieve, rows: Rows) -> None:
        for cause, count in zip(CHECKPOINT_CAUSES, rows[0], strict=True):
            self._rate(sieve, "postgres.checkpoints_rate", count, cause=cause)

    def _tell_archiver(self, sieve: Sieve, rows: Rows) -> None:
        sieve.number("postgres.archive_failing", rows[0][0])
        self._rate(sieve, "postgres.archive_failures_rate", rows[0][1])

    _tellers: dict[str, Callable[["PostgresSensor", Sieve, Rows], None]] = {  # noqa: RUF012 - written once, read only
        "sessions": _tell_sessions,
        "locks": _tell_locks,
        "standbys": _tell_standbys,
        "standby": _tell_standby,
        "slots": _tell_slots,
        "work": _tell_work,
        "size": _tell_size,
        "age": _tell_age,
        "dead": _tell_dead,
        "checkpoints": _tell_checkpoints,
        "archiver": _tell_archiver,
    }

    # ----------------------------------------------------------------------------------------- shared

    def _with(self, **more: str) -> Labels:
        """Labels of a series; names come from whoever may create a table or connect, and may hold anything."""
        return labels(target=self.target, **{key: _visible(name) for key, name in more.items()})

    def _rate(self, sieve: Sieve, metric: str, counter: object, **more: str) -> None:
        if not isinstance(counter, float):
            sieve.unknown(metric, "the server does not say", self._with(**more))
            return
        rate = self._rates.step(f"{metric}{more}", counter, sieve.at)
        if isinstance(rate, str):
            sieve.unknown(metric, rate, self._with(**more))
        else:
            sieve.number(metric, rate, self._with(**more))

    @staticmethod
    def _or_unknown(sieve: Sieve, metric: str, value: float | None, marks: Labels, why: str) -> None:
        if value is None:
            sieve.unknown(metric, why, marks)
        else:
            # A standby may have replayed a little past where the primary was when it was asked.
            sieve.number(metric, max(0.0, value), marks)


def _visible(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:128])
