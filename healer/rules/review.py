"""Everything worth a person's look in a set of rules that loads."""

from healer.rules import findings as looks
from healer.rules import named, unlet
from healer.rules.fights import fights
from healer.rules.findings import Finding
from healer.rules.loops import loops
from healer.rules.reach import Settings, alike, bindings
from healer.rules.rule import RuleSet
from healer.rules.subjects import Subjects
from healer.rules.timing import too_short


def findings(ruleset: RuleSet, settings: Settings) -> list[Finding]:
    """All findings, in the order of the files. Rules that are switched off are left alone."""
    rules = [rule for rule in ruleset.rules if rule.enabled]
    known = {target.id: target for target in settings.targets}
    names = looks.Names(
        targets=frozenset(known),
        channels=tuple(settings.notify),
        unready=frozenset(name for name, one in known.items() if ("check", "readiness") in one.labels),
    )
    subjects = Subjects(known)
    found: list[Finding] = []
    for rule, bound in zip(rules, bindings(rules, settings.targets), strict=True):
        found += looks.of_rule(rule, names)
        own = [settings.targets[place] for place in bound]
        found += subjects.findings(rule, own)
        found += too_short(rule, own, known)
        found += named.missing(rule, own, known)
        found += unlet.steps(rule, own, known)
    groups = alike(rules, settings)
    found += fights(rules, groups)
    found += loops(rules, groups)
    places = {name: index for index, name in enumerate(ruleset.files)}
    return sorted(found, key=lambda one: (places.get(one.position.file, -1), one.position.line, one.position.column))
