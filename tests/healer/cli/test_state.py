import json


def test_the_states_of_agent_and_targets_are_shown(agent, healer):
    assert healer("state").out == "agent running\nprogram:api running\nhttp:front running\n"
    assert healer("state", "agent").out == "agent running\n"
    assert json.loads(healer("state", "--json").out)["program:api"] == "running"


def test_one_target_is_shown_with_its_health_and_why(agent, healer):
    agent.see("program.up", 0, "program:api")
    assert healer("state", "program:api").out == "program:api stopped (failed)\n"
    assert json.loads(healer("state", "program:api", "--json").out)["health"] == "failed"


def test_a_target_there_is_not_is_invalid_input(agent, healer):
    assert healer("state", "program:none").code == 2
