"""What a parsed rule is."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from healer.model.active import Active
from healer.model.limit import Backoff, Limit
from healer.model.mode import Mode
from healer.model.target import EMPTY
from healer.model.trigger import Trigger
from healer.rules.expression import Expr

CONTROL = ("if", "wait_for", "trigger")
"""What a step may be instead of a verb."""
HOOKS = ("on_fire", "on_attempt_failed", "on_exhausted", "on_recovered", "on_withheld")


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
    """A state the target must be in at the moment it is chosen: when the rule fires, or when the step begins."""
    all_: bool = False
    """Every target there is; with ``max_targets`` only."""
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
class Check:
    """A condition that a step asks for when its turn comes."""

    when: Expr
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Several targets of one step: chosen when it begins, kept as they are then, and acted on one at a time."""

    selector: Selector
    max_targets: int = 0
    """More than these, and nothing is done at all; 0: no bound of its own."""
    order: str = "auto"
    """``forward``: what others require comes first; ``backward``; ``declared``; ``auto``: backward for a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Where the ladder goes by a condition."""

    test: Check
    then: tuple["Step", ...]
    else_: tuple["Step", ...] = ()
    on_unknown: str = "hold"
    """``hold``: neither way until it is known; ``else``: unknown counts as false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor:
    """A rung that only waits until something is so."""

    test: Check
    timeout: float = 300.0
    on_timeout: str = "next"
    """``next``: go on as if it had come; ``fail``: a failed attempt, then go on; ``give_up``: the ladder is at its
    end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rung of the ladder: a verb, or one of `CONTROL`, which touch nothing themselves."""

    action: str
    params: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    target: str = ""
    """Overrides the rule's target."""
    targets: Selection | None = None
    """Overrides it by several."""
    timeout: float = 30.0
    settle: float = 0.0
    """Seconds from the end of the action until evidence counts, beside the target's own startup grace."""
    only_if: Check | None = None
    """The step is skipped, and that is recorded, where this is not TRUE."""
    verify: Verify | None = None
    approve: Approve | None = None
    rollback: tuple["Step", ...] = ()
    """Done once where the step was not verified, and proved itself."""
    branch: Branch | None = None
    wait_for: WaitFor | None = None
    starts: str = ""
    """The rule that a ``trigger`` starts for the same target."""
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """What happens when the ladder is at its end without a verified cure."""

    notify: str = ""
    """A channel of ``notify:`` in organism.yaml; empty: the journal."""
    rearm_after: float = 21600.0
    steps: tuple[Step, ...] = ()
    """The hook, beside the word to ``notify``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """How many actions of a kind may be under way at once, from decision to verdict."""

    max: int = 1
    key: str = "target"
    """``target``, ``rule``, ``group:NAME`` or a text of the author's own, shared by all rules that write it."""
    on_conflict: str = "queue"
    """``queue``; ``skip``: this incident goes untreated; ``replace``: take the place of whoever waits."""
    ttl: float = 300.0
    """Seconds in the queue after which the incident is dropped as stale."""


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
    concurrency: Concurrency | None = None
    then: tuple[Step, ...] = ()
    on_fire: tuple[Step, ...] = ()
    on_attempt_failed: tuple[Step, ...] = ()
    on_exhausted: Exhausted = field(default_factory=Exhausted)
    on_recovered: tuple[Step, ...] = ()
    on_withheld: tuple[Step, ...] = ()

    @property
    def hooks(self) -> Mapping[str, tuple[Step, ...]]:
        """The steps that only accompany an incident, by the moment they belong to; each of `HOOKS`."""
        return {
            "on_fire": self.on_fire,
            "on_attempt_failed": self.on_attempt_failed,
            "on_exhausted": self.on_exhausted.steps,
            "on_recovered": self.on_recovered,
            "on_withheld": self.on_withheld,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """A set of rules that loaded without a mistake."""

    rules: tuple[Rule, ...]
    hash: str
    """SHA-256 over the names and octets of the files, in load order."""
    files: tuple[str, ...]


def steps_of(rule: Rule) -> Iterator[Step]:
    """Every step a rule has, wherever it stands: on the ladder, in its branches and rollbacks, and in its hooks."""
    yield from flattened(rule.then)
    for steps in rule.hooks.values():
        yield from flattened(steps)


def flattened(steps: Iterable[Step]) -> Iterator[Step]:
    """Each step, followed by those within it."""
    for step in steps:
        yield step
        yield from flattened(step.rollback)
        if step.branch is not None:
            yield from flattened(step.branch.then)
            yield from flattened(step.branch.else_)
