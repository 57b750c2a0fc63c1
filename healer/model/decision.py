"""Decisions, and what became of them."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from healer.errors import HealerError
from healer.model.mode import Mode

QUIET_VERBS = frozenset({"notify", "capture", "wait", "publish", "set_mode"})
"""Verbs that change no target: they cure nothing, so nothing has to be verified, and they consume no limit."""


SIGNED_VERBS = frozenset({"start", "stop", "restart"})
"""Verbs whose effect shows in the target's own sign; of any other request nobody said what would prove it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One reading a decision rests on."""

    series: str
    value: str
    """The number in decimal, or the word: the sealed log has no floats."""
    age_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the core wants done, with everything the executor must check again before it does it."""

    id: str
    """Unique in the log's life: the counter behind it is part of what is folded from the log."""
    incident: str
    """``RULE@TARGET``, or ``request:ID``."""
    rule: str
    """Empty for a request of an operator."""
    rules_hash: str
    step: int
    """Rung of the ladder, from 0."""
    attempt: int
    """From 1, consecutive, for this rule and target."""
    action: str
    target: str
    params: Mapping[str, Any]
    timeout: float
    """Seconds the effect may take."""
    deadline: float
    """Boot-clock second after which the executor refuses (stale)."""
    generation: str
    """The incarnation of the target that was judged; empty when nothing runs."""
    because: str
    evidence: tuple[Evidence, ...]
    actor: str
    """``rule:ID``, ``operator:NAME`` or ``agent``."""
    mode: Mode
    priority: int
    request: str = ""
    witness: str = ""
    """``before``: not until the log's witnesses have seen the intent; ``at-once``: they are asked without delay."""
    approval: str = ""
    """Id of the approval it rests on; empty where none was needed."""
    undoes: str = ""
    """Id of the intent whose change it puts back; empty where it treats something."""
    decided_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """An action that was not taken, the gate that stopped it and why."""

    incident: str
    rule: str
    target: str
    action: str
    gate: str
    because: str
    at: float
    proposal: str = ""
    """What would help instead, where the gate knows."""


class Result(enum.Enum):
    """How an effect ended, or how its verification did."""

    DONE = "done"
    """The effect ended without an error: not yet a success, the verdict says that."""
    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    FAILED_TRANSIENT = "failed-transient"
    FAILED_PERMANENT = "failed-permanent"
    AMBIGUOUS = "ambiguous"
    """Nobody can tell whether it happened: never retried."""
    STALE = "stale"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one effect ended."""

    id: str
    """Of the decision."""
    result: Result
    because: str
    at: float
    took: float
    """Seconds from the start of the effect to its end."""
    rc: int | None = None
    generation: str = ""
    """The incarnation of the target after the effect, where the driver knows it."""
    output: str = ""
    """Capped and cleaned of control characters; secrets redacted."""
    output_sha256: str = ""
    undo: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the same verb that put back what it changed; empty where it leaves nothing to put back."""


class SealedIntent:
    """A decision whose intent is durable and signed in the log; the only thing that can be executed, and only once.

    Made by ``healer.record`` alone, taken by ``healer.runtime.dispatch`` alone (a test reads the imports).
    """

    __slots__ = ("_taken", "decision", "leaf", "sealed_at", "seq")

    def __init__(self, *, decision: Decision, leaf: str, seq: int, sealed_at: float) -> None:
        self.decision = decision
        self.leaf = leaf
        """Hex SHA-256 leaf hash of the intent's entry (RFC 6962)."""
        self.seq = seq
        self.sealed_at = sealed_at
        self._taken = False

    def take(self) -> Decision:
        """Spend the intent; raises HealerError the second time."""
        if self._taken:
            raise HealerError(f"intent {self.decision.id} was already spent", hint="a sealed intent is single-use")
        self._taken = True
        return self.decision
