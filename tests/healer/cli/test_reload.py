import json


def test_every_mistake_is_told_one_per_line_and_nothing_is_loaded(agent, healer):
    said = healer("reload")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[:2] == ["r.yaml:1:1: no (yes)", "r.yaml:2:1: nor that"]
    assert "nothing was loaded" in said.err


def test_what_was_loaded_is_told(agent, healer):
    async def fine():
        return {"rules": 3, "targets": 2, "hash": "ab" * 32}

    agent.reload = fine
    assert healer("reload").out == f"3 rules, 2 targets, rules' hash {'ab' * 8}\n"
    assert json.loads(healer("reload", "--json").out)["rules"] == 3
