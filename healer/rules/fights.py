"""Rules side by side: those that say the same, fight over a target, undo each other, or never get their turn."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from healer.model.decision import QUIET_VERBS
from healer.model.verbs import VERBS
from healer.rules.cases import implies, keys, together
from healer.rules.cures import effect, makes_true
from healer.rules.findings import Finding
from healer.rules.reach import Alike, Use
from healer.rules.rule import Rule, Step
from healer.rules.syntax import Expr, bind

MOST_PAIRS = 20_000
"""Pairs of rules whose conditions are compared: of more, the rest is said to be left out."""
_STARTS = frozenset({"restart", "start"})


@dataclass(slots=True)
class _Pairs:
    """Two conditions compared, each pair once, and not without end."""

    left: int = MOST_PAIRS
    told: set[tuple[str, str, str]] = field(default_factory=set)
    _conditions: dict[tuple[str, str], Expr] = field(default_factory=dict)
    _keys: dict[tuple[str, str], frozenset[int]] = field(default_factory=dict)
    _numbers: dict[Expr, int] = field(default_factory=dict)
    _known: dict[tuple[str, str, str, str], bool] = field(default_factory=dict)

    def condition(self, rule: Rule, target: str) -> Expr:
        """The rule's condition about a target; unbound where each of its targets means the same."""
        key = rule.id, target
        if key not in self._conditions:
            self._conditions[key] = bind(rule.when, target) if target else rule.when
        return self._conditions[key]

    def keys(self, rule: Rule, target: str) -> frozenset[int]:
        """Everything the condition compares, each thing as a number."""
        key = rule.id, target
        if key not in self._keys:
            found = keys(self.condition(rule, target))
            self._keys[key] = frozenset(self._numbers.setdefault(one, len(self._numbers)) for one in found)
        return self._keys[key]

    def ask(self, question: str, one: Rule, other: Rule, target: str) -> bool:
        """Whether one implies the other, or whether they exclude each other."""
        # Rules with `each` both say {target}: what holds of one target holds of all.
        target = "" if one.each and other.each else target
        key = question, one.id, other.id, target
        if key in self._known:
            return self._known[key]
        self.left -= 1
        mine, theirs = self.condition(one, target), self.condition(other, target)
        if self.left < 0:
            answer = False
        else:
            answer = implies(mine, theirs) if question == "implies" else not together(mine, theirs)
        self._known[key] = answer
        return answer

    def once(self, kind: str, one: Rule, other: Rule) -> bool:
        """Whether this is to be told for the first time."""
        fresh = (kind, one.id, other.id) not in self.told
        self.told.add((kind, one.id, other.id))
        return fresh


def fights(rules: Sequence[Rule], groups: Sequence[Alike]) -> Iterator[Finding]:
    """What is to be said about rules side by side."""
    yield from _same(rules)
    pairs = _Pairs()
    for group in groups:
        could: dict[str, list[Use]] = defaultdict(list)
        for use in group.could:
            if not use.hook:
                could[use.rule.id].append(use)
        if not could:
            continue
        actors = [uses[0].rule for uses in could.values()]
        verbs = {name: {use.action for use in uses} for name, uses in could.items()}
        # What a guest's condition says is about other targets than these.
        bound = {rule.id for rule in group.rules}
        own = [rule for rule in actors if rule.id in bound]
        target = group.targets[0].id
        yield from _overlapping(actors, bound, verbs, target, pairs)
        yield from _undoing(actors, verbs, group, pairs)
        yield from _shadowed(own, verbs, target, pairs)
    if pairs.left < 0:
        yield Finding(
            position=rules[0].position,
            rule=rules[0].id,
            what=f"more than {MOST_PAIRS} pairs of rules share their targets: not all were compared",
            hint="narrow each: down, or check the files one by one",
        )


def _same(rules: Sequence[Rule]) -> Iterator[Finding]:
    """Rules with one condition about the same targets: the later one is shadowed."""
    first: dict[object, Rule] = {}
    for rule in rules:
        other = first.setdefault((rule.when, rule.each, rule.target, str(rule.trigger)), rule)
        if other is rule:
            continue
        if _remedies(other) != _remedies(rule):
            what, hint = f"fires exactly when {other.id} does ({other.position}): they compete", "make one rule of them"
        else:
            what, hint = f"says the same as {other.id} ({other.position})", "remove one of them"
        yield Finding(position=rule.position, rule=rule.id, what=what, hint=hint)


def _remedies(rule: Rule) -> list[Step]:
    """The steps, wherever they stand."""
    return [replace(step, position=None) for step in rule.then]


def _overlapping(
    rules: Sequence[Rule], bound: Collection[str], verbs: dict[str, set[str]], target: str, pairs: _Pairs
) -> Iterator[Finding]:
    """Rules of one priority that would do different disruptive things to one target, at one time."""
    seen: dict[int, list[tuple[Rule, set[str]]]] = defaultdict(list)
    for rule in rules:
        mine = _disruptive(verbs[rule.id])
        if not mine:
            continue
        others = seen[rule.priority]
        for other, theirs in others:
            known = rule.id in bound and other.id in bound
            if mine & theirs or (known and pairs.ask("excludes", rule, other, target)):
                continue
            if not pairs.once("overlap", rule, other):
                continue
            what = f"overlaps with {other.id} on {target}: {min(mine)} against {min(theirs)} at the same priority"
            hint = "give one of them another priority"
            yield Finding(position=rule.position, rule=rule.id, what=what, hint=hint)
            break
        # One of each kind of remedy is enough to be told, and no more are compared.
        if sum(theirs == mine for _, theirs in others) < 8:
            others.append((rule, mine))


def _disruptive(verbs: set[str]) -> set[str]:
    return {verb for verb in verbs if verb in VERBS and VERBS[verb].disruptive}


def _undoing(rules: Sequence[Rule], verbs: dict[str, set[str]], group: Alike, pairs: _Pairs) -> Iterator[Finding]:
    """A rule that stops what another one starts because it is down."""
    one = group.targets[0]
    stopped = effect("stop", one.kind)
    stoppers = [rule for rule in rules if "stop" in verbs[rule.id]]
    if stopped is None or not stoppers:
        return
    starters = [rule for rule in rules if verbs[rule.id] & _STARTS and makes_true(stopped, rule, one.id)]
    for rule in stoppers:
        for other in starters:
            if other is not rule and pairs.once("undo", rule, other):
                yield Finding(
                    position=rule.position,
                    rule=rule.id,
                    what=f"what it stops, {other.id} starts again",
                    hint="leave these targets out of one (except:), or let that ask whether they are wanted",
                )


def _shadowed(rules: Sequence[Rule], verbs: dict[str, set[str]], target: str, pairs: _Pairs) -> Iterator[Finding]:
    """A rule that another one always comes before: wherever it holds, the other does, no later and no less urgent."""
    alike: dict[frozenset[int], list[Rule]] = defaultdict(list)
    # Where every rule says {target}, what holds of one target holds of all.
    about = "" if all(rule.each for rule in rules) else target
    for rule in rules:
        if rule.trigger.kind == "auto" and verbs[rule.id] - QUIET_VERBS:
            alike[pairs.keys(rule, about)].append(rule)
    for compared, narrow in alike.items():
        wide = [rule for less, several in alike.items() if less <= compared for rule in several]
        for rule in narrow:
            if ("shadow", rule.id, rule.id) in pairs.told:
                continue  # once is enough, on whichever target
            other = next((one for one in wide if _shadows(one, rule, target, pairs)), None)
            if other is not None and pairs.once("shadow", rule, rule):
                yield _shadow(rule, other, target, same=verbs[rule.id] == verbs[other.id])


def _shadow(rule: Rule, other: Rule, target: str, *, same: bool) -> Finding:
    holds = f"whenever it holds for {target}, {other.id} ({other.position}) does, and comes first"
    return Finding(
        position=rule.position,
        rule=rule.id,
        what=f"adds nothing: {holds}" if same else f"never gets its turn: {holds}",
        hint="remove it" if same else f"give it a priority above {other.priority}",
    )


def _shadows(one: Rule, other: Rule, target: str, pairs: _Pairs) -> bool:
    """Whether one is always there before the other (those with one and the same condition are told elsewhere)."""
    return (
        one is not other
        and _comes_first(one, other)
        and pairs.ask("implies", other, one, target)
        and one.when != other.when
    )


def _comes_first(one: Rule, other: Rule) -> bool:
    """Whether one is confirmed no later than the other, and no less urgent; at equal priority the earlier one wins."""
    sooner = one.for_ + one.settle <= other.for_ + other.settle and one.samples is None and one.active is None
    return sooner and one.priority >= other.priority
