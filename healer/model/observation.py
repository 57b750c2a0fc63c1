"""What a sensor saw, or why it could not see."""

from dataclasses import dataclass
from typing import NamedTuple

from healer.model.unit import Unit

Labels = tuple[tuple[str, str], ...]
"""Sorted (name, value) pairs: hashable, and equal when they mean the same."""


def labels(**pairs: str) -> Labels:
    """Make labels in their one order."""
    return tuple(sorted(pairs.items()))


class Series(NamedTuple):
    """The name of one line of values: a metric and its labels."""

    metric: str
    labels: Labels

    def __str__(self) -> str:
        inner = ",".join(f'{key}="{value}"' for key, value in self.labels)
        return f"{self.metric}{{{inner}}}" if inner else self.metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One reading of one series."""

    metric: str
    labels: Labels = ()
    value: float | str
    """A finite number, or a word where the unit is WORD. Never NaN: what cannot be read is `Unknown`."""
    unit: Unit
    at: float
    """Seconds on the boot clock: wall clocks jump, and rules count durations."""
    conclusive: bool = False
    """An event, not a sample (an exit seen through a pidfd): ``for`` and ``samples`` do not apply to it."""

    @property
    def series(self) -> Series:
        """The line this value belongs to."""
        return Series(self.metric, self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A series that could not be read, and why: neither good nor bad."""

    metric: str
    labels: Labels = ()
    because: str
    at: float

    @property
    def series(self) -> Series:
        """The line that is unknown now."""
        return Series(self.metric, self.labels)


Reading = Observation | Unknown
