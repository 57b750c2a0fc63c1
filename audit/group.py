"""How submissions become a block: what is queued, what one block takes of it, and the header it gets."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple, overload

from audit import block, canonical, merkle
from audit.clock import Clock
from audit.commitments import Private
from audit.ed25519 import Secret
from audit.errors import AuditError, Malformed
from audit.intents import Ledger
from audit.keys import Signer

GROUP_OCTETS: Final = 1024 * 1024
"""A group takes no further submission beyond this."""
SUBMISSION_OCTETS: Final = 4 * 1024 * 1024
_ALONE: Final = frozenset({"rotate", "prune"})
"""Kinds that have a block to themselves, so that its header says what it is for; submitted one by one."""
_WHY: Final = {"heartbeat": "heartbeat", "rotate": "rotate", "prune": "prune"}


class Receipt(NamedTuple):
    """Where an entry was sealed."""

    seq: int
    height: int
    leaf: str
    """Its leaf hash, hex: what an outcome names its intent by."""
    header: str
    """SHA-256 of the block's header, hex."""


class Receipts(Sequence[Receipt]):
    """One submission's receipts, each made when it is looked at: thousands are never looked at."""

    __slots__ = ("_first", "_header", "_height", "_leaves")

    def __init__(self, first: int, height: int, leaves: list[bytes], header: str) -> None:
        """Take the number of the first entry, the block's height, the leaf hashes and the header's hash."""
        self._first, self._height, self._leaves, self._header = first, height, leaves, header

    def __len__(self) -> int:
        return len(self._leaves)

    @overload
    def __getitem__(self, place: int) -> Receipt: ...
    @overload
    def __getitem__(self, place: slice) -> list[Receipt]: ...
    def __getitem__(self, place: int | slice) -> Receipt | list[Receipt]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        leaf = self._leaves[place].hex()
        return Receipt(self._first + place % len(self._leaves), self._height, leaf, self._header)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One submission: entries that belong into one block."""

    entries: list[dict[str, object]]
    reserve: bool
    """Whether it may use the space kept back for a full disk."""
    taken: int
    """Wall clock, µs."""
    future: Future[Sequence[Receipt]]
    successor: Signer | None = None
    """Who signs from the next block on, where the one entry is a rotation."""

    private: Sequence[tuple[int, Private]] = ()
    """What the entries only stand for, each with the place of its entry: kept beside the log, before it is sealed."""

    def fail(self, because: AuditError) -> None:
        """Tell the caller that nothing was sealed."""
        with contextlib.suppress(Exception):  # cancelled by its owner meanwhile: nobody to tell
            self.future.set_exception(because)


class End(NamedTuple):
    """The end of a log: what the next block follows."""

    header: block.Header | None
    hash: str
    ledger: Ledger
    secret: Secret | None = None
    """What signs the next block for the ratchet, let go with this end; None when there is none, or it was lost."""

    @property
    def lost(self) -> bool:
        """Whether a ratchet key was announced that nobody holds any more."""
        return self.header is not None and bool(self.header.next) and self.secret is None

    @property
    def height(self) -> int:
        """Height of the next block."""
        return self.header.height + 1 if self.header else 0

    @property
    def seq(self) -> int:
        """Number of the next entry."""
        return self.header.first + self.header.count if self.header else 0


class Group(NamedTuple):
    """What one block will hold, before it has a header."""

    jobs: list[tuple[Job, int]]
    """Each with the place of its first entry."""
    octets: list[bytes]
    leaves: list[bytes]
    ledger: Ledger
    kinds: set[str]

    def private(self, first: int) -> list[tuple[int, Private]]:
        """Return what is to be kept beside the log, by entry number, when the block's first entry is ``first``."""
        return [(first + start + place, one) for job, start in self.jobs for place, one in job.private]

    def members(self) -> list[Job]:
        """Return the jobs alone."""
        return [job for job, _ in self.jobs]

    @property
    def successor(self) -> Signer | None:
        """Who signs this block too, and all that follow."""
        return self.jobs[0][0].successor


class Made(NamedTuple):
    """A block that only lacks its signature."""

    group: Group
    header: block.Header
    octets: bytes
    body: bytes
    end: End
    """The end of the log once it is committed."""

    def resolve(self) -> None:
        """Hand out the receipts."""
        header, digest = self.header, self.end.hash
        for job, start in self.group.jobs:
            leaves = self.group.leaves[start : start + len(job.entries)]
            receipts = Receipts(header.first + start, header.height, leaves, digest)
            with contextlib.suppress(Exception):  # cancelled by its owner: the entries are sealed all the same
                job.future.set_result(receipts)


def prepare(jobs: list[Job], end: End) -> tuple[Group, list[Job]]:
    """Encode jobs until the group is full; return it and the others. One that cannot be encoded fails alone."""
    group = Group([], [], [], end.ledger.copy(), set())
    size = 0
    for index, job in enumerate(jobs):
        # What a failed commit gave back comes together with what queued since: that may be more than a block holds.
        if size > GROUP_OCTETS or len(group.octets) + len(job.entries) > block.MAX_ENTRIES:
            return group, jobs[index:]
        if group.jobs and (job.entries[0]["kind"] in _ALONE or not _ALONE.isdisjoint(group.kinds)):
            return group, jobs[index:]
        ledger = group.ledger.copy()
        try:
            octets, leaves, kinds = _encode(job.entries, end.seq + len(group.octets), ledger)
            if ("rotate" in kinds) != (job.successor is not None):
                raise Malformed("a rotation is sealed by Writer.rotate alone")
        except AuditError as exc:
            job.fail(exc)
            continue
        group.jobs.append((job, len(group.octets)))
        group.octets.extend(octets)
        group.leaves.extend(leaves)
        group.kinds.update(kinds)
        group = group._replace(ledger=ledger)
        size += sum(map(len, octets)) + 4 * len(octets)
    return group, []


def make(group: Group, end: End, *, origin: str, clock: Clock, key: str, fresh: Secret | None, beacon: str) -> Made:
    """Make the block that follows ``end``; ``fresh`` will sign the one after it for the ratchet."""
    boot, mono = clock.boot_id(), clock.mono_us()
    if end.header and end.header.boot == boot:
        mono = max(mono, end.header.mono)
    body = block.join_body(group.octets)
    header = block.Header(
        origin=origin,
        height=end.height,
        first=end.seq,
        count=len(group.octets),
        root=merkle.root(group.leaves).hex(),
        body=sha256(body).hexdigest(),
        body_len=len(body),
        prev=end.hash,
        opened=group.jobs[0][0].taken,
        sealed=clock.wall_us(),
        mono=mono,
        boot=boot,
        beacon=beacon,
        open=len(group.ledger.waiting),
        next=fresh.public.hex() if fresh else "",
        keys=(key, group.successor.public.fingerprint) if group.successor else (key,),
        why="restart" if end.lost else _why(group.kinds),
    )
    octets = header.encode()
    return Made(group, header, octets, body, End(header, block.hash_of(octets), group.ledger, fresh))


def _encode(entries: list[dict[str, object]], first: int, ledger: Ledger) -> tuple[list[bytes], list[bytes], set[str]]:
    for seq, one in enumerate(entries, first):
        one["seq"] = seq
    octets = canonical.encode_all(entries)
    if sum(map(len, octets)) + 4 * len(octets) > SUBMISSION_OCTETS:
        raise Malformed(f"one submission may have {SUBMISSION_OCTETS} octets")
    kinds = {str(one["kind"]) for one in entries}
    leaves = merkle.leaf_hashes(octets)
    if "intent" in kinds or "outcome" in kinds:
        for one, leaf in zip(entries, leaves, strict=True):
            ledger.take(one, leaf.hex())
    return octets, leaves, kinds


def _why(kinds: set[str]) -> str:
    return _WHY.get(next(iter(kinds)), "commit") if len(kinds) == 1 else "commit"
