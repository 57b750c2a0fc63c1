"""YAML files to a set of rules, or every mistake in them at once; never half a set."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healer import plugged
from healer.model.verb import Verb
from healer.model.verbs import VERBS
from healer.model.vocabulary import METRICS
from healer.rules import expression, fields, references
from healer.rules.calendars import except_for
from healer.rules.conditions import Read
from healer.rules.rule import Position, Rule, RuleSet, Step, flattened, steps_of
from healer.rules.steps import position
from healer.rules.units import Vocabulary
from healer.yamldoc import document
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import Items, Node, Table
from healer.yamldoc.shape import Bad, Record, Values, suggestion


def load(
    files: Sequence[Path],
    *,
    vocabulary: Vocabulary = METRICS,
    verbs: Mapping[str, Verb] = VERBS,
    base: Path | None = None,
) -> RuleSet:
    """Load a set of rules; raises ConfigError listing every mistake of every file.

    Files are named relative to ``base`` in messages, where they lie below it. No files at all is an empty set, which
    does nothing; whether that was meant is for the caller to say.
    """
    problems = Problems()
    loader = _Loader(problems, vocabulary, verbs)
    digest = hashlib.sha256()
    names = []
    for path in files:
        found = document.read(path, problems, name=_shown(path, base))
        if found is None:
            continue
        names.append(found.name)
        digest.update(f"{path.name}\0{found.sha256}\n".encode())
        loader.take(found.root)
    loader.check_starts()
    loader.check_references()
    blame_plugins(problems)
    problems.check("rules")
    return RuleSet(rules=tuple(loader.rules), hash=digest.hexdigest(), files=tuple(names))


def blame_plugins(problems: Problems) -> None:
    """Where something is unknown, a plug-in that was left out may be why."""
    if problems:
        for where, because in plugged.FAILED.items():
            problems.add(Mark(file=where, line=1, column=1), f"this plug-in was left out: {because}", "mend it")


def _shown(path: Path, base: Path | None) -> str:
    return str(path.relative_to(base)) if base and path.is_relative_to(base) else str(path)


class _Loader:
    """Takes one document after the other; knows the ids seen so far."""

    def __init__(self, problems: Problems, vocabulary: Vocabulary, verbs: Mapping[str, Verb]) -> None:
        self.rules: list[Rule] = []
        self._problems = problems
        self._verbs = verbs
        self._ids: dict[str, Mark] = {}
        self._document: Record = fields.document(vocabulary, verbs, self._rule)

    def take(self, root: Node) -> None:
        """Add the rules of one file."""
        self._know_ids(root)
        try:
            values: Values = self._document.read(root, self._problems)
        except Bad:
            return
        self.rules.extend(values["rules"])

    def _know_ids(self, root: Node) -> None:
        """Find ids written twice, also of rules that have mistakes."""
        rules = root.get("rules") if isinstance(root, Table) else None
        for node in rules.node.items if rules and isinstance(rules.node, Items) else ():
            entry = node.get("id") if isinstance(node, Table) else None
            word = getattr(entry.node, "value", None) if entry else None
            if entry is None or not isinstance(word, str):
                continue
            if word in self._ids:
                self._problems.add(entry.node.mark, f"the id '{word}' is taken", f"first at {self._ids[word]}")
            else:
                self._ids[word] = entry.node.mark

    def _rule(self, values: Values, problems: Problems) -> Rule:
        """One rule from its values; raises Bad after what does not fit together is noted."""
        before = len(problems.found)
        self._check_binding(values, problems)
        if len(problems.found) > before:
            raise Bad
        when, clear = values["when"], values["clear"]
        held: dict[str, Any] = dict(values)
        held |= {"when": when.expr, "when_source": when.source, "clear": clear.expr if clear else None}
        held["for_"] = held.pop("for")
        held["spelled_out"] = held.pop("i_mean_it")
        held["active"] = except_for(held["active"], held.pop("not_in"))
        return Rule(position=position(values.mark), **held)

    def _check_binding(self, values: Values, problems: Problems) -> None:
        """A rule is about each of a selection, about one target, or about the host: then it can act on none."""
        if values["each"] and values["target"]:
            problems.add(values.where("target"), "a rule has each or target, not both", "remove one of them")
        if values["each"] or values["target"]:
            return
        for key, read in (("when", values["when"]), ("clear", values["clear"])):
            if isinstance(read, Read) and expression.mentions_target(read.expr):
                problems.add(values.where(key), "{target} without a target", "add each: or target: to the rule")
        hooks = [values[name] for name in ("on_fire", "on_attempt_failed", "on_recovered", "on_withheld")]
        for steps in (values["then"], values["on_exhausted"].steps, *hooks):
            for step in flattened(steps):
                self._check_step(step, problems)

    def _check_step(self, step: Step, problems: Problems) -> None:
        place = step.position
        if step.target or step.targets or place is None:
            return
        mark = _mark(place)
        if step.action in self._verbs and self._verbs[step.action].needs_target:
            able = ", ".join(name for name, verb in self._verbs.items() if not verb.needs_target)
            hint = f"add each: or target:; without one there are: {able}"
            problems.add(mark, f"'{step.action}' needs a target, and the rule has none", hint)
        asked = [one.test for one in (step.branch, step.wait_for) if one]
        tests = [one.when for one in (step.verify, step.only_if, *asked) if one]
        if any(expression.mentions_target(one) for one in tests):
            problems.add(mark, "{target} without a target", "add each: or target: to the rule")

    def check_references(self) -> None:
        """Note what rules refer to and is not there, and rules that wait for each other."""
        # A rule with mistakes of its own is not among them, and still is there.
        for rule, what, hint in (
            *references.missing(self.rules, known=self._ids),
            *references.circles(self.rules),
            *references.unbound(self.rules),
        ):
            self._problems.add(_mark(rule.position), f"{rule.id}: {what}", hint)

    def check_starts(self) -> None:
        """Note the steps that start a rule which is not there, or their own."""
        for rule in self.rules:
            for step in steps_of(rule):
                if step.starts == rule.id and step.position:
                    self._problems.add(_mark(step.position), "a rule that starts itself", "name another rule")
                elif step.starts and step.starts not in self._ids and step.position:
                    hint = suggestion(step.starts, self._ids)
                    self._problems.add(_mark(step.position), f"there is no rule '{step.starts}'", hint)
        self._check_circles()

    def _check_circles(self) -> None:
        """Note rules that start each other: nothing would ever end that."""
        starts = {rule.id: [step for step in steps_of(rule) if step.starts] for rule in self.rules}
        done: set[str] = set()
        for first, steps in starts.items():
            path: list[str] = [first]
            waiting = [iter(steps if first not in done else ())]
            while waiting:
                step = next(waiting[-1], None)
                if step is None:
                    done.add(path.pop())
                    waiting.pop()
                elif step.starts in path and step.starts != path[-1] and step.position:
                    circle = " -> ".join([*path[path.index(step.starts) :], step.starts])
                    self._problems.add(_mark(step.position), f"rules that start each other: {circle}", "remove one")
                elif step.starts in starts and step.starts not in done and step.starts not in path:
                    path.append(step.starts)
                    waiting.append(iter(starts[step.starts]))


def _mark(place: Position) -> Mark:
    return Mark(file=place.file, line=place.line, column=place.column)
