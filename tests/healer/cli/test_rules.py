import json

from healer.model.event import Asked
from healer.model.request import Request


def test_rules_are_listed_most_urgent_first_with_their_state(agent, healer):
    said = healer("rules", "list")
    lines = said.out.splitlines()
    assert lines[0].split()[:4] == ["RULE", "PRIORITY", "MODE", "STATE"]
    assert lines[1].split()[:4] == ["api-down", "7", "observe", "inactive"]
    assert lines[2].split()[:4] == ["front-slow", "4", "observe", "unknown"]


def test_one_rule_is_shown_with_each_of_its_targets(agent, healer):
    agent.see("program.up", 0, "program:api")
    said = healer("rules", "show", "api-down")
    assert "why       it should run" in said.out
    assert "program:api" in said.out
    assert "firing" in said.out
    found = json.loads(healer("rules", "show", "api-down", "--json").out)
    assert found["targets"][0]["truth"] == "true"


def test_a_rule_there_is_not_is_invalid_input(agent, healer):
    assert healer("rules", "show", "none").code == 2
    assert healer("rules", "disable", "none").code == 1  # refused, and sealed as such


def test_a_rule_is_switched_off_and_on(agent, healer):
    assert healer("rules", "disable", "api-down").code == 0
    assert "off" in healer("rules", "list").out.splitlines()[1]
    agent.see("program.up", 0, "program:api")
    assert not agent.core.desk.memory.incidents
    assert healer("rules", "enable", "api-down").code == 0
    assert json.loads(healer("rules", "list", "--json").out)["rules"][0]["enabled"] is True


def test_the_mode_that_holds_is_shown_not_the_one_that_was_written(agent, healer):
    request = Request(id="q", verb="set-mode", subject="rule:api-down", who="me", args={"mode": "off"}, at=1.0)
    agent.handle(Asked(request=request))
    assert healer("rules", "list").out.splitlines()[1].split()[:4] == ["api-down", "7", "off", "inactive"]
    assert "holds     off (rule api-down, lowered)" in healer("rules", "show", "api-down").out
