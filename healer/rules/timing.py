"""Times that mean nothing beside how often somebody looks."""

from collections.abc import Iterator, Sequence

from healer.model.decision import QUIET_VERBS
from healer.model.kinds.catalog import KINDS
from healer.model.target import Target
from healer.rules.findings import Finding
from healer.rules.rule import Rule, steps_of
from healer.rules.syntax import selectors
from healer.rules.times import briefly


def too_short(rule: Rule, bound: Sequence[Target], known: dict[str, Target]) -> Iterator[Finding]:
    """Waits, pauses and windows shorter than the interval at which the condition can change at all."""
    slowest = _slowest(rule, bound, known)
    if slowest is None or rule.trigger.kind != "auto":
        return
    every = float(slowest.spec["every"])
    looked = f"{slowest.id} is looked at every {briefly(every)}"
    if 0 < rule.for_ < every and rule.samples is None:
        yield _told(
            rule,
            f"for: {briefly(rule.for_)} is over before the second look: one sample satisfies it, as {looked}",
            f"for: {briefly(2 * every)} or more, or samples: {{bad: 2, of: 3}}",
        )
    if KINDS[slowest.kind].pushed or all(step.action in QUIET_VERBS for step in steps_of(rule)):
        return
    if 0 < rule.cooldown < every:
        yield _told(rule, f"cooldown: {briefly(rule.cooldown)} holds nothing back, as {looked}", "make it longer")
    for limit in rule.limits:
        if limit.per < every:
            yield _told(
                rule,
                f"a limit per {briefly(limit.per)} is never reached, as {looked}",
                "a window of several looks: per: 1h",
            )


def _told(rule: Rule, what: str, hint: str) -> Finding:
    return Finding(position=rule.position, rule=rule.id, what=what, hint=hint)


def _slowest(rule: Rule, bound: Sequence[Target], known: dict[str, Target]) -> Target | None:
    """Of the targets whose signs the condition reads all by itself, the one looked at least often.

    None where it also reads what is looked at in another rhythm: the host, or nothing we know the interval of.
    """
    read: list[Target] = []
    for select in selectors(rule.when):
        names = [one.value for one in select.matchers if one.label == "target" and one.op == "="]
        if not names:
            return None
        read += bound if names[0] is None else [known[names[0]]] if names[0] in known else []
    timed = [target for target in read if isinstance(target.spec.get("every"), int | float)]
    return max(timed, key=lambda target: float(target.spec["every"]), default=None)
