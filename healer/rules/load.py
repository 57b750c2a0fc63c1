"""YAML files to a set of rules, or every mistake in them at once; never half a set."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healer.model.verbs import VERBS, Verb
from healer.model.vocabulary import METRICS
from healer.rules import expression, fields
from healer.rules.conditions import Read
from healer.rules.rule import Rule, RuleSet, Step
from healer.rules.steps import position
from healer.rules.units import Vocabulary
from healer.yamldoc import document
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import Items, Node, Table
from healer.yamldoc.shape import Bad, Record, Values


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
    problems.check("rules")
    return RuleSet(rules=tuple(loader.rules), hash=digest.hexdigest(), files=tuple(names))


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
        for step in values["then"]:
            self._check_step(step, problems)

    def _check_step(self, step: Step, problems: Problems) -> None:
        place = step.position
        if step.target or place is None:
            return
        mark = Mark(file=place.file, line=place.line, column=place.column)
        if self._verbs[step.action].needs_target:
            able = ", ".join(name for name, verb in self._verbs.items() if not verb.needs_target)
            hint = f"add each: or target:; without one there are: {able}"
            problems.add(mark, f"'{step.action}' needs a target, and the rule has none", hint)
        if step.verify and expression.mentions_target(step.verify.when):
            problems.add(mark, "{target} without a target", "add each: or target: to the rule")
