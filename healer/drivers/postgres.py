"""PostgreSQL: one session kept for looks, which cannot write, and short-lived ones for hands."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from healer.clock import Clock
from healer.drivers.interface import Driver, DriverStatus
from healer.drivers.link import AT_ONCE, Changed, Link
from healer.drivers.pgbouncer import Pooler
from healer.drivers.pgwire import greet
from healer.drivers.postgres_session import Bounds, Place, PostgresError, Session, connect, shown
from healer.drivers.reach import Resolver
from healer.drivers.sql import Statements
from healer.model.target import Target

_WHO = """
SELECT current_setting('server_version'), pg_is_in_recovery(),
       extract(epoch FROM pg_postmaster_start_time())::float8,
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8,
       pg_has_role('pg_read_all_stats', 'USAGE')
"""
_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
_SERVER_FIRST = 0.8
"""Share of a deadline after which the server itself gives up: it says so, and the session is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which server this is, and in which part."""

    version: str
    in_recovery: bool
    """A standby, or one that replays after a crash."""
    uptime: float
    """Seconds."""
    monitor: bool
    """We may see what other roles do (pg_monitor)."""
    generation: str
    """System identifier (empty where we may not see it) and start: another word is another server, or another start."""


async def identify(session: Session, *, timeout: float) -> Identity:
    """Ask who it is; raises PostgresError."""
    rows = await session.ask(_WHO, timeout=timeout)
    try:
        found = await session.ask(_SYSTEM, timeout=timeout)
        system = str(found[0][0]) if found else ""
    except PostgresError as exc:
        if not exc.denied:
            raise
        system = ""  # the start alone must do
    try:
        version, in_recovery, started, uptime, monitor = rows[0]
        generation = f"{system}.{started:.6f}"
    except (IndexError, TypeError, ValueError) as exc:
        raise PostgresError("it does not say who it is", fact=True, sqlstate="XX000") from exc
    return Identity(
        version=version, in_recovery=in_recovery, uptime=uptime, monitor=monitor, generation=generation
    )  # fmt: skip


class Postgres(Driver):
    """One database: a session kept for looks, which cannot write, and short-lived ones for hands.

    ``ours`` says that the looks ask our own questions only, not those of a configuration.
    """

    def __init__(self, target: Target, clock: Clock, *, changed: Changed | None = None, ours: bool = True) -> None:
        self.name = target.id
        self.place = Place.of(target)
        self.patience = float(target.spec.get("timeout") or 5.0)
        """Seconds a look has."""
        self._ours = ours
        self._resolver = Resolver()
        self._link: Link[Session] = Link(
            target.id,
            connect=self._connect,
            close=lambda session: session.close(),
            clock=clock,
            timeout=2 * self.patience,
            pauses=AT_ONCE,
            changed=changed,
        )
        self.pooler = Pooler.of(target, clock)
        """The one in front of it; None where none is declared."""

    def status(self) -> DriverStatus:
        """How it is doing."""
        return self._link.status()

    async def health(self) -> None:
        """See that the server takes a connection; raises DriverError."""
        await greet(self.place.door, self._resolver, timeout=self.patience)

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()
        if self.pooler is not None:
            await self.pooler.close()

    async def select(self, query: str, *, most: int) -> list[tuple[Any, ...]]:
        """At most ``most`` rows of a SELECT, in the session for looks; raises DriverError."""
        try:
            return await self._select(query, most)
        except PostgresError as exc:
            if not exc.lost:
                raise
            return await self._select(query, most)  # it ended while nobody looked: only another try tells

    async def _select(self, query: str, most: int) -> list[tuple[Any, ...]]:
        session = await self.session()
        try:
            return await session.select(query, most=most, timeout=self.patience)
        finally:
            self.check(session)

    async def change(
        self, statements: Statements, *, at_most: int, timeout: float, generation: str | None = None
    ) -> int:
        """Run statements in one transaction, in a session of its own; returns the rows changed.

        Raises DriverError: nothing was changed, unless ``sent`` says that nobody can tell. With ``generation`` another
        server than that one is left alone.
        """
        async with self.hands(timeout=timeout, ours=False) as session:
            if generation is not None:
                await self.recognise(session, generation)
            return await session.change(statements, at_most=at_most, timeout=timeout)

    async def session(self) -> Session:
        """The session for looks; give it back with `check`. Raises DriverError."""
        session = await self._link.get()
        if session.alive:
            return session
        self.check(session)
        return await self._link.get()

    def check(self, session: Session) -> None:
        """Notice where a session has ended."""
        if not session.alive:
            self._link.lost(session, "the session has ended")

    async def recognise(self, session: Session, generation: str) -> Identity:
        """See that this is still the server that was judged; raises PostgresError."""
        found = await identify(session, timeout=self.patience)
        if found.generation != generation:
            raise PostgresError(f"{self.name} is another incarnation now", sqlstate="55000")
        return found

    @contextlib.asynccontextmanager
    async def hands(self, *, timeout: float, ours: bool = True) -> AsyncGenerator[Session]:
        """A session of its own that may write; no statement in it lasts longer than ``timeout`` seconds.

        Raises DriverError where none can be had.
        """
        bounds = Bounds(statement=timeout * _SERVER_FIRST, lock=timeout / 2, write=True, ours=ours)
        session = await connect(self.place, self._resolver, bounds, timeout=self.patience)
        try:
            yield session
        finally:
            await session.close()

    @contextlib.asynccontextmanager
    async def bare(self) -> AsyncGenerator[Session]:
        """A session that sets nothing of its own: the server's configuration is seen in it as any client sees it."""
        session = await connect(self.place, self._resolver, None, timeout=self.patience)
        try:
            yield session
        finally:
            await session.close()

    async def _connect(self) -> Session:
        limit = self.patience * _SERVER_FIRST
        bounds = Bounds(statement=limit, lock=limit, ours=self._ours)
        session = await connect(self.place, self._resolver, bounds, timeout=self.patience)
        self._link.version = shown(session.version)
        return session
