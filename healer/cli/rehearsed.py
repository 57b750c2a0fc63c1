"""What ``healer test`` says: what did not hold and why, the story of a test, and what the tests have covered."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from healer.cli import explain, show
from healer.rehearsal.coverage import Covered, share
from healer.rehearsal.judge import Checked, Row
from healer.rehearsal.play import Played

_WIDEST = 48
"""Characters of the left column of --diff; what is longer takes a line of its own."""


def lines(played: Sequence[Played], *, diff: bool, debug: bool) -> Iterator[str]:
    """Everything that did not hold; with ``debug`` the story of every test before it."""
    for one in played:
        if debug:
            yield from _story(one)
        for checked in one.checked:
            if not checked.ok:
                yield from failure(checked, diff=diff)


def _story(one: Played) -> Iterator[str]:
    yield f"{one.case.position}: {one.case.name}: {'as expected' if one.ok else 'NOT as expected'}"
    yield from (f"  {at:9.1f} s  {what}" for at, what in one.story)


def failure(one: Checked, *, diff: bool) -> Iterator[str]:
    """One expectation that did not hold: where, what was found instead, and why the rule did what it did."""
    on = f" on {one.target}" if one.target else ""
    yield f"{one.position}: {one.case}: {one.rule}{on} at {one.at:g} s: found {one.because}"
    yield from _side_by_side(one.rows) if diff else _expected(one.rows)
    for each in one.explanation:
        yield from (f"    {text}" for text in explain.lines(each))


def _expected(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if not row.ok:
            yield f"  expected {row.what}: {row.expected}"


def _side_by_side(rows: Sequence[Row]) -> Iterator[str]:
    left = [("EXPECTED", "FOUND", "")]
    left += [(f"{row.what}: {row.expected}", f"{row.what}: {row.found}", "=" if row.ok else "≠") for row in rows]
    width = min(_WIDEST, max(len(expected) for expected, _, _ in left))
    for expected, found, mark in left:
        if len(expected) > width:
            yield f"  {mark:1} {expected}"
            expected = ""  # noqa: PLW2901 - it has its line
        yield f"  {mark if expected else '':1} {expected.ljust(width)}  {found}"


def summary(played: Sequence[Played], files: int) -> str:
    """One sentence."""
    checked = [one for each in played for one in each.checked]
    failed = sum(not one.ok for one in checked)
    tests, expectations = show.count(len(played), "test"), show.count(len(checked), "expectation")
    return f"{tests} with {expectations} in {show.count(files, 'file')}: {failed} failed"


# Coverage --------------------------------------------------------------------------------------------------------


def covered_lines(covered: Sequence[Covered]) -> Iterator[str]:
    """What is missing of each rule, and the share of the whole."""
    for one in covered:
        if one.missing:
            yield f"{one.rule.position}: {one.rule.id}: no test {', '.join(one.missing)} it"
        if not one.branches:
            yield f"{one.rule.position}: {one.rule.id}: its condition was never known to be true or false in a test"
        for branch in one.branches:
            if branch.missing:
                never = " or ".join(truth.value for truth in branch.missing)
                yield f"{one.rule.position}: {one.rule.id}: never {never} in a test: {branch.source}"
    if covered:
        whole = sum(not one.missing and all(not branch.missing for branch in one.branches) for one in covered)
        yield f"coverage {share(covered):.1f} %: {len(covered)} rules, {whole} of them in every respect"


def enough(covered: Sequence[Covered], threshold: float | None) -> bool:
    """Whether the tests cover as much as is asked; without a threshold, every rule needs its three kinds of tests."""
    if threshold is None:
        return not any(one.missing for one in covered)
    return share(covered) >= threshold


# For programs ----------------------------------------------------------------------------------------------------


def as_data(played: Sequence[Played], covered: Sequence[Covered] | None) -> Mapping[str, Any]:
    """All of it as JSON data; ``coverage`` is null where it was not asked for."""
    checked = [one for each in played for one in each.checked]
    return {
        "expectations": [_checked(one) for one in checked],
        "tests": len(played),
        "failed": sum(not one.ok for one in checked),
        "coverage": None if covered is None else {"share": round(share(covered), 2), "rules": [*map(_rule, covered)]},
    }


def _checked(one: Checked) -> Mapping[str, Any]:
    return {
        "at": str(one.position),
        "test": one.case,
        "rule": one.rule,
        "target": one.target,
        "second": one.at,
        "ok": one.ok,
        "because": one.because,
        "rows": [{"what": row.what, "expected": row.expected, "found": row.found, "ok": row.ok} for row in one.rows],
        "explanation": list(one.explanation),
    }


def _rule(one: Covered) -> Mapping[str, Any]:
    return {
        "rule": one.rule.id,
        "at": str(one.rule.position),
        "missing": list(one.missing),
        "branches": [
            {"source": branch.source, "never": [truth.value for truth in branch.missing]} for branch in one.branches
        ],
    }
