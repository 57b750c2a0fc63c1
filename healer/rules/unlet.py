"""Steps that their targets do not let happen: the word that allows them is not among the target's keys."""

from collections.abc import Iterator, Mapping, Sequence

from healer.model.target import Target
from healer.model.verbs import VERBS
from healer.rules.findings import Finding
from healer.rules.rule import Rule, Step, steps_of

_WITHOUT = {"clear_cache": "page_cache"}
"""The parameter that makes a step do something else, which needs no word."""


def steps(rule: Rule, own: Sequence[Target], known: Mapping[str, Target]) -> Iterator[Finding]:
    """Each step that one of its targets will refuse, with the key that is missing; told once for a target and key."""
    told: set[tuple[str, str]] = set()
    for step in steps_of(rule):
        for target, key in _refused(step, own, known):
            if (target.id, key) not in told:
                told.add((target.id, key))
                yield Finding(
                    position=step.position or rule.position,
                    rule=rule.id,
                    what=f"{target.id} does not let '{step.action}' happen",
                    hint=f"declare {key}: with it, in organism.yaml",
                )


def _refused(step: Step, own: Sequence[Target], known: Mapping[str, Target]) -> Iterator[tuple[Target, str]]:
    verb = VERBS.get(step.action)
    if verb is None or step.params.get(_WITHOUT.get(step.action, "")):
        return
    # A step with a selection of its own is judged when it has chosen: what it will find nobody knows yet.
    targets = [known[step.target]] if step.target in known else [] if step.target or step.targets else own
    for target in targets:
        key = verb.needs.get(target.kind)
        if key is not None and not target.spec.get(key):
            yield target, key
