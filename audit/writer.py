"""The one writer of a log: what is submitted is sealed in the order it came, signed and durable, or its caller told."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Self

from audit import block, checkpoint, entry, keyring, places, succession
from audit.begin import Begun, begin, usable
from audit.checkpoint import Anchor
from audit.clock import Clock, SystemClock
from audit.commitments import Private
from audit.committer import Committer
from audit.ed25519 import Secret
from audit.errors import AuditError, KeyRefused, Malformed, Poisoned, RolledBack
from audit.group import Job, Receipt
from audit.heads import Heads
from audit.keys import Signer
from audit.prune import DAY_US, Pruned, Pruner
from audit.reader import Log
from audit.signature import PublicKey
from audit.storage import Reserve, Store
from audit.turns import Turns

__all__ = ["Receipt", "Writer"]

RESERVE_BYTES: Final = 4 * 1024 * 1024
_TRIAL: Final = b"sealed-log/trial/v1\n"
"""What a new key signs to show that it can: no other signature begins like this."""


class Writer:
    """The one writer of a log."""

    def __init__(
        self,
        begun: Begun,
        *,
        node: str,
        clock: Clock,
        reserve: Reserve,
        fresh: Callable[[], Secret] | None,
        rsa_later: bool,
        inline: bool,
    ) -> None:
        self.folder = begun.folder
        self.origin = begun.origin
        self.rollback = begun.standing.rollback
        """Why the log looks rolled back; empty when it does not. See ``accept_rollback``."""
        self.caught_up = begun.standing.caught_up
        """Whether the log was ahead of its own anchor when it was opened, as after a crash."""
        self.notes = begun.standing.notes
        """Other things found at the start that the operator should know, in words."""
        self._node, self._clock = node, clock
        self._lock, self._store = begun.lock, begun.store
        self._pruning = threading.Lock()
        queue: SimpleQueue[Job | None] = SimpleQueue()
        self._committer = Committer(
            begun,
            clock=clock,
            reserve=reserve,
            more=lambda: not queue.empty(),
            fresh=fresh,
            rsa_later=rsa_later,
            inline=inline,
        )
        if not inline:
            self._committer.start()
        self._turns = Turns(self._committer, queue, inline=inline)
        end = self._committer.end
        self.broke_at = end.height if end.lost else None
        """Height of the block that says the ratchet was lost, as after a crash: the first one of this writer."""

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
        a verifier calls it not proven; not with ``postgres``. With ``inline`` everything happens in the calling thread,
        for simulations.

        ``postgres`` is a file with a connection string: the blocks are kept there, and all the rest in ``folder``.

        Raises ``Busy`` for a second writer, ``KeyRefused`` for a key that is missing or unfit, ``Damaged`` for a log
        that is missing, emptied, foreign or does not verify, ``Unreadable`` where the folder cannot be used. A log
        older than its anchors opens with ``rollback``.
        """
        if rsa_later and postgres is not None:
            raise AuditError("a log in PostgreSQL takes no block without its RSA signature", hint="leave out rsa_later")
        taken = begin(
            folder,
            node=node,
            origin=origin,
            anchors=anchors,
            signer=signer,
            passphrase=passphrase,
            credentials=credentials,
            postgres=postgres,
            tree=not inline,  # with everything in one thread it is made when it is asked for
        )
        with taken as begun:
            return cls(
                begun,
                node=node,
                clock=clock or SystemClock(),
                reserve=Reserve(folder / "audit.reserve", reserve_bytes),
                fresh=fresh,
                rsa_later=rsa_later,
                inline=inline,
            )

    # -------------------------------------------------------------------------------------- for callers

    @property
    def head(self) -> Anchor | None:
        """The last sealed block: height, count of entries, header hash, wall time; None before the first."""
        end = self._committer.end
        return None if end.header is None else checkpoint.of_header(end.header, end.hash)

    @property
    def heads(self) -> Heads:
        """The tree over the headers and its signed head: for witnesses, and for proofs."""
        committer = self._committer
        if committer.heads is None:  # with everything in one thread it is made when it is asked for
            committer.heads = Heads.open(self.folder, self.origin, self._store.blocks)
        return committer.heads

    @property
    def open_intents(self) -> tuple[str, ...]:
        """Leaf hashes of the intents without an outcome, oldest first."""
        return tuple(self._committer.end.ledger.waiting)

    @property
    def public(self) -> PublicKey:
        """The sealing key in force: another one after ``rotate``."""
        return self._committer.public

    @property
    def full(self) -> bool:
        """Whether the disk is full: only entries submitted with ``reserve=True`` are tried."""
        return self._committer.full

    @property
    def beacon(self) -> str:
        """Hash of the newest proof from outside (a cosigned checkpoint, a time stamp), put into each header."""
        return self._committer.beacon

    @beacon.setter
    def beacon(self, digest: str) -> None:
        self._committer.beacon = digest

    @property
    def poisoned(self) -> Poisoned | None:
        """Why nothing can be sealed any more; None while it can."""
        return self._committer.poison

    @property
    def anchor_problems(self) -> tuple[str, ...]:
        """Anchors that could not be written last time, in words, and the checkpoint where that could not."""
        heads = self._committer.heads
        said = [*(keeper.because for keeper in self._committer.keepers), heads.because if heads else ""]
        return tuple(because for because in said if because)

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
        self._refuse_rollback()
        return self._submit(entries, reserve=reserve, private=private)

    def append(self, fields: Mapping[str, object], *, reserve: bool = False) -> Receipt:
        """Seal one entry and wait for it; raises what ``submit`` and its future raise.

        Where nobody else is sealing this is done in the calling thread: two hand-overs between threads less.
        """
        self._refuse_rollback()
        return self._submit([fields], reserve=reserve, wait=True).result()[0]

    def accept_rollback(self, *, who: str, because: str) -> Receipt:
        """Go on with a log that is older than its anchors: seals a ``gap`` that says so, then moves the anchors.

        Everybody who remembers a later head will still see the rollback, as they should.
        """
        data = {"who": who, "rollback": self.rollback}
        for keeper in self._committer.keepers:
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
        self._say_what_was_lost()
        with Log.open(self.folder) as log:
            pruner = Pruner(blocks=log, writer=self, drop=self._drop, folder=folder, turn=self._pruning)
            return pruner.run(
                because=because,
                before_us=self._clock.wall_us() - keep_us,
                open_seqs=[waiting.seq for waiting in self._committer.end.ledger.waiting.values()],
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
        self._refuse_rollback()
        if not new.public.verify(new.sign(_TRIAL), _TRIAL):
            raise KeyRefused("the new key does not make good signatures", hint="is its public half another key's?")
        folder = self.folder / places.KEYS
        if new.public.fingerprint in {self.public.fingerprint, *(old.fingerprint for old in keyring.retired(folder))}:
            raise KeyRefused("the new key is, or was, in force in this log already", hint="make another one")
        head = -1 if self._committer.end.header is None else self._committer.end.header.height
        if trusted_to is not None and not 0 <= trusted_to <= head:
            raise Malformed(f"the old key cannot be trusted up to block {trusted_to}: the log ends at block {head}")
        self._say_what_was_lost()
        with usable(self.folder):
            keyring.stage(folder, self.public, new, passphrase)
        data = succession.describe(new.public, trusted_to)
        one: dict[str, object] = {"kind": "rotate", "because": because, "data": data}
        receipt = self._submit([one], reserve=True, successor=new).result()[0]
        with usable(self.folder):
            keyring.promote(folder, new.public)
        return receipt

    def _say_what_was_lost(self) -> None:
        """Seal the block that follows a crash: it says so, and cannot say anything else."""
        if self._committer.end.lost:
            self.append({"kind": "heartbeat"}, reserve=True)

    def _refuse_rollback(self) -> None:
        if self.rollback:
            raise RolledBack(self.rollback, hint="find out who restored an old copy; healer resume-healing accepts it")

    def _drop(self, heights: Sequence[int]) -> None:
        if self.poisoned is not None or self._turns.closed:
            raise Poisoned("the writer is closed")
        try:
            self._store.drop(heights)
        except Poisoned as exc:
            self._committer.fail(exc, [])
            raise

    def flush_anchors(self) -> None:
        """Write the head to every anchor now, and wait for it."""
        for keeper in self._committer.keepers:
            keeper.flush()

    def close(self) -> None:
        """Seal what is queued, write the anchors, let go of the file. Seals nothing of its own."""
        self._shut(flush=True)

    def abandon(self) -> None:
        """Let go as a crash would: what is queued fails, the anchors stay where they are."""
        self._committer.poison = self.poisoned or Poisoned("the writer was abandoned")
        self._shut(flush=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------ the machinery

    def _shut(self, *, flush: bool) -> None:
        if self._turns.close(flush=flush):
            self._lock.release()

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
        self._turns.take(job, wait=wait)
        return job.future
