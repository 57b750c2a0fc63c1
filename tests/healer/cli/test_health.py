import json


def test_well_is_0_and_anything_else_is_1(agent, healer):
    assert healer("health").out == "pass\n"
    agent.force("safe_mode", "on", "too many sick")
    said = healer("health")
    assert (said.code, said.out.splitlines()[0]) == (1, "warn")
    assert "safe mode: too many sick" in said.out
    assert healer("health", "audit").code == 0
    assert json.loads(healer("health", "agent", "--json").out)["status"] == "warn"


def test_a_log_that_takes_nothing_fails(agent, healer):
    agent.log |= {"sealing": False, "because": "no room"}
    said = healer("health", "audit")
    assert (said.code, said.out.splitlines()[0]) == (1, "fail")


def test_an_agent_that_does_not_run_is_not_well(healer):
    said = healer("health")
    assert (said.code, said.out.splitlines()[0]) == (1, "fail")
    assert json.loads(healer("health", "--json").out)["status"] == "fail"


def test_a_part_there_is_not_is_wrong_usage(healer):
    assert healer("health", "feet").code == 2
