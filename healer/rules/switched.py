"""How far rules may go that do not say, rule by rule: the one line that switches a shipped rule on."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from healer.errors import ConfigError
from healer.model.mode import Mode, strictest
from healer.rules.rule import Rule, RuleSet


def switched(rules: RuleSet, modes: Mapping[str, Mode], *, place: str = "rules.modes") -> RuleSet:
    """The rules with these modes, by id or pattern; a rule that has a ``mode:`` of its own keeps it.

    An id goes before any pattern; where several patterns fit, the strictest mode wins. Raises ConfigError for an id or
    a pattern that fits no rule: somebody believes that something is switched on.
    """
    ids = [rule.id for rule in rules.rules]
    idle = [pattern for pattern in modes if not any(fnmatchcase(one, pattern) for one in ids)]
    if idle:
        raise ConfigError(
            "rules.modes names rules there are not", problems=tuple(_told(one, ids, place) for one in idle)
        )
    if not modes:
        return rules
    return replace(rules, rules=tuple(_one(rule, modes) for rule in rules.rules))


def _one(rule: Rule, modes: Mapping[str, Mode]) -> Rule:
    fits = [mode for pattern, mode in modes.items() if fnmatchcase(rule.id, pattern)]
    if rule.mode is not None or not fits:
        return rule
    return replace(rule, mode=modes.get(rule.id, strictest(fits)))


def _told(pattern: str, ids: list[str], place: str) -> str:
    near = difflib.get_close_matches(pattern, ids, n=1, cutoff=0.6)
    hint = f"did you mean '{near[0]}'?" if near else "healer rules list"
    return f"{place}: no rule is called '{pattern}' ({hint})"
