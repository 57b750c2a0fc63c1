"""Everything the core can hear."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from healer.model.decision import Outcome
from healer.model.observation import Reading
from healer.model.request import Request
from healer.model.target import EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One look of one sensor came back, or did not."""

    sensor: str
    at: float
    readings: tuple[Reading, ...] = ()
    because: str = ""
    """Not empty: the look failed (error, timeout), and every series of this sensor is unknown now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An intent is durable; the core must prove it once more before the effect."""

    id: str
    leaf: str
    at: float
    waits: bool = False
    """The witnesses are asked first: the core hears of it once more when they have answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An effect ended, or never began; the core answers with the outcome's entry."""

    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody asks for something."""

    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time passed: a deadline of the core is due, or the runtime wants it to look at its clocks."""

    at: float
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """A topic of the bus, or a fact about the agent itself (kill switch seen, log full, loop lag)."""

    topic: str
    data: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    at: float
    own: bool = False
    """Caused by the agent: ignored by event rules unless they ask for it."""


Event = Looked | Sealed | Finished | Asked | Tick | Happened
