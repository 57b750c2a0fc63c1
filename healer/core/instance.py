"""One rule bound to one target, and what has been confirmed of its condition so far."""

import math
from dataclasses import dataclass, field

from healer.gates.interface import Answer
from healer.model.target import Target
from healer.model.truth import Truth
from healer.rules.plan import Plan
from healer.rules.rule import Rule

SHORTEST = 1e-6
"""Seconds: less than this is no time."""


@dataclass(slots=True)
class Instance:
    """Evidence gathered for one rule on one target. Nothing here is safety state: a crash only makes it start again."""

    rule: Rule
    target: Target
    truth: Truth = Truth.UNKNOWN
    clear: Truth = Truth.UNKNOWN
    plan: Plan = field(init=False)
    """Its rungs, numbered through."""
    asked: dict[str, Truth] = field(default_factory=dict)
    """Truth of the conditions that belong to rungs, by role."""
    armed: float = -math.inf
    """Only what was seen after this second counts."""
    confirmed: float = 0.0
    """Seconds for which the condition has been TRUE, gaps of UNKNOWN left out."""
    true_since: float | None = None
    unknown_since: float | None = None
    clear_since: float | None = None
    samples: list[Truth] = field(default_factory=list)
    """The last truths, as many as its rule counts. No deque: that is 0.6 KB, and most rules keep one."""
    retry_at: float = 0.0
    """Not before this second is an action tried (again)."""
    refused: int = 0
    """Intents in a row that were sealed and then refused: each costs two entries, so the pauses grow."""
    answers: tuple[Answer, ...] = ()
    """What the gates said the last time they were asked."""
    asked_at: float | None = None
    told_unknown: bool = False
    hooks_withheld: set[tuple[str, str, float]] = field(default_factory=set)
    """Hooks that a gate has stopped in this incident: each is sealed once for each gate."""
    woken: float = -math.inf
    """When an event last started it."""
    spent: str = ""
    """Why the last start by an event, a person or the calendar was withheld for good; empty where it was not."""
    bindings: dict[str, str] = field(default_factory=dict)
    """What ``{event.NAME}`` and ``{capture.NAME}`` stand for, by ``event.NAME``: set before its incident opens, which
    seals them, so that a restart does not lose them."""

    def __post_init__(self) -> None:
        self.plan = Plan.of(self.rule)

    @property
    def key(self) -> str:
        """``RULE@TARGET``."""
        return f"{self.rule.id}@{self.target.id}"

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of its conditions in the evaluator: ``when``, ``clear``, and those of its rungs."""
        clear = ("clear",) if self.rule.clear is not None else ()
        return ("when", *clear, *self.plan.roles())

    @property
    def cleared(self) -> bool:
        """Whether the trouble is known to be gone."""
        return self.clear is Truth.TRUE if self.rule.clear is not None else self.truth is Truth.FALSE

    def saw(self, truth: Truth, now: float) -> None:
        """Take the truth of a fresh sample in."""
        self.samples.append(truth)
        if len(self.samples) > (self.rule.samples.of if self.rule.samples else 1):
            del self.samples[0]
        self._time(truth, now)
        self.truth = truth

    def _time(self, truth: Truth, now: float) -> None:
        if truth is Truth.TRUE:
            if self.unknown_since is not None and now - self.unknown_since > self.rule.for_:
                self.confirmed = 0.0  # a gap longer than the wait itself proves nothing any more
            self.unknown_since = None
            self.true_since = now if self.true_since is None else self.true_since
            return
        if self.true_since is not None:
            self.confirmed += now - self.true_since
            self.true_since = None
        if truth is Truth.FALSE:
            self.confirmed, self.unknown_since = 0.0, None
        elif self.unknown_since is None:
            self.unknown_since = now

    def confirmed_in(self, now: float) -> float:
        """Seconds of TRUE still missing; 0 when ``for`` is satisfied, infinity while the count of samples is not."""
        if self.truth is not Truth.TRUE or self.true_since is None:
            return float("inf")
        if self.rule.samples and sum(truth is Truth.TRUE for truth in self.samples) < self.rule.samples.bad:
            return float("inf")
        missing = self.rule.for_ - self.confirmed_so_far(now)
        # Sums of floats fall short by less than anybody can wait: a wait that moves no clock would never end.
        return missing if missing > SHORTEST else 0.0

    def confirmed_so_far(self, now: float) -> float:
        """Seconds of TRUE gathered until ``now``."""
        return self.confirmed + (0.0 if self.true_since is None else now - self.true_since)

    def rearm(self) -> None:
        """Forget what was gathered: only what is seen from now on counts."""
        self.truth = self.clear = Truth.UNKNOWN
        self.asked.clear()
        self.samples.clear()
        self.confirmed, self.true_since, self.unknown_since, self.clear_since = 0.0, None, None, None
