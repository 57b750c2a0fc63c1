"""What the store keeps: samples, buckets of them, snapshots, incidents; and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from healer.model.observation import Labels, Series

FIVE_MINUTES: Final = 300
HOUR: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of one series, kept for later."""

    metric: str
    labels: Labels = ()
    at: float
    """Wall seconds since 1970: history outlives a boot."""
    value: float | str
    """A finite number or a word. What was unknown is not kept: a gap is a gap."""


class Bucket(NamedTuple):
    """The values of one series in one stretch of time."""

    at: float
    """Wall seconds at which the stretch begins."""
    least: float
    most: float
    mean: float
    last: float
    samples: int


class Words(NamedTuple):
    """The same of a series whose values are words."""

    at: float
    last: str
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series in buckets, the oldest first."""

    series: Series
    buckets: tuple[Bucket | Words, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long each level is kept, in seconds."""

    raw: float = 30 * 86400.0
    five_minutes: float = 90 * 86400.0
    hour: float = 400 * 86400.0
    """Two winters can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The core's memory after one block, so that a start need not fold the whole log."""

    height: int
    """Of the last block folded into it."""
    header: str
    """Hex SHA-256 of that block's header: if the log has another there, the snapshot is void."""
    taken: float
    """Wall seconds."""
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRecord:
    """One line of the incident index."""

    incident: str
    """``RULE@TARGET``."""
    opened: float
    """Wall seconds."""
    rule: str
    target: str
    organ: str = ""
    phase: str
    closed: float | None = None
    """Wall seconds; None while it is open."""
    actions: int = 0
    verdict: str = ""
    because: str = ""
