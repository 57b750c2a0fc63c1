import json

import pytest

from healer.core.explain import explain
from healer.model.event import Asked
from healer.model.request import Request
from healer.rules.rule import Samples, Step
from healer.testing import WALL


def ask(fake, verb, subject="agent", **args):
    fake.handle(Asked(request=Request(id="q", verb=verb, subject=subject, who="uid:0", args=args, at=fake.clock.now())))


def of(fake, rule="api-down", target="program:api"):
    (found,) = explain(fake.core, rule, target, fake.clock.now())
    json.dumps(found, allow_nan=False)
    return found


def test_a_rule_without_that_target_has_no_explanation(fake):
    assert explain(fake.core, "api-down", "http:front") == []
    assert explain(fake.core, "none") == []
    assert len(explain(fake.core, "api-down")) == 1


def test_a_condition_that_is_false_is_what_is_missing_and_the_gate_behind_it_is_told(fake):
    found = of(fake)
    assert (found["truth"], found["phase"]) == ("false", "inactive")
    assert found["missing"].startswith("its condition is false; were it true, it would be withheld by mode: ")
    assert found["tree"]["source"] == 'program.up{target="program:api"} == 0'
    assert found["tree"]["children"][0]["value"] == "1"


def test_a_condition_that_is_unknown_names_what_cannot_be_seen(fake):
    found = of(fake, "front-slow", "http:front")
    assert (found["truth"], found["phase"]) == ("unknown", "unknown")
    assert "http.latency" in found["missing"]
    assert "no such series" in found["missing"]


def test_every_gate_answers_in_order_and_asking_changes_nothing(fake):
    fake.see("program.up", 0, "program:api")
    before = fake.core.desk.memory.to_json()
    found = of(fake)
    assert fake.core.desk.memory.to_json() == before
    assert [gate["gate"] for gate in found["gates"]][:3] == ["mode", "kill_switch", "maintenance"]
    assert [gate["gate"] for gate in found["gates"] if not gate["ok"]] == ["mode"]
    assert found["missing"].startswith("withheld by mode: ")
    assert found["asked_ago"] == pytest.approx(0.0, abs=2.0)


def test_a_brake_thrown_since_is_seen_at_once(fake):
    ask(fake, "maintenance-add", "program:api", **{"for": 60.0, "reason": "upgrade"})
    refused = {gate["gate"]: gate for gate in of(fake)["gates"] if not gate["ok"]}
    assert refused["maintenance"]["wait"] == pytest.approx(60.0, abs=1.0)


def test_a_rule_that_is_off_says_how_to_switch_it_on(fake):
    ask(fake, "disable-rule", "api-down")
    assert "healer rules enable" in of(fake)["missing"]


def test_an_exhausted_rule_says_how_to_re_arm_it(fake):
    fake.see("program.up", 0, "program:api")
    incident = fake.core.desk.memory.incidents["api-down@program:api"]
    incident.phase = "given-up"
    assert "healer ack program:api" in of(fake)["missing"]
    incident.phase = "acting"
    assert of(fake)["missing"].startswith("nothing: it acts")
    incident.step = 9  # beyond its ladder: the last answers are shown
    assert of(fake)["gates"]


def test_a_condition_that_has_not_held_long_enough_says_how_long_is_missing(tmp_path, make_rule, make_port):
    port = make_port(make_rule("slow", "program:api", "program.up{target} == 0", for_=30.0))
    port.see("program.up", 0, "program:api")
    found = of(port, "slow")
    assert found["phase"] == "pending"
    assert "has to hold for 30.0 s more; then it would be withheld by mode" in found["missing"]


def test_samples_and_triggers_are_waited_for(make_rule, make_port):
    from healer.rules.rule import Samples, Trigger

    port = make_port(
        make_rule("few", "program:api", "program.up{target} == 0", samples=Samples(bad=5, of=6)),
        make_rule("hand", "program:api", "program.up{target} == 0", trigger=Trigger(kind="manual")),
    )
    port.see("program.up", 0, "program:api")
    assert "fewer than 5 of the last 6" in of(port, "few")["missing"]
    assert "waits for its trigger (manual)" in of(port, "hand")["missing"]


def changes(found):
    return [one["what"] for one in found["flip"]["changes"]]


def test_the_smallest_change_that_would_have_made_it_act_names_value_confirmation_and_gate(talk):
    rule = talk.rule(
        "program.up{target} == 0 and cpu.used > 90%", for_=20.0, samples=Samples(bad=3, of=4), cooldown=60.0
    )
    scenario = talk.with_rules(rule)
    for _ in range(2):
        talk.up(scenario, 0)
        scenario.see("cpu.used", 0.5)
        scenario.wait(1)
    (found,) = explain(scenario.core, "r")
    assert found["flip"]["to"] == "act"
    assert changes(found) == [
        "cpu.used is 50%, > 90% is needed",
        "3 more bad samples (0 of the last 4 are, 3 must be)",
        "20.0 s more of it (it held for 0.0 s of 20 s)",
    ]


def test_a_cooldown_is_told_with_the_moment_it_ends(talk):
    scenario = talk.with_rules(talk.rule(cooldown=60.0, then=(Step(action="restart", verify=talk.verify()),)))
    talk.falls(scenario)
    scenario.wait(1)
    talk.up(scenario, 1)
    scenario.wait(1)
    talk.falls(scenario)
    scenario.wait(1)
    (found,) = explain(scenario.core, "r")
    change = found["flip"]["changes"][0]
    assert change["what"].startswith("cooldown: ")
    assert change["ends"] == pytest.approx(WALL + 61.0, abs=3.0)


def test_of_a_rule_that_acts_it_is_told_what_would_have_stopped_it(talk):
    scenario = talk.with_rules(talk.rule(), world=lambda _: None)
    talk.falls(scenario)
    (found,) = explain(scenario.core, "r")
    assert (found["flip"]["to"], changes(found)) == (
        "not act",
        ['program.up{target="program:api"} is 0, anything but 0 is needed'],
    )


def test_the_smallest_change_says_what_to_write_and_where(fake):
    fake.see("program.up", 0, "program:api")
    (change,) = [one["what"] for one in of(fake)["flip"]["changes"] if one["what"].startswith("mode: ")]
    assert change.endswith("is only shown -> write mode: auto in r.yaml:1 and reload")
