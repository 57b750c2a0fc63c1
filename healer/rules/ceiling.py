"""The operator's own ceiling: rules that could do more to a target than it allows, by name and place."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from healer.model.limit import HOUR, Ceiling
from healer.rules.bounds import Rate
from healer.rules.findings import Finding
from healer.rules.rule import Rule, RuleSet


def exceeded(ruleset: RuleSet, rates: Iterable[Rate], ceilings: Sequence[Ceiling]) -> list[Finding]:
    """What is above a ceiling, told once for each of the rules that together could reach it."""
    rules = {rule.id: rule for rule in ruleset.rules}
    over: dict[tuple[Ceiling, str, int, tuple[str, ...]], list[str]] = defaultdict(list)
    for ceiling in ceilings:
        for rate in rates:
            could = rate.per_hour if ceiling.per == HOUR else rate.per_day
            if could > ceiling.max and ceiling.action in {rate.action, "*"}:
                over[ceiling, rate.action, could, rate.rules].append(rate.target)
    return [
        _told(rules[name], [other for other in names if other != name], ceiling, action, could, targets)
        for (ceiling, action, could, names), targets in over.items()
        for name in names
    ]


def _told(
    rule: Rule, others: Sequence[str], ceiling: Ceiling, action: str, could: int, targets: Sequence[str]
) -> Finding:
    what = "act on" if action == "*" else action
    where = targets[0] if len(targets) == 1 else f"{targets[0]} and {len(targets) - 1} more"
    unit = "an hour" if ceiling.per == HOUR else "a day"
    shared = f", together with {', '.join(others)}" if others else ""
    return Finding(
        position=rule.position,
        rule=rule.id,
        what=f"could {what} {where} {could} times {unit}{shared}: more than {ceiling}",
        hint=f"limits: [{{max: {ceiling.max}, per: {'1h' if ceiling.per == HOUR else '1d'}}}] or a longer cooldown",
    )
