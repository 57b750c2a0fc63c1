"""From a line in a log to a step's arguments: what was taken is sealed with the incident, and is never but a name."""

import pytest

from healer.rules.rule import Step

STEP = Step(action="run", params={"argv": ["/bin/lock-account", "{capture.user}"]})


def told(scenario, count, user=None):
    if user is not None:
        scenario.see("log.capture", user, target="log:auth", pattern="failed", name="user")
    scenario.see("log.count", count, target="log:auth", pattern="failed")
    scenario.wait(1)


def ran(scenario):
    return [list(one.params["argv"]) for one in scenario.acted if one.action == "run"]


@pytest.fixture
def scenario(talk):
    made = talk.with_rules(talk.rule('matched(log:auth, "failed")', then=(STEP,), cooldown=0.0))
    told(made, 3.0, "old")
    told(made, 3.0, "old")
    return made


def test_what_a_pattern_took_becomes_an_argument_and_is_sealed(scenario):
    told(scenario, 4.0, "alice")
    assert ran(scenario) == [["/bin/lock-account", "alice"]]
    firing = next(one for one in scenario.log.of("state") if one["to"] == "firing")
    assert firing["data"]["bindings"] == [["capture.user", "alice"]]


@pytest.mark.parametrize("user", ["--force", "a;reboot", "../../etc/passwd", "$(reboot)", "a b"])
def test_what_is_no_plain_name_never_becomes_one(scenario, user):
    told(scenario, 4.0, user)
    assert not ran(scenario)
    assert "r@program:api" in scenario.core.desk.memory.incidents, "it fires, and its step is refused"


def test_what_was_taken_of_another_line_is_never_bound(scenario):
    told(scenario, 4.0)
    assert not ran(scenario)


def test_after_the_action_only_a_new_line_is_news(scenario):
    told(scenario, 4.0, "alice")
    for _ in range(20):
        told(scenario, 4.0, "alice")
    assert len(ran(scenario)) == 1
