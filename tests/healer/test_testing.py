import pytest

from healer.errors import ConfigError
from healer.rules.suite import load_suite
from healer.testing import run_suite

RULES = """\
version: 1
rules:
  - id: down
    each: {kind: program}
    when: program.up{target} == 0
    cooldown: 10s
    then:
      - restart: {}
        verify: {when: "program.up{target} == 1", within: 10s}
"""
HEAD = """\
version: 1
rule_files: r.yaml
interval: 5s
default_mode: auto
targets: [{kind: program, name: a}]
tests:
"""


@pytest.fixture
def play(tmp_path):
    def played(test: str, head: str = HEAD, **more):
        (tmp_path / "r.yaml").write_text(RULES)
        path = tmp_path / "t.yaml"
        path.write_text(head + test)
        return list(run_suite(load_suite(path), **more))

    return played


def case(expect: str, values: str = "1x1 0x10", more: str = "") -> str:
    series = f"[{{series: 'program.up{{target=\"program:a\"}}', values: '{values}'}}]"
    return f"  - name: it\n    {more}\n    series: {series}\n    expect: {{at: 20s, rule: down, {expect}}}\n"


@pytest.mark.parametrize(
    ("expect", "more", "ok"),
    [
        ('target: "program:a", action: restart', "", True),
        ('target: "program:a", action: restart, times: 2', "", False),
        ('target: "program:a", action: notify', "", False),
        ('target: "program:a", none: true', "", False),
        ('target: "program:a", withheld: mode', "", False),
        ('target: "program:a", withheld: maintenance', "maintenance: true", True),
        ('target: "program:a", withheld: mode', "default_mode: observe", True),
        ('target: "program:a", state: firing', "maintenance: true", True),
        ('target: "program:a", state: inactive', "maintenance: true", False),
        ("action: restart", "", True),  # the only target need not be named
        ('target: "program:b", action: restart', "", False),
    ],
)
def test_an_expectation_holds_or_says_what_was_found_instead(play, expect, more, ok):
    (found,) = play(case(expect, more=more))
    assert found.ok is ok
    assert bool(found.because) is not ok


def test_an_action_that_fails_may_be_expected(play):
    (found,) = play(case('target: "program:a", action: restart', more="outcome: failed"))
    assert found.ok


def test_no_look_and_a_look_that_could_not_see_fire_nothing(play):
    for values in ("1x1 stale _x8", "1x1 _x9"):
        (found,) = play(case('target: "program:a", none: true', values=values))
        assert found.ok, found


def test_a_rule_bound_to_several_targets_wants_one_named(play):
    head = HEAD.replace("{kind: program, name: a}", "{kind: program, name: a}, {kind: program, name: b}")
    (found,) = play(case("action: restart"), head=head)
    assert "name one" in found.because
    (found,) = play(case("none: true").replace("rule: down", "rule: up"))
    assert "no such rule" in found.because


def test_only_the_wanted_cases_are_played(play):
    assert play(case("none: true"), wanted=lambda name: name != "it") == []


def test_rules_that_do_not_load_are_told(play, tmp_path):
    with pytest.raises(ConfigError):
        play(case("none: true"), head=HEAD.replace("r.yaml", "missing.yaml"))
