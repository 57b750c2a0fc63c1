"""PostgreSQL through psycopg, with a deadline on every word; the only importer of psycopg outside the audit log."""

import asyncio
import contextlib
import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from healer import blocking
from healer.drivers.interface import EXTRAS
from healer.drivers.pgwire import Door, blame, is_fact, look_up
from healer.drivers.reach import Resolver
from healer.drivers.sql import SqlError
from healer.errors import HealerError
from healer.model.target import EMPTY, Target
from healer.yamldoc.secret import Secret

if TYPE_CHECKING:
    import psycopg
    from psycopg.abc import RV, PQGen

OLDEST = 120000
"""Version 12, as PostgreSQL counts: what is asked of the server is there since then."""
CHANGING = ("INSERT", "UPDATE", "DELETE", "MERGE", "COPY")
"""First words of what the server says of a statement that changed rows, before their number."""
Values = Sequence[object] | Mapping[str, object]
"""For ``%s``, or for ``%(name)s``: sent beside the text, never put into it."""
TOO_MANY_ROWS = "54000"
_AGAIN = frozenset({"57014", "55P03", "40001", "40P01"})
"""Cancelled for its time, a lock not had in time, could not be serialised, deadlock."""
_PERMISSION = "42501"
_CHARS = 300
MOST_READS = 4000
"""Times that one answer may be read from: 16 KiB each, as libpq reads them, or what the network brings at once."""


class PostgresError(SqlError):
    """The server, or the way to it, said no. ``sqlstate`` is its code; empty where the session itself is gone."""

    def __init__(
        self, message: str, *, hint: str = "", fact: bool = False, sent: bool = False, sqlstate: str = ""
    ) -> None:
        slow = sqlstate in _AGAIN
        asked = slow or bool(sqlstate and not fact)
        super().__init__(message, hint=hint, fact=fact, sent=sent, asked=asked, again=slow or not asked)
        self.sqlstate = sqlstate

    @property
    def lost(self) -> bool:
        """The session ended: nobody can tell what the server did with the last words."""
        return not self.sqlstate or self.sqlstate.startswith("57P")

    @property
    def denied(self) -> bool:
        """The role may not see, or do, that."""
        return self.sqlstate == _PERMISSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A database, and who we are there."""

    door: Door
    dbname: str
    user: str
    password: Secret | None = None
    """Read at each connection; None where none is needed."""
    tls: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Keys of libpq: sslmode, sslrootcert, sslcert, sslkey."""

    @classmethod
    def of(cls, target: Target) -> Self:
        """The place its keys name."""
        spec = target.spec
        names = ("sslmode", "sslrootcert", "sslcert", "sslkey")
        return cls(
            door=Door(host=str(spec.get("host") or "/var/run/postgresql"), port=int(spec.get("port") or 5432)),
            dbname=str(spec.get("dbname") or "postgres"),
            user=str(spec.get("user") or "") or _account(),
            password=spec.get("password"),
            tls={name: str(spec[name]) for name in names if spec.get(name)},
        )


class Answer(NamedTuple):
    """What came back for one statement."""

    names: tuple[str, ...]
    """Of its columns."""
    rows: list[tuple[Any, ...]]
    changed: int
    """Rows it changed; 0 for what changes none by nature."""


class Session:
    """One connection to the server. A call that is cut short, by its deadline or by being cancelled, ends it."""

    def __init__(self, connection: "psycopg.AsyncConnection[Any]", door: Door) -> None:
        self._connection = connection
        self._door = door
        self._lock = asyncio.Lock()
        self.version: int = connection.info.server_version
        """Of the server: 150004 is 15.4."""

    @property
    def alive(self) -> bool:
        """Nothing has ended it, as far as we know."""
        return not self._connection.closed

    async def ask(self, query: str, values: Values | None = None, *, timeout: float) -> list[tuple[Any, ...]]:
        """Rows of a query of ours, all of them; raises PostgresError."""
        return (await self._run(query, values, timeout, single=False)).rows

    async def table(self, query: str, *, timeout: float) -> list[dict[str, Any]]:
        """Rows by the names of their columns, for who adds columns between versions; raises PostgresError."""
        found = await self._run(query, None, timeout, single=False)
        return [dict(zip(found.names, row, strict=True)) for row in found.rows]

    async def select(self, query: str, *, most: int, timeout: float) -> list[tuple[Any, ...]]:
        """At most ``most`` rows of somebody's SELECT, in a transaction that cannot write; raises PostgresError."""
        await self._run("BEGIN READ ONLY", None, timeout, single=False)
        try:
            # One statement and a cursor: the server keeps the other million rows, and takes nothing after a semicolon.
            await self._run(f"DECLARE healer NO SCROLL CURSOR FOR {query}", None, timeout, single=True)
            return (await self._run(f"FETCH FORWARD {most} FROM healer", None, timeout, single=False)).rows
        finally:
            await self._undo(timeout)

    async def change(self, statements: Sequence[tuple[str, Values | None]], *, at_most: int, timeout: float) -> int:
        """Run statements in one transaction; returns the rows they changed.

        Raises PostgresError: nothing was changed, unless ``sent`` says that the last word may have arrived. More rows
        than ``at_most`` undo all.
        """
        await self._run("BEGIN", None, timeout, single=False)
        changed = 0
        try:
            for statement, values in statements:
                changed += (await self._run(statement, values, timeout, single=True)).changed
                self._bounded(changed, at_most)
        except BaseException:
            await self._undo(timeout)
            raise
        try:
            await self._run("COMMIT", None, timeout, single=False)
        except PostgresError as exc:
            if not exc.lost:
                raise
            raise PostgresError(f"the session ended during COMMIT: {exc.message}", fact=True, sent=True) from exc
        return changed

    async def _undo(self, timeout: float) -> None:
        if self.alive:
            with contextlib.suppress(PostgresError):  # then the session is gone, and its transaction with it
                await self._run("ROLLBACK", None, timeout, single=False)

    def _bounded(self, changed: int, at_most: int) -> None:
        from psycopg.pq import TransactionStatus

        if changed > at_most:
            raise PostgresError(f"it would change {changed} rows or more of at most {at_most}", sqlstate=TOO_MANY_ROWS)
        if self._connection.info.transaction_status is not TransactionStatus.INTRANS:
            raise PostgresError("a statement ended the transaction it was in", sent=True, sqlstate="2D000")

    async def do(self, statement: str, values: Values | None = None, *, timeout: float) -> list[tuple[Any, ...]]:
        """Rows of a statement that has its effect at once; raises PostgresError, ``sent`` where it may have had it."""
        try:
            return await self.ask(statement, values, timeout=timeout)
        except PostgresError as exc:
            if not exc.lost:
                raise
            raise PostgresError(exc.message, fact=exc.fact, sent=True) from exc

    async def _run(self, query: str, values: Values | None, timeout: float, *, single: bool) -> Answer:
        """One round trip. With values, or ``single``, the server takes one statement, whatever the text holds."""
        import psycopg

        async with self._lock:
            try:
                async with asyncio.timeout(timeout):
                    # In binary form libpq is bound to one statement per message.
                    binary = single and not values
                    cursor = await self._connection.execute(
                        query.encode(), values or None, prepare=False, binary=binary
                    )
                    names = tuple(column.name for column in cursor.description or ())
                    rows = await cursor.fetchall() if names else []
            except TimeoutError as exc:
                await self.close()
                raise PostgresError(f"{self._door} did not answer within {timeout:g} s", fact=True) from exc
            except (psycopg.Error, UnicodeError) as exc:
                raise await self._said(exc) from exc
            except BaseException:
                await self.close()  # cancelled in the middle: what comes next on the wire is not for the next question
                raise
            changing = (cursor.statusmessage or "").startswith(CHANGING)
            return Answer(names=names, rows=rows, changed=max(0, cursor.rowcount) if changing else 0)

    async def _said(self, exc: Exception) -> PostgresError:
        import psycopg

        sqlstate = str(getattr(exc, "sqlstate", None) or "")
        message = first_line(exc)
        if not sqlstate and isinstance(exc, psycopg.ProgrammingError | psycopg.DataError | UnicodeError):
            sqlstate = "22000"  # the library's own word on values: what it sent or read is odd, and the session goes on
        if not sqlstate or not self.alive:
            await self.close()  # it is gone, or nobody can tell any more what on the wire belongs to which question
            return PostgresError(f"{self._door} ended the session: {message}", fact=True)
        return PostgresError(message, fact=is_fact(sqlstate), sqlstate=sqlstate)

    async def close(self) -> None:
        """End it. Never raises, and does not wait."""
        await self._connection.close()


def first_line(exc: Exception) -> str:
    """What libpq or the server says, without detail, context and query: those may hold values."""
    said = str(exc).strip().split("\n", 1)[0].removeprefix("connection failed: ")
    return said[:_CHARS] or type(exc).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a session may take, in seconds, and whether it may write."""

    statement: float
    lock: float
    write: bool = False
    ours: bool = True
    """Only our own words are said in it: nobody's function in some schema can stand in for the server's own."""

    @property
    def options(self) -> str:
        """As libpq hands them to the server with its first word: they hold before anything is asked."""
        settings: dict[str, object] = {
            "statement_timeout": round(self.statement * 1000),
            "lock_timeout": round(self.lock * 1000),
            "idle_in_transaction_session_timeout": round((self.statement + self.lock) * 2000),
            "default_transaction_read_only": "off" if self.write else "on",
        }
        if self.ours:
            settings["search_path"] = "pg_catalog"
        return " ".join(f"-c {name}={value}" for name, value in settings.items())


async def connect(place: Place, resolver: Resolver, bounds: Bounds | None, *, timeout: float) -> Session:
    """A new session within ``timeout`` seconds; raises DriverError, with ``fact`` where the server is to blame.

    ``bounds`` is None for who must not bring settings of its own, such as to a pooler's console, which knows none.
    """
    await blocking.call(_load)
    keys = {**place.tls, "dbname": place.dbname, "user": place.user}
    if bounds is not None:
        keys["options"] = bounds.options
    if place.password is not None:
        keys["password"] = _revealed(place.password)
    keys |= await _address(place.door, resolver, timeout)
    try:
        async with asyncio.timeout(timeout):
            session = Session(await _dial(keys), place.door)
    except TimeoutError as exc:
        raise PostgresError(f"{place.door} let nobody in within {timeout:g} s", fact=True) from exc
    except PostgresError as exc:
        await blame(place.door, resolver, user=place.user, dbname=place.dbname, timeout=timeout)
        raise PostgresError(exc.message, hint=f"may {place.user} connect to {place.dbname}?") from exc
    if bounds is not None and session.version < OLDEST:
        found = shown(session.version)
        await session.close()
        raise PostgresError(f"{place.door} is PostgreSQL {found}", hint="12 or newer is looked at")
    return session


async def _address(door: Door, resolver: Resolver, timeout: float) -> dict[str, str]:
    """Host, port and addresses as libpq takes them: it would hold the loop while it looks up a name."""
    found = await look_up(door, resolver, timeout=timeout)
    keys = {"host": door.host, "port": str(door.port)}
    return keys | ({"host": ",".join([door.host] * len(found)), "hostaddr": ",".join(found)} if found else {})


async def _dial(keys: Mapping[str, str]) -> "psycopg.AsyncConnection[Any]":
    import psycopg
    from psycopg import waiting
    from psycopg.conninfo import make_conninfo

    class Connection(psycopg.AsyncConnection[Any]):
        """One that is simply dropped when a call is given up.

        The original would open a second connection to cancel, and wait up to ten seconds for a server that hangs.
        """

        async def wait(self, gen: "PQGen[RV]", interval: float = 0.1, timeout: float | None = None) -> "RV":
            del timeout  # ours is around all of it; before version 3.3 there was none
            return await waiting.wait_async(_bounded(gen), self.pgconn.socket, interval=interval)

    fixed = {"application_name": "healer", "client_encoding": "utf8", "gssencmode": "disable", "keepalives_idle": "10"}
    try:
        conninfo = make_conninfo("", **keys, **fixed, target_session_attrs="any", tcp_user_timeout="30000")
        return await Connection.connect(conninfo, autocommit=True)
    except psycopg.Error as exc:
        raise PostgresError(first_line(exc)) from exc


def _bounded(gen: "PQGen[RV]") -> "PQGen[RV]":
    """The same generator, ended by a server that goes on and on: libpq keeps all of an answer, and any notice."""
    import psycopg

    try:
        wanted, left = next(gen), MOST_READS
        while left > 0:
            ready = yield wanted
            left -= bool(ready)  # not where it only has waited for a while
            wanted = gen.send(ready)
    except StopIteration as exc:
        found: RV = exc.value
        return found
    gen.close()
    raise psycopg.OperationalError("it answers more than is ever asked for")


def _account() -> str:
    """Our own account's name, as libpq would take it; its number where it has none (in a container, say)."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _load() -> None:
    try:
        import psycopg  # noqa: F401 - off the loop: it takes a tenth of a second
    except ImportError as exc:
        raise PostgresError("PostgreSQL needs its client library", hint=EXTRAS) from exc


def _revealed(password: Secret) -> str:
    try:
        return password.reveal(os.environ)
    except HealerError as exc:
        raise PostgresError(exc.message, hint=exc.hint) from exc


def shown(version: int) -> str:
    """As the server writes it: 15.4."""
    return (
        f"{version // 10000}.{version % 10000}" if version >= 100000 else f"{version // 10000}.{version // 100 % 100}"
    )
