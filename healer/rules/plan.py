"""The rungs of a rule numbered through, with the way from each: what an incident remembers is only a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from healer.rules.expression import Expr
from healer.rules.rule import Rule, Step

NOWHERE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step in its place."""

    number: int
    step: Step
    next: int
    """The rung to go on with; `Plan.end` after the last."""
    other: int = NOWHERE
    """The first rung of ``else`` (or where that would go on); for an ``if`` only."""
    rollback: int = NOWHERE
    """The first rung that takes this one back."""
    undoes: int = NOWHERE
    """The rung that this one takes back: it is tried once, and proves no cure."""
    hook: str = ""
    """The hook it belongs to; empty on the ladder."""


@dataclass(slots=True)
class Plan:
    """All rungs of one rule.

    The ladder is numbered in the order it is written, what lies within a step right behind it; a ladder without
    branches and rollbacks is therefore 0, 1, 2 ... Hooks follow behind `end`.
    """

    rungs: dict[int, Rung] = field(default_factory=dict)
    hooks: dict[str, tuple[int, ...]] = field(default_factory=dict)
    end: int = 0

    @classmethod
    def of(cls, rule: Rule) -> "Plan":
        """Number the steps of a rule."""
        plan = cls(end=_size(rule.then))
        plan._ladder(rule.then, 0, plan.end)
        number = plan.end + 1
        for name, steps in rule.hooks.items():
            plan.hooks[name] = tuple(range(number, number + len(steps)))
            for step in steps:
                plan.rungs[number] = Rung(number=number, step=step, next=plan.end, hook=name)
                number += 1
        return plan

    def rung(self, number: int) -> Rung | None:
        """The rung of the ladder with this number; None at its end, and where there is no such rung (any more)."""
        found = self.rungs.get(number)
        return found if found is not None and not found.hook else None

    def roles(self) -> Mapping[str, Expr]:
        """The conditions that belong to rungs, by the name each has in the evaluator."""
        made: dict[str, Expr] = {}
        for number, rung in sorted(self.rungs.items()):
            step = rung.step
            if step.verify is not None and step.targets is None:
                made[proof(number)] = step.verify.when
            if step.only_if is not None:
                made[only_if(number)] = step.only_if.when
            if held := step.branch or step.wait_for:
                made[asked(number)] = held.test.when
        return made

    def _ladder(self, steps: Sequence[Step], first: int, after: int, *, undoes: int = NOWHERE) -> None:
        """Place steps one behind the other; ``after`` is where the last of them leads."""
        number = first
        for place, step in enumerate(steps):
            behind = number + _size([step])
            self._place(step, number, behind if place < len(steps) - 1 else after, undoes)
            number = behind

    def _place(self, step: Step, number: int, after: int, undoes: int) -> None:
        inner = number + 1
        if step.branch is not None:
            second = inner + _size(step.branch.then)
            self._ladder(step.branch.then, inner, after, undoes=undoes)
            self._ladder(step.branch.else_, second, after, undoes=undoes)
            other = second if step.branch.else_ else after
            self.rungs[number] = Rung(number=number, step=step, next=inner, other=other, undoes=undoes)
            return
        self._ladder(step.rollback, inner, after, undoes=number)
        back = inner if step.rollback else NOWHERE
        self.rungs[number] = Rung(number=number, step=step, next=after, rollback=back, undoes=undoes)


def proof(number: int, target: str = "") -> str:
    """The role of what proves a rung; of each target apart, where it has several."""
    return f"{number}@{target}" if target else str(number)


def only_if(number: int) -> str:
    """The role of what a rung is skipped without."""
    return f"{number}:only_if"


def asked(number: int) -> str:
    """The role of what a rung branches by, or waits for."""
    return f"{number}:test"


def _size(steps: Sequence[Step]) -> int:
    """How many numbers steps take, with all that is within them."""
    total = 0
    for step in steps:
        inner = _size(step.branch.then) + _size(step.branch.else_) if step.branch is not None else 0
        total += 1 + inner + _size(step.rollback)
    return total
