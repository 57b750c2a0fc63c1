"""Reading the log without disturbing it: read-only, in short reads, from a file that may be hostile."""

import contextlib
import errno
import os
import sqlite3
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import quote

from audit import block, merkle
from audit.errors import NothingThere, Unreadable

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

FILE_NAME: Final = "audit.db"
BATCH: Final = 64
"""Blocks per read: a read that lasts keeps the writer from reusing its write-ahead file."""
STUBS: Final = 1024
"""The same for blocks without their bodies."""
LARGE: Final = 65_536
"""Octets of a body from which on the next one is read ahead."""
_KIND: Final = 100
"""Where the first page says of which kind it is."""
_INNER: Final = b"\x05"
"""The root of a tree of more than one page."""
WRITTEN_HERE: Final[set[tuple[int, int]]] = set()
"""Device and inode of each log that this process writes. Nothing but SQLite may open its file: whoever closes it again
ends every lock of this process on it (sqlite.org/howtocorrupt.html, 2.2), and the writer's with them."""
_MAX_VALUE: Final = block.MAX_BODY + 64 * 1024
_LAST: Final = 2**63 - 1
_COLUMNS: Final = ("height", "first", "n", "hdr", "sig", "rsig", "body")
_STUB: Final = "SELECT height, hdr, sig, rsig, length(body) FROM blocks"
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM blocks"  # noqa: S608 - constants only
_WIRED: Final = (
    "PRAGMA query_only = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)


class Row(NamedTuple):
    """One row of the table, as it was found; nothing in it has been checked."""

    height: int
    first: int
    n: int
    hdr: bytes
    sig: bytes
    rsig: bytes
    body: bytes

    def wrong_types(self) -> str:
        """Name the first column that is not of its type; empty when all are."""
        for name, value in zip(_COLUMNS, self, strict=True):
            if type(value) is not (int if name in {"height", "first", "n"} else bytes):
                return name
        return ""


class Sealed(NamedTuple):
    """One entry with its place in the log; ``octets`` are exactly what was hashed."""

    seq: int
    height: int
    leaf: str
    octets: bytes


class Stub(NamedTuple):
    """One row without its body."""

    height: int
    hdr: bytes
    sig: bytes
    rsig: bytes
    held: int
    """Octets of the body that are here: 0 once the block is pruned."""


class _Text(bytes):
    """What a TEXT value becomes, so that it cannot pass as a BLOB and never fails to decode."""

    __slots__ = ()


class Blocks(ABC):
    """The blocks of one log, wherever they are kept; the caller trusts what he reads no more than its place."""

    @abstractmethod
    def top(self) -> int | None:
        """Return the greatest height, None in an empty log; raises ``Unreadable``."""

    @abstractmethod
    def row(self, height: int) -> Row | None:
        """Return one block, None where there is none; raises ``Unreadable``."""

    @abstractmethod
    def rows(self, start: int | None = None, last: int | None = None) -> Iterator[Row]:
        """Yield blocks in order of height, one in memory at a time, up to ``last``; raises ``Unreadable``.

        Without ``start`` from the lowest that exists, be it negative: what should not be there must be seen too.
        """

    @abstractmethod
    def stubs(self, start: int) -> Iterator[Stub]:
        """Yield blocks without their bodies, in order of height from ``start``; raises ``Unreadable``."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the place."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def moved(self) -> bool:
        """Tell whether what was read may have been half-written: read it again then."""
        return False

    def entries(self, start: int = 0) -> Iterator[Sealed]:
        """Yield the entries from block ``start`` on, trusting the file: for one's own log, verified apart.

        A pruned block has none. Raises ``Unreadable`` for a damaged file and ``Malformed`` for a block that is not one.
        """
        for row in self.rows(start):
            yield from sealed_of(row)

    def entries_of(self, height: int) -> Iterator[Sealed]:
        """Yield the entries of one block, of which there may be none; raises as ``entries`` does."""
        row = self.row(height)
        if row is not None:
            yield from sealed_of(row)


class Log(Blocks):
    """The blocks of one log in an SQLite file: the log itself, or an archive of some of it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read through ``connection``, which stays the caller's."""
        self._connection = connection
        self._stack = contextlib.ExitStack()
        self._resting: tuple[Path, os.stat_result] | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a log file, or the one in a state folder, read-only.

        Raises ``Unreadable`` where there is none, where it is empty, or where it is something else.
        """
        path = locate(path)
        with contextlib.ExitStack() as stack:
            before = path.stat()
            if (before.st_dev, before.st_ino) in WRITTEN_HERE:
                connection, resting = _open(path, "mode=ro", stack), False
            else:
                _check_first_page(path)
                connection, resting = _connect(path, stack)
            _check_schema(connection, path)
            log = cls(connection)
            log._stack = stack.pop_all()
            log._resting = (path, before) if resting else None
            return log

    def close(self) -> None:
        """Let go of the file."""
        self._stack.close()

    def moved(self) -> bool:
        """Tell whether a log that was at rest when opened has been written to since: read it again then.

        A log opened while it was being written is read through SQLite's locks and never moves under the reader.
        """
        if self._resting is None:
            return False
        path, before = self._resting
        try:
            now = path.stat()
        except OSError:
            return True
        same = (now.st_ino, now.st_size, now.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
        return not same or _beside(path, "-wal").exists()

    def top(self) -> int | None:
        """Return the greatest height, None in an empty log; raises ``Unreadable`` for a damaged file."""
        with _readable():
            # As in ``_each``: in a hostile table a height may be a text, which is beyond every number.
            query = "SELECT max(height) FROM blocks WHERE height <= ?"
            (height,) = self._connection.execute(query, (_LAST,)).fetchone()
        return None if height is None else int(height)

    def row(self, height: int) -> Row | None:
        """Return one block, None where there is none; raises ``Unreadable`` for a damaged file."""
        with _readable():
            found = self._connection.execute(f"{_SELECT} WHERE height = ?", (height,)).fetchone()
        return None if found is None else Row(*found)

    def rows(self, start: int | None = None, last: int | None = None) -> Iterator[Row]:
        """Yield blocks in order of height, one in memory at a time; raises ``Unreadable`` for a damaged file."""
        for found in self._each(_SELECT, -(2**63) if start is None else start, last, BATCH):
            yield Row(*found)

    def stubs(self, start: int) -> Iterator[Stub]:
        """Yield blocks without their bodies; raises ``Unreadable`` for a damaged file."""
        for found in self._each(_STUB, start, None, STUBS):
            yield Stub(*found)

    def _each(self, select: str, start: int, last: int | None, batch: int) -> Iterator[tuple[Any, ...]]:
        where = "height >= ?"
        bound = start
        while True:
            count, more = 0, where == "height > ?"
            with _readable():
                query = f"{select} WHERE {where} AND height <= ? ORDER BY height LIMIT {batch}"
                cursor = self._connection.execute(query, (bound, _LAST if last is None else last))
            try:
                while True:
                    with _readable():
                        found = cursor.fetchone()
                    if found is None:
                        break
                    if found[0] < bound or (count == 0 and more and found[0] == bound):
                        # A tree whose branches meet again has no end. (Two rows of one height are for the caller.)
                        raise Unreadable("the file is damaged: its rows are not in order")
                    count += 1
                    where, bound = "height > ?", found[0]
                    yield found
            finally:
                with contextlib.suppress(sqlite3.Error):  # whoever stopped in the middle may have closed the log first
                    cursor.close()
            if count < batch:
                return


def ahead(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the same rows, the one after a large one being read by another thread while the large one is looked at.

    Two bodies are in memory then. Raises what reading them raises.
    """
    with contextlib.ExitStack() as stack:
        pool: ThreadPoolExecutor | None = None
        row = next(rows, None)
        while row is not None:
            # Handing over costs as much as reading a small one. In a hostile file a body may be anything.
            large = isinstance(row.body, bytes) and len(row.body) >= LARGE
            if large and pool is None:
                from concurrent import futures  # takes as long to import as a small log to verify

                pool = stack.enter_context(futures.ThreadPoolExecutor(1, thread_name_prefix="audit reader"))
            following = pool.submit(next, rows, None) if large and pool is not None else None
            yield row
            row = following.result() if following is not None else next(rows, None)


def sealed_of(row: Row) -> Iterator[Sealed]:
    """Yield the entries in a block's body; raises ``Malformed`` for a body that is not one."""
    for offset, octets in enumerate(block.split_body(row.body)):
        yield Sealed(row.first + offset, row.height, merkle.leaf_hash(octets).hex(), octets)


def locate(path: Path) -> Path:
    """Return the log file meant by ``path`` (a file or a state folder); raises ``Unreadable``."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            path = path / FILE_NAME
            found = path.stat()
    except FileNotFoundError as exc:
        raise Unreadable(f"there is no log at {path}") from exc
    except (OSError, ValueError) as exc:
        raise Unreadable(f"cannot look at {path}: {exc}") from exc
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable(f"{path} is not a regular file")
    if found.st_size == 0 and not _size(path, "-wal"):
        raise NothingThere(f"{path} is empty")
    return path


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    # A hostile file makes the module raise more than its own errors: a number too big, a name that is not UTF-8.
    except (sqlite3.Error, OverflowError, MemoryError, UnicodeDecodeError) as exc:
        raise Unreadable(f"the file is damaged: {exc}") from exc


def _check_first_page(path: Path) -> None:
    """Refuse a file whose list of tables is longer than a page: SQLite would take all of it into memory."""
    try:
        with path.open("rb") as file:
            head = file.read(_KIND + 1)
    except OSError as exc:
        raise Unreadable(f"cannot read {path}: {exc.strerror}") from exc
    if head.startswith(b"SQLite format 3\0") and head[_KIND:] == _INNER:
        raise Unreadable(f"{path} is a database, but not a log: it has too many tables")


def _connect(path: Path, stack: contextlib.ExitStack) -> tuple[sqlite3.Connection, bool]:
    """Open in place where that leaves the folder alone, else from a copy; tell whether the file was at rest."""
    wal, shm = _beside(path, "-wal"), _beside(path, "-shm")
    if not wal.exists() and not shm.exists():
        # Closed cleanly: the file alone is the whole log. Opened as one that may be written to, SQLite would leave
        # files of the auditor's beside it, which the agent might not be able to open.
        return _open(path, "immutable=1", stack), True
    if _size(path, "-wal") and not os.access(shm, os.R_OK):
        # Nobody writes, or we may not see where he is: recovery would write beside the evidence.
        return _open(_copied(path, stack), "mode=ro", stack), False
    try:
        return _open(path, "mode=ro", stack), False
    except Unreadable:
        return _open(_copied(path, stack), "mode=ro", stack), False


def _open(path: Path, how: str, stack: contextlib.ExitStack) -> sqlite3.Connection:
    with _readable():
        connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?{how}", uri=True, timeout=10.0, check_same_thread=False
        )
        try:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE)
            connection.text_factory = _Text
            for pragma in _WIRED:
                connection.execute(pragma)
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except BaseException:
            connection.close()
            raise
    stack.callback(connection.close)
    return connection


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse anything but a plain table: a view or a virtual table could run for ever, or answer at will."""
    query = "SELECT count(*) FROM sqlite_schema WHERE name = 'blocks' AND type = 'table' AND rootpage > 0"
    with _readable():
        (plain,) = connection.execute(query).fetchone()
        columns = connection.execute("SELECT name, hidden FROM pragma_table_xinfo('blocks')").fetchall()
    visible = {name.decode("utf-8", "replace") for name, hidden in columns if not hidden}
    if plain != 1 or not visible.issuperset(_COLUMNS):
        raise Unreadable(f"{path} is a database, but not a log: it has no table of blocks")


def _copied(path: Path, stack: contextlib.ExitStack) -> Path:
    """Copy the file and its write-ahead file aside; raises ``Unreadable`` where that cannot be done."""
    import shutil
    import tempfile

    try:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="audit-")))
        needed = path.stat().st_blocks * 512 + _size(path, "-wal")
        if shutil.disk_usage(folder).free < needed:
            raise Unreadable(
                f"{path} must be copied to be read, and {folder.parent} has no {needed} bytes free",
                hint="name a folder with room in TMPDIR",
            )
        _copy(path, folder / FILE_NAME)
        with contextlib.suppress(FileNotFoundError):
            _copy(_beside(path, "-wal"), folder / (FILE_NAME + "-wal"))
    except OSError as exc:
        raise Unreadable(f"{path} must be copied to be read: {exc}") from exc
    return folder / FILE_NAME


def _copy(source: Path, target: Path) -> None:
    """Copy what was written; holes stay holes, or 10 GB of nothing would have to be written out."""
    with source.open("rb") as reading, target.open("wb") as writing:
        taken, given = reading.fileno(), writing.fileno()
        size = os.fstat(taken).st_size
        os.ftruncate(given, size)
        end = 0
        while end < size:
            try:
                at = os.lseek(taken, end, os.SEEK_DATA)
            except OSError as exc:
                if exc.errno == errno.ENXIO:  # nothing but a hole is left
                    return
                raise
            end = os.lseek(taken, at, os.SEEK_HOLE)
            os.lseek(given, at, os.SEEK_SET)
            while at < end and (sent := os.sendfile(given, taken, at, end - at)):
                at += sent


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _size(path: Path, suffix: str) -> int:
    try:
        return _beside(path, suffix).stat().st_size
    except OSError:
        return 0
