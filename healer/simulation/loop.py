"""An event loop on a virtual clock: seeded interleaving, no real time, no real I/O, and a death between any two steps.

It replaces the one private method in which asyncio waits and chooses. What that rests on is tested at start
(`self_test`), so that another Python which moved it says so instead of simulating something else.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

from healer.errors import HealerError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

STEPS = 400_000
"""Steps after which a run is taken for a livelock."""
UPTIME = 1000.0
"""Boot-clock second at which the first boot of a simulated host begins."""
WALL = 1_790_000_000.0
"""Wall-clock second of that moment."""
FIRST_CLEANUP = 20_000


class Crash(KeyboardInterrupt):
    """The process dies here: one of the two exceptions that asyncio lets through, and the one that no part catches."""


class StuckError(HealerError):
    """The agent turns in circles, or waits for something that can never come."""


class SimClock:
    """The host's clocks, as `healer.clock.Clock`: one true time, a boot clock that starts again, a wall that jumps."""

    def __init__(self, chance: random.Random) -> None:
        self.at = 0.0
        """Seconds of the simulation: never falls, never jumps, known to no part of the agent."""
        self.boots = 1
        self.booted = {"boot-1": -UPTIME}
        """Simulation second at which the boot clock of each boot was zero."""
        self.drift = 0.0
        """Seconds by which somebody has moved the wall clock."""
        self._chance = chance

    def now(self) -> float:
        """Seconds since this boot."""
        return self.at - self.booted[self.boot_id()]

    def wall(self) -> float:
        """Seconds since 1970, as the wall clock has it."""
        return WALL + self.at + self.drift

    def boot_id(self) -> str:
        """Name of this boot."""
        return f"boot-{self.boots}"

    def chance(self) -> float:
        """A number in [0, 1), the same in every run of a seed."""
        return self._chance.random()

    def reboot(self) -> None:
        """Begin another boot: the boot clock starts again from a few seconds."""
        self.boots += 1
        self.booted[self.boot_id()] = self.at - 5.0

    def absolute(self, boot: str, mono_us: int) -> float:
        """The simulation second of a moment that the log names by boot and boot clock."""
        return self.booted[boot] + mono_us / 1e6


class _Task(asyncio.Task[Any]):
    """One whose place in a set does not hang on where it lies in memory: groups keep, and cancel, theirs in one."""

    def __init__(self, number: int, coro: Coroutine[Any, Any, Any], **more: Any) -> None:  # noqa: ANN401 - as asyncio's
        self._number = number
        super().__init__(coro, **more)

    def __hash__(self) -> int:
        return self._number


class SimLoop(asyncio.BaseEventLoop):
    """Runs one ready callback per step, chosen by chance, and lets time pass only when nothing is ready."""

    def __init__(self, clock: SimClock, chance: random.Random, *, limit: int = STEPS) -> None:
        super().__init__()
        self._sim = clock
        self._pick = chance
        self._limit = limit
        self._tasks = itertools.count()
        self.set_task_factory(lambda loop, coro, **more: _Task(next(self._tasks), coro, loop=loop, **more))
        self.steps = 0
        self.lived = 0
        """Steps taken before `finish`, whose own order nobody promises."""
        self.crash_at: int | None = None
        """The step before which the process dies; None: not by this."""
        self.orderly = False
        """Take callbacks in the order in which they became ready, as asyncio itself does."""

    def time(self) -> float:
        """The simulation's second."""
        return self._sim.at

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As `call_soon`: here is only one thread."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> "asyncio.Future[T]":
        """Refuse: a thread would run in real time."""
        raise StuckError(f"{func!r} wants a thread ({executor!r}, {args!r}): the simulation has none")

    def _run_once(self) -> None:
        self.steps += 1
        if self.steps > self._limit:
            raise StuckError(f"more than {self._limit} steps by second {self._sim.at:.3f}: a livelock")
        if self.crash_at is not None and self.steps >= self.crash_at:
            self.crash_at = None
            raise Crash(f"at step {self.steps}")
        self._let_time_pass()
        handle = self._choose()
        if not handle._cancelled:  # noqa: SLF001 - the loop's own business in asyncio, and here
            handle._run()  # noqa: SLF001

    def _let_time_pass(self) -> None:
        """Move due timers to the ready ones; when none is ready, jump to the next."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # private: see self_test
        while scheduled and scheduled[0]._cancelled:  # noqa: SLF001
            self._drop(heapq.heappop(scheduled))
        if not self._ready:  # type: ignore[attr-defined]  # private: see self_test
            if not scheduled:
                raise StuckError(f"nothing is ready and nothing is due at second {self._sim.at:.3f}: a deadlock")
            # Waiting always costs something: a timer set for "now" by another clock's rounding must not stop time.
            self._sim.at = max(self._sim.at + 1e-6, scheduled[0].when())
        while scheduled and scheduled[0].when() <= self._sim.at:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]  # noqa: SLF001 - private: see self_test
            if timer._cancelled:  # noqa: SLF001
                self._timer_cancelled_count -= 1  # type: ignore[attr-defined]  # private: see self_test
            self._ready.append(timer)  # type: ignore[attr-defined]  # private: see self_test

    def _drop(self, timer: asyncio.TimerHandle) -> None:
        timer._scheduled = False  # type: ignore[attr-defined]  # noqa: SLF001 - private: see self_test
        self._timer_cancelled_count -= 1  # type: ignore[attr-defined]  # private: see self_test

    def _choose(self) -> asyncio.Handle:
        """Any ready callback; but of those with one and the same callback, the one that was asked for first."""
        ready = self._ready  # type: ignore[attr-defined]  # private: see self_test
        if self.orderly or len(ready) == 1:
            return ready.popleft()  # type: ignore[no-any-return]  # private: see self_test
        index = self._pick.randrange(len(ready))
        callback = ready[index]._callback  # noqa: SLF001
        while (earlier := self._earlier(ready, index, callback)) is not None:
            index = earlier
        handle = ready[index]
        del ready[index]
        return handle  # type: ignore[no-any-return]  # private: see self_test

    @staticmethod
    def _earlier(ready: Any, index: int, callback: object) -> int | None:  # noqa: ANN401 - a private deque
        # Of one future's or one writer's callbacks the order is promised; between tasks it is not.
        return next((at for at in range(index) if ready[at]._callback == callback), None)  # noqa: SLF001

    def finish(self) -> None:
        """End what a crash left lying about, so that nothing of it is destroyed while pending; then close."""
        self.crash_at, self.orderly, self.lived = None, True, self.steps
        self.set_exception_handler(lambda *_: None)
        for _ in range(100):
            tasks = asyncio.all_tasks(self)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self._limit = self.steps + FIRST_CLEANUP
            try:
                self.run_until_complete(asyncio.wait(tasks, timeout=60.0))
            except (Crash, StuckError):
                continue
        self.close()


def run(loop: SimLoop, main: Awaitable[T]) -> T:
    """Run ``main`` on ``loop`` and clean up after it; raises what it raised, `Crash` included."""
    try:
        return loop.run_until_complete(main)
    finally:
        loop.finish()


def self_test() -> None:
    """Check that this Python keeps what the loop rests on; raises StuckError."""
    clock = SimClock(random.Random(1))
    loop = SimLoop(clock, random.Random(1))
    seen: list[tuple[str, float]] = []

    async def nap(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, clock.at))

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(nap("late", 3600.0))
            group.create_task(nap("soon", 1.0))
            timer = loop.call_later(2.0, seen.append, ("never", 0.0))
            timer.cancel()

    try:
        run(loop, main())
    except (AttributeError, TypeError) as exc:
        raise StuckError(f"this Python's asyncio has other insides: {exc}") from exc
    if seen != [("soon", 1.0), ("late", 3600.0)]:
        raise StuckError(f"this Python's asyncio does not simulate: {seen}", hint="use a Python the tests pass on")
