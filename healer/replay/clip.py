"""A part of a recording."""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import replace

from healer.replay.track import Extent, Recording, Track


class Clip:
    """What a recording holds between two wall seconds, both included."""

    def __init__(self, whole: Recording, start: float, end: float) -> None:
        self._whole, found = whole, whole.extent
        self.extent: Extent = replace(found, start=max(start, found.start), end=min(end, found.end))

    def stretches(self) -> Iterator[Sequence[Track]]:
        """Its stretches, without what lies outside."""
        for stretch in self._whole.stretches():
            if kept := [part for track in stretch if (part := self._cut(track)).times]:
                yield kept

    def _cut(self, track: Track) -> Track:
        first = bisect.bisect_left(track.times, self.extent.start)
        after = bisect.bisect_right(track.times, self.extent.end)
        return replace(track, times=track.times[first:after], values=track.values[first:after])
