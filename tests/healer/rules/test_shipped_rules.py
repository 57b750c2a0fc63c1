"""Every shipped rule, judged by the real core over the tests that ship beside it."""

import functools
from pathlib import Path

import pytest

from healer.config import load_config
from healer.config.files import rule_files
from healer.model.mode import Mode
from healer.rehearsal.coverage import Coverage
from healer.rehearsal.play import run_suite
from healer.rules.bounds import worst_case
from healer.rules.load import load
from healer.rules.review import findings
from healer.rules.suite import load_suite

CHECKOUT = Path(__file__).resolve().parents[3]
RULES = CHECKOUT / "rules"
NAMES = sorted(path.stem for path in RULES.glob("*.yaml"))


@functools.cache
def played(name):
    """The tests of one file, and what they cover."""
    coverage, done = Coverage(), []
    for one in run_suite(load_suite(RULES / "tests" / f"{name}.yaml"), watcher=coverage.watch):
        coverage.take(one)
        done.append(one)
    return done, coverage.of(load([RULES / f"{name}.yaml"]).rules)


def test_there_is_a_file_of_tests_for_every_file_of_rules():
    assert sorted(path.stem for path in (RULES / "tests").glob("*.yaml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_rule_does_as_its_tests_say(name):
    done, _ = played(name)
    assert done
    assert [(str(one.position), one.because) for each in done for one in each.checked if not one.ok] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_rule_fires_does_not_fire_and_is_withheld_in_tests_of_its_own(name):
    done, covered = played(name)
    assert {one.rule.id: one.missing for one in covered if one.missing} == {}
    for one in covered:
        cases = {each.case.name for each in done for checked in each.checked if checked.rule == one.rule.id}
        assert len(cases) >= 3, f"{one.rule.id} has {len(cases)} tests"


@pytest.mark.parametrize("name", NAMES)
def test_every_part_of_a_shipped_condition_is_true_in_one_test_and_false_in_another(name):
    _, covered = played(name)
    assert [(one.rule.id, each.source) for one in covered for each in one.branches if each.missing] == []


def test_only_rules_about_what_the_agent_started_may_act_by_themselves():
    config = load_config(CHECKOUT / "organism.yaml", environ={})
    for rule in load(rule_files(config.rules)).rules:
        may_act = (rule.mode if rule.mode is not None else config.rules.default_mode) > Mode.OBSERVE
        assert not may_act or (rule.each is not None and rule.each.kind == "program"), rule.id


def test_the_shipped_rules_have_no_findings_and_can_do_nothing_on_a_host_without_programs():
    config = load_config(CHECKOUT / "organism.yaml", environ={})
    rules = load(rule_files(config.rules))
    assert findings(rules, config) == []
    assert worst_case(rules, config) == []


def test_the_shipped_set_is_found_without_naming_it():
    config = load_config({}, environ={})
    assert [path.name for path in rule_files(config.rules)] == sorted(path.name for path in RULES.glob("*.yaml"))
