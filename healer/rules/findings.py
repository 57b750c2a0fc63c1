"""Rules that load and are wrong all the same: each finding says where, what, and what to do."""

import fnmatch
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from healer.model.decision import QUIET_VERBS
from healer.model.target import Target
from healer.model.verbs import VERBS
from healer.rules import expression, trivial
from healer.rules.rule import Position, Rule, Step
from healer.rules.syntax import Compare, Select, walk
from healer.rules.units import constant

__all__ = ["QUIET_VERBS", "Finding", "between", "of_rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a person should look at."""

    position: Position
    rule: str
    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.position}: {self.rule}: {self.what} ({self.hint})"


def of_rule(rule: Rule, targets: Sequence[Target], channels: Mapping[str, object]) -> Iterator[Finding]:
    """What is to be said about one rule by itself."""
    for what, hint in _of_condition(rule):
        yield Finding(position=rule.position, rule=rule.id, what=what, hint=hint)
    for what, hint in _of_names(rule, targets, channels):
        yield Finding(position=rule.position, rule=rule.id, what=what, hint=hint)
    for step in rule.then:
        for what, hint in _of_step(rule, step, targets):
            yield Finding(position=step.position or rule.position, rule=rule.id, what=what, hint=hint)


Said = Iterator[tuple[str, str]]


def _of_condition(rule: Rule) -> Said:
    if rule.each and not expression.mentions_target(rule.when):
        yield (
            "the condition never mentions {target}: it would fire for every target at once",
            "write {target} behind a metric, or target: instead of each:",
        )
    verdict = trivial.verdict(rule.when)
    # What an event, a person or the calendar starts may well have nothing more to ask.
    if verdict is False or (verdict and rule.trigger.kind == "auto"):
        yield (f"the condition is {'always' if verdict else 'never'} true", "look at the bounds it compares with")
    if rule.clear is not None and trivial.verdict(rule.clear) is False:
        yield ("clear is never true: an incident would never end", "look at the bounds it compares with")
    if rule.clear is not None and rule.clear == rule.when:
        yield ("clear is the same as when: it clears while it fires", "leave clear out, or state what is well")


def _of_names(rule: Rule, targets: Sequence[Target], channels: Mapping[str, object]) -> Said:
    known = {target.id for target in targets}
    for name in (rule.target, *(step.target for step in rule.then)):
        if name and name not in known:
            yield (f"{name} is not declared in organism.yaml", "declare it under targets: or programs:")
    wanted = [str(step.params.get("channel", "journal")) for step in rule.then if step.action == "notify"]
    for channel in dict.fromkeys((*wanted, rule.on_exhausted.notify or "journal")):
        if channel not in channels:
            yield (f"there is no channel '{channel}'", f"notify: in organism.yaml has: {', '.join(channels)}")


def _of_step(rule: Rule, step: Step, targets: Sequence[Target]) -> Said:
    if step.action in QUIET_VERBS:
        return
    if step.verify is None:
        yield (
            f"'{step.action}' without verify: nobody will know whether it helped",
            "add verify: {when: ..., within: ...}",
        )
    elif step.verify.when == rule.when:
        yield (f"'{step.action}' is verified by the very trouble it should cure", "state what is well in verify")
    verb = VERBS.get(step.action)
    if verb is None:
        return
    if verb.disruptive and rule.cooldown <= 0:
        yield (f"'{step.action}' without a cooldown", "add cooldown: 1m or more")
    kind = step.target.partition(":")[0] or rule.target.partition(":")[0] or (rule.each.kind if rule.each else "")
    if kind and "*" not in verb.kinds and kind not in verb.kinds:
        yield (f"'{step.action}' cannot touch a {kind}", f"it can touch: {', '.join(verb.kinds)}")
    if step.action == "restart":
        yield from _of_restart(rule, targets)


def _of_restart(rule: Rule, targets: Sequence[Target]) -> Said:
    for select, op, _ in _comparisons(rule):
        if select.metric.endswith(".uptime") and op in {"<", "<="}:
            yield ("its own cure makes it true: a restart sets uptime to 0", "compare restarts or up instead")
    ready = {target.id for target in targets if ("check", "readiness") in target.labels}
    read = {matcher.value for select in expression.selectors(rule.when) for matcher in select.matchers}
    if deep := sorted(ready & {name for name in read if name}):
        yield (
            f"a restart that rests on a readiness check ({deep[0]})",
            "what is not ready may only be waiting for others: restart on liveness",
        )


def _comparisons(rule: Rule) -> Iterator[tuple[Select, str, float]]:
    """Comparisons of one metric with a constant, anywhere in the condition."""
    for node in walk(rule.when):
        if isinstance(node, Compare) and isinstance(node.left, Select) and (value := constant(node.right)) is not None:
            yield node.left, node.op, value


def between(rules: Sequence[Rule], bound: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """What is to be said about rules side by side; ``bound`` is the targets each has."""
    for look in (_same, _overlapping, _undoing, _echoing):
        for rule, what, hint in look(rules, bound):
            yield Finding(position=rule.position, rule=rule.id, what=what, hint=hint)


Aside = Iterator[tuple[Rule, str, str]]


def _same(rules: Sequence[Rule], _: Mapping[str, Collection[str]]) -> Aside:
    """Rules with one condition about the same targets: the later one is shadowed."""
    first: dict[object, Rule] = {}
    for rule in rules:
        other = first.setdefault((rule.when, rule.each, rule.target, repr(rule.trigger)), rule)
        if other is not rule and _remedies(other) != _remedies(rule):
            yield rule, f"fires exactly when {other.id} does ({other.position}): they compete", "make one rule of them"
        elif other is not rule:
            yield rule, f"says the same as {other.id} ({other.position})", "remove one of them"


def _remedies(rule: Rule) -> list[Step]:
    """The steps, wherever they stand."""
    return [replace(step, position=None) for step in rule.then]


def _overlapping(rules: Sequence[Rule], bound: Mapping[str, Collection[str]]) -> Aside:
    """Rules of one priority that would do different disruptive things to one target."""
    seen: dict[tuple[str, int], Rule] = {}
    told: set[tuple[str, str]] = set()
    for rule in rules:
        mine = _disruptive(rule)
        for target in sorted(bound[rule.id]) if mine else ():
            other = seen.setdefault((target, rule.priority), rule)
            theirs = _disruptive(other)
            if mine & theirs or (rule.id, other.id) in told:
                continue
            told.add((rule.id, other.id))
            what = f"overlaps with {other.id} on {target}: {min(mine)} against {min(theirs)} at the same priority"
            yield rule, what, "give one of them another priority"


def _disruptive(rule: Rule) -> set[str]:
    return {step.action for step in rule.then if step.action in VERBS and VERBS[step.action].disruptive}


def _undoing(rules: Sequence[Rule], bound: Mapping[str, Collection[str]]) -> Aside:
    """A rule that stops what another one starts because it is down."""
    starters = [rule for rule in rules if _starts_what_is_down(rule)]
    for rule in rules:
        if not any(step.action == "stop" for step in rule.then):
            continue
        for other in starters:
            if other is not rule and set(bound[rule.id]) & set(bound[other.id]):
                yield (
                    rule,
                    f"what it stops, {other.id} starts again",
                    "leave these targets out of one of them (except:)",
                )


def _starts_what_is_down(rule: Rule) -> bool:
    starts = any(step.action in {"restart", "start"} for step in rule.then)
    return starts and any(
        select.metric.endswith(".up") and op == "==" and value == 0 for select, op, value in _comparisons(rule)
    )


def _echoing(rules: Sequence[Rule], _: Mapping[str, Collection[str]]) -> Aside:
    """Rules that wake each other (or themselves) over the bus."""
    waiting = [rule for rule in rules if rule.trigger.kind == "event"]
    for rule in waiting:
        for topic in _topics(rule):
            for other in waiting:
                if not _hears(other, topic):
                    continue
                back = any(_hears(rule, answer) for answer in _topics(other))
                if rule is other or back:
                    yield rule, f"publishes '{topic}', which wakes {other.id}, which wakes it again", "break the loop"


def _hears(rule: Rule, topic: str) -> bool:
    return any(fnmatch.fnmatchcase(topic, heard.topic) for heard in rule.trigger.heard)


def _topics(rule: Rule) -> list[str]:
    return [str(step.params["topic"]) for step in rule.then if step.action == "publish"]
