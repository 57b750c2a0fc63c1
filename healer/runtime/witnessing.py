"""When the log's witnesses are asked: while it grows, at once for what is risky, and before what must not be unseen."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from healer import blocking
from healer.clock import Clock

LONGEST = 60.0
"""Seconds between two tries while the quorum is not reached and nothing risky happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradicted:
    """A witness knows another history of our log than we do: we were rolled back, or there are two of us."""

    witness: str
    size: int
    """How many blocks it has cosigned."""
    ours: int
    """How many we have."""
    because: str
    evidence: str = ""
    """SHA-256 (hex) of a note that our own key signed and that our log does not continue; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of asking once."""

    size: int
    """Blocks of the checkpoint that was shown."""
    reached: bool
    """Whether the quorum has cosigned it."""
    because: str = ""
    """Why not, in words."""
    witnesses: Mapping[str, str] = field(default_factory=dict)
    """Each witness asked, by the policy's name, and why it did not cosign: empty where it did."""
    contradictions: tuple[Contradicted, ...] = ()


class Witnessing:
    """Asks one question at a time, each in a thread that nobody waits for in vain.

    Nothing here is on the way of a seal. Idle, it does not wake: blocks do that.
    """

    def __init__(
        self,
        *,
        ask: Callable[[Callable[[], bool]], Answer],
        hurry: Callable[[], None],
        size: Callable[[], int],
        heard: Callable[[Answer], None],
        clock: Clock,
        every: float,
        timeout: float,
    ) -> None:
        """``ask`` blocks; while what it is given says so it waits for every witness, else for the quorum alone.

        ``hurry`` has it look at that again, ``size`` is how many blocks the log has, ``heard`` gets every answer on
        the loop's thread.
        """
        self._ask, self._hurry, self._size, self._heard = ask, hurry, size, heard
        self._clock, self._every, self.timeout = clock, every, timeout
        self._news, self._urgent = asyncio.Event(), asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[str]]] = []
        self._asked_at = -LONGEST
        self._missed = 0
        self._asking = asyncio.Lock()
        self.size = 0
        """Blocks that the quorum has cosigned, as far as this run knows."""
        self.reached_at: float | None = None
        """Boot-clock second of the last answer that reached the quorum."""
        self.answer: Answer | None = None
        self.answered_at = 0.0

    # Told by others --------------------------------------------------------------------------------------------

    def grown(self) -> None:
        """A block was sealed: a checkpoint is due, at most every so often."""
        self._news.set()

    def at_once(self) -> None:
        """What was sealed must not wait for its turn."""
        self._urgent.set()
        self._news.set()
        self._hurry()

    async def quorum(self, until: float) -> str:
        """Wait until the quorum has cosigned what is sealed by now, at most until that second; say why it has not.

        One question is asked: who wants to try again asks again.
        """
        patience = min(until - self._clock.now(), self.timeout)
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting = (self._size(), answered)
        self._waiting.append(waiting)
        self.at_once()
        try:
            async with asyncio.timeout(max(0.0, patience)):
                return await answered
        except TimeoutError:
            return f"no quorum of the witnesses answered within {max(0.0, patience):.1f} s"
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiting)

    # Asking ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Ask whenever there is reason to, until cancelled."""
        while True:
            await self._news.wait()
            await self._turn()
            urgent = self._urgent.is_set()
            self._news.clear()
            self._urgent.clear()
            answer = await self.ask(patient=not urgent)
            if not answer.reached or (urgent and any(answer.witnesses.values())):
                # In haste the slower ones were not heard, and one of them may know better than we do.
                self._news.set()

    async def _turn(self) -> None:
        """Wait until the next question may be asked; what is urgent does not wait."""
        pause = self._every if not self._missed else min(LONGEST, self._every * 2.0**self._missed)
        left = self._asked_at + pause - self._clock.now()
        if left > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._urgent.wait()

    async def ask(self, *, patient: bool) -> Answer:
        """Ask once and take the answer in; what becomes urgent meanwhile ends the patience."""
        async with self._asking:
            self._asked_at = self._clock.now()
            answer = await blocking.call(lambda: self._ask(lambda: patient and not self._urgent.is_set()))
        self._take(answer)
        return answer

    def _take(self, answer: Answer) -> None:
        self.answer, self.answered_at = answer, self._clock.now()
        if answer.reached:
            self.size, self.reached_at, self._missed = max(self.size, answer.size), self.answered_at, 0
        else:
            self._missed = min(self._missed + 1, 16)
        self._heard(answer)
        for size, answered in self._waiting:
            if size <= answer.size and not answered.done():
                answered.set_result("" if answer.reached else answer.because)

    async def last(self, patience: float) -> None:
        """Show the last block, where somebody can be asked within so many seconds."""
        if self.size >= self._size():
            return
        self._hurry()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self.ask(patient=False)
