"""A log's tree as a folder of files that any C2SP client can read, and the check that derives every hash of it again.

The leaves are the octets of the block headers. Files are those of c2sp.org/tlog-tiles: ``checkpoint``,
``tile/<level>/<n>`` and ``tile/entries/<n>``; a folder can be served as it is, over HTTP or from a bucket.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Final

from audit import merkle, tiles
from audit.errors import Damaged, Malformed, RolledBack, Unreadable
from audit.files import read_small, write_atomically
from audit.merkle import Frontier
from audit.note import MAX_NOTE, Note, Verifier, open_note
from audit.reader import Blocks
from audit.tiles import WIDTH, Builder, Source
from audit.treehead import TreeHead

CHECKPOINT: Final = "checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A folder whose entries and tiles lead to its checkpoint."""

    head: TreeHead
    signed_by: tuple[str, ...]
    """Names of the keys, of those given, whose signatures verify; without keys nobody."""


def export(log: Blocks, folder: Path, checkpoint: bytes) -> TreeHead:
    """Write the tree of ``checkpoint`` (a signed note, kept verbatim) with all its entries; return its head.

    Nothing is ever rewritten but ``checkpoint``, which comes last. Raises ``Malformed`` for a checkpoint or a block
    that is none, ``Damaged`` where the log or the folder's files are not those of this checkpoint, and ``RolledBack``
    where the folder has a newer one already.
    """
    head = TreeHead.parse(Note.parse(checkpoint).text)
    before = _exported(folder)
    if before is not None and before.origin != head.origin:
        raise Damaged(f"{folder} holds another log, {before.origin}", hint="export to a folder of its own")
    if before is not None and before.size > head.size:
        raise RolledBack(
            f"{folder} holds {before.size} blocks already, more than the {head.size} of this checkpoint",
            hint="is the checkpoint an old one, or the log restored from a copy?",
        )
    _check_roots(log, [head] if before is None else [before, head])
    builder = Builder(lambda level, number, hashes: _put_tile(folder, level, number, hashes))
    for number, entries in _bundles(_headers(log, head.size)):
        _put(folder / tiles.path_of("entries", number, len(entries)), tiles.join_bundle(entries))
        builder.extend(merkle.leaf_hashes(entries))
    builder.finish()
    write_atomically(folder / CHECKPOINT, checkpoint)
    return head


def check(folder: Path, verifiers: Iterable[Verifier] = (), *, name: str = CHECKPOINT) -> Checked:
    """Derive every hash of a folder from its entries, as far as its checkpoint says, and compare.

    With ``verifiers`` the checkpoint must be signed by one of them: ``Forged`` or ``Unsigned`` where it is not. Raises
    ``Damaged`` for the first file that is not what the entries make, ``Malformed`` for a checkpoint that is none, and
    ``Unreadable`` where something is missing.
    """
    note = Note.parse(_read(folder / name, MAX_NOTE))
    head, keys = TreeHead.parse(note.text), list(verifiers)
    signed_by = [verifier.name for verifier, _ in open_note(note, keys).by] if keys else []
    frontier = Frontier()
    builder = Builder(lambda level, number, hashes: _compare(folder, level, number, hashes))
    for number in range(-(-head.size // WIDTH)):
        leaves = merkle.leaf_hashes(_entries(folder, number, min(WIDTH, head.size - number * WIDTH)))
        builder.extend(leaves)
        frontier.extend(leaves)
    builder.finish()
    if frontier.root() != head.root:
        raise Damaged(f"the entries do not lead to the root in {folder / name}")
    return Checked(head=head, signed_by=tuple(signed_by))


def source(folder: Path, size: int) -> Source:
    """Answer tiles of the tree of ``size`` leaves, for a ``TileTree``; raises ``Unreadable`` or ``Malformed``."""

    def tile(level: int, number: int) -> bytes | None:
        width = min(WIDTH, (size >> 8 * level) - number * WIDTH)
        return _tile(folder, level, number, width) if width > 0 else None

    return tile


def _exported(folder: Path) -> TreeHead | None:
    try:
        note = read_small(folder / CHECKPOINT, MAX_NOTE)
    except FileNotFoundError:
        return None
    return TreeHead.parse(Note.parse(note).text)


def _check_roots(log: Blocks, heads: list[TreeHead]) -> None:
    """Compare the log with what was signed before anything is written; ``heads`` in order of size."""
    frontier, headers = Frontier(), _headers(log, heads[-1].size)
    for head in heads:
        for _, entries in _bundles(islice(headers, head.size - frontier.size)):
            frontier.extend(merkle.leaf_hashes(entries))
        if frontier.root() != head.root:
            raise Damaged(
                f"the log's first {head.size} headers do not have the root that was signed",
                hint="run: healer-audit verify, with the older checkpoint as --anchor",
            )


def _headers(log: Blocks, size: int) -> Iterator[bytes]:
    """Yield the octets of so many headers; raises ``Damaged`` where the log has fewer."""
    due = 0
    if size:
        for stub in log.stubs(0):
            if stub.height != due or type(stub.hdr) is not bytes:
                break
            yield stub.hdr
            due += 1
            if due == size:
                return
        raise Damaged(
            f"the log has {due} headers in a row, the checkpoint names {size}",
            hint="run: healer-audit verify, with the checkpoint as --anchor",
        )


def _bundles(entries: Iterator[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Yield entries by the 256, each time with the bundle's number."""
    for number in count():
        bundle = list(islice(entries, WIDTH))
        if not bundle:
            return
        yield number, bundle


def _put_tile(folder: Path, level: int, number: int, hashes: bytes) -> None:
    _put(folder / tiles.path_of(level, number, len(hashes) // merkle.HASH), hashes)


def _put(path: Path, octets: bytes) -> None:
    """Write a file that never changes; raises ``Damaged`` where it is there with other octets."""
    try:
        there = read_small(path, len(octets))
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, octets)
        return
    except Unreadable as exc:
        raise Damaged(f"{path} is not the file that belongs there: {exc.message}", hint="look who wrote it") from exc
    if there != octets:
        raise Damaged(f"{path} has other octets than this log", hint="it is never overwritten: look who wrote it")


def _compare(folder: Path, level: int, number: int, hashes: bytes) -> None:
    width = len(hashes) // merkle.HASH
    if _tile(folder, level, number, width) != hashes:
        raise Damaged(f"{tiles.path_of(level, number, width)} is not what the entries below it make")


def _tile(folder: Path, level: int, number: int, width: int) -> bytes:
    hashes = _items(folder, level, number, width, tiles.split_tile)
    return b"".join(hashes)


def _entries(folder: Path, number: int, width: int) -> list[bytes]:
    return _items(folder, "entries", number, width, tiles.split_bundle)


def _items(
    folder: Path, level: tiles.Level, number: int, width: int, split: Callable[[bytes], list[bytes]]
) -> list[bytes]:
    """Return the first ``width`` items of a file, which must have as many as its name says."""
    octets, held = _widest(folder, level, number, width)
    try:
        items = split(octets)
    except Malformed as exc:
        raise Damaged(f"{tiles.path_of(level, number, held)}: {exc.message}") from exc
    if len(items) != held:
        raise Damaged(f"{tiles.path_of(level, number, held)} holds {len(items)} items")
    return items[:width]


def _widest(folder: Path, level: tiles.Level, number: int, width: int) -> tuple[bytes, int]:
    """Read a file and say how wide it should be: a partial one may have been deleted once there is the full one."""
    limit = tiles.MAX_BUNDLE if level == "entries" else tiles.FULL
    try:
        return _read(folder / tiles.path_of(level, number, width), limit), width
    except Unreadable:
        full = folder / tiles.path_of(level, number)
        if width == WIDTH or not full.exists():
            raise
        return _read(full, limit), WIDTH


def _read(path: Path, limit: int) -> bytes:
    try:
        return read_small(path, limit)
    except FileNotFoundError as exc:
        raise Unreadable(f"{path} is missing") from exc
