import json

import pytest


def test_an_event_goes_over_the_agents_bus(agent, healer):
    said = healer("event", "send", "user.hello", '{"name": "x"}')
    assert (said.code, said.out) == (0, "published user.hello\n")
    heard = [one for one in agent.bus.ring if one.topic == "user.hello"]
    assert dict(heard[0].data) == {"name": "x"}
    assert json.loads(healer("event", "send", "user.bye", "--json").out)["answer"] == "accepted"


@pytest.mark.parametrize("data", ["{", "[]", "1", '"x"', "[" * 100_000])
def test_what_is_no_json_object_reaches_nobody(agent, healer, data):
    said = healer("event", "send", "user.hello", data)
    assert said.code == 2
    assert "Traceback" not in said.err
    assert not [one for one in agent.bus.ring if one.topic == "user.hello"]
