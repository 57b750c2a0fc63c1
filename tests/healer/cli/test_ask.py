import json

import pytest

from healer.cli.ask import _params
from healer.errors import ConfigError


def asked(agent):
    return [heard.data for heard in agent.bus.ring if heard.topic == "request.answered"]


def test_a_pause_is_accepted_told_and_asked_under_our_own_name(agent, healer):
    said = healer("pause", "program:api")
    assert (said.code, said.out) == (0, "program:api is in mode observe now\n")
    assert asked(agent)[-1]["who"].startswith("uid:")
    assert healer("resume", "program:api").code == 0
    assert not agent.core.desk.memory.modes


def test_an_answer_can_be_read_by_programs(agent, healer):
    found = json.loads(healer("--output", "json", "pause").out)
    assert (found["answer"], found["verb"], found["subject"]) == ("accepted", "pause", "agent")


def test_an_illegal_move_is_refused_by_name_with_exit_1(agent, healer):
    healer("pause", "program:api")
    said = healer("start", "program:api")
    assert (said.code, said.out) == (1, "")
    assert "cannot go from paused to starting" in said.err


@pytest.mark.parametrize(
    ("args", "verb"),
    [
        (("restart", "program:api"), "restart"),
        (("stop", "program:api"), "soft-stop"),
        (("stop", "program:api", "--hard"), "hard-stop"),
        (("act", "signal", "program:api", "signal=HUP"), "act"),
        (("ack", "program:api"), "ack"),
    ],
)
def test_each_command_asks_for_what_it_says(agent, healer, args, verb):
    said = healer(*args)
    assert said.code == 0, said.err
    assert asked(agent)[-1]["verb"] == verb


def test_start_and_initialize_are_moves_of_the_one_state_machine(agent, healer):
    agent.see("program.up", 0, "program:api")
    assert healer("start", "program:api").code == 0
    assert asked(agent)[-1]["verb"] == "run"
    assert healer("initialize", "program:none").code == 1


def test_a_rule_is_triggered_only_where_its_condition_holds(agent, healer):
    said = healer("trigger", "api-down")
    assert said.code == 1
    assert "its condition is not true" in said.err
    assert healer("trigger", "api-down", "program:api").code == 1


def test_what_there_is_not_is_refused_with_what_there_is(agent, healer):
    said = healer("restart", "program:none")
    assert said.code == 1
    assert "program:api" in said.err


def test_parameters_are_read_as_in_a_rule():
    assert _params("restart", ("grace=5s", "timeout=1m")) == {"grace": 5.0, "timeout": 60.0}
    assert _params("run", ("argv=[ls, -l]",))["argv"] == ["ls", "-l"]
    assert _params("restart", ()) == {"timeout": 30.0}


@pytest.mark.parametrize(
    ("action", "pairs"),
    [("restart", ("grace=5",)), ("restart", ("nope=1",)), ("fly", ()), ("signal", ()), ("run", ("argv=[",)),
     ("restart", ("grace=!!python/object:os.system",)), ("restart", ("timeout=soon",))],
)  # fmt: skip
def test_every_mistake_in_parameters_is_told_before_anybody_is_asked(action, pairs):
    with pytest.raises(ConfigError) as found:
        _params(action, pairs)
    assert found.value.problems


def test_a_parameter_without_a_value_is_wrong_usage(agent, healer):
    assert healer("act", "restart", "program:api", "grace").code == 2
    assert not asked(agent)


HEALING = {"verdict": "verified", "outcome": "done", "verdict_because": "it runs", "healed_ms": 12.0}


@pytest.mark.parametrize(("verdict", "code"), [("verified", 0), ("unverified", 1)])
def test_the_verdict_can_be_waited_for_and_is_the_exit_code(agent, healer, monkeypatch, verdict, code):
    from healer.api.healings import Healings

    sealed = {**HEALING, "request": "q-1", "verdict": verdict}
    monkeypatch.setattr(Healings, "update", lambda _: None)
    monkeypatch.setattr(Healings, "last", lambda *_args, **_more: [{"request": "other", "verdict": "x"}, sealed])
    said = healer("restart", "program:api", "--wait", "2")
    assert said.code == code
    assert f"{verdict}: it runs (12 ms)" in said.out


def test_a_verdict_that_does_not_come_is_a_no(agent, healer, monkeypatch):
    from healer.api.healings import Healings

    monkeypatch.setattr(Healings, "update", lambda _: None)
    said = healer("restart", "program:api", "--wait", "0.3")
    assert said.code == 1
    assert "no verdict within 0.3 s" in said.err
