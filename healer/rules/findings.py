"""Rules that load and are wrong all the same: each finding says where, what, and what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from healer.model.decision import QUIET_VERBS
from healer.model.verbs import VERBS
from healer.rules import expression, trivial
from healer.rules.cases import overlap
from healer.rules.rule import CONTROL, Position, Rule, Step, flattened, steps_of
from healer.rules.syntax import bind


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a person should look at."""

    position: Position
    rule: str
    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.position}: {self.rule}: {self.what} ({self.hint})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What rules may refer to."""

    targets: frozenset[str]
    channels: tuple[str, ...]
    unready: frozenset[str] = frozenset()
    """Targets that are labelled ``check: readiness``."""


def of_rule(rule: Rule, names: Names) -> Iterator[Finding]:
    """What is to be said about one rule by itself."""
    for what, hint in _of_condition(rule):
        yield Finding(position=rule.position, rule=rule.id, what=what, hint=hint)
    for what, hint in _of_names(rule, names):
        yield Finding(position=rule.position, rule=rule.id, what=what, hint=hint)
    told: set[str] = set()
    for step in flattened(rule.then):
        for what, hint in _of_step(rule, step, names):
            if what in told:
                continue
            told.add(what)
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


def _of_names(rule: Rule, names: Names) -> Said:
    steps = list(steps_of(rule))
    for name in dict.fromkeys((rule.target, *(step.target for step in steps))):
        if name and name not in names.targets:
            yield (f"{name} is not declared in organism.yaml", "declare it under targets: or programs:")
    wanted = [str(step.params.get("channel", "journal")) for step in steps if step.action == "notify"]
    for channel in dict.fromkeys((*wanted, rule.on_exhausted.notify or "journal")):
        if channel not in names.channels:
            yield (f"there is no channel '{channel}'", f"notify: in organism.yaml has: {', '.join(names.channels)}")
    if len(names.channels) > 1 and not rule.on_exhausted.notify and not wanted and _disrupts(steps):
        yield (
            "nobody is told when its cures have failed: that only goes to the journal",
            f"on_exhausted: {{notify: {next(one for one in names.channels if one != 'journal')}}}",
        )


def _disrupts(steps: Sequence[Step]) -> bool:
    return any(step.action in VERBS and VERBS[step.action].disruptive for step in steps)


def _of_step(rule: Rule, step: Step, names: Names) -> Said:
    if step.action in QUIET_VERBS or step.action in CONTROL:
        return
    if step.verify is None:
        yield (
            f"'{step.action}' without verify: nobody will know whether it helped",
            "add verify: {when: ..., within: ...}",
        )
    elif step.verify.when == rule.when:
        yield (f"'{step.action}' is verified by the very trouble it should cure", "state what is well in verify")
    elif overlap(*(bind(one, rule.target) if rule.target else one for one in (rule.when, step.verify.when))):
        yield (
            f"'{step.action}' can be verified while its trouble lasts: both conditions can hold at once",
            "let verify ask for what when excludes",
        )
    verb = VERBS.get(step.action)
    if verb is None:
        return
    if verb.disruptive and rule.cooldown <= 0:
        yield (f"'{step.action}' without a cooldown", "add cooldown: 1m or more")
    kind = step.target.partition(":")[0] or rule.target.partition(":")[0] or (rule.each.kind if rule.each else "")
    if kind and "*" not in verb.kinds and kind not in verb.kinds:
        yield (f"'{step.action}' cannot touch a {kind}", f"it can touch: {', '.join(verb.kinds)}")
    if step.action == "restart":
        yield from _of_restart(rule, names)


def _of_restart(rule: Rule, names: Names) -> Said:
    read = {matcher.value for select in expression.selectors(rule.when) for matcher in select.matchers}
    if deep := sorted(names.unready & {name for name in read if name}):
        yield (
            f"a restart that rests on a readiness check ({deep[0]})",
            "what is not ready may only be waiting for others: restart on liveness",
        )
