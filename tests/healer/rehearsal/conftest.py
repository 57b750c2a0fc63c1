"""Tests of rules written into a folder, and played."""

import textwrap

import pytest

from healer.rehearsal.play import run_suite
from healer.rules.suite import load_suite

RULES = """\
version: 1
rules:
  - id: down
    target: program:api
    when: program.up{target} == 0
    for: 10s
    cooldown: 1m
    then:
      - restart: {}
        timeout: 20s
        verify: {when: "program.up{target} == 1", within: 10s}
      - notify: {message: "a restart did not help"}
"""
SERIES = "series: [{series: 'program.up{target=\"program:api\"}', values: '1x2 0x200'}]"


@pytest.fixture
def play(tmp_path):
    """Play one test, given as its keys below ``series``; returns it played."""

    def played(keys, *, rules=RULES, series=SERIES, watcher=None):
        (tmp_path / "r.yaml").write_text(rules)
        body = textwrap.indent(textwrap.dedent(keys).strip(), "    ")
        text = (
            "version: 1\nrule_files: r.yaml\ninterval: 5s\ndefault_mode: auto\n"
            f"targets: [{{kind: program, name: api}}]\ntests:\n  - name: it\n    {series}\n{body}\n"
        )
        (tmp_path / "t.yaml").write_text(text)
        (one,) = run_suite(load_suite(tmp_path / "t.yaml"), watcher=watcher)
        return one

    return played


@pytest.fixture
def found(play):
    """What did not hold of one test: the reason of each expectation, empty where it held."""
    return lambda keys, **given: [one.because for one in play(keys, **given).checked]
