"""Sealing, one file because queue, group and failure share one state: signed and durable, or the caller is told."""

import contextlib
import errno
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple, Self

from audit import block, checkpoint, commitments, entry, group, keyring, ratchet, recovery, succession
from audit.checkpoint import Anchor, Keeper
from audit.clock import Clock, SystemClock
from audit.commitments import Private, Vault
from audit.ed25519 import Secret
from audit.errors import AuditError, Damaged, DiskFull, KeyRefused, Malformed, Poisoned, RolledBack, Unreadable
from audit.files import write_atomically
from audit.group import End, Job, Made, Receipt
from audit.heads import Heads
from audit.intents import Ledger
from audit.keys import Signer
from audit.late import Late
from audit.postgres import POINTER, PostgresStore, dsn_of
from audit.prune import DAY_US, Pruned, Pruner
from audit.reader import FILE_NAME, Log
from audit.storage import Lock, Reserve, Store

__all__ = ["Receipt", "Writer"]

ANCHOR_NAME: Final = "anchor"
KEYS_NAME: Final = "keys"
RESERVE_BYTES: Final = 4 * 1024 * 1024
_TRIAL: Final = b"sealed-log/trial/v1\n"
"""What a new key signs to show that it can: no other signature begins like this."""
MAX_WAITING: Final = 262_144
"""Entries in the queue beyond which submissions are refused: a stuck disk must not eat the memory."""


class _Flight(NamedTuple):
    """A commit under way in its own thread."""

    made: Made
    commit: "Future[None]"


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
        store: Store | PostgresStore,
        reserve: Reserve,
        origin: str,
        end: recovery.Tail | None,
        standing: recovery.Standing,
        fresh: Callable[[], Secret] | None,
        heads: Heads | None,
        rsa_later: bool,
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
        self._end = End(None, block.GENESIS, Ledger())
        if end is not None:
            secret = ratchet.take(folder / KEYS_NAME, end.header.next)
            self._end = End(end.header, end.hash, Ledger(end.waiting), secret)
        self._tip = self._end
        """Where the next block goes: ahead of ``_end`` while a commit is under way."""
        self._flight: _Flight | None = None
        self._make_secret = fresh
        self._fresh: Callable[[], Secret] | None = None
        """Made ahead of time, while a block reaches the disk: the ratchet's key for the one after the next."""
        self.beacon = ""
        """Hash of the newest proof from outside (a cosigned checkpoint, a time stamp), put into each header."""
        self._poison: Poisoned | None = None
        self._waiting = 0
        self._inline = inline
        self._heads = heads
        then = [heads.sync] if heads else []
        self._keepers = [
            Keeper(path, known, self._conflict, then.pop() if then else None) for path, known in standing.known.items()
        ]
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._turn = threading.Lock()
        self._seat = threading.Lock()
        """Held by whoever seals: the writer's thread, or a caller who waits anyhow and finds nobody else at it."""
        self._pruning = threading.Lock()
        self._vault: Vault | None = None
        self._late = Late(store, self._sign, clock, self._give_up) if rsa_later and not inline else None
        self._closed = False
        self._here = False
        """Whether a caller seals in his own thread: then he signs there, too."""
        self._signing: ThreadPoolExecutor | None = None
        self._committing: ThreadPoolExecutor | None = None
        self._thread: threading.Thread | None = None
        if not inline:
            self._start()

    @classmethod
    def open(  # noqa: PLR0913 - all but one by name
        cls,
        folder: Path,
        *,
        node: str,
        origin: str | None = None,
        clock: Clock | None = None,
        anchors: Sequence[Path] = (),
        reserve_bytes: int = RESERVE_BYTES,
        signer: Signer | None = None,
        passphrase: bytes | None = None,
        credentials: Path | None = None,
        postgres: Path | None = None,
        fresh: Callable[[], Secret] | None = Secret.generate,
        rsa_later: bool = False,
        inline: bool = False,
    ) -> Self:
        """Open the log in a state folder, or begin one where there was none.

        ``anchors`` are files kept elsewhere, besides ``folder/anchor``. ``signer`` replaces the key in
        ``folder/keys``, which ``passphrase`` opens; a key that systemd put into the folder ``credentials`` comes before
        the one in ``folder/keys``. ``fresh`` makes the ratchet's keys; without it there is no ratchet. With
        ``rsa_later`` a block is acknowledged with the ratchet's signature, and RSA's follows within 100 ms: until then
        a verifier calls it not proven. With ``inline`` everything happens in the calling thread, for simulations.

        ``postgres`` is a file with a connection string: the blocks are kept there, and all the rest in ``folder``.

        Raises ``Busy`` for a second writer, ``KeyRefused`` for a key that is missing or unfit, ``Damaged`` for a log
        that is missing, emptied, foreign or does not verify, ``Unreadable`` where the folder cannot be used. A log
        older than its anchors opens with ``rollback``.
        """
        with _usable(folder), contextlib.ExitStack() as stack:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = Lock(folder / "audit.lock")
            stack.callback(lock.release)
            paths = (folder / ANCHOR_NAME, *anchors)
            key_folder = None if signer else folder / KEYS_NAME
            store = _store(folder, postgres, key_folder, paths)
            stack.callback(store.close)
            log = store.blocks
            signer = signer or recovery.key(
                folder / KEYS_NAME, log, paths, passphrase=passphrase, credentials=credentials
            )
            end = recovery.tail(log, signer.public, keyring.retired(folder / KEYS_NAME))
            if key_folder is not None:
                keyring.settle(key_folder, signer.public)
            if end is not None and end.unsigned:
                store.sign([(height, signer.sign(block.signed_octets(header))) for height, header in end.unsigned])
            origin = recovery.name_log(origin, node, signer.public, end)
            standing = recovery.compare(log, end, paths, origin)
            if end is None and standing.rollback:
                raise Damaged(f"the log was emptied: {standing.rollback}", hint="restore it from a backup")
            heads = None if inline else Heads.open(folder, origin, log)
            if heads is not None:
                stack.callback(heads.close)
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
                fresh=fresh,
                heads=heads,
                rsa_later=rsa_later,
                inline=inline,
            )
            stack.pop_all()
        return writer

    # -------------------------------------------------------------------------------------- for callers

    @property
    def head(self) -> Anchor | None:
        """The last sealed block: height, count of entries, header hash, wall time; None before the first."""
        end = self._end
        return None if end.header is None else checkpoint.of_header(end.header, end.hash)

    @property
    def heads(self) -> Heads:
        """The tree over the headers and its signed head: for witnesses, and for proofs."""
        if self._heads is None:  # with everything in one thread it is made when it is asked for
            self._heads = Heads.open(self.folder, self.origin, self._store.blocks)
        return self._heads

    @property
    def open_intents(self) -> tuple[str, ...]:
        """Leaf hashes of the intents without an outcome, oldest first."""
        return tuple(self._end.ledger.waiting)

    @property
    def poisoned(self) -> Poisoned | None:
        """Why nothing can be sealed any more; None while it can."""
        return self._poison

    @property
    def anchor_problems(self) -> tuple[str, ...]:
        """Anchors that could not be written last time, in words."""
        return tuple(keeper.because for keeper in self._keepers if keeper.because)

    def submit(
        self,
        entries: Sequence[Mapping[str, object]],
        *,
        reserve: bool = False,
        private: Sequence[tuple[int, Private]] = (),
    ) -> "Future[Sequence[Receipt]]":
        """Seal entries together, in one block; the future resolves when they are signed and on the disk.

        Each needs ``kind`` and its fields; ``v``, ``seq`` and ``node`` are set here, ``ts``, ``mono``, ``boot`` where
        absent. Do not change them afterwards. ``reserve`` lets them use the reserved space of a full disk. ``private``
        is what was taken out of them (see ``commitments.conceal``), each with the index of its entry: it is kept in
        ``private.db``, durably, before they are sealed; where it cannot be kept, they are not sealed.

        Raises ``Malformed``, ``Poisoned``, ``RolledBack`` at once. The future may fail with ``DiskFull``,
        ``Poisoned``, or ``Malformed`` (an outcome without an open intent; more than 4 MiB).
        """
        if self.rollback:
            raise RolledBack(self.rollback, hint="find out who restored an old copy; healer resume-healing accepts it")
        return self._submit(entries, reserve=reserve, private=private)

    def append(self, fields: Mapping[str, object], *, reserve: bool = False) -> Receipt:
        """Seal one entry and wait for it; raises what ``submit`` and its future raise.

        Where nobody else is sealing this is done in the calling thread: two hand-overs between threads less.
        """
        if self.rollback:
            raise RolledBack(self.rollback, hint="find out who restored an old copy; healer resume-healing accepts it")
        return self._submit([fields], reserve=reserve, wait=True).result()[0]

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

    def prune(
        self,
        keep_us: int,
        folder: Path,
        *,
        because: str,
        witnessed: Callable[[int], bool] | None = None,
        ceiling: int | None = None,
    ) -> Pruned | None:
        """Archive to ``folder`` and drop the bodies of blocks older than ``keep_us``; None where there are none.

        Blocks; call it from a thread of its own. With ``witnessed`` (given the height of the sealed order) nothing is
        dropped before it says yes; until then each call asks again. ``ceiling`` is a height that keeps its body, and
        all above it. See ``audit.prune`` for what is never pruned.

        Raises ``Malformed`` for less than a day, ``Unreadable`` where the folder cannot be used, ``Damaged`` for a log
        that is not what its headers say, ``DiskFull``, ``RolledBack`` and ``Poisoned``.
        """
        if not isinstance(self._store, Store):
            raise AuditError("a log in PostgreSQL is not pruned here", hint="see docs/retention.md")
        if keep_us < DAY_US:
            raise Malformed(
                "less than a day is no retention", hint="a written policy says how long: keep 400 days, say"
            )
        if self._end.lost:
            # The first block after a crash says so, and cannot say anything else.
            self.append({"kind": "heartbeat"}, reserve=True)
        with Log.open(self.folder) as log:
            pruner = Pruner(blocks=log, writer=self, drop=self._drop, folder=folder, turn=self._pruning)
            return pruner.run(
                because=because,
                before_us=self._clock.wall_us() - keep_us,
                open_seqs=[waiting.seq for waiting in self._end.ledger.waiting.values()],
                ceiling=ceiling,
                witnessed=witnessed,
            )

    def rotate(
        self, new: Signer, *, because: str, trusted_to: int | None = None, passphrase: bytes | None = None
    ) -> Receipt:
        """Hand the log over to another key: seals a block that both sign, after which the new one signs alone.

        ``trusted_to`` is the last height at which the old key is trusted, where it was stolen. A ``SealingKey`` takes
        the place of the one in ``keys/``, encrypted with ``passphrase``; another signer's key lives elsewhere, and the
        old one is removed from there. Blocks; call it from a thread of its own.

        Raises ``KeyRefused`` for a new key that cannot sign or was in force before, and what ``append`` raises.
        """
        if self.rollback:
            raise RolledBack(self.rollback, hint="find out who restored an old copy; healer resume-healing accepts it")
        if not new.public.verify(new.sign(_TRIAL), _TRIAL):
            raise KeyRefused("the new key does not make good signatures", hint="is its public half another key's?")
        folder = self.folder / KEYS_NAME
        if new.public.fingerprint in {self.public.fingerprint, *(old.fingerprint for old in keyring.retired(folder))}:
            raise KeyRefused("the new key is, or was, in force in this log already", hint="make another one")
        head = -1 if self._end.header is None else self._end.header.height
        if trusted_to is not None and not 0 <= trusted_to <= head:
            raise Malformed(f"the old key cannot be trusted up to block {trusted_to}: the log ends at block {head}")
        if self._end.lost:
            # The first block after a crash says so, and cannot say anything else.
            self.append({"kind": "heartbeat"}, reserve=True)
        with _usable(self.folder):
            keyring.stage(folder, self.public, new, passphrase)
        data = succession.describe(new.public, trusted_to)
        one: dict[str, object] = {"kind": "rotate", "because": because, "data": data}
        receipt = self._submit([one], reserve=True, successor=new).result()[0]
        with _usable(self.folder):
            keyring.promote(folder, new.public)
        return receipt

    def _drop(self, heights: Sequence[int]) -> None:
        if self._poison is not None or self._closed:
            raise Poisoned("the writer is closed")
        try:
            self._store.drop(heights)
        except Poisoned as exc:
            self._poisoned(exc, [])
            raise

    def flush_anchors(self) -> None:
        """Write the head to every anchor now, and wait for it."""
        for keeper in self._keepers:
            keeper.flush()

    def close(self) -> None:
        """Seal what is queued, write the anchors, let go of the file. Seals nothing of its own."""
        self._shut(flush=True)

    def abandon(self) -> None:
        """Let go as a crash would: what is queued fails, the anchors stay where they are."""
        self._poison = self._poison or Poisoned("the writer was abandoned")
        self._shut(flush=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------ the machinery

    def _start(self) -> None:
        self._signing = ThreadPoolExecutor(1, thread_name_prefix="audit signer")
        self._committing = ThreadPoolExecutor(1, thread_name_prefix="audit commit")
        self._thread = threading.Thread(target=self._run, name="audit writer", daemon=True)
        self._thread.start()
        for keeper in self._keepers:
            keeper.start()

    def _shut(self, *, flush: bool) -> None:
        with self._turn:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._stop_threads(flush=flush)
        with self._seat:  # a caller may be sealing for himself
            self._let_go(flush=flush)

    def _let_go(self, *, flush: bool) -> None:
        if self._heads is not None:
            if self._inline and flush:
                self._heads.sync()
            self._heads.close()
        if flush and self._poison is None and self._end.secret is not None:
            # Lost, it costs a break in the ratchet, which is what a crash costs too; it must not cost the stop.
            with contextlib.suppress(OSError):
                ratchet.keep(self.folder / KEYS_NAME, self._end.secret)
        if self._vault is not None:
            self._vault.close()
        self._store.close()
        self._lock.release()

    def _stop_threads(self, *, flush: bool) -> None:
        if self._thread is not None:
            self._thread.join()
        for pool in (self._signing, self._committing):
            if pool is not None:
                pool.shutdown()
        if self._late is not None:
            self._late.stop(flush=flush and self._poison is None)
        for keeper in self._keepers:
            keeper.stop(flush=flush)

    def _submit(
        self,
        entries: Sequence[Mapping[str, object]],
        *,
        reserve: bool,
        successor: Signer | None = None,
        private: Sequence[tuple[int, Private]] = (),
        wait: bool = False,
    ) -> "Future[Sequence[Receipt]]":
        if not 1 <= len(entries) <= block.MAX_ENTRIES:
            raise Malformed(f"a block holds 1 to {block.MAX_ENTRIES} entries, not {len(entries)}")
        clock = self._clock
        now = clock.wall_us()
        ours = {"v": entry.VERSION, "node": self._node, "seq": 0}
        full = entry.complete(entries, {"ts": now, "mono": clock.mono_us(), "boot": clock.boot_id(), **ours})
        job = Job(entries=full, reserve=reserve, taken=now, future=Future(), successor=successor, private=private)
        with self._turn:
            self._admit(len(full))
            # Nobody may be overtaken: what is counted as waiting was submitted before.
            first = self._inline or (wait and self._waiting == len(full))
            if not (first and self._seat.acquire(blocking=False)):
                self._queue.put(job)
                return job.future
            self._waiting -= len(full)
        try:
            self._seal_here(job)
        finally:
            self._seat.release()
        return job.future

    def _seal_here(self, job: Job) -> None:
        """Seal in the calling thread, which has the seat."""
        if self._inline:
            self._seal_all([job])
            return
        self._here = True
        try:
            self._seal_all([job])
            self._finish()
        except BaseException as exc:
            self._poisoned(Poisoned(f"the writer failed: {exc!r}"), [job])
            if not isinstance(exc, Exception):
                raise
        finally:
            self._here = False

    def _admit(self, count: int) -> None:
        if self._poison is not None:
            raise Poisoned(self._poison.message, hint=self._poison.hint)
        if self._closed:
            raise Poisoned("the writer is closed")
        if self._waiting + count > MAX_WAITING:
            raise DiskFull("the log cannot keep up: too many entries are waiting", hint="is the disk slow or stuck?")
        self._waiting += count

    def _run(self) -> None:
        """Seal what is queued until told to stop."""
        while (job := self._queue.get()) is not None:
            with self._seat:
                if self._seal_queued(job):
                    return

    def _seal_queued(self, job: Job | None) -> bool:
        """Commit groups: whatever queued while the last commit ran makes the next block. True at the queue's end."""
        last = False
        while job is not None:
            jobs: list[Job] = []
            left: Job | None = None
            try:
                jobs, left, last = self._gather(job)
                with self._turn:
                    self._waiting -= sum(len(job.entries) for job in jobs)
                self._seal_all(jobs)
                if left is None and not last:
                    left, last = self._more()
            except BaseException as exc:  # noqa: BLE001 - a bug here must fail its callers, not leave them waiting
                self._poisoned(Poisoned(f"the writer failed: {exc!r}"), jobs)
            job = left
        if last:
            self._finish()
        return last

    def _more(self) -> tuple[Job | None, bool]:
        """Return what queued meanwhile, and whether that is the end; where nothing did, nothing is left under way."""
        while True:
            try:
                job = self._queue.get_nowait()
            except Empty:
                if self._flight is None:
                    return None, False
                self._finish()
            else:
                return job, job is None

    def _finish(self) -> None:
        """Let nothing be under way, and nothing be left to try again."""
        while self._flight is not None:
            self._seal_all(self._land() or [])

    def _gather(self, job: Job) -> tuple[list[Job], Job | None, bool]:
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

    def _seal_all(self, jobs: list[Job]) -> None:
        """Seal jobs in as many blocks as their octets need; each is resolved, or in the block under way."""
        if self.full and self._poison is None and self._reserve.rebuild():
            self.full = False
        rest = self._reserved(jobs) if self.full else jobs
        while rest and self._poison is None:
            rest = self._seal_some(rest)
        if rest and self._poison is not None:
            self._poisoned(self._poison, rest)

    def _seal_some(self, jobs: list[Job]) -> list[Job]:
        """Seal the first jobs that fit one block; return the others, and those that must be tried again."""
        chosen, rest = group.prepare(jobs, self._tip)
        if not chosen.jobs:
            return rest
        try:
            self._keep_private(chosen.private(self._tip.seq))
        except DiskFull as exc:
            return self._make_room(exc, chosen.members()) + rest
        except Poisoned as exc:
            self._poisoned(exc, chosen.members())
            return rest
        secret = self._tip.secret
        made = group.make(
            chosen,
            self._tip,
            origin=self.origin,
            clock=self._clock,
            key=self.public.fingerprint,
            fresh=self._take_fresh(),
            beacon=self.beacon,
        )
        signature: Callable[[], bytes] | None = None
        if self._late is None or secret is None or chosen.successor is not None:
            signature = self._begin_signing(block.signed_octets(made.octets), chosen.successor)
        rsig = secret.sign(ratchet.signed_octets(made.octets)) if secret else b""
        self._make_fresh()
        again = self._land()
        if again is not None:  # the block before was lost, so this one follows nothing
            others = chosen.members() + rest
            return again + (self._reserved(others) if self.full else others)
        header = made.header
        size = self.public.size + (chosen.successor.public.size if chosen.successor else 0)
        row = (header.height, header.first, header.count, made.octets, size, rsig, made.body)
        if self._committing is not None and chosen.successor is None and (rest or not self._queue.empty()):
            # More is waiting: encode and sign it while this one reaches the disk.
            self._flight = _Flight(made, self._committing.submit(self._commit, row, signature))
            self._tip = made.end
            return rest
        return (self._settle(made, lambda: self._commit(row, signature)) or []) + rest

    def _commit(
        self, row: tuple[int, int, int, bytes, int, bytes, bytes], signature: Callable[[], bytes] | None
    ) -> None:
        if self._late is None:
            self._store.append(row, signature)
        elif signature is None:
            self._late.make_room()
            self._store.append(row, None)
            self._late.add(row[0], row[3])
        else:
            self._late.drain()  # what waits is always the newest part of the log
            self._store.append(row, signature)

    def _keep_private(self, rows: Sequence[tuple[int, Private]]) -> None:
        """Seal or stop: what an entry only stands for is on the disk before the entry is."""
        if not rows:
            return
        try:
            self._vault = self._vault or Vault.open(self.folder / commitments.FILE_NAME, write=True)
        except Unreadable as exc:
            raise Poisoned(exc.message, hint=exc.hint) from exc
        self._vault.keep(rows)

    def _land(self) -> list[Job] | None:
        """Wait for the commit under way, if any; returns as ``_settle`` does."""
        flight, self._flight = self._flight, None
        return None if flight is None else self._settle(flight.made, flight.commit.result)

    def _settle(self, made: Made, commit: Callable[[], None]) -> list[Job] | None:
        """Finish a block: None when it is on the disk, else the jobs that must be tried again."""
        try:
            commit()
        except DiskFull as exc:
            self._tip = self._end
            return self._make_room(exc, made.group.members())
        except Poisoned as exc:
            self._tip = self._end
            self._poisoned(exc, made.group.members())
            return []
        self._end = self._tip = made.end
        if self._heads is not None:
            self._heads.add(made.octets)
        if made.group.successor is not None:
            self._signer, self.public = made.group.successor, made.group.successor.public
        self._publish(checkpoint.of_header(made.header, made.end.hash))
        made.resolve()
        return None

    def _take_fresh(self) -> Secret | None:
        fresh, self._fresh = self._fresh or self._make_secret, None
        return fresh() if fresh else None

    def _make_fresh(self) -> None:
        if self._signing is not None and self._make_secret is not None:
            self._fresh = self._signing.submit(self._make_secret).result

    def _publish(self, head: Anchor) -> None:
        for keeper in self._keepers:
            keeper.offer(head)
            if self._inline:
                keeper.flush()
        if head.height == 0:
            # Acknowledged only with its anchor in the state folder: from here on an emptied log shows.
            self._keepers[0].flush()

    def _make_room(self, exc: DiskFull, jobs: list[Job]) -> list[Job]:
        """Give the reserve back to the disk; return the jobs that may use it, fail the others."""
        self.full = True
        if not self._reserve.held:
            for job in jobs:
                job.fail(DiskFull(exc.message, hint=exc.hint))
            return []
        self._reserve.release()
        return self._reserved(jobs)

    def _reserved(self, jobs: list[Job]) -> list[Job]:
        for job in jobs:
            if not job.reserve:
                job.fail(DiskFull("the disk is full", hint=f"free space on the file system of {self.folder}"))
        return [job for job in jobs if job.reserve]

    def _poisoned(self, because: Poisoned, jobs: list[Job]) -> None:
        self._poison = because
        if self._late is not None:
            self._late.abandon(because)
        for job in jobs:
            job.fail(Poisoned(because.message, hint=because.hint))

    def _begin_signing(self, octets: bytes, successor: Signer | None) -> Callable[[], bytes]:
        signers = (self._signer, successor) if successor else (self._signer,)

        def sign() -> bytes:
            return b"".join(signer.sign(octets) for signer in signers)

        return sign if self._signing is None or self._here else self._signing.submit(sign).result

    def _sign(self, octets: bytes) -> bytes:
        return self._signer.sign(octets)

    def _give_up(self, because: Poisoned) -> None:
        self._poison = because

    def _conflict(self, because: str) -> None:
        """Stop: two writers with one anchor means that one of them is a copy."""
        self._poison = Poisoned(because, hint="is this a copy of the state folder, running twice?")


def _store(
    folder: Path, postgres: Path | None, key_folder: Path | None, anchors: Sequence[Path]
) -> Store | PostgresStore:
    path = folder / FILE_NAME
    if postgres is None:
        return Store(path, create=recovery.may_begin(path, key_folder, anchors))
    if path.exists():
        raise Damaged(f"{folder} holds a log of its own, {path.name}", hint="PostgreSQL needs another state folder")
    store = PostgresStore(dsn_of(postgres), create=recovery.may_begin(None, key_folder, anchors))
    write_atomically(folder / POINTER, f"{postgres.absolute()}\n".encode())
    return store


@contextlib.contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """Say in words what the system says of a folder that is full, read-only, not ours or not there."""
    try:
        yield
    except OSError as exc:
        about = exc.filename or folder
        if exc.errno == errno.ENOSPC:
            raise DiskFull("no space is left for the log", hint=f"free space on the file system of {folder}") from exc
        raise Unreadable(f"the log in {folder} cannot be opened: {about}: {exc.strerror}") from exc
