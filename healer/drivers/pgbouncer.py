"""PgBouncer in front of a PostgreSQL server: its console says who waits for a connection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from healer.clock import Clock
from healer.drivers.link import AT_ONCE, Link
from healer.drivers.pgwire import Door
from healer.drivers.postgres_session import Place, PostgresError, Session, connect
from healer.drivers.reach import Resolver
from healer.model.target import Target

_CONSOLE = "pgbouncer"
"""Name of its console, as of a database and as of a pool."""
_MOST = 200
"""Pools that are told of, those with most clients waiting first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One pool: a database and a user."""

    name: str
    """``database/user``."""
    active: int
    """Clients that have a connection."""
    waiting: int
    """Clients that wait for one."""
    wait: float
    """Seconds the first of them has waited."""
    servers: int
    """Connections to the server, used or idle."""


class Pooler:
    """Its console. The user must be one of its ``stats_users``."""

    def __init__(self, name: str, place: Place, clock: Clock, *, patience: float) -> None:
        self._place, self._patience = place, patience
        self._resolver = Resolver()
        self._link: Link[Session] = Link(
            name,
            connect=self._connect,
            close=lambda session: session.close(),
            clock=clock,
            timeout=2 * patience,
            pauses=AT_ONCE,
        )

    @classmethod
    def of(cls, target: Target, clock: Clock) -> Self | None:
        """The pooler its keys name; None where they name none."""
        keys: Mapping[str, Any] | None = target.spec.get("pooler")
        if keys is None:
            return None
        door = Door(host=str(keys["host"]), port=int(keys["port"]))
        user = str(keys.get("user") or "") or Place.of(target).user
        place = Place(door=door, dbname=_CONSOLE, user=user, password=keys.get("password"))
        return cls(f"{target.id}:pooler", place, clock, patience=float(target.spec.get("timeout") or 5.0))

    async def pools(self) -> list[Pool]:
        """Its pools, the console's own left out; raises DriverError."""
        try:
            found = await self._show()
        except PostgresError as exc:
            if not exc.lost:
                raise
            found = await self._show()  # it ended while nobody looked: only another try tells
        try:
            pools = [pool(row) for row in found if row["database"] != _CONSOLE]
        except (KeyError, TypeError, ValueError) as exc:
            raise PostgresError(f"{self._place.door} describes its pools oddly", fact=True, sqlstate="XX000") from exc
        return sorted(pools, key=lambda one: (-one.waiting, one.name))[:_MOST]

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()

    async def _show(self) -> list[dict[str, Any]]:
        session = await self._link.get()
        try:
            return await session.table("SHOW POOLS", timeout=self._patience)
        finally:
            if not session.alive:
                self._link.lost(session, "the session has ended")

    async def _connect(self) -> Session:
        return await connect(self._place, self._resolver, None, timeout=self._patience)


def pool(row: Mapping[str, Any]) -> Pool:
    """A row of SHOW POOLS; raises KeyError, TypeError, ValueError for what is none."""
    return Pool(
        name=f"{row['database']}/{row['user']}",
        active=int(row["cl_active"]),
        waiting=int(row["cl_waiting"]),
        wait=int(row["maxwait"]) + int(row.get("maxwait_us") or 0) / 1e6,
        servers=sum(int(row[key]) for key in ("sv_active", "sv_idle", "sv_used")),
    )
