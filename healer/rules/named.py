"""Patterns asked for by name: each must be declared by the log or journal that is asked, and take what steps use."""

from collections.abc import Iterator, Mapping, Sequence

from healer.model.placeholders import BINDING
from healer.model.target import Target
from healer.patterns import names
from healer.rules.findings import Finding
from healer.rules.references import conditions
from healer.rules.rule import Rule, steps_of
from healer.rules.syntax import Expr, Heard, Matched, Over, of_pattern, walk
from healer.yamldoc.shape import suggestion


def missing(rule: Rule, own: Sequence[Target], known: Mapping[str, Target]) -> Iterator[Finding]:
    """What a rule asks of patterns that are not there; ``own`` are the targets it is bound to."""
    told: set[str] = set()
    for expr in conditions(rule):
        for target, pattern in _asked(expr, own, known):
            declared = target.spec.get("patterns") or {}
            what = f"{target.id} declares no pattern '{pattern}'"
            if pattern not in declared and what not in told:
                told.add(what)
                yield _finding(rule, what, suggestion(pattern, declared) or "declare it under patterns:")
    yield from _untaken(rule, own, known)


def _asked(expr: Expr, own: Sequence[Target], known: Mapping[str, Target]) -> Iterator[tuple[Target, str]]:
    """Each pattern by name, with each declared target that is asked for it."""
    for node in walk(expr):
        found = of_pattern(node) if isinstance(node, Over) else None
        if found is None:
            continue
        kind, matchers = found
        said = {one.label: one.value for one in matchers if one.op == "="}
        pattern, asked = said.get("pattern"), said.get("target", "")
        targets = own if asked is None else [known[asked]] if asked in known else []
        yield from ((target, pattern) for target in targets if pattern and target.kind == kind)


def _untaken(rule: Rule, own: Sequence[Target], known: Mapping[str, Target]) -> Iterator[Finding]:
    """``{capture.NAME}`` that none of the patterns takes; where none has a name, loading has told already."""
    asked = list(_asked(rule.when, own, known))
    if not asked:
        return
    plain = [node.pattern for node in walk(rule.when) if isinstance(node, Heard | Matched) and node.pattern]
    declared = [(target.spec.get("patterns") or {}).get(pattern, "") for target, pattern in asked]
    taken = {name for pattern in (*plain, *filter(None, declared)) for name in names(pattern)}
    words = [
        word
        for step in steps_of(rule)
        for many in step.params.values()
        if isinstance(many, list | tuple)
        for word in many
    ]
    for word in dict.fromkeys(one for one in words if isinstance(one, str)):
        found = BINDING.fullmatch(word)
        if found and found[1].startswith("capture.") and found[1].removeprefix("capture.") not in taken:
            yield _finding(rule, f"no pattern takes {word}", f"taken are: {', '.join(sorted(taken)) or 'nothing'}")


def _finding(rule: Rule, what: str, hint: str) -> Finding:
    return Finding(position=rule.position, rule=rule.id, what=what, hint=hint)
