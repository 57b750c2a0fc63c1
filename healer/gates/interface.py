"""What a gate is asked, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from healer.model.active import Active
from healer.model.limit import Backoff, Brakes, Limit
from healer.model.memory import Memory
from healer.model.mode import Mode
from healer.model.organism import Health
from healer.model.target import Target


class View(Protocol):
    """What gates may see of the organism. The core implements it."""

    def health(self, target: str) -> Health:
        """HEALTHY or FAILED from the target's own primary sign, UNKNOWN where it is not known."""
        ...

    def recovered(self, target: str) -> float | None:
        """Since which boot-clock second the target has been healthy; None when it is not, or always was."""
        ...

    def members(self, group: str) -> tuple[str, ...]:
        """Ids of the targets of a group."""
        ...

    def pressure(self) -> dict[str, float]:
        """Known pressures of the host.

        ``cpu``, ``memory``, ``io`` (PSI some10) and ``disk:MOUNT`` (used) are 0-1, ``swap`` is bytes per second read
        back.
        """
        ...

    def strain(self, target: str) -> dict[str, float]:
        """The same within a target's own control group, 0-1: ``cpu``, ``memory``, ``io``, and ``throttled``."""
        ...

    def word(self, metric: str, target: str) -> str:
        """The last word of a metric of a target; empty where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The places that actions of one key share."""

    key: str
    max: int
    taken: tuple[str, ...] = ()
    """Incidents under way, from the seal of their decision to its verdict."""
    ahead: tuple[str, ...] = ()
    """Incidents that wait for a place and are more urgent, or came first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An action somebody wants, with everything the gates judge it by."""

    rule: str
    """Rule id; empty for a request."""
    written: str = ""
    """Where the rule is written, FILE:LINE; empty for a request."""
    incident: str
    action: str
    target: Target
    disruptive: bool
    modes: tuple[tuple[str, Mode], ...]
    """Every mode that applies, with what set it; the strictest wins."""
    cooldown: float
    limits: tuple[Limit, ...]
    backoff: Backoff
    settle: float
    spelled_out: bool
    active: Active | None = None
    """The hours in which the rule may act; None for always."""
    opened: float
    """When the incident opened (or the request arrived)."""
    intent: str = ""
    """Id of the intent when a sealed one is asked about again: its own reservation is not a conflict."""
    step: int = 0
    """Rung of the ladder, from 0; what is approved is one rung of one incident."""
    approve_ttl: float = 600.0
    """Seconds for which people are asked, where they have to be."""
    chain: tuple[str, ...] = ()
    """Incidents of the agent's own doing that led to this one, the first cause first; empty where none did."""
    slots: tuple[Slot, ...] = ()
    """The places it needs, one of each."""
    now: float
    wall_us: int
    memory: Memory
    brakes: Brakes
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """No, and why."""

    because: str
    until: float | None = None
    """Boot-clock second at which asking again makes sense; None: when something else changes."""
    proposal: str = ""
    """What would help instead, as one sentence for a person; empty where there is nothing to propose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one gate said."""

    gate: str
    refusal: Refusal | None

    @property
    def ok(self) -> bool:
        """Whether the gate lets it pass."""
        return self.refusal is None


Gate = Callable[[Question], Refusal | None]
