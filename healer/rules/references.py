"""What rules refer to: a rule that is asked for must exist, none may wait for itself, and captures must be taken."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from healer.model.placeholders import BINDING
from healer.model.verbs import VERBS
from healer.patterns import names
from healer.rules.rule import Rule, Step, steps_of
from healer.rules.syntax import Expr, Heard, Matched, Over, of_pattern, selectors, walk
from healer.yamldoc.shape import suggestion


def missing(rules: Sequence[Rule], *, known: Iterable[str]) -> Iterator[tuple[Rule, str, str]]:
    """Every rule that asks for the state of one that is not ``known``, with what is wrong and a hint."""
    ids = tuple(known)
    for rule in rules:
        for name in dict.fromkeys(name for expr in conditions(rule) for name in named(expr)):
            if name not in ids:
                yield rule, f"there is no rule '{name}'", suggestion(name, ids)


def circles(rules: Sequence[Rule]) -> Iterator[tuple[Rule, str, str]]:
    """Every circle of rules whose ``when`` or ``clear`` waits for the state of the next, each told once."""
    after = {rule.id: [name for expr in _waits(rule) for name in named(expr)] for rule in rules}
    done: set[str] = set()
    for rule in rules:
        if path := _circle(rule.id, after, done):
            yield rule, f"rules that wait for each other: {' -> '.join(path)}", "break the circle"


def unbound(rules: Sequence[Rule]) -> Iterator[tuple[Rule, str, str]]:
    """Every ``{capture.NAME}`` in its steps that no pattern takes, every ``{event.NAME}`` that no event brings."""
    for rule in rules:
        # Which names a pattern of a log or a journal takes, stands where the target is declared.
        elsewhere = any(isinstance(node, Over) and of_pattern(node) is not None for node in walk(rule.when))
        taken = {name for node in walk(rule.when) if isinstance(node, Heard | Matched) for name in names(node.pattern)}
        words = [word for step in steps_of(rule) for word in _words(step)]
        for word in dict.fromkeys(words):
            found = BINDING.fullmatch(word)
            kind, _, name = found[1].partition(".") if found else ("", "", "")
            if kind == "capture" and name not in taken and not elsewhere:
                known = ", ".join(sorted(taken)) or 'nothing: write matched(..., "... {name} ...") in when'
                yield rule, f"no pattern takes {word}", f"taken are: {known}"
            if kind == "event" and rule.trigger.kind != "event":
                yield rule, f"no event starts this rule, so {word} is never known", "trigger: {event: TOPIC}"


def _words(step: Step) -> Iterator[str]:
    """What may be a placeholder: elements of lists, and values of mappings that have slots."""
    verb = VERBS.get(step.action)
    for name, value in step.params.items():
        slots = verb is not None and name in verb.params and verb.params[name].slots
        many = value.values() if slots and isinstance(value, Mapping) else value
        if slots or isinstance(many, list | tuple):
            yield from (one for one in many if isinstance(one, str))


def named(expr: Expr) -> tuple[str, ...]:
    """Ids of the rules a condition asks for by name."""
    asked = [
        matcher.value
        for select in selectors(expr)
        for matcher in select.matchers
        if select.metric == "rule.state" and matcher.label == "rule" and matcher.op == "=" and matcher.value
    ]
    return tuple(dict.fromkeys(asked))


def conditions(rule: Rule) -> Iterator[Expr]:
    """Every condition of a rule, those of its steps too."""
    yield from _waits(rule)
    for step in steps_of(rule):
        asked = [one.test for one in (step.branch, step.wait_for) if one]
        yield from (one.when for one in (step.verify, step.only_if, *asked) if one)


def _waits(rule: Rule) -> Iterator[Expr]:
    yield rule.when
    if rule.clear is not None:
        yield rule.clear


def _circle(start: str, after: Mapping[str, Sequence[str]], done: set[str]) -> list[str]:
    """The first circle found by walking on from a rule; empty when there is none that was not told before."""
    path: list[str] = []
    on_path: set[str] = set()
    waiting: list[tuple[str, int]] = [(start, 0)]  # no recursion: a chain may be as long as there are rules
    while waiting:
        name, depth = waiting.pop()
        while len(path) > depth:
            left = path.pop()
            on_path.discard(left)
            done.add(left)
        if name in on_path:
            done.update(path)
            return [*path[path.index(name) :], name]
        if name in done or name not in after:
            continue
        path.append(name)
        on_path.add(name)
        waiting += [(other, depth + 1) for other in after[name]]
    done.update(path)
    return []
