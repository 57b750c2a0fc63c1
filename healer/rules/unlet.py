"""Steps that their targets do not let happen, for want of a key, and parameters that mean nothing to their kind."""

from collections.abc import Iterator, Mapping, Sequence

from healer.model.target import Target
from healer.model.verb import Verb
from healer.model.verbs import VERBS
from healer.rules.findings import Finding
from healer.rules.rule import Rule, Step, steps_of

_WITHOUT = {"clear_cache": "page_cache"}
"""The parameter that makes a step do something else, which needs no word."""


def steps(rule: Rule, own: Sequence[Target], known: Mapping[str, Target]) -> Iterator[Finding]:
    """Each step that one of its targets will refuse, and each parameter that does nothing there; told once each."""
    told: set[str] = set()
    for step in steps_of(rule):
        verb = VERBS.get(step.action)
        # A step with a selection of its own is judged when it has chosen: what it will find nobody knows yet.
        targets = [known[step.target]] if step.target in known else [] if step.target or step.targets else own
        for what, hint in () if verb is None else (*_refused(step, verb, targets), *_idle(step, verb, targets)):
            if what not in told:
                told.add(what)
                yield Finding(position=step.position or rule.position, rule=rule.id, what=what, hint=hint)


def _refused(step: Step, verb: Verb, targets: Sequence[Target]) -> Iterator[tuple[str, str]]:
    if step.params.get(_WITHOUT.get(step.action, "")):
        return
    for target in targets:
        key = verb.needs.get(target.kind)
        if key is not None and not target.spec.get(key):
            yield f"{target.id} does not let '{step.action}' happen", f"declare {key}: with it, in organism.yaml"


def _idle(step: Step, verb: Verb, targets: Sequence[Target]) -> Iterator[tuple[str, str]]:
    for kind in dict.fromkeys(target.kind for target in targets if target.kind in verb.kinds):
        for name, param in verb.params.items():
            # What has a default stands among the parameters of every step.
            if param.kinds and kind not in param.kinds and step.params.get(name, param.default) != param.default:
                known = ", ".join(one for one, other in verb.params.items() if not other.kinds or kind in other.kinds)
                yield f"'{name}' of '{step.action}' means nothing for a {kind}", f"it has: {known}"
