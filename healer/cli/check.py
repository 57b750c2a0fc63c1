"""``healer check``: every mistake at once, then what loads and is wrong all the same, then the worst it can do."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from healer.cli import show
from healer.cli.settings import Command, Settings, settings
from healer.errors import ConfigError

if TYPE_CHECKING:
    from healer.config import Config
    from healer.rules.findings import Finding
    from healer.rules.rule import RuleSet


@dataclass(slots=True)
class Found:
    """What was found."""

    problems: list[str] = field(default_factory=list)
    config: "Config | None" = None
    rules: "RuleSet | None" = None


@click.command(cls=Command)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--quiet", is_flag=True, help="Leave the worst-case rates out.")
def check(*, files: tuple[Path, ...], quiet: bool) -> int:
    """Check the configuration and its rules, or FILES (rules, or an organism.yaml).

    Mistakes are told as file:line:col: what (hint). Exit 0 clean, 1 findings, 2 invalid.
    """
    given = settings()
    found = _read(given, files)
    if found.problems or found.config is None or found.rules is None:
        return _invalid(given, found.problems)
    from healer.rules import bounds

    findings = (
        _unseen(found.config) + _unwitnessed(found.config, found.rules) + bounds.findings(found.rules, found.config)
    )
    rates = bounds.worst_case(found.rules, found.config)
    if given.json:
        show.as_json(
            {
                "problems": [],
                "findings": [
                    {"at": str(one.position), "rule": one.rule, "what": one.what, "hint": one.hint} for one in findings
                ],
                "rates": [
                    {"target": one.target, "action": one.action, "per_hour": one.per_hour, "per_day": one.per_day,
                     "rules": list(one.rules)}
                    for one in rates
                ],
            }
        )  # fmt: skip
        return 1 if findings else 0
    for one in findings:
        show.line(str(one))
    count = len(found.rules.rules)
    show.note(f"{count} rules in {len(found.rules.files)} files, {len(found.config.targets)} targets: "
              f"{len(findings)} findings")  # fmt: skip
    if not quiet:
        _rates(given, rates)
    return 1 if findings else 0


def _unseen(config: "Config") -> "list[Finding]":
    """Targets that load and that nothing looks at: a person would wait for them in vain."""
    from healer.rules.findings import Finding
    from healer.rules.rule import Position
    from healer.sensors.catalog import KINDS

    return [
        Finding(
            position=Position(file=config.source or "configuration", line=1, column=1),
            rule=target.id,
            what=f"nothing looks at targets of kind {target.kind} yet, and no action applies to them",
            hint="it stays unknown, and holds back what requires it",
        )
        for target in config.targets
        if target.kind not in {"program", *KINDS}  # one sensor looks at all programs
    ]


def _unwitnessed(config: "Config", rules: "RuleSet") -> "list[Finding]":
    """Witnesses and authorities that are named and cannot be asked, and rules that would wait for them in vain."""
    from healer.config import policy
    from healer.rules.findings import Finding
    from healer.rules.rule import Position

    here = Position(file=config.source or "configuration", line=1, column=1)
    because, roots = policy.trouble(config.audit.policy), policy.roots_trouble(config.audit.timestamps)
    found = [
        Finding(
            position=here,
            rule=key,
            what=what.removeprefix(f"{key}: "),
            hint="docs/witness.md and docs/timestamps.md show how",
        )
        for key, what in (("audit.policy", because), ("audit.timestamps", roots))
        if what
    ]
    if config.audit.policy and not because:
        return found
    hint = "name them in audit.policy, or leave witness: out"
    return found + [
        Finding(position=rule.position, rule=rule.id, what="it acts before witnesses only: there are none", hint=hint)
        for rule in rules.rules
        if rule.enabled and rule.witness == "before"
    ]


def _invalid(given: Settings, problems: Sequence[str]) -> int:
    if given.json:
        show.as_json({"problems": list(problems), "findings": [], "rates": []})
    else:
        for problem in problems:
            show.line(problem)
        show.note("1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes")
    return 2


def _rates(given: Settings, rates: Sequence[Any]) -> None:
    """What these rules can do at the very worst, all limits and cooldowns taken together."""
    rows = [(one.target, one.action, f"{one.per_hour}/h", f"{one.per_day}/day", one.rules) for one in rates]
    columns = ("TARGET", "ACTION", "AT MOST", "AND", "BY")
    show.table(given, columns, rows, empty="these rules act on nothing by themselves")


def _read(given: Settings, files: Sequence[Path]) -> Found:
    found = Found()
    configs = [path for path in files if is_config(path)]
    rules = [path for path in files if path not in configs]
    source = configs[0] if configs else Path(given.config) if given.config else None
    found.problems += [f"{path}: a second configuration; check them one by one" for path in configs[1:]]
    _read_config(found, source)
    # Rules are looked at even where the configuration is wrong: every mistake at once.
    _read_rules(found, rules)
    return found


def _read_config(found: Found, source: Path | None) -> None:
    from healer.config import load_config
    from healer.rules.vitals import check_vital

    try:
        found.config = load_config(source, environ=os.environ, check=check_vital)
    except ConfigError as exc:
        found.problems += exc.problems or (str(exc),)


def _read_rules(found: Found, files: Sequence[Path]) -> None:
    from healer.config.files import rule_files
    from healer.rules.load import load

    base = None
    try:
        if not files and found.config is not None:
            files, base = rule_files(found.config.rules), found.config.rules.base
        found.rules = load(files, base=base)
    except ConfigError as exc:
        found.problems += exc.problems or (str(exc),)


def is_config(path: Path) -> bool:
    """Whether a file looks like organism.yaml: it has keys that no file of rules has."""
    from healer.yamldoc import document
    from healer.yamldoc.mark import Problems
    from healer.yamldoc.node import Items, Table

    read = document.read(path, Problems())
    if read is None or not isinstance(read.root, Table):
        return path.name == "organism.yaml"
    rules = read.root.get("rules")
    keys = {entry.key for entry in read.root.entries}
    return bool(keys - {"version", "rules"}) or (rules is not None and not isinstance(rules.node, Items))
