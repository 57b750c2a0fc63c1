"""The worst that rules can do: how often each action can be taken on each target, under all brakes together.

A bound is the smallest of several, each of which holds by itself; `Line` says what each of them is and why. They are
about what rules do by themselves: what a person commands is counted by the host's ceiling only, and a person who closes
a breaker lets the rules begin anew. An hour is any 60 minutes, a day any 24 hours.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from healer.model.limit import Brakes, Limit
from healer.rules import caps
from healer.rules.reach import Alike, Settings, Use, alike
from healer.rules.rule import Rule, RuleSet
from healer.rules.times import briefly

HOUR, DAY = 3600.0, 86400.0
ALL = "*"
"""Stands for every action on a target together."""
TOGETHER = "together"
SHARED = frozenset({"action+target", "target", "action", "host"})
"""Scopes that count across rules."""
_WHOLE = frozenset({"target", "host"})
"""Those of them that count every action on a target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One brake, and what it alone lets through."""

    of: str
    """The rule it belongs to, ``host``, or ``together``."""
    because: str
    per_hour: float
    per_day: float
    """Infinity where it bounds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most this often, whatever happens: all limits, cooldowns and ceilings of the host taken together."""

    target: str
    action: str
    """A verb, or ``*`` for everything together."""
    per_hour: int
    per_day: int
    rules: tuple[str, ...]
    """The rules that could do it by themselves."""
    lines: tuple[Line, ...] = ()
    """What the two numbers follow from."""


_Known = dict[object, list[Line]]
"""The lines of rules that are the same on many targets."""


def worst_case(ruleset: RuleSet, settings: Settings) -> list[Rate]:
    """How often each action can be taken on each target, by target and action; what cannot happen is not listed.

    Only rules whose strictest mode is approve or auto count: the others touch nothing. Quiet verbs (telling, waiting)
    are left out. Where several verbs can be used on one target, their sum has a line of its own (``*``).
    """
    rules = [rule for rule in ruleset.rules if rule.enabled]
    known: _Known = {}
    return sorted(
        (
            Rate(target=target.id, **told)  # type: ignore[arg-type]  # a Rate but for its target
            for group in alike(rules, settings)
            for told in _group(group, settings.limits, known)
            for target in group.targets
        ),
        key=lambda rate: (rate.target, rate.action == ALL, rate.action),
    )


def _group(group: Alike, brakes: Brakes, known: _Known) -> Iterator[dict[str, object]]:
    """The rates of one of many targets that are alike."""
    by_action: dict[str, list[Use]] = defaultdict(list)
    for use in group.uses:
        by_action[use.action].append(use)
    single = [(action, _lines(uses, brakes, known, alone=True)) for action, uses in by_action.items()]
    for action, lines in single:
        yield _told(action, lines, by_action[action])
    if len(single) > 1:
        hour, day = (sum(_least(lines)[at] for _, lines in single) for at in (0, 1))
        parts = Line(of=TOGETHER, because="the sum of its actions", per_hour=hour, per_day=day)
        yield _told(ALL, [parts, *_lines(group.uses, brakes, known, alone=False)], group.uses)


def _told(action: str, lines: Sequence[Line], uses: Iterable[Use]) -> dict[str, object]:
    hour, day = _least(lines)
    named = tuple(dict.fromkeys(use.rule.id for use in uses))
    return {"action": action, "per_hour": int(hour), "per_day": int(day), "rules": named, "lines": tuple(lines)}


def _least(lines: Iterable[Line]) -> tuple[float, float]:
    """What the lines that hold for everything together let through."""
    whole = [line for line in lines if line.of in {"host", TOGETHER}]
    return min(line.per_hour for line in whole), min(line.per_day for line in whole)


def _lines(uses: Sequence[Use], brakes: Brakes, known: _Known, *, alone: bool) -> list[Line]:
    """Every brake on these uses of one target; ``alone`` where they are of one and the same action."""
    ceiling = Limit(max=brakes.actions_per_hour, per=HOUR, scope="host")
    host = _line("host", f"actions_per_hour: {ceiling.max}", lambda window: caps.room([ceiling], window))
    if any(use.hook for use in uses):
        return [host]  # what is done in passing is counted by the host's ceiling alone
    by_rule: dict[str, list[Use]] = defaultdict(list)
    for use in uses:
        by_rule[use.rule.id].append(use)
    lines: list[Line] = []
    least: dict[str, tuple[float, float]] = {}
    for name, mine in by_rule.items():
        sole = len(by_rule) == 1
        key = name, alone, sole, tuple((use.times, use.instances) for use in mine)
        if key not in known:
            known[key] = list(_of_rule(mine, brakes, alone=alone, sole=sole))
        own = known[key]
        least[name] = min(line.per_hour for line in own), min(line.per_day for line in own)
        lines += own
    hour, day = (sum(pair[at] for pair in least.values()) for at in (0, 1))
    because = "the smallest of these" if len(by_rule) == 1 else "each rule at its most"
    lines.append(Line(of=TOGETHER, because=because, per_hour=hour, per_day=day))
    rules = [mine[0].rule for mine in by_rule.values()]
    if len(rules) > 1:
        lines += _across(rules, least, SHARED if alone else _WHOLE)
    return [*lines, host]


def _of_rule(mine: Sequence[Use], brakes: Brakes, *, alone: bool, sole: bool) -> Iterator[Line]:
    """The brakes of one rule on what it may do to one target."""
    rule = mine[0].rule
    limits = [limit for limit in rule.limits if alone or limit.scope in {*_WHOLE, "rule"}]
    if limits:
        because = "limits: " + ", ".join(_spelt(limit) for limit in limits)
        yield _line(rule.id, because, lambda window: caps.room(limits, window))
    pauses = f"backoff: {briefly(rule.backoff.initial)} growing to {briefly(rule.backoff.max)}"
    yield _line(rule.id, pauses, lambda window: caps.paused(rule.backoff, window))
    # Only where nobody else's success could close the count of failures, and one incident at a time is about it.
    if sole and rule.cooldown > 0 and all(use.instances == 1 for use in mine):
        tries = brakes.breaker_opens_after * sum(use.times for use in mine)
        because = f"cooldown: {briefly(rule.cooldown)} between incidents, {tries} tries in each until the breaker opens"
        yield _line(rule.id, because, lambda window: tries * caps.incidents(rule.cooldown, window))


def _across(rules: Sequence[Rule], least: dict[str, tuple[float, float]], scopes: Collection[str]) -> Iterator[Line]:
    """Limits that count what other rules do: whoever acts last has seen all that the others did.

    For each length of window: rules that look back at least so far cannot do more, all together, than the most patient
    of them allows; the others come on top of it.
    """
    shared = {rule.id: [limit for limit in rule.limits if limit.scope in scopes] for rule in rules}
    lengths = sorted({limit.per for limits in shared.values() for limit in limits})
    everybody: list[Limit] = []
    for per in lengths:
        most = {
            name: min(limit.max for limit in limits if limit.per >= per)
            for name, limits in shared.items()
            if any(limit.per >= per for limit in limits)
        }
        limit = Limit(max=max(most.values()), per=per)
        others = [name for name in least if name not in most]
        if not others:
            everybody.append(limit)
        elif len(most) > 1:
            hour, day = (sum(least[name][at] for name in others) for at in (0, 1))
            yield Line(
                of=TOGETHER,
                because=f"{len(most)} rules share {limit.max} per {briefly(per)}, and {len(others)} more at their most",
                per_hour=caps.room([limit], HOUR) + hour,
                per_day=caps.room([limit], DAY) + day,
            )
    if everybody:
        because = "counted across rules: " + ", ".join(f"{one.max} per {briefly(one.per)}" for one in everybody)
        yield _line(TOGETHER, because, lambda window: caps.room(everybody, window))


def _line(of: str, because: str, count: Callable[[float], float]) -> Line:
    return Line(of=of, because=because, per_hour=count(HOUR), per_day=count(DAY))


def _spelt(limit: Limit) -> str:
    return f"{limit.max} per {briefly(limit.per)}" + ("" if limit.scope == "action+target" else f" ({limit.scope})")
