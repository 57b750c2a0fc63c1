"""One blocking call at a time: one that never returns costs its slot and nothing else."""

from collections.abc import Callable
from typing import TypeVar

from healer import blocking
from healer.errors import SensorError

T = TypeVar("T")


class Slot:
    """Runs blocking work in a thread; while one call has not come back, the next is refused instead of piled on."""

    __slots__ = ("_busy", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._busy = False

    async def call(self, work: Callable[[], T]) -> T:
        """Run ``work`` off the loop; raises SensorError while the last one hangs, else what ``work`` raises."""
        if self._busy:
            raise SensorError(f"{self._what}: the last look has not come back yet")
        self._busy = True
        return await blocking.call(lambda: self._run(work))

    def _run(self, work: Callable[[], T]) -> T:
        # Here and not around the await: a caller that gave up must leave the slot taken until the thread is back.
        try:
            return work()
        finally:
            self._busy = False
