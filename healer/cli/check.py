"""``healer check``: every mistake at once, then what loads and is wrong all the same, then the worst it can do."""

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from healer.cli import configured, show
from healer.cli.settings import Command, Settings, settings
from healer.errors import ConfigError

if TYPE_CHECKING:
    from healer.config import Config
    from healer.model.limit import Ceiling
    from healer.rules.bounds import Line, Rate
    from healer.rules.findings import Finding
    from healer.rules.rule import RuleSet

_FEW = 4
"""Names of rules in one line of the table; the rest are counted."""


@dataclass(slots=True)
class Found:
    """What was found."""

    problems: list[str] = field(default_factory=list)
    config: "Config | None" = None
    rules: "RuleSet | None" = None


def _ceilings(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> "tuple[Ceiling, ...]":
    from healer.config import rates
    from healer.yamldoc.shape import Mistake

    try:
        return tuple(rates.ceiling(text) for text in given)
    except Mistake as exc:
        raise click.BadParameter(f"{exc.what} ({exc.hint})") from exc


@click.command(cls=Command)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--quiet", is_flag=True, help="Leave the worst-case rates out.")
@click.option("--max-rate", "given_rates", multiple=True, metavar="[VERB=]N/h|N/d", callback=_ceilings,
              help="The most that rules may do to one target: 5/h, restart=5/h, 20/d. More is a finding.")  # fmt: skip
@click.option("--explain-bounds", is_flag=True, help="Derive each worst-case rate, brake by brake.")
def check(*, files: tuple[Path, ...], quiet: bool, given_rates: "tuple[Ceiling, ...]", explain_bounds: bool) -> int:
    """Check the configuration and its rules, or FILES (rules, an organism.yaml, or the folder it is in).

    Mistakes are told as file:line:col: what (hint). Exit 0 clean, 1 findings, 2 invalid.
    """
    with _uncollected():
        return _check(settings(), files, given_rates, shown="bounds" if explain_bounds else "" if quiet else "rates")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: all that is read is kept until the end, and going over it costs a quarter more."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _check(given: Settings, files: Sequence[Path], given_rates: "Sequence[Ceiling]", *, shown: str) -> int:
    found = _read(given, files)
    if found.problems or found.config is None or found.rules is None:
        return _invalid(given, found.problems)
    from healer.rules import bounds, ceiling, review

    rates = bounds.worst_case(found.rules, found.config)
    over = ceiling.exceeded(found.rules, rates, (*found.config.limits.max_rate, *given_rates))
    findings = (
        _left_out(found.config) + _unwitnessed(found.config, found.rules) + review.findings(found.rules, found.config)
    )
    verdict = 1 if findings or over else 0
    if given.json:
        show.as_json(
            {
                "problems": [],
                "exceeded": [_plain(one) for one in over],
                "findings": [_plain(one) for one in findings],
                "rates": [_plain_rate(one, explained=shown == "bounds") for one in rates],
            }
        )
        return verdict
    _told([*over, *findings])
    show.note(_summary(found.rules, found.config, len(findings), len(over)))
    if shown == "bounds":
        _derived(rates)
    elif shown:
        _rates(given, rates)
    return verdict


def _summary(rules: "RuleSet", config: "Config", findings: int, over: int) -> str:
    read = f"{show.count(len(rules.rules), 'rule')} in {show.count(len(rules.files), 'file')}"
    above = f", {over} above a ceiling" if over else ""
    return f"{read}, {show.count(len(config.targets), 'target')}: {show.count(findings, 'finding')}{above}"


def _told(findings: "Sequence[Finding]") -> None:
    """One line each, as editors and terminals make a link of; file by file, with a gap between files."""
    files = dict.fromkeys(one.position.file for one in findings)
    for number, file in enumerate(files):
        if number:
            show.line()
        for one in findings:
            if one.position.file == file:
                show.line(str(one))


def _plain(one: "Finding") -> dict[str, str]:
    return {"at": str(one.position), "rule": one.rule, "what": one.what, "hint": one.hint}


def _plain_rate(one: "Rate", *, explained: bool) -> dict[str, object]:
    plain: dict[str, object] = {
        "target": one.target,
        "action": one.action,
        "per_hour": one.per_hour,
        "per_day": one.per_day,
        "rules": list(one.rules),
    }
    if explained:
        plain["because"] = [
            {
                "of": line.of,
                "because": line.because,
                "per_hour": _finite(line.per_hour),
                "per_day": _finite(line.per_day),
            }
            for line in one.lines
        ]
    return plain


def _finite(count: float) -> int | None:
    """A whole number, or nothing where that brake bounds nothing."""
    return None if count == float("inf") else int(count)


def _left_out(config: "Config") -> "list[Finding]":
    """Plug-ins that are named and could not be taken up: the agent would go on without them."""
    from healer import plugged
    from healer.rules.findings import Finding
    from healer.rules.rule import Position

    here = Position(file=config.source or "configuration", line=1, column=1)
    return [
        Finding(position=here, rule="plugins", what=f"{where} is left out: {because}", hint="mend it")
        for where, because in plugged.FAILED.items()
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
        show.as_json({"problems": list(problems), "exceeded": [], "findings": [], "rates": []})
    else:
        for problem in problems:
            show.line(problem)
        show.note(show.count(len(problems), "mistake"))
    return 2


def _rates(given: Settings, rates: "Sequence[Rate]") -> None:
    """What these rules can do at the very worst, all limits and cooldowns taken together."""
    rows = [
        (_named(targets), one.action, f"{one.per_hour}/h", f"{one.per_day}/day", _few(one.rules))
        for one, targets in _alike(rates)
    ]
    columns = ("TARGET", "ACTION", "AT MOST", "AND", "BY")
    show.table(given, columns, rows, empty="these rules act on nothing by themselves")


def _derived(rates: "Sequence[Rate]") -> None:
    """Every rate with all brakes that bound it; the arrows point at those that decide."""
    for one, targets in _alike(rates):
        action = "everything together" if one.action == "*" else one.action
        show.line(f"{_named(targets)}: {action} at most {one.per_hour} an hour, {one.per_day} a day")
        width = max(len(line.of) for line in one.lines)
        for line in one.lines:
            hour, day = _count(line.per_hour), _count(line.per_day)
            arrow = _decides(line, one)
            show.line(f"  {line.of.ljust(width)}  {hour:>8}/h  {day:>8}/day  {line.because}{arrow}")


def _decides(line: "Line", one: "Rate") -> str:
    if line.of not in {"host", "together"}:
        return ""
    pairs = (("h", line.per_hour == one.per_hour), ("day", line.per_day == one.per_day))
    units = [unit for unit, least in pairs if least]
    return f"  <- {' and '.join(units)}" if units else ""


def _count(count: float) -> str:
    return "-" if count == float("inf") else f"{count:.0f}"


def _alike(rates: "Sequence[Rate]") -> "list[tuple[Rate, list[str]]]":
    """Rates that differ by their target only are one line."""
    found: dict[object, tuple[Rate, list[str]]] = {}
    for one in rates:
        key = (one.action, one.per_hour, one.per_day, one.rules)
        found.setdefault(key, (one, []))[1].append(one.target)
    return list(found.values())


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more


def _named(targets: Sequence[str]) -> str:
    return targets[0] if len(targets) == 1 else f"{targets[0]} and {len(targets) - 1} more"


def _read(given: Settings, files: Sequence[Path]) -> Found:
    found = Found()
    files = tuple(path / "organism.yaml" if path.is_dir() else path for path in files)
    configs = [path for path in files if is_config(path)]
    rules = [path for path in files if path not in configs]
    source = configs[0] if configs else Path(given.config) if given.config else None
    show.note(configured.said(source, instead=f"checked {'against the shipped one' if rules else 'the shipped rules'}"))
    found.problems += [f"{path}: a second configuration; check them one by one" for path in configs[1:]]
    _read_config(found, source)
    # Rules are looked at even where the configuration is wrong: every mistake at once.
    _read_rules(found, rules, source)
    return found


def _read_config(found: Found, source: Path | None) -> None:
    from healer.config import load_config
    from healer.rules.vitals import check_vital

    try:
        found.config = load_config(source, environ=os.environ, check=check_vital)
    except ConfigError as exc:
        found.problems += exc.problems or (str(exc),)


def _read_rules(found: Found, files: Sequence[Path], source: Path | None) -> None:
    from healer.config.files import rule_files
    from healer.rules.load import load
    from healer.rules.switched import switched

    base = None
    try:
        if not files and (rules := found.config.rules if found.config else configured.named(source)):
            files, base = rule_files(rules), rules.base
            found.rules = switched(load(files, base=base), rules.modes, place=rules.modes_place)
        else:
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
