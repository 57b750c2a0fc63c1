"""RSA signatures that follow: a block sealed by the ratchet waits here for its other signature, the oldest first.

What waits is always the newest part of the log without a gap, and never long: that is how recovery finds it.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from audit import block
from audit.clock import Clock
from audit.errors import DiskFull, Poisoned

MAX_WAITING: Final = 64
"""Blocks; where as many wait, the next one waits for one of them, as it would have waited for its own signature."""
TOGETHER: Final = 16
"""So many signatures are written in one transaction at most."""
LINGER_US: Final = 30_000
"""So long the first of them waits for others, lest each costs a transaction of its own."""
_AGAIN_S: Final = 1.0


class Place(Protocol):
    """Where signatures are written: the store."""

    def sign(self, signatures: Sequence[tuple[int, bytes]]) -> None:
        """Write (height, signature) in one transaction; raises ``DiskFull`` or ``Poisoned``."""
        ...


class Waiting(NamedTuple):
    """A block on the disk that lacks its RSA signature."""

    height: int
    header: bytes


class Late:
    """The blocks that wait, and the thread that signs them."""

    def __init__(
        self, place: Place, sign: Callable[[bytes], bytes], clock: Clock, failed: Callable[[Poisoned], None]
    ) -> None:
        """Begin; ``failed`` is told, once, why nothing will ever be signed any more."""
        self._place, self._sign, self._clock, self._failed = place, sign, clock, failed
        self._changed = threading.Condition()
        self._waiting: list[Waiting] = []
        self._signed: list[tuple[int, bytes]] = []
        """The signatures of the first of them, not written yet."""
        self._began = 0
        """When the first of these was made, µs on the monotonic clock."""
        self._hurry = False
        """Whether somebody waits for this thread: what is signed is then written at once."""
        self._trouble: DiskFull | Poisoned | None = None
        self._end = self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="audit late signer", daemon=True)
        self._thread.start()

    def add(self, height: int, header: bytes) -> None:
        """Take a block that has just reached the disk."""
        with self._changed:
            self._waiting.append(Waiting(height, header))
            self._changed.notify_all()

    def make_room(self) -> None:
        """Wait until one more block may wait; raises ``DiskFull`` or ``Poisoned``."""
        if len(self._waiting) > MAX_WAITING - 1:
            self._wait(MAX_WAITING - 1)

    def drain(self) -> None:
        """Wait until every block is signed; raises ``DiskFull`` or ``Poisoned``."""
        self._wait(0)

    def abandon(self, because: Poisoned) -> None:
        """Write nothing any more: nobody knows what a file keeps after it failed once."""
        with self._changed:
            self._abandoned, self._trouble = True, because
            self._changed.notify_all()

    def stop(self, *, flush: bool) -> None:
        """End the thread; with ``flush`` after it has signed what waits, as far as that can be done."""
        with self._changed:
            self._end = True
            self._abandoned = self._abandoned or not flush
            self._changed.notify_all()
        self._thread.join()

    def _wait(self, most: int) -> None:
        with self._changed:
            if isinstance(self._trouble, DiskFull):
                self._trouble = None  # there may be room by now: it is tried again before anybody is told
            self._hurry = True
            self._changed.notify_all()
            while len(self._waiting) > most:
                if self._trouble is not None:
                    raise self._trouble
                self._changed.wait()
            self._hurry = False

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except Poisoned as exc:
            self._give_up(exc)
        except Exception as exc:  # noqa: BLE001 - the signer's: a module of its own, which may raise anything
            self._give_up(Poisoned(f"sealing failed: {exc}", hint="look at the signer, then start again"))

    def _step(self) -> bool:
        """Sign one block, or write what is signed; False at the end."""
        one = self._next()
        if self._abandoned:
            return False
        if one is not None:
            self._began = self._began if self._signed else self._clock.mono_us()
            self._signed.append((one.height, self._sign(block.signed_octets(one.header))))
            return True
        if not self._signed:
            return False
        try:
            self._place.sign(self._signed)
        except DiskFull as exc:
            return self._rest(exc)
        self._done()
        return True

    def _next(self) -> Waiting | None:
        """Wait for the next block to sign; None when what is signed should be written, or when this is the end."""
        with self._changed:
            while True:
                signed = len(self._signed)
                if self._abandoned:
                    return None
                if signed < min(TOGETHER, len(self._waiting)):
                    return self._waiting[signed]
                if signed == TOGETHER or self._end or (signed and self._hurry):
                    return None
                left_us = min(LINGER_US, self._began + LINGER_US - self._clock.mono_us()) if signed else None
                if left_us is not None and left_us <= 0:
                    return None
                if not self._changed.wait(None if left_us is None else left_us / 1e6):
                    return None

    def _done(self) -> None:
        with self._changed:
            del self._waiting[: len(self._signed)]
            self._signed = []
            if not self._abandoned:
                self._trouble = None
            self._changed.notify_all()

    def _rest(self, exc: DiskFull) -> bool:
        """Let those who wait know, and go on when one of them has made room, or after a while; False at the end."""
        with self._changed:
            self._trouble = exc
            self._changed.notify_all()
            if not self._end:
                self._changed.wait_for(lambda: self._trouble is None or self._end, _AGAIN_S)
            return not self._end

    def _give_up(self, exc: Poisoned) -> None:
        self._failed(exc)
        with self._changed:
            self._trouble = exc
            self._changed.notify_all()
