"""A log's tree kept as tiles: rows of up to 256 hashes, from which every proof can be made (c2sp.org/tlog-tiles).

Tile ``n`` of level ``L`` holds the hashes of nodes ``(8 L, 256 n)`` to ``(8 L, 256 n + 255)``; the seven levels of
nodes between two levels of tiles are hashed when they are asked for, and remembered for the tiles asked for last.
"""

import contextlib
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Final, Literal

from audit import merkle
from audit.errors import Malformed, Unreadable

WIDTH: Final = 256
FULL: Final = WIDTH * merkle.HASH
"""Octets of a full tile."""
MAX_BUNDLE: Final = WIDTH * (2 + 0xFFFF)
_REMEMBERED: Final = 1024
"""Tiles kept with their inner nodes: 16 MB."""
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS tiles (level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL, "
    "PRIMARY KEY (level, n)) STRICT"
)

Level = int | Literal["entries"]
"""What comes after ``tile/`` in a path: a tile's level, or bundles of entries."""
Source = Callable[[int, int], bytes | None]
"""Answers tile ``n`` of a level with its hashes, joined (perhaps more than the tree at hand has), or with None."""
Emit = Callable[[int, int, bytes], None]
"""Takes level, ``n`` and hashes, joined, of one tile."""


def path_of(level: Level, number: int, width: int = WIDTH) -> str:
    """Return where a tile or bundle lies below the log's prefix: ``tile/0/x001/x234/067``, with ``.p/5`` if partial."""
    number, last = divmod(number, 1000)
    parts = [f"{last:03d}"]
    while number:
        number, last = divmod(number, 1000)
        parts.insert(0, f"x{last:03d}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(parts)}{partial}"


def join_bundle(entries: Iterable[bytes]) -> bytes:
    """Return (unsigned 16-bit big-endian length ‖ octets) for each entry; raises ``Malformed`` for one too long."""
    parts = []
    for entry in entries:
        if len(entry) > 0xFFFF:
            raise Malformed(f"an entry of {len(entry)} octets does not fit into a bundle")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def split_bundle(octets: bytes) -> list[bytes]:
    """Take a bundle apart; raises ``Malformed`` unless it comes out exactly, as 1 to 256 entries."""
    entries: list[bytes] = []
    at, end = 0, len(octets)
    while at < end and len(entries) <= WIDTH:
        start = at + 2
        at = start + int.from_bytes(octets[at:start], "big")
        entries.append(octets[start:at])
    if at != end or not 1 <= len(entries) <= WIDTH:
        raise Malformed("the bundle does not hold 1 to 256 whole entries")
    return entries


def split_tile(octets: bytes) -> list[bytes]:
    """Take a tile apart; raises ``Malformed`` unless it has 1 to 256 hashes."""
    if not 1 <= len(octets) <= FULL or len(octets) % merkle.HASH:
        raise Malformed(f"a tile of {len(octets)} octets does not hold 1 to {WIDTH} hashes")
    return [octets[at : at + merkle.HASH] for at in range(0, len(octets), merkle.HASH)]


def partial_tiles(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield level, ``n`` and width of the tiles on the right edge of a tree that are not full."""
    level = 0
    while size:
        number, width = divmod(size, WIDTH)
        if width:
            yield level, number, width
        size, level = number, level + 1


class Builder:
    """Makes tiles of leaf hashes as they come; of all but the right edge it remembers nothing."""

    def __init__(self, emit: Emit) -> None:
        """Hand each tile to ``emit`` as soon as it is full."""
        self.size = 0
        self._emit = emit
        self._edge: list[list[bytes]] = []

    @classmethod
    def resume(cls, emit: Emit, size: int, source: Source) -> "Builder":
        """Go on with a tree of ``size`` leaves; raises ``Malformed`` where ``source`` lacks its right edge."""
        builder = cls(emit)
        builder.size = size
        for level, number, width in partial_tiles(size):
            builder._edge += [[] for _ in range(len(builder._edge), level + 1)]
            builder._edge[level] = _hashes(source, level, number, width)
        return builder

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaves by their hashes."""
        for leaf in leaves:
            self.size += 1
            self._add(0, leaf)

    def finish(self) -> None:
        """Hand out the tiles of the right edge too; more leaves may still follow."""
        for level, number, _ in partial_tiles(self.size):
            self._emit(level, number, b"".join(self._edge[level]))

    def _add(self, level: int, node: bytes) -> None:
        if level == len(self._edge):
            self._edge.append([])
        edge = self._edge[level]
        edge.append(node)
        if len(edge) == WIDTH:
            number = (self.size >> 8 * (level + 1)) - 1
            self._emit(level, number, b"".join(edge))
            self._edge[level] = []
            self._add(level + 1, merkle.root(edge))


def _hashes(source: Source, level: int, number: int, width: int) -> list[bytes]:
    """Return the first ``width`` hashes of a tile; raises ``Malformed`` where there are fewer."""
    octets = source(level, number)
    if octets is None:
        raise Malformed(f"there is no {path_of(level, number)}")
    hashes = split_tile(octets)
    if len(hashes) < width:
        raise Malformed(f"{path_of(level, number)} holds {len(hashes)} hashes where {width} are due")
    return hashes[:width]


class TileTree:
    """A tree's complete subtrees, from tiles: what ``merkle.inclusion_proof`` and ``consistency_proof`` ask.

    The tiles are believed. A false one makes a proof that does not verify, no more.
    """

    def __init__(self, source: Source, *, remembered: int = _REMEMBERED) -> None:
        """Read from ``source``, and keep the inner nodes of as many tiles as said, the last used ones."""
        self._source = source
        self._remembered = remembered
        self._known: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def node(self, level: int, index: int) -> bytes:
        """Return the 32-byte hash of a complete subtree; raises ``Malformed`` where the tiles do not have it."""
        above, inner = divmod(level, 8)
        number, place = divmod(index, WIDTH >> inner)
        start = place * merkle.HASH
        # A partial tile may have grown since it was read: what it lacks is looked for once more.
        for read in (self._recall, self._read):
            levels = read(above, number)
            if levels is not None and start < len(levels[inner]):
                return levels[inner][start : start + merkle.HASH]
        raise Malformed(f"the tiles do not hold node {index} of level {level}")

    def _recall(self, level: int, number: int) -> list[bytes] | None:
        levels = self._known.get((level, number))
        if levels is not None:
            self._known.move_to_end((level, number))
        return levels

    def _read(self, level: int, number: int) -> list[bytes] | None:
        octets = self._source(level, number)
        if octets is None:
            return None
        levels = self._known[level, number] = _inner_nodes(split_tile(octets))
        self._known.move_to_end((level, number))
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return levels


def _inner_nodes(nodes: list[bytes]) -> list[bytes]:
    """Return the complete nodes of a tile's eight levels, each level joined."""
    digest, levels = sha256, [b"".join(nodes)]
    for _ in range(7):
        pairs = iter(nodes)
        # Not strict: a node without a partner is not complete, and no part of any tile.
        nodes = [digest(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        levels.append(b"".join(nodes))
    return levels


@contextlib.contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise Unreadable(f"the table of tiles cannot be used: {exc}", hint="drop it: it can be made anew") from exc


class Table:
    """Tiles in an SQLite table, derived from a log and never trusted: it may be dropped and made anew."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use (and make) the table ``tiles(level, n, hashes)``; the connection stays the caller's."""
        self._connection = connection
        with _usable():
            connection.execute(_SCHEMA)

    def tile(self, level: int, number: int) -> bytes | None:
        """Return a tile's hashes, joined; raises ``Unreadable`` for a damaged file."""
        with _usable():
            query = "SELECT hashes FROM tiles WHERE level = ? AND n = ?"
            found = self._connection.execute(query, (level, number)).fetchone()
        return None if found is None else found[0]

    def size(self) -> int:
        """Return how many leaves there are; raises ``Unreadable`` for a damaged file."""
        with _usable():
            query = "SELECT n, length(hashes) FROM tiles WHERE level = 0 ORDER BY n DESC LIMIT 1"
            found = self._connection.execute(query).fetchone()
        return 0 if found is None else found[0] * WIDTH + found[1] // merkle.HASH

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaves by their hashes, all or none; raises ``Unreadable`` or ``Malformed`` for a damaged table."""
        with _usable(), self._together():
            builder = Builder.resume(self._put, self.size(), self.tile)
            builder.extend(leaves)
            builder.finish()

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """One transaction, whether or not the connection begins them by itself, or a part of the caller's."""
        self._connection.execute("SAVEPOINT tiles")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO tiles")
            raise
        finally:
            self._connection.execute("RELEASE tiles")

    def _put(self, level: int, number: int, hashes: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO tiles VALUES (?, ?, ?)", (level, number, hashes))
