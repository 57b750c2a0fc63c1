"""Sealing: what is submitted becomes one signed, durable block, or the caller is told that it did not."""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import count, repeat
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple, Self

from audit import block, canonical, checkpoint, entry, keys, merkle, recovery
from audit.checkpoint import Anchor, Keeper
from audit.clock import Clock, SystemClock
from audit.errors import AuditError, Damaged, DiskFull, KeyRefused, Malformed, Poisoned, RolledBack
from audit.intents import Ledger
from audit.keys import Signer
from audit.reader import FILE_NAME, Log
from audit.storage import Lock, Reserve, Store

ANCHOR_NAME: Final = "anchor"
KEYS_NAME: Final = "keys"
RESERVE_BYTES: Final = 4 * 1024 * 1024
GROUP_OCTETS: Final = 1024 * 1024
"""A group takes no further submission beyond this."""
SUBMISSION_OCTETS: Final = 4 * 1024 * 1024
MAX_WAITING: Final = 262_144
"""Entries in the queue beyond which submissions are refused: a stuck disk must not eat the memory."""

_WHY: Final = {"heartbeat": "heartbeat", "rotate": "rotate", "prune": "prune"}


class Receipt(NamedTuple):
    """Where an entry was sealed. A named tuple: a hundred thousand a second are made."""

    seq: int
    height: int
    leaf: str
    """Its leaf hash, hex: what an outcome names its intent by."""
    header: str
    """SHA-256 of the block's header, hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    entries: list[dict[str, object]]
    reserve: bool
    taken: int
    future: Future[list[Receipt]]

    def fail(self, because: AuditError) -> None:
        with contextlib.suppress(Exception):  # cancelled by its owner meanwhile: nobody to tell
            self.future.set_exception(because)


class _Group(NamedTuple):
    """What one block will hold, before it has a header."""

    jobs: list[tuple[_Job, int]]
    octets: list[bytes]
    leaves: list[bytes]
    ledger: Ledger
    kinds: set[str]


class Writer:
    """The one writer of a log."""

    def __init__(  # noqa: PLR0913 - called by open alone
        self,
        *,
        folder: Path,
        node: str,
        clock: Clock,
        signer: Signer,
        lock: Lock,
        store: Store,
        reserve: Reserve,
        origin: str,
        end: recovery.Tail | None,
        standing: recovery.Standing,
        inline: bool,
    ) -> None:
        self.folder = folder
        self.origin = origin
        self.rollback = standing.rollback
        """Why the log looks rolled back; empty when it does not. See ``accept_rollback``."""
        self.caught_up = standing.caught_up
        """Whether the log was ahead of its own anchor when it was opened, as after a crash."""
        self.notes = standing.notes
        """Other things found at the start that the operator should know, in words."""
        self.full = False
        """Whether the disk is full: only entries submitted with ``reserve=True`` are tried."""
        self.public = signer.public
        self._node, self._clock, self._signer = node, clock, signer
        self._lock, self._store, self._reserve = lock, store, reserve
        self._header = end.header if end else None
        self._hash = end.hash if end else block.GENESIS
        self._ledger = Ledger(end.waiting if end else None)
        self._poison: Poisoned | None = None
        self._waiting = 0
        self._inline = inline
        self._keepers = [Keeper(path, known, self._conflict) for path, known in standing.known.items()]
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._turn = threading.Lock()
        self._closed = False
        self._signing: ThreadPoolExecutor | None = None
        self._thread: threading.Thread | None = None
        if not inline:
            self._start()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        node: str,
        origin: str | None = None,
        clock: Clock | None = None,
        anchors: Sequence[Path] = (),
        reserve_bytes: int = RESERVE_BYTES,
        signer: Signer | None = None,
        inline: bool = False,
    ) -> Self:
        """Open the log in a state folder, or begin one where there was none.

        ``anchors`` are files kept elsewhere, besides ``folder/anchor``. ``signer`` replaces the key in
        ``folder/keys``. With ``inline`` everything happens in the calling thread, for simulations.

        Raises ``Busy`` for a second writer, ``KeyRefused`` for a key that is missing or unfit, ``Damaged`` for a log
        that is missing, emptied, foreign or does not verify. A log older than its anchors opens with ``rollback``.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            lock = Lock(folder / "audit.lock")
            stack.callback(lock.release)
            paths = (folder / ANCHOR_NAME, *anchors)
            store = Store(folder / FILE_NAME, create=_may_begin(folder, paths, signer))
            stack.callback(store.close)
            log = Log(store.driver)
            signer = signer or _key(folder / KEYS_NAME, empty=log.top() is None, anchored=_any(paths))
            end = recovery.tail(log, signer.public)
            origin = _origin(origin, node, signer, end)
            standing = recovery.compare(log, end, paths, origin)
            if end is None and standing.rollback:
                raise Damaged(f"the log was emptied: {standing.rollback}", hint="restore it from a backup")
            writer = cls(
                folder=folder,
                node=node,
                clock=clock or SystemClock(),
                signer=signer,
                lock=lock,
                store=store,
                reserve=Reserve(folder / "audit.reserve", reserve_bytes),
                origin=origin,
                end=end,
                standing=standing,
                inline=inline,
            )
            stack.pop_all()
        return writer

    # -------------------------------------------------------------------------------------- for callers

    @property
    def head(self) -> Anchor | None:
        """The last sealed block: height, count of entries, header hash, wall time; None before the first."""
        header = self._header
        return None if header is None else checkpoint.of_header(header, self._hash)

    @property
    def open_intents(self) -> tuple[str, ...]:
        """Leaf hashes of the intents without an outcome, oldest first."""
        return tuple(self._ledger.waiting)

    @property
    def poisoned(self) -> Poisoned | None:
        """Why nothing can be sealed any more; None while it can."""
        return self._poison

    @property
    def anchor_problems(self) -> tuple[str, ...]:
        """Anchors that could not be written last time, in words."""
        return tuple(keeper.because for keeper in self._keepers if keeper.because)

    def submit(self, entries: Sequence[Mapping[str, object]], *, reserve: bool = False) -> "Future[list[Receipt]]":
        """Seal entries together, in one block; the future resolves when they are signed and on the disk.

        Each needs ``kind`` and its fields; ``v``, ``seq`` and ``node`` are set here, ``ts``, ``mono``, ``boot`` where
        absent. Do not change them afterwards. ``reserve`` lets them use the reserved space of a full disk.

        Raises ``Malformed``, ``Poisoned``, ``RolledBack`` at once. The future may fail with ``DiskFull``,
        ``Poisoned``, or ``Malformed`` (an outcome without an open intent; more than 4 MiB).
        """
        if self.rollback:
            raise RolledBack(self.rollback, hint="find out who restored an old copy; then accept it by name")
        return self._submit(entries, reserve=reserve)

    def append(self, fields: Mapping[str, object], *, reserve: bool = False) -> Receipt:
        """Seal one entry and wait for it; raises what ``submit`` and its future raise."""
        return self.submit([fields], reserve=reserve).result()[0]

    def accept_rollback(self, *, who: str, because: str) -> Receipt:
        """Go on with a log that is older than its anchors: seals a ``gap`` that says so, then moves the anchors.

        Everybody who remembers a later head will still see the rollback, as they should.
        """
        data = {"who": who, "rollback": self.rollback}
        for keeper in self._keepers:
            keeper.adopt()
        receipt = self._submit([{"kind": "gap", "because": because, "data": data}], reserve=True).result()[0]
        self.rollback = ""
        return receipt

    def flush_anchors(self) -> None:
        """Write the head to every anchor now, and wait for it."""
        for keeper in self._keepers:
            keeper.flush()

    def close(self) -> None:
        """Seal what is queued, write the anchors, let go of the file. Seals nothing of its own."""
        self._end(flush=True)

    def abandon(self) -> None:
        """Let go as a crash would: what is queued fails, the anchors stay where they are."""
        self._poison = self._poison or Poisoned("the writer was abandoned")
        self._end(flush=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------ the machinery

    def _start(self) -> None:
        self._signing = ThreadPoolExecutor(1, thread_name_prefix="seal")
        self._thread = threading.Thread(target=self._run, name="audit writer", daemon=True)
        self._thread.start()
        for keeper in self._keepers:
            keeper.start()

    def _end(self, *, flush: bool) -> None:
        with self._turn:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        if self._signing is not None:
            self._signing.shutdown()
        for keeper in self._keepers:
            keeper.stop(flush=flush and not self.rollback)
        self._store.close()
        self._lock.release()

    def _submit(self, entries: Sequence[Mapping[str, object]], *, reserve: bool) -> "Future[list[Receipt]]":
        if not 1 <= len(entries) <= block.MAX_ENTRIES:
            raise Malformed(f"a block holds 1 to {block.MAX_ENTRIES} entries, not {len(entries)}")
        clock = self._clock
        now = clock.wall_us()
        stamp = {"ts": now, "mono": clock.mono_us(), "boot": clock.boot_id()}
        full = [{**stamp, **fields, "v": entry.VERSION, "node": self._node, "seq": 0} for fields in entries]
        for one in full:
            entry.check(one)
        job = _Job(entries=full, reserve=reserve, taken=now, future=Future())
        with self._turn:
            self._admit(len(full))
            if not self._inline:
                self._queue.put(job)
                return job.future
        self._seal_all([job])
        return job.future

    def _admit(self, count: int) -> None:
        if self._poison is not None:
            raise Poisoned(self._poison.message, hint=self._poison.hint)
        if self._closed:
            raise Poisoned("the writer is closed")
        if self._waiting + count > MAX_WAITING:
            raise DiskFull("the log cannot keep up: too many entries are waiting", hint="is the disk slow or stuck?")
        self._waiting += count

    def _run(self) -> None:
        """Commit groups until told to stop: whatever queued while the last commit ran makes the next block."""
        left: _Job | None = None
        while True:
            job = left or self._queue.get()
            if job is None:
                return
            jobs, left, last = self._gather(job)
            try:
                self._seal_all(jobs)
            except BaseException as exc:  # noqa: BLE001 - a bug here must fail its callers, not leave them waiting
                self._poisoned(Poisoned(f"the writer failed: {exc!r}"), jobs)
            if last:
                return

    def _gather(self, job: _Job) -> tuple[list[_Job], _Job | None, bool]:
        """Return the jobs of one group, the one that no longer fits, and whether the end was reached."""
        jobs, taken = [job], len(job.entries)
        while True:
            try:
                following = self._queue.get_nowait()
            except Empty:
                return jobs, None, False
            if following is None:
                return jobs, None, True
            taken += len(following.entries)
            if taken > block.MAX_ENTRIES:
                return jobs, following, False
            jobs.append(following)

    def _seal_all(self, jobs: list[_Job]) -> None:
        """Seal jobs, in as many blocks as their octets need; every future is resolved on return."""
        with self._turn:
            self._waiting -= sum(len(job.entries) for job in jobs)
        if self._poison is not None:
            self._poisoned(self._poison, jobs)
            return
        if self.full and self._reserve.rebuild():
            self.full = False
        rest = self._reserved(jobs) if self.full else jobs
        while rest:
            rest = self._seal_some(rest)

    def _seal_some(self, jobs: list[_Job]) -> list[_Job]:
        """Seal the first jobs that fit one block; return the others."""
        group, rest = self._prepare(jobs)
        if not group.jobs:
            return rest
        try:
            self._seal(group)
        except DiskFull as exc:
            return self._make_room(exc, [job for job, _ in group.jobs]) + rest
        except Poisoned as exc:
            self._poisoned(exc, [*(job for job, _ in group.jobs), *rest])
            return []
        return rest

    def _make_room(self, exc: DiskFull, jobs: list[_Job]) -> list[_Job]:
        """Give the reserve back to the disk; return the jobs that may use it, fail the others."""
        self.full = True
        if not self._reserve.held:
            for job in jobs:
                job.fail(DiskFull(exc.message, hint=exc.hint))
            return []
        self._reserve.release()
        return self._reserved(jobs)

    def _reserved(self, jobs: list[_Job]) -> list[_Job]:
        for job in jobs:
            if not job.reserve:
                job.fail(DiskFull("the disk is full", hint=f"free space on the file system of {self.folder}"))
        return [job for job in jobs if job.reserve]

    def _poisoned(self, because: Poisoned, jobs: list[_Job]) -> None:
        self._poison = because
        for job in jobs:
            job.fail(Poisoned(because.message, hint=because.hint))

    def _prepare(self, jobs: list[_Job]) -> tuple[_Group, list[_Job]]:
        """Encode jobs until the group is full; one that cannot be encoded fails alone."""
        group = _Group([], [], [], self._ledger.copy(), set())
        first = self._header.first + self._header.count if self._header else 0
        size = 0
        for index, job in enumerate(jobs):
            if size > GROUP_OCTETS:
                return group, jobs[index:]
            ledger = group.ledger.copy()
            try:
                octets, leaves, kinds = _encode(job.entries, first + len(group.octets), ledger)
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

    def _seal(self, group: _Group) -> None:
        body = block.join_body(group.octets)
        header = self._next_header(group, body)
        octets = header.encode()
        signature = self._begin_signing(block.signed_octets(octets))
        size = self.public.size
        self._store.append((header.height, header.first, header.count, octets, size, body), signature)
        self._header, self._hash, self._ledger = header, block.hash_of(octets), group.ledger
        head = checkpoint.of_header(header, self._hash)
        for keeper in self._keepers:
            keeper.offer(head)
            if self._inline:
                keeper.flush()
        if header.height == 0:
            # Acknowledged only with its anchor in the state folder: from here on an emptied log shows.
            self._keepers[0].flush()
        self._resolve(group, header)

    def _resolve(self, group: _Group, header: block.Header) -> None:
        height, digest, seq = header.height, self._hash, header.first
        for job, start in group.jobs:
            end = start + len(job.entries)
            leaves = [leaf.hex() for leaf in group.leaves[start:end]]
            receipts = list(map(Receipt, count(seq + start), repeat(height), leaves, repeat(digest)))
            with contextlib.suppress(Exception):  # cancelled by its owner: the entries are sealed all the same
                job.future.set_result(receipts)

    def _next_header(self, group: _Group, body: bytes) -> block.Header:
        previous, clock = self._header, self._clock
        boot, mono = clock.boot_id(), clock.mono_us()
        if previous and previous.boot == boot:
            mono = max(mono, previous.mono)
        now = clock.wall_us()
        return block.Header(
            origin=self.origin,
            height=previous.height + 1 if previous else 0,
            first=previous.first + previous.count if previous else 0,
            count=len(group.octets),
            root=merkle.root(group.leaves).hex(),
            body=sha256(body).hexdigest(),
            body_len=len(body),
            prev=self._hash,
            opened=group.jobs[0][0].taken,
            sealed=now,
            mono=mono,
            boot=boot,
            open=len(group.ledger.waiting),
            keys=(self.public.fingerprint,),
            why=_why(group.kinds),
        )

    def _begin_signing(self, octets: bytes) -> Callable[[], bytes]:
        if self._signing is None:
            return lambda: self._signer.sign(octets)
        return self._signing.submit(self._signer.sign, octets).result

    def _conflict(self, because: str) -> None:
        """Stop: two writers with one anchor means that one of them is a copy."""
        self._poison = Poisoned(because, hint="is this a copy of the state folder, running twice?")


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


def _any(paths: Sequence[Path]) -> bool:
    return any(os.path.lexists(path) for path in paths)


def _may_begin(folder: Path, anchors: Sequence[Path], signer: Signer | None) -> bool:
    """Tell whether a log may be begun here; raises ``Damaged`` where one is missing rather than not begun.

    The file is made before the key, so a key without a file is never what a crash at the first start leaves.
    """
    path = folder / FILE_NAME
    present = os.path.lexists(path) and path.stat().st_size > 0
    keyed = signer is None and keys.exists(folder / KEYS_NAME)
    if not present and (keyed or _any(anchors)):
        what = "its key" if keyed else "its anchor"
        raise Damaged(
            f"the log {path} is missing or empty, but {what} is there",
            hint=f"restore it from a backup; to begin anew on purpose, move {folder} and its anchors away",
        )
    return not (keyed or _any(anchors))


def _key(folder: Path, *, empty: bool, anchored: bool) -> Signer:
    if keys.exists(folder):
        return keys.load(folder)
    if not empty or anchored:
        raise KeyRefused(
            f"the key {folder / keys.PRIVATE} is missing, but the log is not empty",
            hint="restore it from your backup; a new one would make a new log of it",
        )
    return keys.make(folder)


def _origin(wanted: str | None, node: str, signer: Signer, end: recovery.Tail | None) -> str:
    """Return the log's name: the one it has, the one wanted, or node and key (both, so that no two logs share it)."""
    if end is not None:
        if wanted not in (None, end.header.origin):
            raise Damaged(f"the log here is {end.header.origin}, not {wanted}")
        return end.header.origin
    if wanted is None:
        wanted = re.sub(r"[^A-Za-z0-9._-]", "-", node)[:150] + "/" + signer.public.fingerprint[:16]
    block.check_origin(wanted)
    return wanted
