"""Bounds on acting."""

from dataclasses import dataclass


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
class Brakes:
    """The operator's ceilings for the whole host (`limits:` in organism.yaml)."""

    actions_per_hour: int = 60
    concurrent: int = 4
    group_unavailable: int = 1
    """Members of one group that may be unavailable or under treatment at once (absolute)."""
    group_unavailable_percent: float = 0.5
    """The same as a ratio, rounded down; the smaller bound wins, but never below one member."""
    breaker_backoff_after: int = 2
    breaker_opens_after: int = 5
    breaker_healthy_for: float = 3600.0
    """Seconds of health that close an open breaker by themselves."""
    mass_failure_count: int = 3
    mass_failure_ratio: float = 0.5
    mass_failure_window: float = 60.0
    saturation_psi: float = 0.6
    """PSI some10 ratio (cpu, io or memory) above which a restart is refused."""
