"""Proofs of single entries: made from a log, and checked without one."""

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from audit import block, bundle, entry, merkle, succession
from audit.ask import Ask, Sink
from audit.block import Header
from audit.bundle import Item, Part
from audit.checkpoint import Anchor
from audit.clock import Clock, SystemClock
from audit.errors import AuditError, Malformed, NothingThere, UnknownVersion
from audit.files import read_small
from audit.note import Note
from audit.outside import Outside
from audit.reader import Blocks, Row, Sealed
from audit.report import LEVELS, Report
from audit.testimony import Given, Testimony, pinned_key
from audit.tiles import Table, TileTree
from audit.treehead import TreeHead


class _Leaves(NamedTuple):
    """The complete subtrees of one block's entries."""

    hashes: Sequence[bytes]

    def node(self, level: int, index: int) -> bytes:
        return merkle.root(self.hashes[index << level : (index + 1) << level])


# --------------------------------------------------------------------------------------------- making


def make(log: Blocks, seqs: Iterable[int], checkpoint: bytes, tree: Path | None = None) -> bytes:
    """Return the bundle that proves these entries to ``checkpoint`` (a signed note).

    ``tree`` is the file of tiles that the log's writer keeps; where it is missing, or does not have the checkpoint's
    root, the tree is made from all headers. Raises ``Malformed`` for what the checkpoint does not cover, and
    ``Unreadable``.
    """
    head = TreeHead.parse(Note.parse(checkpoint).text)
    wanted = sorted(set(seqs))
    rows = _rows_of(log, wanted)
    beyond = [row.height for row in rows if row.height >= head.size]
    if beyond:
        raise Malformed(
            f"the checkpoint covers blocks 0 to {head.size - 1}, not block {beyond[0]}",
            hint="wait a second for the next one, or give a newer one with --checkpoint",
        )
    with contextlib.ExitStack() as stack:
        tiles = _tiles(log, head, tree, stack)
        return bundle.encode([_part(row, wanted, tiles, head, checkpoint) for row in rows])


def _rows_of(log: Blocks, wanted: Sequence[int]) -> list[Row]:
    """Find the blocks that hold these entries, looking at headers alone on the way."""
    rows, left = [], list(wanted)
    for stub in log.stubs(0):
        if not left:
            break
        header = block.parse_header(stub.hdr)
        if left[0] < header.first + header.count:
            row = log.row(stub.height)
            if row is None or not row.body:
                raise Malformed(f"the entries of block {stub.height} were pruned", hint="prove them from the archive")
            rows.append(row)
            left = [seq for seq in left if seq >= header.first + header.count]
    if left:
        raise Malformed(f"the log has no entry {left[0]}")
    return rows


def _tiles(log: Blocks, head: TreeHead, tree: Path | None, stack: contextlib.ExitStack) -> TileTree:
    if tree is not None and tree.is_file():
        with contextlib.suppress(sqlite3.Error, AuditError):
            connection = sqlite3.connect(f"file:{quote(str(tree.absolute()))}?mode=ro", uri=True, timeout=5.0)
            stack.callback(connection.close)
            kept = TileTree(Table(connection).tile)
            if merkle.tree_root(kept, head.size) == head.root:
                return kept
    connection = sqlite3.connect(":memory:", isolation_level=None)
    stack.callback(connection.close)
    table = Table(connection)
    table.extend(merkle.leaf_hash(stub.hdr) for stub in log.stubs(0))
    made = TileTree(table.tile)
    if merkle.tree_root(made, head.size) != head.root:
        raise Malformed("the checkpoint is not one of this log", hint="run: healer-audit verify with it as --anchor")
    return made


def _part(row: Row, wanted: Sequence[int], tiles: TileTree, head: TreeHead, checkpoint: bytes) -> Part:
    entries = block.split_body(row.body)
    leaves = _Leaves(merkle.leaf_hashes(entries))
    places = [seq - row.first for seq in wanted if row.first <= seq < row.first + len(entries)]
    return Part(
        hdr=row.hdr,
        sig=row.sig,
        rsig=row.rsig,
        items=tuple(
            Item(at=at, octets=entries[at], path=tuple(merkle.inclusion_proof(leaves, at, len(entries))))
            for at in places
        ),
        height=row.height,
        path=tuple(merkle.inclusion_proof(tiles, row.height, head.size)),
        checkpoint=checkpoint,
    )


# ------------------------------------------------------------------------------------------- checking


def verify(ask: Ask, *, clock: Clock | None = None, sink: Sink | None = None) -> Report:
    """Prove a bundle; never raises for anything it contains. ``sink`` is given its entries in order."""
    report = Report(log=str(ask.log), flat=False, deep=ask.deep, bundle=True)
    now = (clock or SystemClock()).wall_us()
    try:
        parts = bundle.parse(read_small(ask.log, bundle.MAX_FILE))
    except NothingThere as exc:
        report.add("unproven", "empty", exc.message)
    except UnknownVersion as exc:
        report.add("unproven", "version", exc.message)
    except Malformed as exc:
        report.add("tampered", "bundle", exc.message)
    except (AuditError, OSError) as exc:
        report.add("unproven", "unreadable", str(exc))
    else:
        _Bundle(ask, report, sink).prove(parts, now)
    return report


class _Bundle:
    """One verification under way."""

    def __init__(self, ask: Ask, report: Report, sink: Sink | None) -> None:
        self.ask, self.report, self.sink = ask, report, sink
        self.given = Given.read(ask.policy, ask.tsa, ask.tokens, (), report)
        self.outside = Outside(ask.log, self.given, report)
        self.outside.read(ask.anchors)
        self.key = pinned_key(ask.key, report)
        report.independent = self.key is not None
        self.vouched = self.signed = True
        self.unread = False
        self.witnessed: list[int] = []
        self.dated: list[int] = []

    def prove(self, parts: Sequence[Part], now_us: int) -> None:
        """Look at every part, then say what all of them prove."""
        report = self.report
        for part in parts:
            try:
                self._part(part)
            except UnknownVersion as exc:
                self.unread = True
                report.add("unproven", "version", exc.message, height=part.height)
            except AuditError as exc:  # among them a signature by a known key that does not verify
                report.add("tampered", "bundle", exc.message, height=part.height)
        if not self.vouched:
            report.add("unproven", "anchor", "no anchor or witness vouches for it (--anchor, --policy)")
        if report.head_wall_us is not None:
            report.head_age_s = (now_us - report.head_wall_us) / 1e6
        report.level = "none" if report.tampered or self.unread else self._level(len(parts), now_us)
        if LEVELS.index(report.level) < LEVELS.index(self.ask.min_level) and not report.tampered:
            report.add("unproven", "level", f"{self.ask.min_level} was asked for, {report.level} is proven")

    def _level(self, count: int, now_us: int) -> str:
        report = self.report
        witnessed = len(self.witnessed) >= count
        if witnessed:
            report.witnessed_s = min(self.witnessed)
        since_s = report.witnessed_s if witnessed else (report.head_wall_us or 0) / 1e6
        limit = self.ask.max_age_s
        if limit is not None and now_us / 1e6 - (since_s or 0) > limit:
            what = "its cosignatures are" if witnessed else "its newest block is"
            report.add("unproven", "age", f"{what} older than {limit:.0f} s")
        if self.key is None or not self.signed:
            return "L0"
        if not witnessed:
            return "L1"
        if len(self.dated) < count:
            return "L3"
        report.dated_us = max(self.dated)
        return "L4"

    def _part(self, part: Part) -> None:
        header = block.parse_header(part.hdr)
        report = self.report
        if self.ask.expect_origin not in (None, header.origin):
            because = f"it belongs to {header.origin}, not {self.ask.expect_origin}"
            report.add("tampered", "foreign", because, height=header.height)
        if header.height != part.height:
            raise Malformed(f"the header says height {header.height}, its proof {part.height}")
        self._check_signature(header, part)
        said = self.given.judge(part.checkpoint, self.ask.log)
        if said.head.origin != header.origin:
            raise Malformed(f"its checkpoint belongs to another log, {said.head.origin}")
        leaf = merkle.leaf_hash(part.hdr)
        merkle.verify_inclusion(part.height, said.head.size, leaf, said.head.root, part.path)
        self._vouch(header, part, said)
        self._count(header, block.hash_of(part.hdr), len(part.items))
        self._entries(header, part.items)

    def _count(self, header: Header, digest: str, entries: int) -> None:
        report = self.report
        report.origin, report.head, report.head_wall_us = header.origin, digest, header.sealed
        report.first = header.height if report.first is None else min(report.first, header.height)
        report.last = max(report.last or 0, header.height)
        report.proven_to, report.entries = report.last, report.entries + entries

    def _check_signature(self, header: Header, part: Part) -> None:
        if self.key is None:
            return
        body = bundle_body(header, part.items)
        for problem in succession.Succession(self.key).check(header, part.hdr, part.sig, body):
            self.signed = False
            self.report.add(problem.weight, problem.code, problem.because, height=header.height)

    def _vouch(self, header: Header, part: Part, said: Testimony) -> None:
        if said.witnessed_s is not None:
            self.witnessed.append(said.witnessed_s)
            self.report.witnessed_to = max(self.report.witnessed_to or 0, header.height)
        if said.dated_us is not None and said.log_signed:
            self.dated.append(said.dated_us)
            self.report.dated_to = max(self.report.dated_to or 0, header.height)
        anchored = any(_is_at(one.anchor, header, part.hdr) for one in self.outside.watched)
        same = any(claim.said.head == said.head for claim in self.outside.claims)
        if anchored or same:
            self.report.anchored_to = max(self.report.anchored_to or 0, header.height)
        self.vouched = self.vouched and (anchored or same or said.witnessed_s is not None)

    def _entries(self, header: Header, items: Sequence[Item]) -> None:
        for item in items:
            leaf = merkle.leaf_hash(item.octets)
            merkle.verify_inclusion(item.at, header.count, leaf, bytes.fromhex(header.root), item.path)
            sealed = Sealed(header.first + item.at, header.height, leaf.hex(), item.octets)
            if self.sink is not None:
                self.sink(sealed)
            if self.ask.deep and entry.parse(item.octets)["seq"] != sealed.seq:
                raise Malformed(f"entry {sealed.seq} says that it is another")


def _is_at(anchor: Anchor, header: Header, octets: bytes) -> bool:
    return (anchor.origin, anchor.height, anchor.head) == (header.origin, header.height, block.hash_of(octets))


def bundle_body(header: Header, items: Sequence[Item]) -> bytes:
    """Return the body of a block whose every entry is at hand, as a ``rotate`` block's must be; else nothing."""
    if len(items) != header.count:
        return b""
    body = block.join_body([item.octets for item in sorted(items, key=lambda item: item.at)])
    try:
        block.check_flat(header, body)
    except Malformed:
        return b""
    return body
