"""The agent's own history, two hours after two hours."""

from collections.abc import Iterator, Sequence

from healer.replay.track import Extent, Track
from healer.store.archive import Archive


class Stored:
    """What an agent has kept of a span of time."""

    def __init__(self, archive: Archive, start: float, end: float) -> None:
        """``archive`` is open, and stays so while this is read; wall seconds, both included."""
        self._archive = archive
        held = archive.span() or (start, start)
        self.extent = Extent(start=max(start, held[0]), end=min(end, held[1]), series=tuple(archive.series()))

    def stretches(self) -> Iterator[Sequence[Track]]:
        """Every stretch of it."""
        for columns in self._archive.stretches(self.extent.start, self.extent.end):
            yield [Track(series=series, times=times, values=values) for series, times, values in columns]
