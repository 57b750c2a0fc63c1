"""Every shipped rule, judged by the real core over the tests that ship beside it."""

from pathlib import Path

import pytest

from healer.config import load_config
from healer.config.files import rule_files
from healer.core.core import Setup
from healer.core.report import phase
from healer.core.watch import HarmonyWatch
from healer.model.anatomy import DEFAULT_VITALS
from healer.model.decision import Outcome, Result
from healer.model.event import Looked
from healer.model.mode import Mode
from healer.model.observation import Observation, Unknown
from healer.rules.bounds import findings, worst_case
from healer.rules.load import load
from healer.rules.series import Mark
from healer.rules.suite import load_suite
from healer.testing import START, Scenario

CHECKOUT = Path(__file__).resolve().parents[3]
RULES = CHECKOUT / "rules"
SUITES = {path.stem: load_suite(path) for path in sorted((RULES / "tests").glob("*.yaml"))}
CASES = [pytest.param(suite, case, id=f"{name}: {case.name}") for name, suite in SUITES.items() for case in suite.cases]


def scenario(suite, case):
    setup = Setup(
        node="test",
        boot="boot",
        targets=case.targets,
        rules=load(suite.rule_files),
        vitals=DEFAULT_VITALS,
        default_mode=case.default_mode,
    )
    talk = Scenario(setup)
    if case.outcome == "failed":
        talk.world = lambda one: Outcome(
            id=one.id, result=Result.FAILED_TRANSIENT, because="it fails", at=talk.now, took=0.0
        )
    if case.maintenance:
        talk.ask("maintenance-add", selector={"all": True}, **{"for": 86400.0})
    return talk


def readings(case, number, at):
    """What each sensor sees at one interval."""
    seen = {}
    for line in case.lines:
        value = line.values[number] if number < len(line.values) else Mark.MISSING
        if value is Mark.MISSING:
            continue
        name = {"metric": line.series.metric, "labels": line.series.labels, "at": at}
        reading = (
            Unknown(because="stale", **name)
            if value is Mark.STALE
            else Observation(value=value, unit=line.unit, **name)
        )
        seen.setdefault(dict(line.series.labels).get("target", "host"), []).append(reading)
    return seen


def play(suite, case):
    """Say everything up to the last expectation; returns what was found at each, by expectation."""
    talk, watch, found = scenario(suite, case), HarmonyWatch(), []
    waiting = sorted(case.expect, key=lambda one: one.at)
    number = 0
    while waiting:
        at = number * case.interval
        while waiting and waiting[0].at < at:
            one = waiting.pop(0)
            talk.wait(max(0.0, START + one.at - talk.now))
            found.append((one, judged(talk, one)))
        talk.wait(max(0.0, START + at - talk.now))
        for sensor, seen in readings(case, number, talk.now).items():
            talk.handle(Looked(sensor=sensor, at=talk.now, readings=tuple(seen)))
        watch.step(talk.core.organs.view.harmony)
        if watch.balancing:
            talk.ask("rebalance")
        number += 1
    return found


def judged(talk, wanted):
    def ours(one):
        return one.rule == wanted.rule and wanted.target in {"", one.target}

    acted = [one.action for one in talk.acted if ours(one)]
    withheld = [one.gate for one in talk.withheld if ours(one)]
    (instance,) = (
        one
        for one in talk.core.instances.values()
        if one.rule.id == wanted.rule and wanted.target in {"", one.target.id}
    )
    return {"acted": acted, "withheld": withheld, "state": phase(talk.core, instance)}


@pytest.mark.parametrize(("suite", "case"), CASES)
def test_a_shipped_rule_does_as_its_tests_say(suite, case):
    for wanted, seen in play(suite, case):
        if wanted.none:
            assert not seen["acted"] + seen["withheld"], (wanted, seen)
        if wanted.action:
            assert wanted.action in seen["acted"], (wanted, seen)
        if wanted.times is not None:
            assert seen["acted"].count(wanted.action) == wanted.times, (wanted, seen)
        if wanted.withheld:
            assert not seen["acted"], (wanted, seen)
            assert wanted.withheld in seen["withheld"], (wanted, seen)
        if wanted.state:
            assert seen["state"] == wanted.state, (wanted, seen)


def test_every_shipped_rule_fires_does_not_fire_and_is_withheld_in_a_test():
    for path in sorted(RULES.glob("*.yaml")):
        expected = [one for case in SUITES[path.stem].cases for one in case.expect]
        for rule in load([path]).rules:
            mine = [one for one in expected if one.rule == rule.id]
            assert any(one.action for one in mine), f"no test fires {rule.id}"
            assert any(one.none for one in mine), f"no test leaves {rule.id} alone"
            assert any(one.withheld for one in mine), f"no test withholds {rule.id}"


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
