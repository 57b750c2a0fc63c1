"""What starts a rule: its condition, a person, the calendar, or what is heard on the bus."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from healer.model.target import EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Events somebody waits for: a glob over topics, and what fields of the data must be (`rules.topics`)."""

    topic: str
    filter: Mapping[str, Any] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accumulate:
    """So many events within any ``within`` seconds."""

    count: int
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Each of these events, in any order, within any ``within`` seconds."""

    events: tuple[Heard, ...]
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """This event does not come within so many seconds of the first that began the wait."""

    event: Heard
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """``auto`` (the rule's condition), ``manual`` (on request), ``schedule`` (cron) or ``event``. Times: seconds."""

    kind: str = "auto"
    cron: str = ""
    tz: str = ""
    """IANA name; empty is the host's zone."""
    topic: str = ""
    """Glob; empty where ``together`` says what is waited for."""
    filter: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    own: bool = False
    """Hear also what the agent itself says: the rule's author answers for the loops."""
    once_within: float = 0.0
    """At most one start per so many seconds; the first one counts. It survives a restart."""
    once_after: float = 0.0
    """Start only after so many seconds without another such event."""
    group_by: tuple[str, ...] = ()
    """Fields of the data: events that differ in them are counted and timed apart."""
    accumulate: Accumulate | None = None
    together: Together | None = None
    missing: Missing | None = None

    @property
    def heard(self) -> tuple[Heard, ...]:
        """Everything that may start it."""
        if self.together is not None:
            return self.together.events
        return (Heard(topic=self.topic, filter=self.filter),) if self.topic else ()

    def __str__(self) -> str:
        """For people: ``event login.failed, 5 within 60s, by user``."""
        if self.kind == "schedule":
            return f"schedule {self.cron}" + (f" ({self.tz})" if self.tz else "")
        if self.kind != "event":
            return self.kind
        parts = [f"event {' and '.join(one.topic for one in self.heard)}"]
        if self.together is not None:
            parts.append(f"within {self.together.within:g}s")
        if self.accumulate is not None:
            parts.append(f"{self.accumulate.count} within {self.accumulate.within:g}s")
        if self.missing is not None:
            parts.append(f"without {self.missing.event.topic} within {self.missing.within:g}s")
        if self.group_by:
            parts.append(f"by {' and '.join(self.group_by)}")
        if self.once_after:
            parts.append(f"after {self.once_after:g}s of quiet")
        if self.once_within:
            parts.append(f"once within {self.once_within:g}s")
        return ", ".join(parts)
