"""The end of a log, and how it grows: a block is encoded, signed by all who must, durable, and only then told.

While one block reaches the disk the next one is encoded and signed. What a full disk gives back is tried again in
order; after any other failure nothing is sealed any more, because nobody knows what the file holds.
"""

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from audit import block, checkpoint, commitments, group, places, ratchet
from audit.begin import Begun
from audit.checkpoint import Anchor, Keeper
from audit.clock import Clock
from audit.commitments import Private, Vault
from audit.ed25519 import Secret
from audit.errors import DiskFull, Poisoned, Unreadable
from audit.group import End, Job, Made
from audit.intents import Ledger
from audit.keys import Signer
from audit.late import Late
from audit.storage import Reserve

_Row = tuple[int, int, int, bytes, int, bytes, bytes]
"""What the store takes: height, first, count, header, size of the signature, the ratchet's signature, body."""


class _Flight(NamedTuple):
    """A commit under way in its own thread."""

    made: Made
    commit: Future[None]


class Committer:
    """Seals jobs, one group after the other; one thread at a time may be in it."""

    def __init__(
        self,
        held: Begun,
        *,
        clock: Clock,
        reserve: Reserve,
        more: Callable[[], bool],
        fresh: Callable[[], Secret] | None,
        rsa_later: bool,
        inline: bool,
    ) -> None:
        """Go on from the end that was found; ``more`` tells whether other jobs are waiting.

        For ``fresh``, ``rsa_later`` and ``inline`` see ``Writer.open``.
        """
        self.store: Final = held.store
        self.reserve: Final = reserve
        self.public = held.signer.public
        self.poison: Poisoned | None = None
        """Why nothing can be sealed any more."""
        self.full = False
        self.beacon = ""
        self.here = False
        """Whether a caller seals in his own thread: then he signs there, too."""
        self.heads = held.heads
        self.vault: Vault | None = None
        self.end = End(None, block.GENESIS, Ledger())
        """The last block on the disk."""
        self._folder, self._origin = held.folder, held.origin
        if held.end is not None:
            secret = ratchet.take(held.folder / places.KEYS, held.end.header.next)
            self.end = End(held.end.header, held.end.hash, Ledger(held.end.waiting), secret)
        self._tip = self.end
        """Where the next block goes: ahead of ``end`` while a commit is under way."""
        self._flight: _Flight | None = None
        self._signer, self._clock, self._more, self._inline = held.signer, clock, more, inline
        self._make_secret = fresh
        self._fresh: Callable[[], Secret] | None = None
        """Made ahead of time, while a block reaches the disk: the ratchet's key for the one after the next."""
        then = [held.heads.sync] if held.heads else []
        self.keepers: Final = [
            Keeper(path, known, self.conflict, then.pop() if then else None)
            for path, known in held.standing.known.items()
        ]
        self._late = Late(held.store, self._sign, clock, self._give_up) if rsa_later and not inline else None
        self._signing: ThreadPoolExecutor | None = None
        self._committing: ThreadPoolExecutor | None = None

    # --------------------------------------------------------------------------------- begin and end

    def start(self) -> None:
        """Begin to sign and to commit in threads of their own, and to keep the anchors."""
        self._signing = ThreadPoolExecutor(1, thread_name_prefix="audit signer")
        self._committing = ThreadPoolExecutor(1, thread_name_prefix="audit commit")
        for keeper in self.keepers:
            keeper.start()

    def stop(self, *, flush: bool) -> None:
        """End the threads and close every file, once nobody seals any more.

        With ``flush`` after what is still to be signed and written; the ratchet's secret is kept for the next start.
        """
        for pool in (self._signing, self._committing):
            if pool is not None:
                pool.shutdown()
        if self._late is not None:
            self._late.stop(flush=flush and self.poison is None)
        for keeper in self.keepers:
            keeper.stop(flush=flush)
        self._let_go(flush=flush)

    def _let_go(self, *, flush: bool) -> None:
        if self.heads is not None:
            if self._inline and flush:
                self.heads.sync()
            self.heads.close()
        if flush and self.poison is None and self.end.secret is not None:
            # Lost, it costs a break in the ratchet, which is what a crash costs too; it must not cost the stop.
            with contextlib.suppress(OSError):
                ratchet.keep(self._folder / places.KEYS, self.end.secret)
        if self.vault is not None:
            self.vault.close()
        self.store.close()

    # -------------------------------------------------------------------------------------- failures

    def fail(self, because: Poisoned, jobs: Sequence[Job]) -> None:
        """Seal nothing any more, and tell these callers that theirs was not sealed."""
        self.poison = because
        if self._late is not None:
            self._late.abandon(because)
        for job in jobs:
            job.fail(Poisoned(because.message, hint=because.hint))

    def broke(self, exc: BaseException, jobs: Sequence[Job]) -> None:
        """Seal nothing any more after a mistake of ours: its callers are told, and none is left waiting."""
        self.fail(Poisoned(f"the writer failed: {exc!r}"), jobs)
        with contextlib.suppress(Exception):  # told to the callers of the commit under way, by `_settle`
            self.finish()

    def conflict(self, because: str) -> None:
        """Stop: two writers with one anchor means that one of them is a copy."""
        self.poison = Poisoned(because, hint="is this a copy of the state folder, running twice?")

    def _give_up(self, because: Poisoned) -> None:
        self.poison = because

    # --------------------------------------------------------------------------------------- sealing

    def seal(self, jobs: list[Job]) -> None:
        """Seal jobs in as many blocks as their octets need; each is resolved, or in the block under way."""
        if self.full and self.poison is None and self.reserve.rebuild():
            self.full = False
        rest = self._reserved(jobs) if self.full else jobs
        while rest and self.poison is None:
            rest = self._seal_some(rest)
        if rest and self.poison is not None:
            self.fail(self.poison, rest)

    def finish(self) -> None:
        """Let nothing be under way, and nothing be left to try again."""
        while self._flight is not None:
            self.seal(self._land() or [])

    @property
    def idle(self) -> bool:
        """Whether no commit is under way."""
        return self._flight is None

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
            self.fail(exc, chosen.members())
            return rest
        secret = self._tip.secret
        made = group.make(
            chosen,
            self._tip,
            origin=self._origin,
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
        if self._committing is not None and chosen.successor is None and (rest or self._more()):
            # More is waiting: encode and sign it while this one reaches the disk.
            self._flight = _Flight(made, self._committing.submit(self._commit, row, signature))
            self._tip = made.end
            return rest
        return (self._settle(made, lambda: self._commit(row, signature)) or []) + rest

    def _begin_signing(self, octets: bytes, successor: Signer | None) -> Callable[[], bytes]:
        signers = (self._signer, successor) if successor else (self._signer,)

        def sign() -> bytes:
            return b"".join(signer.sign(octets) for signer in signers)

        return sign if self._signing is None or self.here else self._signing.submit(sign).result

    def _sign(self, octets: bytes) -> bytes:
        return self._signer.sign(octets)

    def _commit(self, row: _Row, signature: Callable[[], bytes] | None) -> None:
        if self._late is None:
            self.store.append(row, signature)
        elif signature is None:
            self._late.make_room()
            self.store.append(row, None)
            self._late.add(row[0], row[3])
        else:
            self._late.drain()  # what waits is always the newest part of the log
            self.store.append(row, signature)

    def _keep_private(self, rows: Sequence[tuple[int, Private]]) -> None:
        """Seal or stop: what an entry only stands for is on the disk before the entry is."""
        if not rows:
            return
        try:
            self.vault = self.vault or Vault.open(self._folder / commitments.FILE_NAME, write=True)
        except Unreadable as exc:
            raise Poisoned(exc.message, hint=exc.hint) from exc
        self.vault.keep(rows)

    def _land(self) -> list[Job] | None:
        """Wait for the commit under way, if any; returns as ``_settle`` does."""
        flight, self._flight = self._flight, None
        return None if flight is None else self._settle(flight.made, flight.commit.result)

    def _settle(self, made: Made, commit: Callable[[], None]) -> list[Job] | None:
        """Finish a block: None when it is on the disk, else the jobs that must be tried again."""
        try:
            commit()
        except DiskFull as exc:
            self._tip = self.end
            return self._make_room(exc, made.group.members())
        except Poisoned as exc:
            self._tip = self.end
            self.fail(exc, made.group.members())
            return []
        try:
            self._sealed(made)
        except BaseException as exc:
            self.fail(Poisoned(f"the writer failed: {exc!r}"), made.group.members())
            raise
        return None

    def _sealed(self, made: Made) -> None:
        """Tell everybody of a block that is on the disk."""
        self.end = self._tip = made.end
        if self.heads is not None:
            self.heads.add(made.octets)
        if made.group.successor is not None:
            self._signer, self.public = made.group.successor, made.group.successor.public
        self._publish(checkpoint.of_header(made.header, made.end.hash))
        made.resolve()

    def _publish(self, head: Anchor) -> None:
        for keeper in self.keepers:
            keeper.offer(head)
            if self._inline:
                keeper.flush()
        if head.height == 0:
            # Acknowledged only with its anchor in the state folder: from here on an emptied log shows.
            self.keepers[0].flush()

    def _take_fresh(self) -> Secret | None:
        fresh, self._fresh = self._fresh or self._make_secret, None
        return fresh() if fresh else None

    def _make_fresh(self) -> None:
        if self._signing is not None and self._make_secret is not None:
            self._fresh = self._signing.submit(self._make_secret).result

    def _make_room(self, exc: DiskFull, jobs: list[Job]) -> list[Job]:
        """Give the reserve back to the disk; return the jobs that may use it, fail the others."""
        self.full = True
        if not self.reserve.held:
            for job in jobs:
                job.fail(DiskFull(exc.message, hint=exc.hint))
            return []
        self.reserve.release()
        return self._reserved(jobs)

    def _reserved(self, jobs: list[Job]) -> list[Job]:
        for job in jobs:
            if not job.reserve:
                job.fail(DiskFull("the disk is full", hint=f"free space on the file system of {self._folder}"))
        return [job for job in jobs if job.reserve]
