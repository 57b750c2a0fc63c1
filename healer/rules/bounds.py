"""What is known of rules before they run: findings a person should read, and the worst-case rate of actions."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from healer.model.limit import Brakes, Limit
from healer.model.mode import Mode, strictest
from healer.model.target import Target
from healer.model.verbs import VERBS
from healer.rules import findings as looks
from healer.rules.findings import Finding
from healer.rules.rule import Rule, RuleSet
from healer.rules.select import matches

HOUR, DAY = 3600.0, 86400.0
_SHARED = frozenset({"action+target", "target", "action", "host"})
"""Scopes that count across rules."""


class RuleDefaults(Protocol):
    """What the configuration says about rules that do not say."""

    @property
    def default_mode(self) -> Mode: ...  # noqa: D102 - a protocol's field


class OrganSettings(Protocol):
    """What the configuration says about one organ."""

    @property
    def mode(self) -> Mode: ...  # noqa: D102 - a protocol's field


class Settings(Protocol):
    """The parts of the configuration that matter here."""

    @property
    def mode(self) -> Mode: ...  # noqa: D102 - a protocol's field
    @property
    def rules(self) -> RuleDefaults: ...  # noqa: D102 - a protocol's field
    @property
    def organs(self) -> Mapping[str, OrganSettings]: ...  # noqa: D102 - a protocol's field
    @property
    def targets(self) -> Sequence[Target]: ...  # noqa: D102 - a protocol's field
    @property
    def limits(self) -> Brakes: ...  # noqa: D102 - a protocol's field
    @property
    def notify(self) -> Mapping[str, object]: ...  # noqa: D102 - a protocol's field


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most this often, whatever happens: all limits, cooldowns and ceilings of the host taken together."""

    target: str
    action: str
    per_hour: int
    per_day: int
    rules: tuple[str, ...]
    """The rules that could do it by themselves."""


def findings(ruleset: RuleSet, settings: Settings) -> list[Finding]:
    """Everything worth a person's look, in the order of the files. Rules that are switched off are left alone."""
    rules = [rule for rule in ruleset.rules if rule.enabled]
    found: list[Finding] = []
    for rule in rules:
        found += looks.of_rule(rule, settings.targets, settings.notify)
    found += looks.between(rules, {rule.id: {one.id for one in bound(rule, settings)} for rule in rules})
    places = {name: index for index, name in enumerate(ruleset.files)}
    return sorted(found, key=lambda one: (places.get(one.position.file, -1), one.position.line, one.position.column))


def bound(rule: Rule, settings: Settings) -> Iterator[Target]:
    """The targets the rule has now."""
    for target in settings.targets:
        if rule.target == target.id or (rule.each is not None and matches(rule.each, target)):
            yield target


def worst_case(ruleset: RuleSet, settings: Settings) -> list[Rate]:
    """How often each action can be taken on each target, by target and action; what cannot happen is not listed.

    Only rules whose strictest mode is approve or auto count: the others touch nothing. Quiet verbs (telling, waiting)
    are left out.
    """
    able: dict[tuple[str, str], list[tuple[Rule, int]]] = defaultdict(list)
    for rule in ruleset.rules:
        if not rule.enabled:
            continue
        for target_id, action, times in _acts(rule, settings):
            able[target_id, action].append((rule, times))
    return [
        Rate(
            target=target_id,
            action=action,
            per_hour=_bound(rules, HOUR, settings.limits),
            per_day=_bound(rules, DAY, settings.limits),
            rules=tuple(rule.id for rule, _ in rules),
        )
        for (target_id, action), rules in sorted(able.items())
    ]


def _acts(rule: Rule, settings: Settings) -> Iterator[tuple[str, str, int]]:
    """(target, verb, steps of the ladder with it) of everything the rule may do by itself."""
    known = {target.id: target for target in settings.targets}
    own = list(bound(rule, settings))
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for step in rule.then:
        if step.action in looks.QUIET_VERBS:
            continue
        subjects: Iterable[str] = [step.target] if step.target else [target.id for target in own] or ["host:"]
        if (rule.each or rule.target) and not step.target and not own:
            continue  # nothing selected is nothing done
        for subject in subjects:
            if _mode(rule, known.get(subject), settings) >= Mode.APPROVE and _able(step.action, subject):
                counted[subject, step.action] += 1
    yield from ((subject, action, times) for (subject, action), times in counted.items())


def _able(action: str, subject: str) -> bool:
    kinds = VERBS[action].kinds if action in VERBS else ("*",)
    return "*" in kinds or subject.partition(":")[0] in kinds


def _mode(rule: Rule, target: Target | None, settings: Settings) -> Mode:
    modes = [settings.mode, settings.rules.default_mode if rule.mode is None else rule.mode]
    organ = rule.organ or (target.organ if target else "")
    if organ in settings.organs:
        modes.append(settings.organs[organ].mode)
    if target:
        modes.append(target.mode)
    return strictest(modes)


def _bound(rules: Sequence[tuple[Rule, int]], window: float, brakes: Brakes) -> int:
    """Actions in any ``window`` seconds, over all rules that could take them."""
    shared = [_capped(rule, window, shared=True) for rule, _ in rules]
    single = [
        min(_capped(rule, window, shared=False), _cooled(rule, times, window), most)
        for (rule, times), most in zip(rules, shared, strict=True)
    ]
    host = brakes.actions_per_hour * math.ceil(window / HOUR)
    # Limits that count across rules: the most patient of the rules decides how many there can be in all.
    return int(min(sum(single), max(shared), host))


def _capped(rule: Rule, window: float, *, shared: bool) -> float:
    limits = [limit for limit in rule.limits if (limit.scope in _SHARED) is shared]
    return min((_most(limit, window) for limit in limits), default=math.inf)


def _most(limit: Limit, window: float) -> float:
    """In any ``window`` seconds: a sliding window of ``per`` can be filled once in each stretch of that length."""
    return limit.max * math.ceil(window / limit.per)


def _cooled(rule: Rule, times: int, window: float) -> float:
    # Rungs of one ladder do not wait for the cooldown; the next ladder does.
    return math.inf if rule.cooldown <= 0 else (math.floor(window / rule.cooldown) + 1) * times
