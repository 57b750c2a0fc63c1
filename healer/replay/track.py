"""Recorded samples, one column a series, a stretch of time after another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from healer.model.observation import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What one series was during a stretch."""

    series: Series
    times: Sequence[float]
    """Seconds since 1970, rising."""
    values: Sequence[float] | Sequence[str]
    """As many; finite numbers, or words."""


@dataclass(slots=True, kw_only=True)
class Extent:
    """What a recording holds, as far as that is known before it is read."""

    start: float
    end: float
    series: tuple[Series, ...]
    ignored: dict[str, str] = field(default_factory=dict)
    """Names in the recording that stand for no metric, and why."""


class Recording(Protocol):
    """Where recorded samples come from."""

    @property
    def extent(self) -> Extent:
        """What there is."""
        ...

    def stretches(self) -> Iterator[Sequence[Track]]:
        """All of it, in stretches that follow each other; each series at most once in a stretch.

        Raises HealerError where it cannot be read.
        """
        ...
