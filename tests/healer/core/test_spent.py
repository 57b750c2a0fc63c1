import pytest

from healer.core.explain import explain
from healer.core.spent import PATIENCE
from healer.model.decision import Result
from healer.model.mode import Mode
from healer.model.trigger import Trigger
from healer.rules.rule import Step

TELL = (Step(action="notify"),)
MANUAL = Trigger(kind="manual")


def closing(scenario):
    return [one["because"] for one in scenario.log.of("state") if one["to"] == "inactive"]


@pytest.mark.parametrize("kind", ["manual", "event", "schedule"])
def test_what_a_mode_holds_back_is_not_done_when_the_mode_is_raised(talk, kind):
    rule = talk.rule("1 == 1", trigger=Trigger(kind=kind, topic="a", cron="0 3 * * *"), then=TELL)
    scenario = talk.with_rules(rule)
    scenario.ask("pause", "agent")
    answer = scenario.ask("trigger", "r")
    assert answer["answer"] == "refused"
    assert "came to nothing: program:api: withheld by mode" in answer["because"]
    scenario.ask("resume", "agent")
    scenario.wait(120)
    assert not scenario.acted
    assert scenario.ask("trigger", "r")["answer"] == "accepted"
    assert len(scenario.acted) == 1


@pytest.mark.parametrize("at", [1000.1234567, 1000.1234561, 98765.4321989])
def test_it_is_over_at_once_whatever_the_last_digits_of_the_clock(talk, at):
    scenario = talk.with_rules(talk.rule("1 == 1", trigger=MANUAL, then=TELL, mode=Mode.OBSERVE), at=at)
    assert "came to nothing" in scenario.ask("trigger", "r")["because"]
    said = explain(scenario.core, "r")[0]["missing"]
    assert said.startswith("it waits for its trigger (manual); what last started it came to nothing: withheld by mode")


def test_an_event_during_maintenance_is_not_replayed_at_its_end(talk):
    scenario = talk.with_rules(
        talk.rule("1 == 1", trigger=Trigger(kind="event", topic="a"), then=(Step(action="restart"),))
    )
    scenario.ask("maintenance-add", "program:api", **{"for": 60.0})
    scenario.ask("event", topic="a")
    scenario.wait(600)
    assert not scenario.acted
    assert closing(scenario)[0].startswith("withheld by maintenance")
    scenario.ask("event", topic="a")
    assert talk.actions(scenario) == [("restart", "program:api")]


def test_a_cooldown_is_waited_for_and_one_that_is_too_long_is_not(talk):
    event = Trigger(kind="event", topic="a")
    for cooldown, actions in ((60.0, 2), (PATIENCE + 60, 1)):
        scenario = talk.with_rules(talk.rule("1 == 1", trigger=event, then=TELL, cooldown=cooldown))
        scenario.ask("event", topic="a")
        scenario.wait(10)
        scenario.ask("event", topic="a")
        assert bool(scenario.core.desk.memory.incidents) is (actions == 2)
        scenario.wait(2 * PATIENCE)
        assert len(scenario.acted) == actions
        assert not scenario.core.desk.memory.incidents


def test_what_cannot_be_done_for_a_quarter_of_an_hour_is_over(talk):
    rule = talk.rule("program.up{target} == 0", trigger=MANUAL, settle=30.0)
    scenario = talk.with_rules(rule)
    talk.falls(scenario)
    scenario.ask("trigger", "r")
    scenario.see("program.up", None, target="program:api")
    scenario.wait(PATIENCE)
    assert scenario.core.desk.memory.incidents
    scenario.wait(60)
    assert not scenario.core.desk.memory.incidents
    talk.up(scenario, 0)
    scenario.wait(60)
    assert not scenario.acted


def test_a_rule_that_its_condition_started_waits_as_long_as_it_takes(talk):
    scenario = talk.with_rules(talk.rule())
    scenario.ask("pause", "agent")
    talk.falls(scenario)
    for _ in range(40):
        scenario.wait(60)
        talk.up(scenario, 0)
    assert not scenario.acted
    scenario.ask("resume", "agent")
    scenario.wait(2)
    assert talk.actions(scenario) == [("restart", "program:api")]


def test_what_a_person_asked_for_once_is_tried_once_also_where_it_fails_for_now(talk):
    scenario = talk.with_rules(
        talk.rule(trigger=MANUAL, cooldown=0.0),
        world=talk.ends(lambda: scenario, Result.FAILED_TRANSIENT),
    )
    talk.falls(scenario)
    scenario.ask("trigger", "r")
    for _ in range(20):
        scenario.wait(30)
        talk.up(scenario, 0)
    assert [one.action for one in scenario.acted if one.action == "restart"] == ["restart"]


def test_a_manual_rule_is_never_started_by_its_condition_alone(talk):
    scenario = talk.with_rules(talk.rule(trigger=MANUAL))
    for _ in range(5):
        talk.falls(scenario)
        scenario.wait(100)
    assert not scenario.acted
    assert not scenario.core.desk.memory.incidents
