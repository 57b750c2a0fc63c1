"""Bodies that are no longer in the log: which are missing, which block says so, which archive still holds them."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple, Self

from audit import block
from audit.block import Header
from audit.errors import AuditError, Malformed
from audit.reader import Log, Row
from audit.report import Report

MAX_RANGES: Final = 1000
"""So many separate prunings are followed; a log that claims more is not worth the memory."""
_KEPT: Final = frozenset({"prune", "rotate"})


class Range(NamedTuple):
    """Heights ``first`` to ``last``, both included."""

    first: int
    last: int


class Archives:
    """Archive files, opened for as long as the walk lasts."""

    def __init__(self) -> None:
        self._logs: list[Log] = []
        self._stack = contextlib.ExitStack()
        self.missing: list[Range] = []
        """Blocks whose bodies are neither here nor in an archive."""
        self._declared: list[Range] = []
        self._absent: list[Range] = []
        """Blocks whose bodies are not in the log itself."""
        self._between = 0
        """So many blocks right before this one are of a kind that is never pruned."""

    def open(self, paths: Iterable[Path], report: Report) -> None:
        """Open what was given; what cannot be opened is a finding."""
        for path in paths:
            try:
                self._logs.append(self._stack.enter_context(Log.open(path)))
            except AuditError as exc:
                report.add("unproven", "archive", f"the archive {path} cannot be used: {exc.message}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def body(self, header: Header, row: Row) -> bytes:
        """Return the block's body, from the log or from an archive; empty where both lack it.

        An archive is trusted no more than the log: whatever comes back is checked against the header.
        """
        if row.body:
            # Orders and keys keep their bodies for ever; the stretch they lie in is one stretch all the same.
            self._between = self._between + 1 if header.why in _KEPT else 0
            return row.body
        if not header.height or header.why in _KEPT:
            raise Malformed("its entries are missing, and those of such a block are never pruned")
        between, self._between = self._between, 0
        _extend(self._absent, header.height, between)
        for log in self._logs:
            with contextlib.suppress(AuditError):
                found = log.row(header.height)
                if found is not None and found.hdr == row.hdr and not found.wrong_types() and found.body:
                    return found.body
        _extend(self.missing, header.height, between)
        return b""

    def account(self, header: Header, body: bytes) -> None:
        """Take note of what a ``prune`` block declares; raises ``Malformed`` for one that is not well-formed."""
        _insert(self._declared, parse(header, body))

    def conclude(self, report: Report, *, stopped: bool) -> None:
        """Account for every missing body: declared by a prune block, or taken out by somebody else.

        Where a block of an unknown version ``stopped`` the walk, the order may lie beyond it.
        """
        declared = sorted(self._declared)
        for absent in self._absent:
            stolen = _outside(absent, declared)
            if stolen is not None:
                because = "its entries are missing, and no prune block says that they were archived"
                report.add("unproven" if stopped else "tampered", "body", because, height=stolen)
        report.pruned = [(missing.first, missing.last) for missing in self.missing]
        for missing in self.missing:
            because = f"the entries of blocks {missing.first} to {missing.last} were pruned; --archive joins them again"
            report.add("note", "pruned", because, height=missing.first)


def parse(header: Header, body: bytes) -> Range:
    """Read which blocks a ``prune`` block declares; raises ``Malformed`` or ``UnknownVersion``."""
    entries = block.split_body(body)
    if len(entries) != 1:
        raise Malformed("a prune block holds exactly one entry")
    from audit import entry  # only who reads entries needs to know what they look like

    fields = entry.parse(entries[0])
    data = fields.get("data")
    if fields["kind"] != "prune" or not isinstance(data, dict):
        raise Malformed("the entry of a prune block does not say what was pruned")
    first, last = data.get("from"), data.get("to")
    if not (type(first) is int and type(last) is int and 0 <= first <= last < header.height):
        raise Malformed("a prune block names blocks that do not lie before it")
    return Range(first, last)


def _extend(ranges: list[Range], height: int, between: int) -> None:
    if ranges and ranges[-1].last == height - 1 - between:
        ranges[-1] = Range(ranges[-1].first, height)
    elif len(ranges) < MAX_RANGES:
        ranges.append(Range(height, height))
    else:
        raise Malformed(f"more than {MAX_RANGES} separate stretches are missing")


def _insert(ranges: list[Range], new: Range) -> None:
    """Add a range to those declared; they come in order in an honest log, each after the one before."""
    if ranges and ranges[-1].first <= new.first <= ranges[-1].last + 1:
        ranges[-1] = Range(ranges[-1].first, max(ranges[-1].last, new.last))
    elif len(ranges) < MAX_RANGES:
        ranges.append(new)
    else:
        raise Malformed(f"more than {MAX_RANGES} prunings are declared")


def _outside(absent: Range, declared: Iterable[Range]) -> int | None:
    """Return the first height of ``absent`` that no declared range (sorted) covers."""
    height = absent.first
    for one in declared:
        if one.first <= height <= one.last:
            height = one.last + 1
    return height if height <= absent.last else None
