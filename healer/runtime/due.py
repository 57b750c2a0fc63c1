"""When each sensor is due: one heap over one monotonic clock, and no other thought."""

import heapq
import math
from dataclasses import dataclass

EARLY_SECOND = 2.0
"""Seconds after its first look at which a sensor is looked at again: the first sample after start never fires."""


@dataclass(slots=True, kw_only=True)
class _Beat:
    every: float
    """Seconds, as configured."""
    origin: float
    """Beats lie whole intervals after it, so that a slow look moves no later one."""
    due: float
    turns: int = 0


class DueHeap:
    """Names and when they are due. Pure: it is handed the time."""

    def __init__(self) -> None:
        self._beats: dict[str, _Beat] = {}
        self._heap: list[tuple[float, str]] = []
        self._factor = 1.0

    def add(self, name: str, *, every: float, first: float, origin: float) -> None:
        """Take a name in: due at second ``first``, soon again, then at whole intervals after ``origin`` (its phase)."""
        self._beats[name] = _Beat(every=every, origin=origin, due=first)
        heapq.heappush(self._heap, (first, name))

    def remove(self, name: str) -> None:
        """Forget a name; one never added is fine."""
        self._beats.pop(name, None)

    def pull(self, name: str, now: float) -> None:
        """Make a name due now; its later beats stay where they were. An unknown name is ignored."""
        beat = self._beats.get(name)
        if beat is not None and beat.due > now:
            self._set(name, beat, now)

    def stretch(self, factor: float, now: float) -> None:
        """Multiply every interval (1 is as configured); what is due next comes when the new interval says."""
        self._factor = factor
        for name, beat in self._beats.items():
            if beat.turns:
                self._set(name, beat, self._after(beat, now))

    def due(self) -> float | None:
        """The second of the next beat; None when there is none."""
        while self._heap:
            at, name = self._heap[0]
            beat = self._beats.get(name)
            if beat is not None and beat.due == at:
                return at
            heapq.heappop(self._heap)  # removed, or moved since
        return None

    def take(self, now: float) -> list[str]:
        """Everything due by ``now``, each once: beats missed while away are skipped, not made up for."""
        taken = []
        at = self.due()
        while at is not None and at <= now:
            _, name = heapq.heappop(self._heap)
            beat = self._beats[name]
            beat.turns += 1
            self._set(name, beat, self._after(beat, now))
            taken.append(name)
            at = self.due()
        return taken

    def _after(self, beat: _Beat, now: float) -> float:
        every = beat.every * self._factor
        if beat.turns == 1:
            return now + min(every, EARLY_SECOND)
        gone = math.floor((now - beat.origin) / every)
        at = beat.origin + (gone + 1) * every
        return at if at > now else at + every  # the floor of a quotient may round down onto now itself

    def _set(self, name: str, beat: _Beat, at: float) -> None:
        beat.due = at
        heapq.heappush(self._heap, (at, name))
