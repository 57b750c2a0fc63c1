"""What the tests of a set of rules have shown of it: what each rule did, and both ways of every branch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from healer.core.core import Core
from healer.core.instance import Instance
from healer.model.truth import Truth
from healer.rehearsal.play import Played
from healer.rules import truth_tree
from healer.rules.rule import Rule
from healer.rules.truth_tree import TruthNode

CLAIMS = ("fires", "leaves alone", "withholds")
"""What every rule needs a test for."""
_CLAIMED = {"action": "fires", "none": "leaves alone", "withheld": "withholds"}
_KNOWN = (Truth.TRUE, Truth.FALSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One part of a rule's condition, and what it was during the tests."""

    source: str
    depth: int
    seen: frozenset[Truth]

    @property
    def missing(self) -> tuple[Truth, ...]:
        """What it never was; unknown is nobody's duty."""
        return tuple(truth for truth in _KNOWN if truth not in self.seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One rule."""

    rule: Rule
    claims: frozenset[str]
    """Those of `CLAIMS` that an expectation which held makes."""
    branches: tuple[Branch, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The claims nobody makes."""
        return tuple(claim for claim in CLAIMS if claim not in self.claims)

    @property
    def goals(self) -> int:
        """How much there is to show: the claims, and both ways of every branch."""
        return len(CLAIMS) + 2 * max(1, len(self.branches))

    @property
    def reached(self) -> int:
        """How much of that was shown."""
        return len(self.claims) + sum(2 - len(branch.missing) for branch in self.branches)


@dataclass(slots=True)
class Coverage:
    """Collects while tests are played: hand `watch` to the player."""

    _claims: dict[str, set[str]] = field(default_factory=dict)
    _branches: dict[str, dict[tuple[int, ...], tuple[str, set[Truth]]]] = field(default_factory=dict)

    def watch(self, core: Core) -> None:
        """Note which way every branch goes now."""
        for instance in core.instances.values():
            if instance.truth is not Truth.UNKNOWN or instance.samples:
                self._note(core, instance)

    def _note(self, core: Core, instance: Instance) -> None:
        tree = truth_tree.explain(core.evaluator, f"{instance.key}|when", core.desk.now)
        held = self._branches.setdefault(instance.rule.id, {})
        for path, node in _conditions(tree):
            _, seen = held.setdefault(path, (node.source, set()))
            if node.truth is not None:
                seen.add(node.truth)

    def take(self, played: Played) -> None:
        """Note what the expectations that held say of their rules."""
        for one in played.checked:
            if one.ok:
                claims = {_CLAIMED[row.what] for row in one.rows if row.what in _CLAIMED}
                self._claims.setdefault(one.rule, set()).update(claims)

    def of(self, rules: Iterable[Rule]) -> list[Covered]:
        """What was shown of each rule."""
        return [
            Covered(
                rule=rule,
                claims=frozenset(self._claims.get(rule.id, ())),
                branches=tuple(
                    Branch(source=source, depth=len(path), seen=frozenset(seen))
                    for path, (source, seen) in sorted(self._branches.get(rule.id, {}).items())
                ),
            )
            for rule in rules
        ]


def share(covered: Iterable[Covered]) -> float:
    """Percent of the goals that were reached; 100 where there is nothing to reach."""
    found = list(covered)
    goals = sum(one.goals for one in found)
    return 100.0 * sum(one.reached for one in found) / goals if goals else 100.0


def _conditions(node: TruthNode, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], TruthNode]]:
    """The parts of a condition that are conditions themselves, each with its place in the tree."""
    if node.truth is not None:
        yield path, node
    for number, child in enumerate(node.children):
        yield from _conditions(child, (*path, number))
