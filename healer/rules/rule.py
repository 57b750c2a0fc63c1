"""What a parsed rule is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from healer.model.active import Active
from healer.model.limit import Backoff, Limit
from healer.model.mode import Mode
from healer.model.target import EMPTY
from healer.rules.expression import Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where something was written."""

    file: str
    line: int
    """From 1."""
    column: int
    """From 1."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which targets: all given criteria must hold. One with no criterion at all does not load."""

    kind: str = ""
    name: str = ""
    """Glob over the target's name."""
    organ: str = ""
    group: tuple[str, ...] = ()
    """Any of these groups."""
    label: tuple[tuple[str, str], ...] = ()
    state: str = ""
    except_: tuple[str, ...] = ()
    """Globs over target ids (or names) left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Confirmation by count: at least ``bad`` of the last ``of`` samples."""

    bad: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """How success of a step is proved."""

    when: Expr
    source: str
    within: float
    """Seconds after the action's end (and the target's startup grace)."""
    stable_for: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """This step waits for a person's yes."""

    ttl: float = 600.0
    """Seconds after which nobody having answered counts as the answer below."""
    on_timeout: str = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rung of the ladder."""

    action: str
    params: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    target: str = ""
    """Overrides the rule's target."""
    timeout: float = 30.0
    verify: Verify | None = None
    approve: Approve | None = None
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """What happens when the ladder is at its end without a verified cure."""

    notify: str = ""
    """A channel of ``notify:`` in organism.yaml; empty: the journal."""
    rearm_after: float = 21600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What starts the rule: ``auto`` (its condition), ``manual``, ``schedule`` (cron) or ``event`` (topic glob)."""

    kind: str = "auto"
    cron: str = ""
    tz: str = ""
    topic: str = ""
    filter: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    own: bool = False
    """Hear also what the agent itself says: the rule's author answers for the loops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, validated. All times in seconds."""

    id: str
    position: Position
    name: str = ""
    description: str = ""
    why: str = ""
    tags: tuple[str, ...] = ()
    author: str = ""
    enabled: bool = True
    priority: int = 4
    """1-10, 10 most urgent: low 2, normal 4, high 7, critical 10."""
    organ: str = ""
    each: Selector | None = None
    target: str = ""
    """A target id; empty where ``each`` is given or nothing is acted on (host-wide rules act on ``host:``)."""
    when: Expr
    when_source: str
    for_: float = 0.0
    samples: Samples | None = None
    clear: Expr | None = None
    """None: not when."""
    clear_for: float = 0.0
    on_unknown: str = "hold"
    mode: Mode | None = None
    """None: the default of ``rules.default_mode``."""
    active: Active | None = None
    trigger: Trigger = field(default_factory=Trigger)
    settle: float = 0.0
    """Seconds to wait before the first act of an incident, so that a parent's failure can arrive."""
    cooldown: float = 60.0
    """From the END of the action, per rule and target."""
    limits: tuple[Limit, ...] = (Limit(max=5, per=3600.0),)
    backoff: Backoff = field(default_factory=Backoff)
    spelled_out: bool = False
    """``i_mean_it: true``: this rule may touch init, sshd, dbus or the network; never the agent itself."""
    witness: str = ""
    """``before``: the log's witnesses must have cosigned an intent before it is carried out; ``at-once``: they are
    shown it without delay, and nobody waits."""
    then: tuple[Step, ...] = ()
    on_exhausted: Exhausted = field(default_factory=Exhausted)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """A set of rules that loaded without a mistake."""

    rules: tuple[Rule, ...]
    hash: str
    """SHA-256 over the names and octets of the files, in load order."""
    files: tuple[str, ...]
