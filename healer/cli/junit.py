"""Results of rule tests as JUnit's XML, which every CI system reads."""

import re
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from healer.rehearsal.judge import Checked
from healer.rehearsal.play import Played

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, however it is written (its production 2)."""


def report(suites: Iterable[tuple[str, Sequence[Played]]]) -> str:
    """One ``testsuite`` per file, one ``testcase`` per test; all that did not hold is told in one ``failure``."""
    files = list(suites)
    tests = sum(len(played) for _, played in files)
    failures = sum(not one.ok for _, played in files for one in played)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="healer test" tests="{tests}" failures="{failures}" errors="0">',
    ]
    for name, played in files:
        failed = sum(not one.ok for one in played)
        lines.append(
            f'  <testsuite name={_quoted(name)} tests="{len(played)}" failures="{failed}" errors="0" skipped="0">'
        )
        lines += [_case(name, one) for one in played]
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _case(name: str, played: Played) -> str:
    seconds = max((one.at for one in played.case.expect), default=0.0)
    head = f"    <testcase classname={_quoted(name)} name={_quoted(played.case.name)}"
    # Of virtual time: what a person reads here is how long the test looks, not how fast this machine is.
    head += f' time="{seconds:.3f}" file={_quoted(name)} line="{played.case.position.line}"'
    failed = [one for one in played.checked if not one.ok]
    if not failed:
        return f"{head}/>"
    first = _quoted(f"{failed[0].rule}: {failed[0].because}")
    text = "\n".join(_told(one) for one in failed)
    return (
        f'{head}>\n      <failure message={first} type="expectation">{escape(_clean(text))}</failure>\n    </testcase>'
    )


def _told(one: Checked) -> str:
    wanted = "; ".join(f"{row.what}: expected {row.expected}, found {row.found}" for row in one.rows if not row.ok)
    return f"{one.position}: {one.rule} {one.target} at {one.at:g} s: {wanted}"


def _quoted(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    return _NO_XML.sub("?", text)
