"""``healer test``: the unit tests of rules."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import click

from healer.cli import show
from healer.cli.settings import Command, Settings, settings
from healer.errors import HealerError

if TYPE_CHECKING:
    from healer.rules.suite import Suite
    from healer.testing import Checked


@dataclass(slots=True)
class Ran:
    """What became of one file."""

    suite: "Suite"
    checked: "list[Checked]" = field(default_factory=list)

    @property
    def failed(self) -> "list[Checked]":
        """What did not hold."""
        return [one for one in self.checked if not one.ok]


@click.command(cls=Command)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--run", "pattern", default="", help="Only tests whose name matches (regular expression).")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write a JUnit report.")
@click.option("--coverage", is_flag=True, help="Which rules no test fires, leaves alone, or withholds; exit 1 if any.")
def test(*, files: tuple[Path, ...], pattern: str, junit: Path | None, coverage: bool) -> int:
    """Run the tests of rules in FILES, or in the tests/ folders beside the configured rules.

    Exit 0: all as expected; 1: not; 2: a file that cannot be used, or nothing to run.
    """
    from healer.rules.suite import load_suite
    from healer.testing import run_suite

    given = settings()
    wanted = _wanted(pattern)
    suites = [load_suite(path) for path in files or _beside_rules(given)]
    ran = [Ran(suite, list(run_suite(suite, wanted=wanted))) for suite in suites]
    if not any(one.checked for one in ran):
        raise HealerError("there is no test to run", hint="name files, or put them into tests/ beside the rules")
    if junit is not None:
        junit.write_text(_report(ran), encoding="utf-8")
    gaps = list(_gaps(ran)) if coverage else []
    _tell(given, ran, gaps)
    return 1 if gaps or any(one.failed for one in ran) else 0


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

    config = load_config(Path(given.config) if given.config else None, environ=os.environ)
    folders = dict.fromkeys(path.parent / "tests" for path in rule_files(config.rules))
    return [path for folder in folders for path in sorted(folder.glob("*.yaml"))]


def _tell(given: Settings, ran: Sequence[Ran], gaps: Sequence[str]) -> None:
    expectations = [one for each in ran for one in each.checked]
    failed = [one for one in expectations if not one.ok]
    if given.json:
        said = [
            {"at": str(one.expectation.position), "test": one.case, "rule": one.expectation.rule, "ok": one.ok,
             "because": one.because}
            for one in expectations
        ]  # fmt: skip
        show.as_json({"expectations": said, "failed": len(failed), "not_covered": list(gaps)})
        return
    for one in failed:
        show.line(f"{one.expectation.position}: {one.case}: {one.expectation.rule}: found {one.because}")
    for gap in gaps:
        show.line(gap)
    cases = sum(len({one.case for one in each.checked}) for each in ran)
    show.note(f"{cases} tests with {len(expectations)} expectations in {len(ran)} files: {len(failed)} failed")


def _gaps(ran: Sequence[Ran]) -> Iterator[str]:
    """Rules under test that lack one of the three claims every rule needs."""
    from healer.rules.load import load

    kinds = (("fires", "action"), ("leaves alone", "none"), ("withholds", "withheld"))
    for each in ran:
        for rule in load(each.suite.rule_files).rules:
            claims = [one.expectation for one in each.checked if one.expectation.rule == rule.id]
            missing = [word for word, name in kinds if not any(getattr(claim, name) for claim in claims)]
            if missing:
                yield f"{rule.position}: {rule.id}: no test {', '.join(missing)} it"


def _report(ran: Sequence[Ran]) -> str:
    """As JUnit's XML, which every CI system reads."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for each in ran:
        name = quoteattr(each.suite.file)
        lines.append(f'<testsuite name={name} tests="{len(each.checked)}" failures="{len(each.failed)}">')
        for one in each.checked:
            case = quoteattr(show.clean(f"{one.case} ({one.expectation.rule} at {one.expectation.at:g} s)"))
            failure = "" if one.ok else f"<failure message={quoteattr(show.clean(one.because))}/>"
            lines.append(f"<testcase classname={name} name={case}>{failure}</testcase>")
        lines.append("</testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])
