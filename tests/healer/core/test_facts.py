"""What the core tells conditions about itself, and conditions that rest on events, words and selections, end to end."""

import pytest

from healer.core.core import Core
from healer.model.observation import Series, labels
from healer.model.truth import Truth
from healer.rules.expression import ExpressionError
from healer.rules.rule import Step

TELL = (Step(action="notify"),)


def truth(scenario, key):
    return scenario.core.evaluator.truth(f"{key}|when")


def test_a_rule_follows_the_state_of_another(talk):
    first = talk.rule(id="first", for_=5.0)
    second = talk.rule('rule("first") == "firing" or rule("first") == "acting"', id="second", then=TELL)
    scenario = talk.with_rules(first, second, world=lambda _: None)
    for _ in range(4):
        scenario.see("program.up", 0.0, target="program:api")
        scenario.wait(1)
    assert scenario.core.evaluator.latest(_state("first"))[0] == "pending"
    assert truth(scenario, "second@program:api") is Truth.FALSE
    for _ in range(4):
        scenario.see("program.up", 0.0, target="program:api")
        scenario.wait(1)
    assert scenario.core.evaluator.latest(_state("first"))[0] == "acting"
    assert truth(scenario, "second@program:api") is Truth.TRUE
    assert "second@program:api" in scenario.core.desk.memory.incidents


def _state(rule, target="program:api"):
    return Series("rule.state", labels(rule=rule, target=target))


def test_a_rule_that_nobody_can_judge_is_unknown_and_not_another_word(talk):
    first = talk.rule(id="first")
    second = talk.rule('rule("first") != "firing"', id="second", then=TELL)
    scenario = talk.with_rules(first, second)
    scenario.wait(5)
    assert truth(scenario, "second@program:api") is Truth.UNKNOWN
    assert not scenario.acted


def test_what_follows_is_known_within_the_same_event(talk):
    chain = [talk.rule(f'rule("r{at}") == "pending"', id=f"r{at + 1}", then=TELL, for_=60.0) for at in range(3)]
    scenario = talk.with_rules(talk.rule(id="r0", for_=60.0), *chain)
    for value in (1.0, 1.0, 1.0):
        scenario.see("program.up", value, target="program:api")
        scenario.wait(2)
    assert truth(scenario, "r3@program:api") is Truth.FALSE
    scenario.see("program.up", 0.0, target="program:api")
    assert [truth(scenario, f"r{at}@program:api") for at in range(4)] == [Truth.TRUE] * 4


def test_only_what_is_asked_for_is_told(talk):
    scenario = talk.with_rules(talk.rule(id="first"), talk.rule(id="second"))
    scenario.wait(3)
    assert scenario.core.evaluator.series("rule.state") == ()
    assert scenario.core.evaluator.series("target.bad") == ()


def test_a_target_is_bad_while_an_incident_is_open_on_it(talk):
    watching = talk.rule("target.bad{target='program:api'} == 1", id="watching", target="http:web", then=TELL)
    scenario = talk.with_rules(talk.rule(id="first"), watching, world=lambda _: None)
    for value in (1.0, 1.0, 0.0):
        scenario.see("program.up", value, target="program:api")
        scenario.wait(2)
    assert truth(scenario, "watching@http:web") is Truth.TRUE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('any_state("running", kind="program")', Truth.TRUE),
        ('none_state("running", kind="program")', Truth.FALSE),
        ('any_state("running", kind="program", except="api")', Truth.UNKNOWN),
        ('all_state("running", name="*")', None),
    ],
)
def test_a_selection_is_that_of_the_configuration(talk, text, expected):
    if expected is None:
        with pytest.raises(ExpressionError, match="every target"):
            talk.rule(text)
        return
    scenario = talk.with_rules(talk.rule(text, target="http:web", then=TELL))
    for _ in range(2):
        scenario.see("program.state", "running", target="program:api")
        scenario.see("program.up", 1.0, target="program:api")
        scenario.wait(1)
    assert truth(scenario, "r@http:web") is expected


def test_a_capture_becomes_an_argument_of_the_step(talk):
    step = Step(action="run", params={"argv": ["/bin/restart-pool", "{capture.pool}"]})
    rule = talk.rule('matched("log.line", "pool {pool} is stuck", 1m)', then=(step,), cooldown=0.0)
    scenario = talk.with_rules(rule)
    scenario.ask("event", topic="log.line", data={"message": "pool main-2 is stuck"})
    assert [list(one.params["argv"]) for one in scenario.acted] == [["/bin/restart-pool", "main-2"]]
    firing = next(one for one in scenario.log.of("state") if one["to"] == "firing")
    assert firing["data"]["bindings"] == [["capture.pool", "main-2"]]


@pytest.mark.parametrize("hostile", ["--force", "a;reboot", "../../etc/passwd", "$(reboot)", "a\x00b"])
def test_a_hostile_capture_never_becomes_one(talk, hostile):
    step = Step(action="run", params={"argv": ["/bin/restart-pool", "{capture.pool}"]})
    scenario = talk.with_rules(talk.rule('matched("log.line", "pool (?P<pool>.+) is stuck", 1m)', then=(step,)))
    scenario.ask("event", topic="log.line", data={"message": f"pool {hostile} is stuck"})
    scenario.wait(2)
    assert "run" not in [decision.action for decision in scenario.acted]
    assert "r@program:api" in scenario.core.desk.memory.incidents, "it fires, and its step is refused"


def test_an_event_is_an_input_of_a_condition(talk):
    rule = talk.rule('occurred("deploy.*", 10m) and program.up{target} == 0', then=TELL)
    scenario = talk.with_rules(rule)
    for _ in range(3):
        scenario.see("program.up", 0.0, target="program:api")
        scenario.wait(1)
    assert truth(scenario, "r@program:api") is Truth.UNKNOWN
    scenario.ask("event", topic="deploy.done", data={})
    assert truth(scenario, "r@program:api") is Truth.TRUE
    assert len(scenario.acted) == 1


def test_a_calendar_is_read_on_the_wall_clock_of_the_core(talk):
    # A scenario begins on Monday 2026-09-21 at 14:13:20 UTC.
    inside = talk.rule('calendar(days="mon", hours="14:00-15:00", tz="UTC")', id="inside", then=TELL)
    outside = talk.rule('calendar(days="tue", tz="UTC")', id="outside", then=TELL)
    scenario = talk.with_rules(inside, outside)
    scenario.wait(1)
    assert truth(scenario, "inside@program:api") is Truth.TRUE
    assert truth(scenario, "outside@program:api") is Truth.FALSE
    assert [decision.rule for decision in scenario.acted] == ["inside"]


def test_a_rule_that_asks_what_is_bad_does_not_keep_itself_alive(talk):
    watching = talk.rule("target.bad{target} == 1", id="watching", then=TELL)
    scenario = talk.with_rules(talk.rule(id="first", then=TELL), watching)
    for value in (1.0, 1.0, 0.0):
        scenario.see("program.up", value, target="program:api")
        scenario.wait(2)
    assert set(scenario.core.desk.memory.incidents) == {"first@program:api", "watching@program:api"}
    for _ in range(4):
        scenario.see("program.up", 1.0, target="program:api")
        scenario.wait(2)
    assert not scenario.core.desk.memory.incidents


@pytest.mark.parametrize(("own", "expected"), [('{own="yes"}', Truth.TRUE), ("", Truth.UNKNOWN)])
def test_what_the_agent_says_itself_is_heard_by_conditions_that_ask_for_it(talk, own, expected):
    watching = talk.rule(f'occurred("incident.firing", 10m){own}', id="watching", target="http:web", then=TELL)
    scenario = talk.with_rules(talk.rule(id="first", then=TELL), watching)
    scenario.wait(1)
    for value in (1.0, 1.0, 0.0):
        scenario.see("program.up", value, target="program:api")
        scenario.wait(2)
    assert "first@program:api" in scenario.core.desk.memory.incidents
    assert scenario.core.evaluator.truth("watching@http:web|when") is expected


def test_a_forecast_and_what_was_heard_outlive_a_reload(talk):
    rule = talk.rule('occurred("deploy.done", 10m) and eta(disk.used{mount="/"}, 95%) < 8h', then=TELL, for_=3600.0)
    scenario = talk.with_rules(rule)
    for step in range(36):
        scenario.see("disk.used", 0.5 + 0.001 * step, mount="/")
        scenario.wait(60)
    scenario.ask("event", topic="deploy.done", data={})
    assert truth(scenario, "r@program:api") is Truth.TRUE
    before = scenario.core
    scenario.core = Core(
        before.setup, before.desk.memory, now=scenario.now, wall=scenario.now + before.desk.wall_offset
    )
    scenario.take(scenario.core.succeed(before))
    for step in range(36, 38):
        scenario.see("disk.used", 0.5 + 0.001 * step, mount="/")
        scenario.wait(60)
    assert truth(scenario, "r@program:api") is Truth.TRUE
