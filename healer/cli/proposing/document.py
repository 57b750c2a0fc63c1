"""What was found as files: organism.yaml, a rule for each kind that tells when one is down, and their tests."""

import json
from collections.abc import Iterable, Sequence

from healer.cli import show
from healer.cli.proposing.proposal import Proposal
from healer.cli.schema import MODELINE
from healer.model.kinds.catalog import KINDS

_WORDS = {
    "process": "a process that should run is gone", "unit": "a service that should run does not",
    "container": "a container that should run does not", "http": "a web server does not answer as it should",
    "tcp": "a port takes no connections", "postgres": "a PostgreSQL server does not serve",
    "redis": "a Redis server does not answer", "rabbitmq": "a RabbitMQ node does not answer",
    "haproxy": "a part of HAProxy does not serve", "tls": "a TLS server, or its certificate, is not as it should be",
}  # fmt: skip
"""By the kinds that are given a rule: what it tells people."""
_SELDOM = frozenset({"tls"})
"""Looked at every few minutes."""

HEAD = f"""\
{MODELINE}schemas/config.json
# Written by `healer init` from what ran on this host. All of it is only looked at: mode is observe.
# The reference with every key is the organism.yaml that ships with Healer; `healer check` finds mistakes.
# A password never stands here: name where it is kept, as in password: {{credential: NAME}} or {{file: PATH}}.
version: 1
mode: observe
rules:
  # Your own. With `shipped` before it, those that ship with Healer are judged too, and rules.modes switches one on.
  files: [rules.d/*.yaml]
  default_mode: observe
"""


def organism(found: Sequence[Proposal]) -> str:
    """An organism.yaml of the proposals."""
    lines = ["targets:" if found else "targets: []"]
    for one in found:
        keys = {"kind": one.kind, "name": one.name, "organ": one.organ, **one.keys}
        inner = ", ".join(f"{key}: {json.dumps(value)}" for key, value in keys.items())
        lines.append(f"  - {{{inner}}}  # {show.clean(one.because)}")
        if one.needs:
            lines.append(f"    # needs: {show.clean(one.needs)}")
    return HEAD + "\n".join(lines) + "\n"


def kinds_of(found: Iterable[Proposal]) -> list[str]:
    """The kinds that are given a rule, in their order; a process' where there is none."""
    there = {one.kind for one in found}
    return [kind for kind in _WORDS if kind in there] or ["process"]


def rules(kinds: Iterable[str]) -> str:
    """A rule for each kind."""
    return RULES + "".join(
        _RULE.format(kind=kind, up=KINDS[kind].up, words=_WORDS[kind], for_=_span(kind)[0]) for kind in kinds
    )


def tests(kinds: Iterable[str]) -> str:
    """Tests of those rules."""
    every = list(kinds)
    named = "".join(f"  - {{kind: {kind}, name: some}}\n" for kind in every)
    return f"{TESTS}{named}tests:\n" + "\n".join(
        _TESTS.format(kind=kind, up=KINDS[kind].up, bad=_span(kind)[1], at=_span(kind)[2]) for kind in every
    )


def _span(kind: str) -> tuple[str, int, str]:
    """How long it has to be gone; how many samples of a test that is and more; when the test looks."""
    return ("10m", 80, "13m") if kind in _SELDOM else ("30s", 6, "80s")


RULES = """\
# yaml-language-server: $schema=../schemas/rules.json
# Your own rules. `healer check` finds mistakes; docs/rules.md tells what a rule can say.
version: 1
rules:
"""
_RULE = """\
  - id: own-{kind}-gone
    why: What ran when this file was written should go on running.
    each: {{kind: {kind}}}
    when: {up}{{target}} == 0
    for: {for_}
    then:
      - notify: {{message: "{words}"}}
"""
TESTS = """\
# yaml-language-server: $schema=../../schemas/tests.json
# Tests of your own rules: `healer test` plays them; docs/testing-rules.md tells what a test can say.
version: 1
rule_files: ../own.yaml
targets:
"""
_TESTS = """\
  - name: a {kind} that is gone for long is told of
    default_mode: auto
    series: [{{series: '{up}{{target="{kind}:some"}}', values: '1x2 0x{bad}'}}]
    expect: {{at: {at}, rule: own-{kind}-gone, target: "{kind}:some", action: notify, times: 1}}

  - name: a {kind} that is back at once is nothing to tell
    default_mode: auto
    series: [{{series: '{up}{{target="{kind}:some"}}', values: '1x2 0 1x{bad}'}}]
    expect: {{at: {at}, rule: own-{kind}-gone, target: "{kind}:some", none: true}}

  - name: in observe nothing is done about a {kind} that is gone
    series: [{{series: '{up}{{target="{kind}:some"}}', values: '1x2 0x{bad}'}}]
    expect: {{at: {at}, rule: own-{kind}-gone, target: "{kind}:some", withheld: mode}}
"""
