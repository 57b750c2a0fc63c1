"""Pruning: what may go is worked out, archived, sealed, witnessed, and only then are bodies dropped.

Headers and signatures stay for ever, so every hash, signature and proof over headers still holds. Each step can be
the last before a crash: the next call finds the sealed order and finishes it.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from audit import archive, block, orders
from audit.block import Header
from audit.errors import AuditError
from audit.orders import Order
from audit.reader import Blocks, Stub

DAY_US: Final = 86_400_000_000
CHUNK_OCTETS: Final = 1024 * 1024
CHUNK_BLOCKS: Final = 256
"""So much is dropped in one transaction: sealing waits for no more than that."""
_KEPT: Final = (orders.MARK, b',"why":"rotate"}')
"""How headers end (``why`` is their last field) whose bodies a verifier needs for ever: orders to prune, and keys."""

Witnessed = Callable[[int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was pruned, or will be once it is witnessed."""

    order: Order
    path: Path
    """The archive file."""
    dropped: bool
    """Whether the bodies are gone; else the order waits for its witness, and the next call finishes it."""


class Sealing(Protocol):
    """What pruning needs of the writer."""

    def append(self, fields: Mapping[str, object], *, reserve: bool = False) -> "Placed":
        """Seal one entry."""
        ...


class Placed(Protocol):
    """Where an entry was sealed."""

    @property
    def height(self) -> int:
        """Height of its block."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """One log's pruning."""

    blocks: Blocks
    writer: Sealing
    drop: Callable[[Sequence[int]], None]
    """Empty the bodies of blocks, in one transaction."""
    folder: Path
    """Where archives go."""
    turn: threading.Lock
    """Held throughout: two at once would archive the same blocks twice."""

    def run(
        self,
        *,
        because: str,
        before_us: int,
        open_seqs: Collection[int],
        ceiling: int | None = None,
        witnessed: Witnessed | None = None,
    ) -> Pruned | None:
        """Finish an order that was begun, or make one; None where nothing may go.

        Raises ``DiskFull``, ``Unreadable`` and ``Damaged`` as `archive.write` does, and what sealing raises.
        """
        with self.turn:
            found = frontier(self.blocks)
            if found is None:
                return None
            start, first = found
            known = list(orders.of(self.blocks, start))
            begun = [order for order in known if order.first <= first <= order.last and self._intact(order)]
            if begun:
                return self._finish(begun[-1], first, witnessed)
            start = max([start, *(order.last + 1 for order in known if order.last < first)])
            planned = plan(headers(self.blocks, start), before_us=before_us, open_seqs=open_seqs, ceiling=ceiling)
            if planned is None or planned[1] < first:
                return None
            return self._finish(self._order(*planned, because), first, witnessed)

    def _intact(self, order: Order) -> bool:
        try:
            return archive.digest(self.folder / order.name) == (order.sha256, order.size)
        except AuditError:
            return False

    def _order(self, first: int, last: int, because: str) -> Order:
        made = archive.write(self.blocks, first, last, self.folder)
        name = made.path.name
        data = {
            "from": first,
            "to": last,
            "entries": made.entries,
            "sha256": made.sha256,
            "size": made.size,
            "name": name,
        }
        height = self.writer.append({"kind": "prune", "because": because, "data": data}, reserve=True).height
        return Order(
            height=height, first=first, last=last, entries=made.entries, sha256=made.sha256, size=made.size, name=name
        )

    def _finish(self, order: Order, first: int, witnessed: Witnessed | None) -> Pruned:
        may = witnessed is None or witnessed(order.height)
        if may:
            for heights in chunks(self.blocks.stubs(first), order.last):
                self.drop(heights)
        return Pruned(order=order, path=self.folder / order.name, dropped=may)


def plan(
    found: Iterable[Header], *, before_us: int, open_seqs: Collection[int], ceiling: int | None = None
) -> tuple[int, int] | None:
    """Return the first and last height that may be pruned, None where nothing may.

    ``found`` are the headers of all blocks that still have bodies, in order, without block 0. They must all have been
    sealed before ``before_us`` (wall clock, µs); ``open_seqs`` are the entry numbers of the intents that are open now;
    ``ceiling`` is a height that must keep its body, and all above it. The cut is made only where no intent of the
    pruned part waits for its outcome, so that what remains is a whole story. The newest block stays.
    """
    first = last = cut = None
    waiting = sorted(open_seqs)
    for header in found:
        cut = last if last is not None else cut
        last = None
        if header.sealed >= before_us or (ceiling is not None and header.height >= ceiling):
            break
        if any(header.first <= seq < header.first + header.count for seq in waiting):
            break
        first = header.height if first is None else first
        # Open before the pruned part (in block 0, whose body stays) is not open within it.
        if header.open == sum(1 for seq in waiting if seq < header.first):
            last = header.height
    return None if first is None or cut is None else (first, cut)


def frontier(blocks: Blocks) -> tuple[int, int] | None:
    """Return where pruning goes on: the height after the last that was pruned, and the first that has a body to lose.

    Bodies go from below, without gaps but for those that stay for ever, which may lie between the two. None where no
    block above 0 is left.
    """
    low, high = 1, (blocks.top() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        stub = _loose(blocks, middle)
        if stub is None or stub.held:
            high = middle
        else:
            low = stub.height + 1
    stub = _loose(blocks, low)
    return None if stub is None else (low, stub.height)


def _loose(blocks: Blocks, height: int) -> Stub | None:
    """Return the first block from ``height`` on that need not keep its body."""
    return next((stub for stub in blocks.stubs(height) if not stub.hdr.endswith(_KEPT)), None)


def headers(blocks: Blocks, first: int) -> Iterator[Header]:
    """Yield the headers from ``first`` on; raises ``Malformed`` for one that is not a header."""
    for stub in blocks.stubs(first):
        yield block.parse_header(stub.hdr)


def chunks(stubs: Iterable[Stub], last: int) -> Iterator[list[int]]:
    """Cut the heights that are to be dropped, up to ``last``, into lists that one short transaction can take."""
    heights: list[int] = []
    size = 0
    for stub in stubs:
        if stub.height > last:
            break
        if not stub.held or stub.hdr.endswith(_KEPT):
            continue
        heights.append(stub.height)
        size += stub.held
        if size > CHUNK_OCTETS or len(heights) == CHUNK_BLOCKS:
            yield heights
            heights, size = [], 0
    if heights:
        yield heights
