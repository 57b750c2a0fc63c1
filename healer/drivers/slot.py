"""Blocking calls, so many at a time: one that never returns costs its slot and nothing else."""

from collections.abc import Callable
from typing import TypeVar

from healer import blocking
from healer.errors import SensorError

T = TypeVar("T")


class Slot:
    """Runs blocking work in a thread; while ``most`` calls have not come back, the next is refused, not piled on."""

    __slots__ = ("_most", "_running", "_what")

    def __init__(self, what: str, most: int = 1) -> None:
        self._what = what
        self._most = most
        self._running: set[object] = set()
        """One token per call: set operations are whole, also between threads."""

    async def call(self, work: Callable[[], T]) -> T:
        """Run ``work`` off the loop; raises SensorError while the last one hangs, else what ``work`` raises."""
        if len(self._running) >= self._most:
            raise SensorError(f"{self._what}: the last look has not come back yet")
        token = object()
        self._running.add(token)
        return await blocking.call(lambda: self._run(token, work))

    def _run(self, token: object, work: Callable[[], T]) -> T:
        # Here and not around the await: a caller that gave up must leave the slot taken until the thread is back.
        try:
            return work()
        finally:
            self._running.discard(token)
