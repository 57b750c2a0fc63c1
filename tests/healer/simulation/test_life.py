"""One life: the real agent in the toy world, from its first entry to its last, or to its death."""

import json

import pytest

from audit.reader import Log
from healer.model.memory import Acted, Memory
from healer.simulation.life import Life


def entries(house, kind=""):
    with Log.open(house.folder) as log:
        found = [json.loads(one.octets) for one in log.entries()]
    return [one for one in found if kind in ("", one["kind"])]


def test_what_dies_is_healed_sealed_and_proved(house):
    house.world.plan(10.0, lambda: house.world.die("program:p1"))
    assert Life(house).live(60.0) == ""
    assert house.problems == []
    assert house.world.things["program:p1"].up
    (effect,) = house.world.ledger
    assert (effect.verb, effect.target, effect.rule) == ("restart", "program:p1", "down")
    assert [one["result"] for one in entries(house, "verdict")] == ["verified"]
    assert [one["phase"] for one in entries(house, "lifecycle")] == ["start", "stop"]


def test_a_healthy_world_is_left_alone(house):
    assert Life(house).live(120.0) == ""
    assert house.world.ledger == []
    assert entries(house, "intent") == []


def test_a_crash_leaves_the_intent_open_and_the_next_life_closes_it(house):
    house.world.plan(10.0, lambda: house.world.die("program:p1"))
    house.chance.rates = {"crash.after-effect": 1.0}
    assert Life(house).live(60.0) == "after-effect"
    assert entries(house, "outcome") == []
    house.chance.rates = {}
    assert Life(house).live(120.0) == ""
    assert [one["result"] for one in entries(house, "outcome")] == ["interrupted"]
    assert len(house.world.ledger) == 1
    assert house.problems == []


def test_a_life_that_dies_at_a_step_dies_there(house):
    life = Life(house)
    life.asyncio.crash_at = 300
    assert life.live(60.0) == "at step 300"
    assert life.asyncio.is_closed()
    assert house.world.dead


def test_requests_and_reloads_reach_it(house):
    life = Life(house)
    house.world.plan(5.0, lambda: life.ask("act", "program:p0", action="restart"))
    house.world.plan(20.0, life.reload)
    assert life.live(40.0) == ""
    assert [one["answer"] for one in entries(house, "request")] == ["accepted"]
    assert [one["because"] for one in entries(house, "rules")] == ["start", "reload"]
    assert [effect.rule for effect in house.world.ledger] == [""]


def test_the_kill_switch_is_seen_and_obeyed(house):
    house.world.plan(5.0, house.kill_switch.throw)
    house.world.plan(10.0, lambda: house.world.die("program:p1"))
    assert Life(house).live(40.0) == ""
    assert house.world.ledger == []
    assert any(one["subject"] == "kill_switch" for one in entries(house, "state"))


def test_what_the_agent_raises_is_a_problem_of_the_seed(house, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("healer.core.core.Core.handle", broken)
    assert Life(house).live(40.0) == "a bug"
    assert "ZeroDivisionError" in house.problems[0]


def test_a_memory_that_differs_from_its_fold_is_a_problem(house):
    life = Life(house)
    acted = [Acted(id="i-1", at=1.0, rule="r", target="t", action="restart")]
    life._same(Memory(acted=acted), Memory(), "they differ")
    life._same(Memory(), Memory(), "they are the same")
    (problem,) = house.problems
    assert problem.startswith("they differ: acted")
    life.live(1.0)


@pytest.mark.parametrize("field", ["counter", "safe_mode", "modes"])
def test_a_difference_says_where_it_is(house, field):
    life = Life(house)
    other = {"counter": Memory(counter=3), "safe_mode": Memory(safe_mode="x"), "modes": Memory(modes={"a": "off"})}
    life._same(other[field], Memory(), "they differ")
    assert f"they differ: {field}" in house.problems[0]
    life.live(1.0)
