"""The real writer behind a slow, sometimes full, sometimes failing disk; it dies before and after a block is sealed."""

import functools
import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from audit.checkpoint import Anchor
from audit.errors import DiskFull, Poisoned
from audit.keys import SealingKey, Signer
from audit.signature import PublicKey
from audit.writer import Receipt, Writer
from healer.clock import Clock
from healer.record import AuditClock
from healer.simulation.chance import Chance
from healer.simulation.loop import SimLoop

Submission = tuple[Sequence[Mapping[str, object]], bool, "Future[Sequence[Receipt]]"]


class QuickKey(PublicKey):
    """A public key whose signatures cost nothing to check: for seeds that are not about signatures."""

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether `QuickSigner` made it."""
        return signature == _quick(message, self.size)


class QuickSigner:
    """Signs with a hash; the log it makes is proved as a chain only."""

    def __init__(self) -> None:
        self.public: PublicKey = QuickKey(2**3071 + 1)

    def sign(self, message: bytes) -> bytes:
        """Stretch a hash to the length of a signature."""
        return _quick(message, self.public.size)


def _quick(message: bytes, size: int) -> bytes:
    return (hashlib.sha512(message).digest() * (size // 64 + 1))[:size]


@functools.cache
def real_key() -> SealingKey:
    """A key made once per process."""
    return SealingKey.generate()


class SlowWriter:
    """Stands where the writer stands: what is submitted is sealed after a while, in order, if the disk can."""

    def __init__(self, folder: Path, *, clock: Clock, signer: Signer, chance: Chance, anchor: Path) -> None:
        self.writer = Writer.open(
            folder,
            node="sim",
            clock=AuditClock(clock),
            anchors=[anchor],
            signer=signer,
            inline=True,
            reserve_bytes=0,
        )
        self._chance = chance
        self._loop: SimLoop | None = None
        self._queue: deque[Submission] = deque()
        self._busy = False
        self.dead = False
        self.full = False
        """The disk takes only what may use the reserve."""
        self.failed: Poisoned | None = None
        self.lost = 0
        """Submissions that were not sealed."""

    def attach(self, loop: SimLoop) -> None:
        """Give it the loop on which its answers arrive."""
        self._loop = loop

    @property
    def head(self) -> Anchor | None:
        """The last sealed block."""
        return self.writer.head

    def submit(self, entries: Sequence[Mapping[str, object]], *, reserve: bool = False) -> "Future[Sequence[Receipt]]":
        """Take entries; see `audit.writer.Writer.submit`."""
        if self.failed is not None:
            self.lost += 1
            raise Poisoned(self.failed.message)
        future: Future[Sequence[Receipt]] = Future()
        self._queue.append((entries, reserve, future))
        self._next()
        return future

    def _next(self) -> None:
        if self._busy or not self._queue or self._loop is None or self.dead:
            return
        self._busy = True
        delay = self._chance.between(0.01, 2.0) if self._chance.hit("seal.slow") else 0.001
        self._loop.call_later(delay, self._seal)

    def _seal(self) -> None:
        self._busy = False
        if self.dead:
            return
        entries, reserve, future = self._queue.popleft()
        self._chance.crash("before-seal")
        if self.failed is not None or self._chance.hit("seal.broken"):
            self.failed = self.failed or Poisoned("the disk answered EIO")
            self._refuse(future, Poisoned("the disk answered EIO"))
        elif self.full and not reserve:
            self._refuse(future, DiskFull("no space is left"))
        else:
            self._commit(entries, reserve=reserve, future=future)
        self._next()

    def _commit(
        self, entries: Sequence[Mapping[str, object]], *, reserve: bool, future: "Future[Sequence[Receipt]]"
    ) -> None:
        done = self.writer.submit(entries, reserve=reserve)
        if any(one["kind"] == "intent" for one in entries):
            self._chance.crash("after-seal")
        if (error := done.exception()) is not None:
            self.lost += 1
            future.set_exception(error)
        else:
            future.set_result(done.result())

    def _refuse(self, future: "Future[Sequence[Receipt]]", because: DiskFull | Poisoned) -> None:
        self.lost += 1
        self._chance.reach("seal refused")
        future.set_exception(because)

    def make_room(self) -> None:
        """Somebody freed space."""
        self.full = False

    def abandon(self) -> None:
        """Let go as a death does: what is queued is lost."""
        self.dead = True
        self.writer.abandon()

    def close(self) -> None:
        """Let go in order."""
        self.dead = True
        self.writer.close()
