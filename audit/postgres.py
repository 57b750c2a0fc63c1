"""The log kept in PostgreSQL: the same octets in the same columns; the only importer of its driver."""

import contextlib
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from audit.block import MAX_BODY
from audit.errors import AuditError, Busy, Damaged, Poisoned, Unreadable
from audit.files import read_small
from audit.reader import BATCH, STUBS, Blocks, Row, Stub

if TYPE_CHECKING:
    import psycopg

POINTER: Final = "audit.postgres"
"""In a state folder whose log is in PostgreSQL: the path of the file that says where, which holds the secret."""
TABLE: Final = (
    "CREATE TABLE blocks (height bigint NOT NULL PRIMARY KEY, first bigint NOT NULL, n bigint NOT NULL, "
    "hdr bytea NOT NULL, sig bytea NOT NULL, rsig bytea NOT NULL, body bytea NOT NULL); "
    "ALTER TABLE blocks ALTER COLUMN body SET STORAGE EXTERNAL"  # not compressed: read as fast as it was written
)
"""The agent's own role needs no more than INSERT and SELECT on it."""
_INSERT: Final = "INSERT INTO blocks (height, first, n, hdr, sig, rsig, body) VALUES (%s, %s, %s, %s, %s, %s, %s)"
_CUT: Final = "substring(hdr FOR 8193), substring(sig FOR 8193), substring(rsig FOR 8193)"
# What is larger than any block does not come, so that a hostile server costs no more than one; it then fits no header.
_BODY: Final = f"CASE WHEN octet_length(body) <= {MAX_BODY} THEN body ELSE decode('00', 'hex') END"
_SELECT: Final = f"SELECT height, first, n, {_CUT}, {_BODY} FROM blocks"  # noqa: S608 - constants only
_STUB: Final = f"SELECT height, {_CUT}, octet_length(body) FROM blocks"  # noqa: S608 - constants only
_ADVISORY: Final = 0x4845_4C31
"""HEL1, as in ``application_id``: the upper half of the advisory lock's key, the table's own number is the lower."""
_MAX_DSN: Final = 4096
_STARTS: Final = (b"postgresql://", b"postgres://", b"host=", b"dbname=", b"service=")
_PATIENCE_MS: Final = 30_000


def dsn_of(path: Path) -> str:
    """Read the file that holds a connection string; raises ``Unreadable``, also where others could read it."""
    try:
        text = read_small(path, _MAX_DSN).decode().strip()
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, UnicodeDecodeError) as exc:
        raise Unreadable(f"the connection string {path} cannot be read: {exc}") from exc
    if mode & 0o077:
        raise Unreadable(f"the connection string {path} is open to others", hint=f"chmod 600 {path}")
    if not text or "\n" in text:
        raise Unreadable(
            f"{path} does not hold one line", hint="one connection string: postgresql://USER@HOST/DATABASE"
        )
    return text


def is_dsn_file(path: Path) -> bool:
    """Tell whether a file looks like a connection string rather than a log."""
    try:
        return read_small(path, _MAX_DSN).startswith(_STARTS)
    except (OSError, Unreadable):
        return False


def _connect(dsn: str) -> "psycopg.Connection[Any]":
    try:
        import psycopg
    except ImportError as exc:
        raise Unreadable("a log in PostgreSQL needs its driver", hint="pip install 'healer[postgres]'") from exc
    try:
        return psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=10,
            options=f"-c statement_timeout={_PATIENCE_MS} -c bytea_output=hex",
            keepalives_idle=10,
            tcp_user_timeout=_PATIENCE_MS,
        )
    except psycopg.Error as exc:
        # Not in full: it may repeat the connection string.
        because = f"PostgreSQL does not let us in: {_first_line(exc)}"
        raise Unreadable(because, hint="is it running, and is the connection string its own?") from exc


def _first_line(exc: Exception) -> str:
    return str(exc).strip().split("\n", 1)[0][:300]


class PostgresLog(Blocks):
    """The blocks of one log in PostgreSQL."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """Read through ``connection``, which is closed with this."""
        self._connection = connection

    @classmethod
    def open(cls, dsn: str) -> Self:
        """Connect, for reading only; raises ``Unreadable``."""
        log = cls(_connect(dsn))
        try:
            with _readable():
                log._connection.execute("SET default_transaction_read_only = on")
            _check_table(log._connection)
        except BaseException:
            log.close()
            raise
        return log

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def top(self) -> int | None:
        """Return the greatest height, None in an empty log; raises ``Unreadable``."""
        found = self._one("SELECT max(height) FROM blocks", ())
        return None if found is None or found[0] is None else int(found[0])

    def row(self, height: int) -> Row | None:
        """Return one block, None where there is none; raises ``Unreadable``."""
        found = self._one(f"{_SELECT} WHERE height = %s", (height,))
        return None if found is None else Row(*found)

    def _one(self, query: str, values: Sequence[object]) -> tuple[Any, ...] | None:
        with _readable():
            return self._connection.execute(query, values, binary=True).fetchone()

    def rows(self, start: int | None = None, last: int | None = None) -> Iterator[Row]:
        """Yield blocks in order of height, a few in memory at a time; raises ``Unreadable``."""
        for found in self._each(_SELECT, -(2**63) if start is None else start, last, BATCH):
            yield Row(*found)

    def stubs(self, start: int) -> Iterator[Stub]:
        """Yield blocks without their bodies; raises ``Unreadable``."""
        for found in self._each(_STUB, start, None, STUBS):
            yield Stub(*found)

    def _each(self, select: str, start: int, last: int | None, batch: int) -> Iterator[tuple[Any, ...]]:
        bound, where = start, ">="
        while True:
            query = f"{select} WHERE height {where} %s AND height <= %s ORDER BY height LIMIT {batch}"
            with _readable():
                values = (bound, 2**63 - 1 if last is None else last)
                found = self._connection.execute(query, values, binary=True).fetchall()
            yield from found
            if len(found) < batch:
                return
            bound, where = found[-1][0], ">"


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as exc:
        raise Unreadable(f"PostgreSQL cannot be read: {_first_line(exc)}") from exc


def has_table(connection: "psycopg.Connection[Any]") -> bool:
    """Tell whether there is a plain table of blocks: a view could answer at will."""
    query = "SELECT relkind FROM pg_class WHERE oid = to_regclass('blocks')"
    with _readable():
        found = connection.execute(query).fetchone()
    return found is not None and found[0] in {"r", b"r"}


def _check_table(connection: "psycopg.Connection[Any]") -> None:
    if not has_table(connection):
        raise Unreadable(
            "there is no log in this database: it has no table of blocks", hint="is it the right database?"
        )


class PostgresStore:
    """One connection that writes, the only one there is: an advisory lock of the server keeps others out."""

    def __init__(self, dsn: str, *, create: bool) -> None:
        """Connect; with ``create`` the table may be absent. Raises ``Busy``, ``Damaged`` and ``Unreadable``."""
        self._connection = _connect(dsn)
        self.blocks: Blocks = PostgresLog(self._connection)
        try:
            self._prepare(create=create)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, *, create: bool) -> None:
        if not has_table(self._connection):
            if not create:
                raise Damaged("the log in PostgreSQL is missing, but its key or anchor is here", hint="restore it")
            try:
                with _readable():
                    self._connection.execute(TABLE)
            except Unreadable as exc:
                raise Unreadable(exc.message, hint=f"let somebody who may: {TABLE}") from exc
        key = "SELECT pg_try_advisory_lock((%s::bigint << 32) | to_regclass('blocks')::oid::bigint)"
        with _readable():
            held = self._connection.execute(key, (_ADVISORY,)).fetchone()
        if held != (True,):
            raise Busy("another writer owns this log in PostgreSQL", hint="stop it first")
        self._set_durable()

    def _set_durable(self) -> None:
        """Ask for a flush at each commit, and read the answer back."""
        with _readable():
            if self._show("synchronous_commit") != "remote_apply":
                self._connection.execute("SET synchronous_commit = on")
            level, flushed = self._show("synchronous_commit"), self._show("fsync")
        if level not in {"on", "remote_apply"} or flushed != "on":
            raise Damaged(
                f"this PostgreSQL is not durable: synchronous_commit={level}, fsync={flushed}",
                hint="set both to on: what it acknowledges must outlive a power cut",
            )

    def _show(self, name: str) -> str:
        found = self._connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        return "" if found is None else str(found[0])

    def append(
        self, row: tuple[int, int, int, bytes, int, bytes, bytes], signature: Callable[[], bytes] | None
    ) -> None:
        """Commit one block: (height, first, n, hdr, size of the signature, rsig, body).

        The signature is there before the block is, so nothing is ever updated. Raises ``Poisoned`` for any failure:
        whether a commit that got no answer was kept is known only to who connects next.
        """
        import psycopg

        height, first, n, hdr, _, rsig, body = row
        if signature is None:
            raise Poisoned("a log in PostgreSQL takes no block without its signature", hint="leave out rsa_later")
        try:
            values = (height, first, n, hdr, signature(), rsig, body)
            self._connection.execute(_INSERT, values, binary=True)
        except psycopg.Error as exc:
            raise Poisoned(f"a commit to PostgreSQL failed: {_first_line(exc)}", hint="then start again") from exc
        except Exception as exc:  # the signer's: a module of its own, which may raise anything
            raise Poisoned(f"sealing failed: {exc}", hint="look at the signer, then start again") from exc

    def sign(self, signatures: Sequence[tuple[int, bytes]]) -> None:
        """Refuse: no block is here without its signature."""
        if signatures:
            raise Damaged("a block in PostgreSQL has no signature", hint="run: healer-audit verify")

    def drop(self, heights: Sequence[int]) -> None:
        """Refuse: the role that writes may not change anything."""
        del heights
        raise AuditError("a log in PostgreSQL is not pruned", hint="export what is old, and keep the rest")

    def close(self) -> None:
        """Close the connection; the lock goes with it."""
        self._connection.close()
