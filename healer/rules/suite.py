"""Files of tests of rules to what `healer.rules.case` says, or every mistake in them at once."""

import datetime as dt
import zoneinfo
from collections.abc import Iterable, Mapping
from pathlib import Path

from healer.model.verb import Verb
from healer.model.verbs import VERBS
from healer.model.vocabulary import METRICS
from healer.rules.case import Case, Suite
from healer.rules.rule import RuleSet
from healer.rules.steps import position
from healer.rules.suite_fields import DEFAULTS, mark, shape
from healer.rules.units import Vocabulary
from healer.yamldoc import document
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import Items, Node, Table
from healer.yamldoc.shape import Bad, Values, suggestion


def load_suite(path: Path, *, vocabulary: Vocabulary = METRICS, verbs: Mapping[str, Verb] = VERBS) -> Suite:
    """Load one file of tests; raises ConfigError with every mistake in it. ``rule_files`` start at its folder."""
    problems = Problems()
    found = document.read(path, problems)
    suite = None
    if found is not None:
        try:
            _check_kind(found.root, problems)
            values: Values = shape(vocabulary, verbs).read(found.root, problems)
            files = tuple((path.parent / name) for name in values["rule_files"])
            _check_files(files, values.where("rule_files"), problems)
            suite = Suite(file=found.name, rule_files=files, cases=_cases(values))
            _check_targets(suite, problems)
        except Bad:
            suite = None
    if suite is None or problems:
        raise problems.error("tests")
    return suite


def check(suite: Suite, rules: RuleSet) -> None:
    """Raise ConfigError for what a test says of rules that are not in its ``rule_files``: it would never be asked."""
    problems, known = Problems(), [rule.id for rule in rules.rules]
    for case in suite.cases:
        for one in case.expect:
            if one.rule not in known:
                hint = suggestion(one.rule, known) or "look at rule_files"
                problems.add(mark(one.position), f"no rule '{one.rule}' in rule_files", hint)
    problems.check("tests")


def _check_kind(root: Node, problems: Problems) -> None:
    """Say of what is no file of tests what it is, instead of every key in it; raises Bad."""
    if isinstance(root, Table) and root.get("tests") is None and (entry := root.get("rules")):
        what = "of rules" if isinstance(entry.node, Items) else "of configuration"
        problems.add(entry.mark, f"this is a file {what}, not of tests", "healer check reads it; tests name rule_files")
        raise Bad


def _check_files(files: Iterable[Path], where: Mark, problems: Problems) -> None:
    """Find files under test that are not there."""
    for path in files:
        if not path.exists():
            near = suggestion(path.name, (one.name for one in sorted(path.parent.glob("*.yaml"))))
            hint = near if near.startswith("did") else "the path starts at the folder of this file"
            problems.add(where, f"there is no file {path}", hint)


def _check_targets(suite: Suite, problems: Problems) -> None:
    """Find targets that nobody declared: what is seen of them, or expected of them, is about nothing."""
    for case in suite.cases:
        known = [target.id for target in case.targets]
        named = [(one.target, one.position) for one in case.expect]
        lines = (*case.lines, *(line for cure in case.cures for line in cure.lines))
        named += [(dict(line.series.labels).get("target", ""), line.position) for line in lines]
        for name, place in named:
            if name and name not in known:
                near = suggestion(name, known) if known else ""
                hint = near if near.startswith("did") else "declare it: targets: of the file, or of this test"
                problems.add(mark(place), f"no target '{name}' here", hint)


def _cases(values: Values) -> tuple[Case, ...]:
    """The cases, with what the file says for all of them where they do not."""
    made = []
    for held in values["tests"]:
        shared = {key: values[key] if held[key] is None else held[key] for key in DEFAULTS}
        case = dict(held) | shared
        start = case["start"]
        case["start"] = None if start is None else _moment(start, case["tz"])
        made.append(Case(**case, position=position(held.mark)))
    return tuple(made)


def _moment(local: dt.datetime, zone: str) -> float:
    return local.replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()
