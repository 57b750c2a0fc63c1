"""The organism: seven organs, their vitals, health and harmony as values."""

import enum
from dataclasses import dataclass

ORGANS: tuple[str, ...] = ("brain", "heart", "lungs", "stomach", "muscles", "immune", "nervous")


class Health(enum.Enum):
    """A word for how something is. UNKNOWN is neither good nor bad."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vital:
    """One vital sign of an organ: an expression, and the bounds between which its score falls from 100 to 1."""

    organ: str
    name: str
    value: str
    """An expression over metrics (see docs/expressions.md)."""
    healthy: float
    """At this value and better, 100."""
    critical: float
    """At this value and worse, the floor (1: nothing freezes the whole at zero). May lie below ``healthy``."""
    weight: float = 1.0

    @property
    def id(self) -> str:
        """``organ.name``, as rules write it."""
        return f"{self.organ}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VitalView:
    """A vital as it is now."""

    id: str
    value: float | None
    score: float | None
    """1-100; the last known one where the vital is unknown now; None where it never was known."""
    health: Health
    age: float | None
    """Seconds since the value was last known; None when it never was."""
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganView:
    """An organ as it is now."""

    name: str
    score: float | None
    health: Health
    vitals: tuple[VitalView, ...]
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduction:
    """How much one vital takes away from harmony."""

    vital: str
    points: float
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonyView:
    """The whole, as it is now."""

    harmony: float | None
    """0-100; None when no organ has ever been known."""
    balance: float | None
    """Spread (max - min) between the scores of the organs."""
    energy: float | None
    """Headroom left: 100 minus the worst of CPU, memory and I/O pressure."""
    organs: tuple[OrganView, ...]
    deductions: tuple[Deduction, ...]
    """The three largest."""
