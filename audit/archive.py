"""Archive files: whole blocks copied out of a log, read back, and only then trusted to replace it."""

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from audit import block, orders
from audit.block import APPLICATION_ID
from audit.errors import Damaged, DiskFull, Malformed, Unreadable
from audit.files import sync_folder
from audit.orders import Order
from audit.reader import Blocks, Log, Row

MODE: Final = 0o400
_CHUNK: Final = 1024 * 1024
_FLUSH: Final = 4 * 1024 * 1024
_KEPT: Final = "the log has lost nothing; look at the disk, and prune again"
_TABLE: Final = (
    "CREATE TABLE blocks (height INTEGER NOT NULL PRIMARY KEY, first INTEGER NOT NULL, n INTEGER NOT NULL, "
    "hdr BLOB NOT NULL, sig BLOB NOT NULL, rsig BLOB NOT NULL, body BLOB NOT NULL) STRICT"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An archive file that was read back and is what the log holds."""

    path: Path
    first: int
    last: int
    entries: int
    sha256: str
    """Of the file, hex."""
    size: int
    """Its octets."""


def name_of(first: int, last: int) -> str:
    """Return the name of the archive of blocks ``first`` to ``last``, both included."""
    return f"archive-{first}-{last}.sealed"


def write(log: Blocks, first: int, last: int, folder: Path) -> Archive:
    """Copy blocks ``first`` to ``last`` of ``log`` into a new file in ``folder``, durably, and read it back.

    Raises ``DiskFull``, ``Unreadable`` where the folder cannot be used, and ``Damaged`` for a block that is not the
    one its header was sealed over: such a log is not archived, and not pruned.
    """
    path = folder / name_of(first, last)
    put(log.rows(first, last), path)
    return check(path, log, first, last)


def put(rows: Iterable[Row], path: Path) -> None:
    """Write blocks to a new log file that nobody changes (mode 0400), replacing what is there only when it is whole.

    Raises ``DiskFull``, ``Unreadable``, and what reading ``rows`` raises.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _fill(temporary, _flushing(rows, fd))
            os.fchmod(fd, MODE)
            os.fsync(fd)
        finally:
            os.close(fd)
        temporary.replace(path)
        sync_folder(path.parent)
    except sqlite3.Error as exc:
        full = getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        because = DiskFull if full else Unreadable
        raise because(f"{path} cannot be written: {exc}", hint="is its disk full?") from exc
    except OSError as exc:
        raise Unreadable(f"{path} cannot be written: {exc.strerror}", hint="does its folder exist?") from exc
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flushing(rows: Iterable[Row], fd: int) -> Iterator[Row]:
    """Flush as the file grows: hundreds of megabytes at once would hold up every commit to the same disk."""
    size = 0
    for row in rows:
        yield row
        size += len(row.body)
        if size > _FLUSH:
            os.fdatasync(fd)
            size = 0


def _fill(path: Path, rows: Iterable[Row]) -> None:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        # Nobody sees the file before it is whole, so a journal would only cost.
        connection.execute("PRAGMA journal_mode = OFF").fetchall()
        connection.execute("PRAGMA synchronous = OFF").fetchall()
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("BEGIN")
        connection.execute(_TABLE)
        connection.executemany("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    finally:
        connection.close()


def check(path: Path, log: Blocks, first: int, last: int) -> Archive:
    """Read an archive back against the log it is of: every header and signature ours, every body its header's.

    Raises ``Damaged`` for a difference and ``Unreadable`` for a file that cannot be read.
    """
    entries, height = 0, first
    with Log.open(path) as copy:
        ours = log.stubs(first)
        for row in copy.rows():
            stub = next(ours, None)
            if stub is None or row.height != height or height > last or row.wrong_types():
                raise Damaged(f"{path}: block {row.height} does not belong there", hint=_KEPT)
            if (row.height, row.hdr, row.sig, row.rsig) != (stub.height, stub.hdr, stub.sig, stub.rsig):
                raise Damaged(f"{path}: block {row.height} is not the log's", hint=_KEPT)
            entries += _check_body(path, row)
            height += 1
    if height != last + 1:
        raise Damaged(f"{path} ends before block {height}", hint=_KEPT)
    sha256, size = digest(path)
    return Archive(path=path, first=first, last=last, entries=entries, sha256=sha256, size=size)


def whole(log: Blocks, start: int, folders: Sequence[Path]) -> Iterator[Row]:
    """Yield the blocks from ``start`` on, with the bodies that were pruned taken from their archives in ``folders``.

    For one's own log. Raises ``Unreadable`` where an archive is missing: what cannot be read is not skipped.
    """
    with contextlib.ExitStack() as stack:
        found: _Copy | None = None
        for row in log.rows(start):
            if row.body:
                yield row
                continue
            if found is None or not found.order.first <= row.height <= found.order.last:
                found = _copy_with(log, row.height, folders, stack)
            yield found.joined(row)


class _Copy(NamedTuple):
    """An archive that is the one an order names."""

    order: Order
    log: Log

    def joined(self, row: Row) -> Row:
        """Return the block with its body, which must be the one its header was sealed over."""
        kept = self.log.row(row.height)
        if kept is None or kept.hdr != row.hdr:
            raise Damaged(
                f"{self.order.name}: block {row.height} is not the log's", hint="run: healer-audit verify --archive"
            )
        _check_body(Path(self.order.name), kept)
        return kept


def _copy_with(log: Blocks, height: int, folders: Sequence[Path], stack: contextlib.ExitStack) -> _Copy:
    wanted = [order for order in orders.of(log, height) if order.first <= height <= order.last]
    for order in wanted:
        for folder in folders:
            with contextlib.suppress(Unreadable):
                if digest(folder / order.name) == (order.sha256, order.size):
                    return _Copy(order, stack.enter_context(Log.open(folder / order.name)))
    names = " or ".join(order.name for order in wanted) or "no order says where to"
    raise Unreadable(
        f"block {height} was pruned, and its archive is missing ({names})",
        hint=f"put it into {' or '.join(map(str, folders))}",
    )


def _check_body(path: Path, row: Row) -> int:
    try:
        header = block.parse_header(row.hdr)
        block.check_flat(header, row.body)
        block.check_entries(header, row.body)
    except Malformed as exc:
        raise Damaged(f"{path}: block {row.height}: {exc.message}", hint="run: healer-audit verify") from exc
    return header.count


def digest(path: Path) -> tuple[str, int]:
    """Return SHA-256 (hex) and size of a file; raises ``Unreadable``."""
    found = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
                size += len(chunk)
    except OSError as exc:
        raise Unreadable(f"{path} cannot be read: {exc.strerror}") from exc
    return found.hexdigest(), size
