"""``healer test``: the unit tests of rules."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from healer.cli import configured, show
from healer.cli.settings import Command, Settings, settings
from healer.errors import HealerError

if TYPE_CHECKING:
    from healer.rehearsal.coverage import Coverage, Covered
    from healer.rehearsal.play import Played
    from healer.rules.case import Suite


@dataclass(slots=True)
class Ran:
    """What became of one file."""

    suite: "Suite"
    played: "list[Played]" = field(default_factory=list)


@click.command(cls=Command)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--run", "pattern", default="", help="Only tests whose name matches (regular expression).")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write a JUnit report.")
@click.option("--coverage", is_flag=True, help="What the tests have shown of each rule, and of its condition.")
@click.option(
    "--coverage-threshold",
    "threshold",
    type=click.FloatRange(0, 100),
    help="Exit 1 below that many percent. Without: where a rule lacks a test that fires, leaves alone or withholds it.",
)
@click.option("--diff", is_flag=True, help="Expected and found side by side, for what does not hold.")
@click.option("--debug", is_flag=True, help="The story of each test: what was seen, decided, withheld, said.")
def test(
    *,
    files: tuple[Path, ...],
    pattern: str,
    junit: Path | None,
    coverage: bool,
    threshold: float | None,
    diff: bool,
    debug: bool,
) -> int:
    """Run the tests of rules in FILES, or in the tests/ folders beside the configured rules.

    What does not hold is told with the rule's truth tree and every gate's answer at that moment.
    Exit 0: all as expected; 1: not; 2: a file that cannot be used, or nothing to run.
    """
    from healer.cli import rehearsed
    from healer.rehearsal.coverage import Coverage

    given = settings()
    configured.plugins(Path(given.config) if given.config else None)
    collected = Coverage() if coverage or threshold is not None else None
    ran = _run(files or _beside_rules(given), _wanted(pattern), collected)
    played = [one for each in ran for one in each.played]
    if not played:
        raise HealerError("there is no test to run", hint="name files, or put them into tests/ beside the rules")
    if junit is not None:
        _write(junit, ran)
    covered = _covered(ran, collected) if collected else []
    if given.json:
        show.as_json(rehearsed.as_data(played, covered if collected else None))
    else:
        for text in rehearsed.lines(played, diff=diff, debug=debug):
            show.line(text)
        for text in rehearsed.covered_lines(covered):
            show.line(text)
        show.note(rehearsed.summary(played, len(ran)))
    enough = not collected or rehearsed.enough(covered, threshold)
    return 0 if enough and all(one.ok for one in played) else 1


def _run(files: Sequence[Path], wanted: Callable[[str], bool], collected: "Coverage | None") -> list[Ran]:
    """Play the files, all of which are loaded first: a mistake in the last is told before the first is played."""
    from healer.rehearsal.play import run_suite
    from healer.rules.suite import load_suite

    ran = [Ran(load_suite(path)) for path in files]
    for each in ran:
        for one in run_suite(each.suite, wanted=wanted, watcher=collected.watch if collected else None):
            each.played.append(one)
            if collected:
                collected.take(one)
    return ran


def _wanted(pattern: str) -> Callable[[str], bool]:
    try:
        found = re.compile(pattern)
    except re.error as exc:
        raise click.UsageError(f"--run: {exc}") from None
    return lambda name: found.search(name) is not None


def _beside_rules(given: Settings) -> list[Path]:
    """``tests/*.yaml`` of every folder that holds a configured rule file."""
    from healer.config import load_config
    from healer.config.files import rule_files

    source = Path(given.config) if given.config else None
    show.note(configured.said(source, instead="the tests of the shipped rules are run"))
    config = load_config(source, environ=os.environ)
    folders = dict.fromkeys(path.parent / "tests" for path in rule_files(config.rules))
    return [path for folder in folders for path in sorted(folder.glob("*.yaml"))]


def _covered(ran: Sequence[Ran], collected: "Coverage") -> "list[Covered]":
    """Every rule of every file under test, once."""
    from healer.rules.load import load

    files = {path.resolve(): path for each in ran for path in each.suite.rule_files}
    return collected.of(rule for path in files.values() for rule in load([path]).rules)


def _write(path: Path, ran: Sequence[Ran]) -> None:
    from healer.cli.junit import report

    try:
        path.write_text(report((each.suite.file, each.played) for each in ran), encoding="utf-8")
    except OSError as exc:
        raise HealerError(f"cannot write {path}: {exc.strerror}") from exc
