import json

import pytest

from healer.core.holding import SLOTS, Restless
from healer.model.limit import Brakes
from healer.model.memory import Memory
from healer.model.organism import Health
from healer.rules.rule import Backoff, Limit, Step, Trigger

UP, DOWN, DARK = Health.HEALTHY, Health.FAILED, Health.UNKNOWN
MANY = (Limit(max=100, per=3600.0),)


def folded(scene):
    memory = Memory()
    for entry in scene.log.entries:
        memory.apply(entry)
    return memory


def told(scene, word):
    return [one.params["message"] for one in scene.acted if one.action == "notify" and word in one.params["message"]]


# The score ----------------------------------------------------------------------------------------------------


def test_a_steady_target_has_no_score_and_one_that_always_changes_the_full_one():
    one = Restless(began=0.0, last=UP)
    assert one.score(100) == 0.0
    for slot in range(SLOTS):
        one.saw(DOWN if slot % 2 == 0 else UP, slot)
    assert one.score(SLOTS - 1) == pytest.approx(1.0)


def test_recent_changes_weigh_more_and_old_ones_are_forgotten():
    one = Restless(began=0.0, last=UP)
    one.saw(DOWN, 5)
    scores = [one.score(slot) for slot in range(5, 5 + SLOTS + 1)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1.2 / SLOTS)
    assert scores[-2] == pytest.approx(0.8 / SLOTS)
    assert scores[-1] == 0.0


def test_what_nobody_knows_is_no_state_and_a_slot_counts_once():
    one = Restless(began=0.0, last=UP)
    one.saw(DARK, 1)
    one.saw(UP, 2)
    assert one.score(2) == 0.0
    for health in (DOWN, UP, DOWN, UP):
        one.saw(health, 3)
    assert one.score(3) == pytest.approx(1.2 / SLOTS)


# Flapping -----------------------------------------------------------------------------------------------------


@pytest.fixture
def restless(talk):
    """A rule that restarts a live program for what another sign says; slots of ten seconds."""
    rule = talk.rule(
        "program.memory{target} > 1GiB",
        cooldown=1.0,
        limits=MANY,
        backoff=Backoff(initial=0.0),
        then=(Step(action="restart"),),
    )
    return talk.with_rules(rule, brakes=Brakes(flap_slot=10.0, breaker_opens_after=99, actions_per_hour=1000))


def swing(scene, talk, times):
    for _ in range(times):
        talk.up(scene, 0)
        scene.wait(5)
        talk.up(scene, 1)
        scene.wait(5)


def score(scene):
    return scene.core.known("target.flaps", "program:api")


def test_what_goes_up_and_down_is_told_once_sealed_and_not_taken_down(restless, talk):
    talk.up(restless, 1)
    restless.wait(20)
    assert score(restless) == 0.0
    swing(restless, talk, 8)
    assert score(restless) > 0.3
    assert [one["to"] for one in restless.log.of("state") if one["subject"] == "flapping:program:api"] == ["flapping"]
    assert len(told(restless, "is flapping")) == 1
    for _ in range(4):
        restless.see("program.memory", 2 * 2**30, target="program:api")
        restless.wait(1)
    assert talk.actions(restless) == []
    assert restless.withheld[-1].gate == "flapping"
    withheld = restless.log.of("withheld")[-1]
    assert withheld["proposal"].startswith("find out why program:api comes and goes")
    assert folded(restless).to_json() == restless.core.desk.memory.to_json()


def test_it_ends_when_the_score_is_low_again_and_what_was_held_goes_on(restless, talk):
    talk.up(restless, 1)
    restless.wait(200)
    swing(restless, talk, 8)
    for _ in range(250):
        talk.up(restless, 1)
        restless.see("program.memory", 2 * 2**30, target="program:api")
        restless.wait(1)
    moves = [one["to"] for one in restless.log.of("state") if one["subject"] == "flapping:program:api"]
    assert moves == ["flapping", "steady"]
    assert talk.actions(restless)


def test_a_restart_does_not_calm_it_before_it_was_watched_for_long_enough(restless, talk):
    talk.up(restless, 1)
    restless.wait(20)
    swing(restless, talk, 8)
    memory = Memory.from_json(json.loads(json.dumps(folded(restless).to_json())))
    after = talk.with_rules(talk.rule(), memory=memory, at=restless.now, brakes=Brakes(flap_slot=10.0))
    talk.up(after, 1)
    after.wait(SLOTS * 10 - 15)
    assert "program:api" in after.core.desk.memory.flapping
    after.wait(40)
    assert "program:api" not in after.core.desk.memory.flapping


# Cures that take turns ----------------------------------------------------------------------------------------


@pytest.fixture
def fight(talk):
    """One rule stops what another one starts."""
    more = {"cooldown": 1.0, "limits": MANY, "backoff": Backoff(initial=0.0)}
    stopper = talk.rule("program.cpu{target} > 80%", id="stopper", then=(Step(action="stop"),), **more)
    starter = talk.rule("program.up{target} == 0", id="starter", then=(Step(action="start"),), **more)
    return talk.with_rules(stopper, starter, brakes=Brakes(breaker_opens_after=99, actions_per_hour=1000))


def rounds(scene, talk, times):
    for _ in range(times):
        for up, cpu in ((1, 0.9), (0, 0.0)):
            for _ in range(2):
                talk.up(scene, up)
                scene.see("program.cpu", cpu, target="program:api")
                scene.wait(2)


def test_two_rules_that_undo_each_other_are_held_told_once_and_sealed(fight, talk):
    rounds(fight, talk, 8)
    assert [action for action, _ in talk.actions(fight)] == ["stop", "start", "stop", "start"]
    (sealed,) = [one for one in fight.log.of("state") if one["subject"] == "oscillation:program:api"]
    assert (sealed["to"], sealed["rule"]) == ("held", "stopper starter")
    assert "stop by stopper, start by starter, stop by stopper, start by starter" in sealed["because"]
    assert len(told(fight, "took turns")) == 1
    assert {one.gate for one in fight.withheld} >= {"oscillation"}
    assert folded(fight).to_json() == fight.core.desk.memory.to_json()


def test_an_acknowledgement_lets_them_go_on_from_the_beginning(fight, talk):
    rounds(fight, talk, 6)
    answer = fight.ask("ack", "program:api")
    assert answer["answer"] == "accepted"
    assert "took turns let go on" in answer["because"]
    rounds(fight, talk, 6)
    assert len(talk.actions(fight)) in {8, 9}  # what is done in the very moment of the acknowledgement does not count
    assert [one["to"] for one in fight.log.of("state") if one["subject"] == "oscillation:program:api"] == [
        "held",
        "calm",
        "held",
    ]


def test_it_is_held_after_a_restart_and_ends_by_long_health(fight, talk):
    rounds(fight, talk, 6)
    memory = Memory.from_json(json.loads(json.dumps(folded(fight).to_json())))
    after = talk.with_rules(
        *fight.core.setup.rules.rules, memory=memory, at=fight.now, brakes=Brakes(breaker_healthy_for=600.0)
    )
    rounds(after, talk, 2)
    assert talk.actions(after) == []
    for _ in range(70):
        talk.up(after, 1)
        after.see("program.cpu", 0.0, target="program:api")
        after.wait(10)
    assert not after.core.desk.memory.oscillations["program:api"].held


# Errors of a kind -----------------------------------------------------------------------------------------------


def test_a_verb_that_fails_on_every_target_is_skipped_said_so_and_tried_again(talk):
    targets = tuple(
        talk.api.__class__(kind="program", name=f"p{n}", organ="heart", startup_grace=0.0) for n in range(4)
    )
    rules = [
        talk.rule(id=f"r{n}", target=f"program:p{n}", cooldown=1.0, limits=MANY, backoff=Backoff(initial=0.0))
        for n in range(4)
    ]
    brakes = Brakes(errors_until_skipped=3, errors_retried_after=60.0, mass_failure_count=99, breaker_opens_after=99)
    scene = talk.with_rules(*rules, targets=targets, brakes=brakes)
    scene.world = lambda decision: scene.fail(decision) if decision.action == "restart" else scene.succeed(decision)
    for up in (1, 0, 0):
        for number in range(4):
            talk.up(scene, up, f"program:p{number}")
        scene.wait(1)
    assert len(talk.actions(scene)) == 3
    (withheld,) = [one for one in scene.log.of("withheld") if one["gate"] == "errors"][:1]
    assert withheld["because"].startswith("skipped: restart of a program failed 3 times in a row")
    errors = scene.core.desk.memory.errors["restart program"]
    assert (errors.count, errors.skipped >= 1) == (3, True)
    assert folded(scene).to_json() == scene.core.desk.memory.to_json()
    scene.world = scene.succeed
    for _ in range(70):
        for number in range(4):
            talk.up(scene, 0, f"program:p{number}")
        scene.wait(1)
    assert len(talk.actions(scene)) > 3
    assert "restart program" not in scene.core.desk.memory.errors  # success resets it


# What the agent set off -----------------------------------------------------------------------------------------


def test_rules_that_set_each_other_off_stop_at_three_with_their_chain(talk):
    """Each rule is started by the firing of the one before."""
    first = talk.rule(id="r0", then=(Step(action="publish", params={"topic": "a.b"}),))
    others = [
        talk.rule(
            "program.up{target} == 0",
            id=f"r{n}",
            trigger=Trigger(kind="event", topic="incident.firing", filter={"rule": f"r{n - 1}"}, own=True),
            then=(Step(action="publish", params={"topic": "a.b"}),),
        )
        for n in range(1, 6)
    ]
    scene = talk.with_rules(first, *others)
    talk.falls(scene)
    for _ in range(10):
        talk.up(scene, 0)
        scene.wait(1)
    acted = {one.rule for one in scene.acted if one.action == "publish"}
    assert acted == {"r0", "r1", "r2", "r3"}
    held = [one for one in scene.withheld if one.gate == "causality"]
    assert {one.rule for one in held} == {"r4", "r5"}
    chain = "r0@program:api -> r1@program:api -> r2@program:api -> r3@program:api -> r4@program:api"
    assert held[0].because.endswith(chain)
    memory = scene.core.desk.memory
    assert Memory.from_json(json.loads(json.dumps(memory.to_json()))) == memory
