"""What people (or programs) ask of the agent: gated and sealed like anything it thinks of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from healer.model.target import EMPTY

VERBS: tuple[str, ...] = (
    "act",
    "trigger",
    "ack",
    "approve",
    "deny",
    "initialize",
    "run",
    "pause",
    "resume",
    "soft-stop",
    "hard-stop",
    "restart",
    "stop-healing",
    "resume-healing",
    "maintenance-add",
    "maintenance-end",
    "set-mode",
    "enable-rule",
    "disable-rule",
    "event",
    "log-event",
    "rebalance",
    "reflect",
    "notify",
)
"""``notify`` tells a channel (the subject) something, to prove it; ``event`` publishes on the bus, ``log-event`` also
seals an entry of kind event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. ``subject`` is a target id, a rule id, or ``agent``."""

    id: str
    verb: str
    subject: str = "agent"
    who: str
    """``uid:0``, ``python``, ... as far as the face that took it knows."""
    args: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    at: float
