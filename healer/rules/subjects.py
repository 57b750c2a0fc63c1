"""Conditions about targets that do not exist, that have no such metric, or that are several: they stay unknown."""

import difflib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from healer.model.kinds.catalog import KINDS
from healer.model.target import Target
from healer.model.vocabulary import METRICS
from healer.rules.findings import Finding
from healer.rules.lines import fits
from healer.rules.rule import Position, Rule, steps_of
from healer.rules.syntax import Aggregate, Expr, Matcher, Select

_HOST = "host"
_FEW = 3
Said = tuple[str, str]


@dataclass(slots=True)
class Subjects:
    """The targets there are, by what can be seen of them."""

    targets: Mapping[str, Target]
    _of_kind: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for name, target in self.targets.items():
            self._of_kind[target.kind].append(name)

    def findings(self, rule: Rule, bound: Sequence[Target]) -> Iterator[Finding]:
        """What is wrong with the selectors of a rule that is bound to these targets; each thing once."""
        told: set[Said] = set()
        for position, expr in _conditions(rule):
            for select, one in dict.fromkeys(_selectors(expr)):
                said = self._of(select, rule, bound, one=one)
                if said is not None and said not in told:
                    told.add(said)
                    yield Finding(position=position, rule=rule.id, what=said[0], hint=said[1])

    def _of(self, select: Select, rule: Rule, bound: Sequence[Target], *, one: bool) -> Said | None:
        """What is wrong with one selector; ``one``: it must mean a single series."""
        metric = METRICS.get(select.metric)
        if metric is None or "target" not in metric.labels:
            return None  # of the host, or of a plugin that knows what it is about
        matchers = [matcher for matcher in select.matchers if matcher.label == "target"]
        for matcher in matchers:
            if matcher.op == "=":
                if matcher.value is None:
                    return self._of_own(select, rule, bound)
                return self._of_named(select, matcher.value)
        if select.metric.startswith("rule."):
            return None  # which rules there are is asked elsewhere
        return self._of_many(select, matchers, one=one)

    def _of_own(self, select: Select, rule: Rule, bound: Sequence[Target]) -> Said | None:
        """``{target}``: of the rule's own."""
        if not rule.each and not rule.target:
            return None  # the loader, and the other findings, speak of rules about nothing
        kind = _kind(select)
        if rule.target:
            name, has = rule.target, not kind or rule.target.startswith(f"{kind}:")
        else:
            given = rule.each.kind if rule.each else ""
            # Going over all targets once per selector would take long where there are many.
            kinds = {given} if given else {target.kind for target in bound} or {""}
            has = not kind or kind in kinds or kinds == {""}
            name = bound[0].id if len(bound) == 1 else f"a {min(kinds)}"
        return None if has else (f"{select.metric} is never seen of {name}", self._meant(select, name))

    def _of_named(self, select: Select, name: str) -> Said | None:
        kind = _kind(select)
        if name not in self.targets:
            if name.partition(":")[0] == _HOST:
                return None
            close = _closest(name, self._candidates(kind))
            hint = f"did you mean {close}?" if close else "declare it under targets: or programs:"
            return f"{name} is not declared in organism.yaml, and {select.metric} asks for it", hint
        if not kind or self.targets[name].kind == kind:
            return None
        return f"{select.metric} is never seen of {name}", self._meant(select, name)

    def _of_many(self, select: Select, matchers: Sequence[Matcher], *, one: bool) -> Said | None:
        candidates = self._candidates(_kind(select))
        found = [name for name in candidates if all(fits(matcher, name) for matcher in matchers)]
        if len(found) > 1 and one:
            said = ", ".join(found[:_FEW]) + (f" and {len(found) - _FEW} more" if len(found) > _FEW else "")
            what = f"{select.metric} is seen of several targets ({said}): without saying which, it stays unknown"
            return what, f"{_written(select, found[0])}, or one number of all: max({select.metric})"
        if not found and (one or matchers):
            what = f"{select.metric} is never seen: no target declared in organism.yaml has it"
            return what, self._meant(select, "") if candidates else "declare one under targets: or programs:"
        return None

    def _candidates(self, kind: str) -> Sequence[str]:
        return self._of_kind.get(kind, ()) if kind else tuple(self.targets)

    def _meant(self, select: Select, name: str) -> str:
        """The selector with a target that has the metric."""
        candidates = self._candidates(_kind(select))
        if not candidates:
            return f"no {_kind(select)} is declared in organism.yaml"
        close = _closest(name, candidates)
        if close:
            return f"did you mean {_written(select, close)}?"
        return f"it is seen of: {', '.join(candidates[:_FEW])}"


def _kind(select: Select) -> str:
    """The kind of target its metric is seen of; empty: of any."""
    prefix = select.metric.partition(".")[0]
    return prefix if prefix in KINDS else ""


def _closest(name: str, known: Sequence[str]) -> str:
    if len(known) == 1:
        return known[0]
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.6)), "")


def _written(select: Select, name: str) -> str:
    return f'{select.metric}{{target="{name}"}}'


def _selectors(expr: Expr, *, one: bool = True) -> Iterator[tuple[Select, bool]]:
    """Every selector, and whether it must mean one series: those below an aggregate need not."""
    if isinstance(expr, Select):
        yield expr, one
    for child in expr.children():
        yield from _selectors(child, one=one and not isinstance(expr, Aggregate))


def _conditions(rule: Rule) -> Iterator[tuple[Position, Expr]]:
    """Every condition of a rule, those of its steps too, and where it stands."""
    yield rule.position, rule.when
    if rule.clear is not None:
        yield rule.position, rule.clear
    for step in steps_of(rule):
        tests = (step.verify, step.only_if, step.branch and step.branch.test, step.wait_for and step.wait_for.test)
        yield from ((step.position or rule.position, test.when) for test in tests if test)
