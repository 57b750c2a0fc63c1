import json

import pytest

from healer.core import report
from healer.core.acting import PATIENCE
from healer.core.approving import Approving
from healer.core.explain import explain
from healer.model.memory import Memory
from healer.model.mode import Mode
from healer.rules.rule import Approve, Exhausted, Step, Verify
from healer.testing import Scenario


@pytest.fixture
def scene(talk):
    """A program that is down, under a rule in mode approve."""
    scenario = talk.with_rules(talk.rule(mode=Mode.APPROVE, why="it serves the shop"))
    talk.falls(scenario)
    return scenario


def decisions(scene):
    return [(one["id"], one["decision"]) for one in scene.log.of("approval")]


def told(scene):
    return [one.params["message"] for one in scene.acted if one.action == "notify"]


def test_mode_approve_asks_once_tells_people_and_does_nothing(scene, talk):
    talk.up(scene, 0)
    scene.wait(30)
    assert talk.actions(scene) == []
    assert decisions(scene) == [("a-1", "asked")]
    (asked,) = scene.log.of("approval")
    assert (asked["corr"], asked["action"], asked["target"], asked["step"]) == (
        "r@program:api",
        "restart",
        "program:api",
        0,
    )
    assert asked["until_us"] - asked["ts"] == asked["deadline_us"] - asked["mono"] == 600_000_000
    (message,) = told(scene)
    assert message == (
        "restart of program:api waits for your yes for 600 s: it serves the shop "
        "(healer approve a-1, or healer deny a-1)"
    )
    (withheld,) = scene.withheld
    assert withheld.gate == "approval"
    assert "healer approve a-1" in withheld.because


def test_a_yes_acts_at_once_once_and_its_intent_names_it(scene, talk):
    answer = scene.ask("approve", id="a-1", because="go ahead")
    assert answer["answer"] == "accepted"
    assert talk.actions(scene) == [("restart", "program:api")]
    granted = scene.log.of("approval")[-1]
    assert (granted["decision"], granted["who"], granted["because"]) == ("granted", "tester", "go ahead")
    intent = next(one for one in scene.log.of("intent") if one["action"] == "restart")
    assert intent["approval"] == "a-1"
    assert intent["mode"] == "approve"


def test_a_yes_is_for_one_intent_only(scene, talk):
    scene.world = lambda decision: scene.fail(decision) if decision.action == "restart" else scene.succeed(decision)
    scene.ask("approve", id="a-1")
    talk.up(scene, 0)
    scene.wait(90)
    talk.up(scene, 0)
    scene.wait(30)
    assert talk.actions(scene) == [("restart", "program:api")]
    assert decisions(scene) == [("a-1", "asked"), ("a-1", "granted"), ("a-2", "asked")]


def test_a_second_answer_and_one_to_nothing_are_refused(scene):
    assert scene.ask("approve", id="a-7")["because"].startswith("no approval 'a-7'")
    assert scene.ask("approve")["answer"] == "refused"
    scene.ask("approve", id="a-1")
    for verb in ("approve", "deny"):
        again = scene.ask(verb, id="a-1")
        assert again["answer"] == "refused"
        assert "granted by tester" in again["because"]
    assert [one for _, one in decisions(scene)] == ["asked", "granted"]


def test_a_no_gives_up_aloud_and_is_not_asked_about_again(scene, talk):
    scene.ask("deny", id="a-1", because="we are selling")
    talk.up(scene, 0)
    scene.wait(300)
    assert talk.actions(scene) == []
    assert [one for _, one in decisions(scene)] == ["asked", "denied"]
    assert "a-1 denied by tester: we are selling" in told(scene)[-1]
    assert scene.core.state("program:api").value == "fault"
    late = scene.ask("approve", id="a-1")
    assert "denied by tester" in late["because"]


def test_no_answer_is_a_no(talk):
    step = Step(action="restart", approve=Approve(ttl=60))
    scene = talk.with_rules(talk.rule(then=(step,), on_exhausted=Exhausted(rearm_after=9e5)))
    talk.falls(scene)
    for _ in range(12):
        scene.wait(9.9)
        talk.up(scene, 0)
    assert decisions(scene) == [("a-1", "asked"), ("a-1", "expired")]
    expired = scene.log.of("approval")[-1]
    assert 60_000_000 <= expired["mono"] - scene.log.of("approval")[0]["mono"] <= 62_000_000
    assert talk.actions(scene) == []
    assert scene.ask("approve", id="a-1")["answer"] == "refused"


def test_the_wall_clock_may_end_it_early_but_never_prolong_it(talk):
    step = Step(action="restart", approve=Approve(ttl=60))
    scene = talk.with_rules(talk.rule(then=(step,)))
    talk.falls(scene)
    scene.jump(3600)
    scene.wait(2)
    assert [one for _, one in decisions(scene)] == ["asked", "expired"]
    other = talk.with_rules(talk.rule(then=(step,)))
    talk.falls(other)
    other.jump(-3600)
    other.wait(62)
    assert [one for _, one in decisions(other)] == ["asked", "expired"]


def test_a_yes_after_the_cause_is_gone_does_nothing_and_is_stale(scene, talk):
    talk.up(scene, 1)
    answer = scene.ask("approve", id="a-1")
    assert answer["answer"] == "refused"
    assert "stale" in answer["because"] or "closed" in answer["because"]
    assert talk.actions(scene) == []
    assert decisions(scene)[-1] == ("a-1", "stale")


def test_a_yes_to_what_nobody_can_see_any_more_is_stale(scene, talk):
    scene.wait(120)  # longer than any reading counts
    answer = scene.ask("approve", id="a-1")
    assert "the condition is unknown now" in answer["because"]
    assert decisions(scene)[-1] == ("a-1", "stale")
    talk.up(scene, 0)
    scene.wait(1)
    assert decisions(scene)[-1] == ("a-2", "asked")  # still needed: asked anew
    assert talk.actions(scene) == []


@pytest.mark.parametrize(
    ("brake", "gate"),
    [
        (lambda scene: scene.ask("maintenance-add", selector={"all": True}, **{"for": 900}), "maintenance"),
        (lambda scene: scene.ask("pause"), "mode"),
        (lambda scene: scene.ask("stop-healing"), "kill_switch"),
    ],
)
def test_a_yes_opens_no_other_gate(scene, talk, brake, gate):
    brake(scene)
    answer = scene.ask("approve", id="a-1")
    assert answer["answer"] == "refused"
    assert gate in answer["because"]
    assert decisions(scene)[-1] == ("a-1", "stale")
    assert talk.actions(scene) == []


def test_an_incident_that_ends_takes_its_question_along(scene, talk):
    talk.up(scene, 1)
    scene.wait(2)
    assert decisions(scene) == [("a-1", "asked"), ("a-1", "stale")]
    assert scene.core.desk.memory.approvals == {}


def folded(scene):
    memory = Memory()
    for entry in scene.log.entries:
        memory.apply(entry)
    return memory


def test_a_question_survives_a_restart_and_can_be_answered_then(scene, talk):
    memory = folded(scene)
    assert memory.to_json() == scene.core.desk.memory.to_json()
    memory = Memory.from_json(json.loads(json.dumps(memory.to_json())))
    after = talk.with_rules(talk.rule(mode=Mode.APPROVE), memory=memory, at=scene.now + 5)
    talk.up(after, 0)
    after.wait(1)
    talk.up(after, 0)
    after.wait(1)
    assert decisions(after) == []  # the same question stands
    assert after.ask("approve", id="a-1")["answer"] == "accepted"
    assert talk.actions(after) == [("restart", "program:api")]


def test_a_yes_from_before_a_restart_is_never_carried_out(scene, talk):
    scene.core.desk.note(
        "approval", "approval.granted", id="a-1", decision="granted", who="uid:0", because="just before the crash"
    )
    memory = scene.core.desk.memory
    assert memory.approvals["a-1"].state == "granted"
    after = talk.with_rules(talk.rule(mode=Mode.APPROVE), memory=memory, at=scene.now + 1)
    assert decisions(after) == [("a-1", "stale")]
    for _ in range(5):
        talk.up(after, 0)
        after.wait(1)
    assert talk.actions(after) == []
    assert decisions(after)[-1] == ("a-2", "asked")


def test_a_yes_that_was_not_used_is_stale_after_a_moment(scene, talk, monkeypatch):
    monkeypatch.setattr(type(scene.core.incidents), "at_once", lambda *_: None)
    scene.ask("approve", id="a-1")
    talk.up(scene, 0)
    scene.wait(PATIENCE + 2)
    assert decisions(scene)[-1] == ("a-1", "stale")
    assert talk.actions(scene) == []


def test_what_is_sealed_is_asked_about_once_more_and_its_own_yes_counts(talk):
    """Between the seal and the effect the gate must know the intent that used the yes."""
    scene = talk.with_rules(talk.rule(mode=Mode.APPROVE, then=(Step(action="restart"),)))
    talk.falls(scene)
    scene.ask("approve", id="a-1")
    assert scene.stale == []
    assert scene.core.desk.memory.approvals == {} or scene.core.desk.memory.approvals["a-1"].state == "used"


def test_each_rung_has_its_own_question(talk):
    def rung(action):
        return Step(
            action=action,
            approve=Approve(ttl=600),
            verify=Verify(when=talk.parsed("program.up{target} == 1"), source="x", within=5.0),
        )

    scene = talk.with_rules(talk.rule(then=(rung("restart"), rung("start"))))
    talk.falls(scene)
    scene.ask("approve", id="a-1")
    for _ in range(20):
        talk.up(scene, 0)
        scene.wait(1)
    assert talk.actions(scene) == [("restart", "program:api")]
    assert [one["step"] for one in scene.log.of("approval") if one["decision"] == "asked"] == [0, 1]
    assert scene.ask("approve", id="a-2")["answer"] == "accepted"
    assert talk.actions(scene)[-1] == ("start", "program:api")


@pytest.mark.parametrize("key", ["", None, 1, ["a-1"], {"id": "a-1"}, "a-1\n", "A-1", "x" * 1000])
def test_whatever_is_no_id_is_refused(scene, talk, key):
    answer = scene.ask("approve", id=key)
    assert answer["answer"] == "refused"
    assert talk.actions(scene) == []


def test_the_part_that_answers_is_one_of_the_core(scene):
    assert isinstance(scene.core.approving, Approving)
    assert isinstance(scene, Scenario)


def seen(scene, rule="r"):
    (found,) = explain(scene.core, rule, "program:api", scene.now)
    return found


def test_who_said_no_and_why_is_told_where_one_looks(scene, talk):
    scene.ask("deny", id="a-1", because="I look first")
    assert seen(scene)["missing"].startswith("it was given up: a-1 denied by tester: I look first (healer ack ")
    (incident,) = report.incidents(scene.core)
    assert (incident["phase"], incident["because"]) == ("given-up", "a-1 denied by tester: I look first")
    (target,) = [one for one in report.targets(scene.core) if one["id"] == "program:api"]
    assert target["because"] == "given up: a-1 denied by tester: I look first"
    again = Memory.from_json(json.loads(json.dumps(scene.core.desk.memory.to_json())))
    assert again.incidents["r@program:api"].because == incident["because"]
    scene.ask("ack", "program:api")
    talk.up(scene, 0)
    assert not [one for one in report.incidents(scene.core) if one["because"].startswith("a-1")]


def test_that_nobody_answered_is_told_where_one_looks(scene, talk):
    for _ in range(130):
        scene.wait(5)
        talk.up(scene, 0)
    assert seen(scene)["missing"].startswith("it was given up: nobody answered a-1 in time (")


def test_what_was_granted_does_not_wait_for_a_yes_while_it_is_done_or_proved(talk):
    scene = talk.with_rules(talk.rule(mode=Mode.APPROVE), world=lambda _: None)
    talk.falls(scene)
    assert not {gate["gate"]: gate["ok"] for gate in seen(scene)["gates"]}["approval"]
    scene.ask("approve", id="a-1")
    found = seen(scene)
    assert found["phase"] == "acting"
    assert {gate["gate"]: gate["ok"] for gate in found["gates"]}["approval"]
