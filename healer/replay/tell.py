"""A story in numbers: per rule what it would have done, and how two sets of rules differ."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from healer.replay.play import Story, Would
from healer.rules.rule import Rule

Json = dict[str, Any]


def summary(story: Story, rules: Sequence[Rule]) -> list[Json]:
    """One line a rule, in the order of the files."""
    return [_rule(story, rule) for rule in rules if rule.enabled]


def _rule(story: Story, rule: Rule) -> Json:
    would = [one for one in story.would if one.rule == rule.id]
    sure = [one for one in would if one.first]
    return {
        "rule": rule.id,
        "file": str(rule.position),
        "fired": sum(1 for name, _, _ in story.fired if name == rule.id),
        "would": dict(Counter(one.action for one in sure)),
        "further": dict(Counter(one.action for one in would if not one.first)),
        "withheld": dict(Counter(one.gate for one in story.withheld if one.rule == rule.id)),
        "proved": sum(one.verdict == "verified" for one in sure),
        "unproved": sum(one.verdict != "verified" for one in sure),
        "never_recorded": list(story.blind.get(rule.id, ())),
        "apart": story.apart.get(rule.id, ""),
    }


def events(story: Story) -> list[Json]:
    """Everything that would have happened, in order of time; ``at`` is seconds since 1970."""
    found: list[Json] = [
        {"at": at, "what": "fired", "rule": rule, "target": target} for rule, target, at in story.fired
    ]
    found += [
        {"at": one.at, "what": "would", "rule": one.rule, "target": one.target, "action": one.action,
         "first": one.first, "verdict": one.verdict}
        for one in story.would
    ]  # fmt: skip
    found += [
        {"at": one.at, "what": "withheld", "rule": one.rule, "target": one.target, "action": one.action,
         "gate": one.gate, "because": one.because}
        for one in story.withheld
    ]  # fmt: skip
    return sorted(found, key=lambda one: one["at"])


def differences(old: Story, new: Story) -> list[Json]:
    """Which actions on which targets there would have been more of, or fewer; the largest difference first."""
    before, after = _acts(old.would), _acts(new.would)
    changed = [
        {
            "action": action,
            "target": target,
            "old": sum(before.get((action, target), {}).values()),
            "new": sum(after.get((action, target), {}).values()),
            "rules_old": dict(before.get((action, target), {})),
            "rules_new": dict(after.get((action, target), {})),
        }
        for action, target in before.keys() | after.keys()
        if before.get((action, target)) != after.get((action, target))
    ]
    return sorted(changed, key=lambda one: (-abs(one["new"] - one["old"]), one["target"], one["action"]))


def _acts(would: Sequence[Would]) -> Mapping[tuple[str, str], Counter[str]]:
    """Actions that rest on no other: by what and on whom, how many by each rule."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for one in would:
        if one.first:
            found.setdefault((one.action, one.target), Counter())[one.rule] += 1
    return found


def said(difference: Json) -> str:
    """``11 more restarts of program:nginx (3 -> 14)``."""
    more = difference["new"] - difference["old"]
    action = difference["action"] + ("" if abs(more) == 1 else "s")
    rules = ", ".join(sorted({*difference["rules_old"], *difference["rules_new"]}))
    amount = f"{abs(more)} {'more' if more > 0 else 'fewer'} {action}" if more else f"as many {action}, by other rules"
    return f"{amount} of {difference['target']} ({difference['old']} -> {difference['new']}; {rules})"
