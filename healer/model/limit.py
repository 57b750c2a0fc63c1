"""Bounds on acting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

HOUR, DAY = 3600.0, 86400.0

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most ``max`` actions per sliding window of ``per`` seconds."""

    max: int
    per: float
    scope: str = "action+target"
    """``action+target`` (across rules), ``target``, ``rule``, ``action`` (kind) or ``host``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Growing pauses between consecutive failed attempts. Seconds; jitter is a ratio of the pause."""

    initial: float = 5.0
    factor: float = 2.0
    max: float = 300.0
    jitter: float = 0.2
    reset_after: float = 600.0
    """Seconds of health after which the consecutive count starts again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many members of one group may be unavailable at once, where the operator says so for this group."""

    unavailable: int | None = None
    """Absolute; None: the host's bound. Zero is none: nothing that lives is taken away."""
    percent: float | None = None
    """A ratio of all members, rounded down; None: the host's, unless the group has an absolute bound."""
    min_available: int = 0
    """This many must stay available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that an operator lets rules do to one target: a set that could do more does not load."""

    action: str = "*"
    """A verb; ``*`` for all of them together."""
    max: int
    per: float
    """3600 or 86400 seconds."""

    def __str__(self) -> str:
        verb = "" if self.action == "*" else f"{self.action}="
        return f"{verb}{self.max}/{'h' if self.per == HOUR else 'd'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brakes:
    """The operator's ceilings for the whole host (`limits:` in organism.yaml)."""

    actions_per_hour: int = 60
    max_rate: tuple[Ceiling, ...] = ()
    """Rules that could do more to one target, by the bounds that `healer check` prints, do not load."""
    concurrent: int = 4
    group_unavailable: int = 1
    """Members of one group that may be unavailable or under treatment at once (absolute)."""
    group_unavailable_percent: float = 0.5
    """The same as a ratio, rounded down; the smaller bound wins, but never below one member."""
    groups: Mapping[str, Budget] = field(default_factory=lambda: EMPTY)
    """Budgets of single groups, in place of those two."""
    breaker_backoff_after: int = 2
    breaker_opens_after: int = 5
    breaker_healthy_for: float = 3600.0
    """Seconds of health that close an open breaker by themselves."""
    mass_failure_count: int = 3
    mass_failure_ratio: float = 0.5
    mass_failure_window: float = 60.0
    saturation_psi: float = 0.6
    """PSI some10 ratio (cpu, io or memory) above which a restart is refused."""
    errors_until_skipped: int = 5
    """Errors in a row of one verb on one kind of target, whatever the target, after which it is skipped."""
    errors_retried_after: float = 300.0
    """Seconds until one more is tried."""
    flapping_high: float = 0.3
    flapping_low: float = 0.25
    """Flap score from which a target is flapping, and below which it is no more."""
    flap_slot: float = 30.0
    """Seconds of which one state is kept for the flap score."""
    oscillation_window: float = 3600.0
    """Seconds within which two cures that take turns four times are held."""
