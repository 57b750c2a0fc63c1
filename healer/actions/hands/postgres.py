"""PostgreSQL: end sessions that are stuck or hold others up, promote a standby, change data."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from healer.actions.hand import Hand
from healer.actions.hands.catalog import Services
from healer.actions.hands.postgres_settings import Adjust
from healer.actions.hands.sql import Sql, Update, refusal
from healer.actions.interface import Done, Order
from healer.clock import Clock
from healer.drivers.catalog import Drivers
from healer.drivers.interface import DriverError
from healer.drivers.pgwire import Door, greet
from healer.drivers.postgres import Postgres
from healer.drivers.postgres_session import PostgresError, Session
from healer.drivers.reach import Resolver
from healer.errors import ActionError, AmbiguousError, HealerError

_SHARE = 0.9
_POLL = 0.05
_MERCY = 1.0
"""Seconds a cancelled statement has to end before its session is."""
_GONE = 5.0
"""Seconds a session that was ended has to be gone."""
# Roots only: who waits itself is not the one to end. What is not a client's session (autovacuum, walsenders, workers of
# replication and of parallel queries) is never looked at. to_jsonb: waitstart is there since version 14.
_STUCK = """
WITH sessions AS (
  SELECT a.*, coalesce(r.rolsuper, false) AS super FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
  WHERE a.backend_type = 'client backend'
), waits AS (
  SELECT w.pid, pg_blocking_pids(w.pid) AS blockers,
         coalesce((SELECT min((to_jsonb(l) ->> 'waitstart')::timestamptz) FROM pg_locks l
                   WHERE l.pid = w.pid AND NOT l.granted), w.query_start) AS since
  FROM pg_stat_activity w WHERE w.wait_event_type = 'Lock'
), found AS (
  SELECT s.*, CASE WHEN s.state LIKE 'idle in transaction%%'
                   THEN extract(epoch FROM clock_timestamp() - s.state_change) END AS idle,
         h.held, h.holds
  FROM sessions s, LATERAL (
    SELECT extract(epoch FROM clock_timestamp() - min(w.since)) AS held, count(*) AS holds
    FROM waits w WHERE s.pid = ANY (w.blockers)
  ) AS h WHERE NOT EXISTS (SELECT FROM waits w WHERE w.pid = s.pid)
)
SELECT pid, backend_start::text, xact_start::text,
       CASE WHEN coalesce(held < %(older)s, true) THEN state_change::text END,
       usename::text, state, coalesce(idle, 0)::float8, coalesce(held, 0)::float8, holds
FROM found
WHERE (idle >= %(older)s OR (held >= %(older)s AND (state <> 'active' OR %(active)s))) AND pid <> pg_backend_pid()
  AND NOT (usename = current_user AND application_name = 'healer')
  AND NOT usename = ANY (%(spare)s::name[]) AND (NOT super OR %(super)s)
ORDER BY holds DESC, greatest(idle, held) DESC LIMIT %(most)s
"""
_SAME = "pid = %(pid)s AND backend_start = %(born)s::timestamptz"
_STILL = f"""{_SAME} AND xact_start IS NOT DISTINCT FROM %(began)s::timestamptz
  AND (state <> 'active' OR %(active)s) AND coalesce(state_change = %(changed)s::timestamptz, true)"""
# In one statement: a pid that was given to another session meanwhile, or a transaction that ended, is left alone.
_CANCEL = f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {_STILL}"  # noqa: S608 - constants
_END = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_STILL}"  # noqa: S608 - constants
_THERE = f"SELECT xact_start::text FROM pg_stat_activity WHERE {_SAME}"  # noqa: S608 - constants
# Without pg_monitor the status is not shown: a receiver that is there may be streaming.
_STANDBY = """
SELECT coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0)::float8,
       EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming' OR status IS NULL)
"""
_SIGNAL_HINT = "GRANT pg_signal_backend TO it; sessions of superusers only a superuser may end"
_PROMOTE_HINT = "GRANT EXECUTE ON FUNCTION pg_promote TO it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A session to be ended: its pid alone could be another's by then."""

    pid: int
    born: str
    began: str | None
    """Start of its transaction; None where it has none, and holds a lock all the same."""
    changed: str | None
    """Since when it sits idle, where that is all that is wrong with it: one that woke up meanwhile is left alone."""
    user: str
    state: str
    idle: float
    """Seconds it has sat idle in its transaction; 0 when it does not."""
    held: float
    """Seconds the longest of those it holds up has waited; 0 when it holds up nobody."""
    holds: int

    @property
    def key(self) -> Mapping[str, object]:
        """What tells it from all others."""
        return {"pid": self.pid, "born": self.born, "began": self.began, "changed": self.changed}

    @property
    def fact(self) -> Mapping[str, Any]:
        """As it goes into the log: without its query, which may hold values."""
        return {"pid": self.pid, "user": self.user, "state": self.state, "idle": round(self.idle), "holds": self.holds}


class Reconnect(Hand):
    """End sessions that sit idle in a transaction, or hold others up."""

    touches = "sessions of clients: their open transaction is rolled back, and they have to connect anew"

    def __init__(self, drivers: Drivers, clock: Clock) -> None:
        self._drivers, self._clock = drivers, clock

    async def act(self, order: Order) -> Done:
        """End the worst of them; raises ActionError, AmbiguousError."""
        driver = _driver(self._drivers, order)
        ended: list[Stuck] = []
        try:
            async with driver.hands(timeout=order.timeout * _SHARE) as session:
                await driver.recognise(session, order.generation)
                for stuck in await self._find(session, order):
                    # One by one: what was ended before one of them failed is told all the same.
                    ended += [stuck] if await self._end(session, stuck, order) else []
        except HealerError as exc:
            raise _told(exc, ended) from exc
        facts = {"ended": [stuck.fact for stuck in ended]}
        if not ended:
            return Done(because="no session is stuck any more", facts=facts)
        return Done(because=f"{len(ended)} sessions of {order.target.id} ended", facts=facts)

    def would(self, order: Order) -> str:
        """How many, and since when."""
        most, older = order.params["at_most"], order.params["older"]
        return f"end at most {most} sessions of {order.target.id} that have been stuck for {older:g} s"

    async def _find(self, session: Session, order: Order) -> Sequence[Stuck]:
        spec, params = order.target.spec, order.params
        values = {
            "older": float(params["older"]),
            "most": int(params["at_most"]),
            "spare": list(spec.get("spare") or ()),
            "active": bool(params.get("active")),
            "super": spec.get("superusers") == "end",
        }
        rows = await session.ask(_STUCK, values, timeout=order.timeout)
        names = ("pid", "born", "began", "changed", "user", "state", "idle", "held", "holds")
        return [Stuck(**dict(zip(names, row, strict=True))) for row in rows]

    async def _end(self, session: Session, stuck: Stuck, order: Order) -> bool:
        """Whether it was there, and is gone now."""
        key = {**stuck.key, "active": bool(order.params.get("active"))}
        if order.params.get("cancel") and not stuck.idle:
            await session.do(_CANCEL, key, timeout=order.timeout)
            if await self._passed(session, stuck, _MERCY, whole=False):
                return True
        try:
            told = await session.do(_END, key, timeout=order.timeout)
        except PostgresError as exc:
            if exc.denied:
                raise ActionError(exc.message, hint=_SIGNAL_HINT, transient=False) from exc
            raise
        if not told:
            return False
        if not await self._passed(session, stuck, _GONE, whole=True):
            raise ActionError(f"session {stuck.pid} was told to end, and is still there after {_GONE:g} s")
        return True

    async def _passed(self, session: Session, stuck: Stuck, within: float, *, whole: bool) -> bool:
        """Wait until its transaction has ended, or the ``whole`` session."""
        end = self._clock.now() + within
        while True:
            rows = await session.ask(_THERE, stuck.key, timeout=within)
            if not rows or (not whole and rows[0][0] != stuck.began):
                return True
            if self._clock.now() >= end:
                return False
            await asyncio.sleep(_POLL)


class Failover(Hand):
    """Promote a standby."""

    touches = "the standby becomes a primary for good; its former primary must not come back as one"

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers
        self._resolver = Resolver()

    async def act(self, order: Order) -> Done:
        """Promote it; raises ActionError, AmbiguousError."""
        driver = _driver(self._drivers, order)
        try:
            await self._see_primary_gone(order, driver.patience)
            async with driver.hands(timeout=order.timeout * _SHARE) as session:
                return await self._promote(driver, session, order)
        except DriverError as exc:
            raise refusal(exc) from exc

    def would(self, order: Order) -> str:
        """What it would become."""
        return f"promote {order.target.id}, when its primary does not answer"

    async def _promote(self, driver: Postgres, session: Session, order: Order) -> Done:
        found = await driver.recognise(session, order.generation)
        if not found.in_recovery:
            raise ActionError(f"{order.target.id} is no standby", transient=False)
        behind, streaming = (await session.ask(_STANDBY, timeout=driver.patience))[0]
        if streaming and not order.params.get("split_brain"):
            # Also where the declared primary does not answer: it hangs for now, or another one is the primary.
            raise ActionError(f"{order.target.id} receives from a primary", hint="stop that first: two are two truths")
        most = int(order.params.get("max_lag") or 0)
        if behind > most:
            raise ActionError(
                f"it has {behind:.0f} bytes yet to replay, and {most} may be",
                hint="max_lag: of failover says how many may be",
            )
        try:
            done = (await session.do("SELECT pg_promote(true, %s)", (max(1, int(order.timeout * 0.5)),),
                                     timeout=order.timeout))[0][0]  # fmt: skip
        except PostgresError as exc:
            if exc.denied:
                raise ActionError(exc.message, hint=_PROMOTE_HINT, transient=False) from exc
            raise
        if not done:
            raise AmbiguousError("it was told to promote itself, and has not said that it did")
        return Done(because=f"{order.target.id} is a primary now", generation=found.generation)

    async def _see_primary_gone(self, order: Order, patience: float) -> None:
        """Two primaries are worse than none: raises ActionError unless the old one is known to be away, or told."""
        if order.params.get("split_brain"):
            return
        known: Mapping[str, Any] | None = order.target.spec.get("primary")
        if known is None:
            raise ActionError(
                f"nobody knows where the primary of {order.target.id} is", transient=False,
                hint="primary: {host: ...} of the target, or split_brain: true where something else fences it",
            )  # fmt: skip
        door = Door(host=str(known["host"]), port=int(known["port"]))
        try:
            await greet(door, self._resolver, timeout=patience)
        except DriverError as exc:
            if exc.fact:
                return
            raise ActionError(f"nobody can tell whether the primary answers: {exc.message}", hint=exc.hint) from exc
        raise ActionError(f"the primary at {door} answers", hint="stop it first: two primaries are two truths")


def _driver(drivers: Drivers, order: Order) -> Postgres:
    try:
        return cast("Postgres", drivers.of(order.target))
    except HealerError as exc:
        raise ActionError(exc.message, hint=exc.hint, transient=False) from exc


def _told(exc: HealerError, ended: Sequence[Stuck]) -> ActionError:
    """What went wrong, and how far it had come: what was ended stays ended."""
    error = exc if isinstance(exc, ActionError) else refusal(exc)
    if not ended:
        return error
    so_far = f"{error.message}; {len(ended)} sessions were ended before"
    if isinstance(error, AmbiguousError):
        return AmbiguousError(so_far, hint=error.hint)
    return ActionError(so_far, hint=error.hint, transient=error.transient)


def hands(services: Services) -> Mapping[str, Hand]:
    """The hands for PostgreSQL servers."""
    drivers = services.drivers
    return {
        "reconnect": Reconnect(drivers, services.clock),
        "failover": Failover(drivers),
        "sql": Sql(drivers),
        "update": Update(drivers),
        "adjust": Adjust(drivers, services.clock),
    }
