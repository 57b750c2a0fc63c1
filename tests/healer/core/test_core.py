"""Conversations with the core: what is decided, what is withheld, and what a crash cannot make it forget."""

import gc
from dataclasses import replace

import pytest

from healer.core.core import Core, Setup
from healer.model.active import Active
from healer.model.decision import Outcome, Result
from healer.model.event import Looked
from healer.model.limit import Backoff, Brakes, Limit
from healer.model.mode import Mode
from healer.model.organism import Health
from healer.model.target import State, Target
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.evaluate import Entry
from healer.rules.rule import Position, Rule, RuleSet, Samples, Selector, Step, Verify
from healer.testing import Scenario

WEB = Target(kind="http", name="web", organ="lungs", startup_grace=0.0)
API = Target(kind="program", name="api", organ="heart", startup_grace=0.0)


def parsed(text):
    return expression.parse(text, vocabulary=METRICS)


def rule(when="program.up{target} == 0", *, id="r", target="program:api", then=None, **more):  # noqa: A002 - the word of the field
    steps = (Step(action="restart"),) if then is None else then
    return Rule(
        id=id,
        position=Position(file="t.yaml", line=1, column=1),
        target=target,
        when=parsed(when),
        when_source=when,
        then=steps,
        mode=more.pop("mode", Mode.AUTO),
        **more,
    )


def setup(*rules, targets=(WEB, API), **more):
    return Setup(
        node="test",
        boot="boot-1",
        targets=targets,
        rules=RuleSet(rules=rules, hash="h", files=()),
        **more,
    )


def up(scenario, value, target="program:api", **more):
    scenario.see("program.up", value, target=target, **more)


def down_twice(scenario, target="program:api"):
    up(scenario, 1, target)
    scenario.wait(1)
    up(scenario, 0, target)


def actions(scenario):
    return [(one.action, one.target) for one in scenario.acted if one.action != "notify"]


def test_a_dead_program_is_restarted_once_with_intent_before_and_outcome_after():
    scenario = Scenario(setup(rule()))
    down_twice(scenario)
    assert actions(scenario) == [("restart", "program:api")]
    kinds = [kind for kind in scenario.log.kinds() if kind in {"intent", "outcome", "verdict"}]
    assert kinds == ["intent", "outcome"]
    scenario.wait(0.1)
    up(scenario, 1)
    scenario.wait(2)
    assert scenario.log.of("verdict")[0]["result"] == "verified"
    assert not scenario.core.desk.memory.incidents
    assert not scenario.core.desk.memory.intents


def test_first_sample_after_start_never_fires():
    scenario = Scenario(setup(rule()))
    up(scenario, 0)
    scenario.wait(0.5)
    assert actions(scenario) == []
    up(scenario, 0)
    assert actions(scenario) == [("restart", "program:api")]


def test_an_exit_seen_through_a_pidfd_needs_neither_second_sample_nor_for():
    scenario = Scenario(setup(rule(for_=60.0)))
    up(scenario, 0, conclusive=True)
    assert actions(scenario) == [("restart", "program:api")]


def test_unknown_never_fires_and_never_clears():
    scenario = Scenario(setup(rule()))
    up(scenario, 1)
    scenario.wait(1)
    up(scenario, None)
    scenario.wait(5)
    assert actions(scenario) == []
    up(scenario, 0)
    assert len(actions(scenario)) == 1
    scenario.wait(1)
    up(scenario, None)
    scenario.wait(5)
    assert scenario.core.desk.memory.incidents["r@program:api"].phase in {"verifying", "firing"}


def test_for_waits_and_a_recovery_in_between_starts_it_again():
    scenario = Scenario(setup(rule(for_=5.0)))
    down_twice(scenario)
    for _ in range(4):
        scenario.wait(1)
        up(scenario, 0)
    assert actions(scenario) == []
    up(scenario, 1)
    scenario.wait(1)
    for _ in range(5):
        assert actions(scenario) == []
        up(scenario, 0)
        scenario.wait(1)
    assert len(actions(scenario)) == 1


def test_samples_count_bad_of_many():
    scenario = Scenario(setup(rule(samples=Samples(bad=3, of=4))))
    up(scenario, 1)
    for value in (0, 1, 0):
        scenario.wait(1)
        up(scenario, value)
    assert actions(scenario) == []
    scenario.wait(1)
    up(scenario, 0)
    assert len(actions(scenario)) == 1


def test_mode_observe_withholds_once_per_incident_and_seals_it():
    scenario = Scenario(setup(rule(mode=Mode.OBSERVE)))
    down_twice(scenario)
    for _ in range(5):
        scenario.wait(1)
        up(scenario, 0)
    assert actions(scenario) == []
    assert [one.gate for one in scenario.withheld] == ["mode"]
    assert len(scenario.log.of("withheld")) == 1


def test_cooldown_counts_from_the_end_of_the_action():
    scenario = Scenario(setup(rule(cooldown=30.0, backoff=Backoff(initial=0.0))))
    down_twice(scenario)
    scenario.wait(0.5)
    up(scenario, 1)
    scenario.wait(2)
    up(scenario, 0, conclusive=True)
    assert len(actions(scenario)) == 1
    assert scenario.withheld[-1].gate == "cooldown"
    for _ in range(40):
        scenario.wait(1)
        up(scenario, 0)
    assert len(actions(scenario)) == 2


def test_a_cooldown_longer_than_what_ends_a_streak_lasts_its_whole_time():
    scenario = Scenario(setup(rule(cooldown=3600.0, backoff=Backoff(initial=0.0, reset_after=600.0))))
    for _ in range(5):  # half an hour, in which a rest of ten minutes comes again and again
        down_twice(scenario)
        scenario.wait(1)
        up(scenario, 1)
        scenario.wait(601)
    assert len(actions(scenario)) == 1, [one.gate for one in scenario.withheld]
    assert scenario.withheld[-1].gate == "cooldown"


def test_limits_hold_over_incidents():
    scenario = Scenario(setup(rule(cooldown=0.0, backoff=Backoff(initial=0.0), limits=(Limit(max=2, per=3600.0),))))
    for _ in range(5):
        up(scenario, 0, conclusive=True)
        scenario.wait(1)
        up(scenario, 1)
        scenario.wait(1)
    assert len(actions(scenario)) == 2
    assert scenario.withheld[-1].gate == "limit"


def test_what_is_stale_after_the_seal_is_not_done():
    scenario = Scenario(setup(rule()))
    seal = scenario.log.seal

    def recover_meanwhile(entry):
        leaf = seal(entry)
        if entry["kind"] == "intent":
            up(scenario, 1)
        return leaf

    scenario.log.seal = recover_meanwhile
    down_twice(scenario)
    assert actions(scenario) == []
    assert scenario.stale
    assert scenario.log.of("outcome")[0]["result"] == "stale"
    assert not scenario.core.desk.memory.acted, "a refused attempt consumes nothing"


def test_maintenance_withholds_and_what_still_holds_at_its_end_is_treated():
    scenario = Scenario(setup(rule()))
    answer = scenario.ask("maintenance-add", "program:api", **{"for": 10.0}, reason="upgrade")
    assert answer["answer"] == "accepted"
    down_twice(scenario)
    assert scenario.withheld[0].gate == "maintenance"
    for _ in range(15):
        scenario.wait(1)
        up(scenario, 0)
    assert len(actions(scenario)) == 1
    assert [entry["op"] for entry in scenario.log.of("maintenance")] == ["add", "end"]


def test_a_maintenance_ended_before_its_time_holds_nothing_back_any_more():
    scenario = Scenario(setup(rule()))
    window = scenario.ask("maintenance-add", "program:api", **{"for": 3600.0}, reason="upgrade")["because"]
    down_twice(scenario)
    assert (actions(scenario), scenario.withheld[0].gate) == ([], "maintenance")
    scenario.ask("maintenance-end", id=window)
    assert scenario.looks[-1] == "program:api"
    scenario.wait(1)
    assert actions(scenario) == []  # on fresh evidence only
    up(scenario, 0)
    assert len(actions(scenario)) == 1


def test_mass_failure_is_our_own_error_until_somebody_says_otherwise():
    targets = tuple(Target(kind="http", name=f"w{n}", organ="lungs", groups=("web",)) for n in range(4))
    fleet = rule("http.ok{target} == 0", target="", each=Selector(kind="http"), then=(Step(action="run"),), settle=5.0)
    scenario = Scenario(setup(fleet, targets=targets))
    for value in (1, 0):
        for target in targets:
            scenario.see("http.ok", value, target=target.id)
        scenario.wait(1)
    assert actions(scenario) == []
    assert scenario.core.desk.memory.safe_mode
    scenario.wait(10)
    assert actions(scenario) == []
    assert {one.gate for one in scenario.withheld} == {"mass_failure"}
    assert [one.action for one in scenario.acted] == ["notify"], "a person is told, once"
    scenario.ask("resume-healing")
    assert not scenario.core.desk.memory.safe_mode


def test_two_kinds_of_sensors_blind_together_is_safe_mode():
    scenario = Scenario(setup(rule()))
    up(scenario, 1)
    scenario.see("http.ok", 1, target="http:web")
    scenario.wait(1)
    scenario.blind("program:api")
    assert not scenario.core.desk.memory.safe_mode
    scenario.blind("http:web")
    assert "blind" in scenario.core.desk.memory.safe_mode


def test_a_child_is_not_treated_for_what_its_parent_has():
    child = replace(WEB, requires=("program:api",))
    probe = rule("http.ok{target} == 0", target="http:web", then=(Step(action="run"),))
    scenario = Scenario(setup(probe, targets=(child, API)))
    up(scenario, 0)
    scenario.see("http.ok", 1, target="http:web")
    scenario.wait(1)
    scenario.see("http.ok", 0, target="http:web")
    assert actions(scenario) == []
    assert scenario.withheld[0].gate == "dependency"


def test_failed_verification_climbs_the_ladder_then_gives_up_loudly():
    ladder = (
        Step(action="restart", verify=Verify(when=parsed("http.ok{target} == 1"), source="", within=5.0)),
        Step(action="run", verify=Verify(when=parsed("http.ok{target} == 1"), source="", within=5.0)),
    )
    scenario = Scenario(
        setup(rule("http.ok{target} == 0", target="http:web", then=ladder, backoff=Backoff(initial=0.0)))
    )
    scenario.see("http.ok", 1, target="http:web")
    for _ in range(20):
        scenario.wait(1)
        scenario.see("http.ok", 0, target="http:web")
    assert actions(scenario) == [("restart", "http:web"), ("run", "http:web")]
    assert [entry["result"] for entry in scenario.log.of("verdict")][:2] == ["unverified", "unverified"]
    assert scenario.core.desk.memory.incidents["r@http:web"].phase == "given-up"
    assert scenario.core.state("http:web") is State.FAULT
    assert scenario.acted[-1].action == "notify"
    assert scenario.ask("ack", "http:web")["answer"] == "accepted"
    assert scenario.core.state("http:web") is not State.FAULT
    assert not scenario.core.desk.memory.incidents


def test_failures_in_a_row_open_the_breaker():
    def fail(decision):
        if decision.action == "notify":
            return scenario.succeed(decision)
        return Outcome(id=decision.id, result=Result.FAILED_TRANSIENT, because="no", at=scenario.now, took=0.0)

    many = rule(backoff=Backoff(initial=0.0), limits=(Limit(max=100, per=3600.0),))
    scenario = Scenario(setup(many, brakes=Brakes(breaker_opens_after=3)), world=fail)
    down_twice(scenario)
    for _ in range(300):
        scenario.wait(1)
        up(scenario, 0)
    assert len(actions(scenario)) == 3
    assert scenario.core.desk.memory.breakers["restart@program:api"].open
    assert scenario.core.desk.memory.incidents["r@program:api"].phase == "given-up"


def test_a_restart_that_left_the_same_incarnation_is_no_success():
    scenario = Scenario(setup(rule()))
    scenario.world = lambda one: Outcome(
        id=one.id, result=Result.DONE, because="", at=scenario.now, took=0.0, generation="1.1"
    )
    scenario.see("program.generation", "1.1", target="program:api")
    down_twice(scenario)
    scenario.wait(1)
    up(scenario, 1)
    scenario.wait(1)
    assert scenario.log.of("verdict")[0]["result"] == "unverified"


def test_the_fold_of_the_log_is_the_memory_that_runs():
    scenario = Scenario(setup(rule(cooldown=5.0)))
    for _ in range(3):
        down_twice(scenario)
        scenario.wait(3)
        up(scenario, 1)
        scenario.wait(4)
    scenario.ask("pause", "agent")
    live = scenario.core.desk.memory
    folded = scenario.folded()
    live.frame = folded.frame
    assert folded.to_json() == live.to_json()


def test_a_crash_after_the_intent_is_closed_as_interrupted_and_not_repeated_blindly():
    first = Scenario(setup(rule()), world=lambda _: None)
    down_twice(first)
    assert len(first.acted) == 1
    second = Scenario(setup(rule()), memory=first.folded(), at=first.now + 1)
    assert second.log.of("outcome")[0]["result"] == "interrupted"
    assert second.log.of("verdict")[0]["result"] == "interrupted"
    assert second.acted == []


def test_a_crash_between_outcome_and_verdict_verifies_again_and_never_acts_again():
    first = Scenario(setup(rule()))
    down_twice(first)
    second = Scenario(setup(rule()), memory=first.folded(), at=first.now + 1)
    assert second.acted == []
    up(second, 1)
    second.wait(1)
    up(second, 1)
    second.wait(1)
    assert second.log.of("verdict")[0]["result"] == "verified"
    assert second.acted == []


@pytest.mark.parametrize("verb", ["soft-stop", "run"])
def test_an_illegal_move_is_refused_by_name(verb):
    scenario = Scenario(setup())
    if verb == "run":
        up(scenario, 1)
        scenario.wait(1)
        scenario.ask("pause", "program:api")
    answer = scenario.ask(verb, "program:api")
    assert answer["answer"] == "refused"
    assert "cannot go from" in answer["because"]


def test_commands_may_only_lower_the_mode():
    scenario = Scenario(setup(mode=Mode.OBSERVE))
    assert scenario.ask("set-mode", mode="auto")["answer"] == "refused"
    assert scenario.ask("set-mode", mode="off")["answer"] == "accepted"


def test_kill_switch_stops_everything_and_is_sealed():
    scenario = Scenario(setup(rule()))
    scenario.ask("stop-healing")
    down_twice(scenario)
    assert scenario.acted == []
    assert scenario.withheld[0].gate == "kill_switch"
    assert scenario.log.of("state")[0]["subject"] == "kill_switch"


def test_an_incident_with_its_own_clear_does_not_clear_on_the_truth_of_a_moment_ago():
    scenario = Scenario(setup(rule(clear=parsed("program.up{target} == 1"), clear_for=5.0)))
    down_twice(scenario)
    moves = [(one["from"], one["to"]) for one in scenario.log.of("state") if one["subject"].startswith("incident:")]
    assert moves == [("pending", "firing")]


def test_a_failed_action_too_asks_for_fresh_evidence_before_the_next_try():
    def fail(decision):
        return Outcome(id=decision.id, result=Result.FAILED_TRANSIENT, because="no", at=scenario.now, took=0.0)

    quick = Backoff(initial=1.0, factor=1.0, jitter=0.0)
    scenario = Scenario(setup(rule(cooldown=0.0, backoff=quick)), world=fail)
    down_twice(scenario)
    assert len(actions(scenario)) == 1
    assert scenario.looks == ["program:api"]
    scenario.wait(5)
    assert len(actions(scenario)) == 1, "what was seen before the failure is not evidence for another try"
    up(scenario, 0)
    assert len(actions(scenario)) == 2


def test_a_cure_through_another_target_is_judged_by_what_is_seen_after_it():
    step = Step(
        action="restart",
        target="program:api",
        verify=Verify(when=parsed("http.ok{target} == 1"), source="http.ok{target} == 1", within=5.0),
    )
    scenario = Scenario(setup(rule("http.ok{target} == 0", target="http:web", then=(step,))), world=lambda _: None)
    scenario.see("http.ok", 1, target="http:web")
    scenario.wait(1)
    scenario.see("http.ok", 0, target="http:web")
    scenario.wait(1)
    scenario.see("http.ok", 1, target="http:web")  # by itself, while the effect is still going on
    scenario.wait(1)
    done = Outcome(id="i-1", result=Result.DONE, because="done", at=scenario.now, took=1.0, generation="new")
    scenario.finish(done)
    scenario.wait(1)
    assert not scenario.log.of("verdict")
    scenario.see("http.ok", 1, target="http:web")
    assert [one["result"] for one in scenario.log.of("verdict")] == ["verified"]


def test_a_requested_start_is_verified_by_the_next_look_and_frees_the_target():
    scenario = Scenario(setup(rule()))
    assert scenario.ask("act", "program:api", action="start")["answer"] == "accepted"
    scenario.wait(1)
    up(scenario, 1)
    assert scenario.log.of("verdict")[0]["result"] == "verified"
    assert not scenario.core.desk.memory.intents


def test_a_program_that_dies_again_while_it_is_verified_is_tried_again_until_the_breaker_opens():
    alive = parsed("program.up{target} == 1")
    step = Step(action="restart", verify=Verify(when=alive, source="", within=30.0, stable_for=2.0))
    pauses = Backoff(initial=1.0, max=5.0)
    scenario = Scenario(setup(rule(then=(step,), backoff=pauses, cooldown=0.0, limits=(Limit(max=100, per=3600.0),))))
    starts = 0

    def start(decision):
        nonlocal starts
        starts += decision.action == "restart"
        return Outcome(
            id=decision.id, result=Result.DONE, because="", at=scenario.now, took=0.0, generation=f"{starts}.1"
        )

    scenario.world = start
    up(scenario, 0, conclusive=True)
    seen = 0
    for _ in range(400):
        if starts > seen:
            seen = starts
            scenario.see("program.generation", f"{starts}.1", target="program:api")
            up(scenario, 1)
        scenario.wait(0.5)
        scenario.see("program.generation", "", target="program:api", conclusive=True)
        up(scenario, 0, conclusive=True)
        scenario.wait(0.5)
    assert starts == 5
    assert [entry["result"] for entry in scenario.log.of("verdict")] == ["failed-transient"] * 5 + ["verified"]
    assert scenario.core.state("program:api") is State.FAULT


def test_a_wait_that_floats_leave_a_hair_short_ends():
    scenario = Scenario(setup(rule(for_=0.3)))
    up(scenario, 1)
    for _ in range(3):  # 0.1 + 0.1 + 0.1 seconds of TRUE with gaps between: not 0.3 in binary
        scenario.wait(0.1)
        up(scenario, 0)
        scenario.wait(0.1)
        up(scenario, None)
    scenario.wait(0.1)
    up(scenario, 0)
    scenario.wait(0.1)
    assert actions(scenario) == [("restart", "program:api")]


@pytest.mark.parametrize("garbage", [float("nan"), -1.0, 0.5, 1e308, "down", True])
def test_garbage_on_the_primary_sign_is_neither_up_nor_down(garbage):
    scenario = Scenario(setup(rule()))
    up(scenario, 1)
    scenario.wait(1)
    up(scenario, garbage)
    assert scenario.core.world.health("program:api").value == "unknown"


def test_a_probe_is_evidence_for_as_long_as_it_says_and_no_longer():
    probe = rule("http.ok{target} == 0", target="http:web", then=(Step(action="run"),), for_=6.0)
    scenario = Scenario(setup(probe, max_ages={"http:web": 4.0}))
    scenario.see("http.ok", 1, target="http:web")
    scenario.wait(1)
    scenario.see("http.ok", 0, target="http:web")
    scenario.wait(20)
    assert actions(scenario) == []
    assert scenario.core.instances["r@http:web"].truth.value == "unknown"


def test_a_crash_may_be_the_failure_that_opens_the_breaker():
    quick = {"cooldown": 0.0, "backoff": Backoff(initial=0.0), "limits": (Limit(max=99, per=60),)}
    made = setup(rule(**quick), brakes=Brakes(breaker_opens_after=1))
    scenario = Scenario(made, world=lambda _: None)
    down_twice(scenario)
    again = Scenario(made, memory=scenario.folded(), at=scenario.now + 1)
    assert again.core.desk.memory.breakers["restart@program:api"].open
    assert [one["subject"] for one in again.log.of("state") if one["to"] == "open"] == ["breaker:restart@program:api"]


@pytest.mark.parametrize("scope", ["rule:r", "organ:heart", "program:api", "agent"])
def test_whatever_has_a_mode_can_be_paused_and_resumed(scope):
    scenario = Scenario(setup(rule()))
    up(scenario, 1)
    assert scenario.ask("pause", scope)["answer"] == "accepted"
    scenario.wait(1)
    up(scenario, 0)
    assert actions(scenario) == []
    assert scenario.ask("resume", scope)["answer"] == "accepted"
    scenario.wait(2)
    assert actions(scenario) == [("restart", "program:api")]


@pytest.mark.parametrize("verb", ["restart", "run", "soft-stop", "hard-stop", "initialize"])
def test_a_command_that_no_action_can_follow_is_refused(verb):
    """A probe, or a systemd unit today, can be looked after, but neither started nor stopped."""
    scenario = Scenario(setup())
    answer = scenario.ask(verb, "http:web")
    assert answer["answer"] == "refused"
    assert actions(scenario) == []
    if verb not in {"soft-stop", "hard-stop"}:
        assert "does not apply to a http" in answer["because"]


def test_a_reload_does_not_forget_what_was_seen():
    old = Scenario(setup(rule()))
    old.see("memory.available", 0.5)
    up(old, 1)
    new = Core(setup(rule(id="other")), old.core.desk.memory, now=old.now, wall=old.now)
    new.succeed(old.core)
    assert new.known("memory.available") == 0.5
    assert new.world.health("program:api") is old.core.world.health("program:api")


def test_what_a_sensor_saw_before_a_reload_is_lost_when_it_fails_after_it():
    old = Scenario(setup(rule()))
    up(old, 1)
    new = Core(setup(rule(id="other")), old.core.desk.memory, now=old.now, wall=old.now)
    new.succeed(old.core)
    new.handle(Looked(sensor="program:api", at=old.now + 1, because="the sensor crashed"))
    assert new.world.health("program:api") is Health.UNKNOWN
    assert new.known("program.up", "program:api") is None


def test_a_blind_sensor_stays_known_over_a_reload_unless_the_reload_took_it_away():
    old = Scenario(setup(rule()))
    for name in ("program:api", "http:gone"):
        old.blind(name)
    new = Core(setup(rule(), max_ages={"program:api": 10.0}), old.core.desk.memory, now=old.now, wall=old.now)
    new.succeed(old.core)
    assert set(new.world.senses) == {"program:api"}


def test_what_was_seen_of_one_incarnation_is_no_evidence_about_the_next():
    scenario = Scenario(setup(rule("program.memory{target} > 500MiB", for_=2.0)))

    def grow(generation, memory):
        scenario.see("program.generation", generation, target="program:api")
        scenario.see("program.memory", memory, target="program:api")

    grow("100.1", 1e8)
    scenario.wait(1)
    grow("100.1", 9e8)
    scenario.wait(1)
    scenario.see("program.generation", "200.2", target="program:api")  # somebody else has restarted it
    scenario.wait(5)
    assert not actions(scenario)
    grow("200.2", 9e8)
    scenario.wait(2)
    assert actions(scenario) == [("restart", "program:api")]


def test_a_requested_command_is_done_and_neither_a_success_nor_a_failure():
    scenario = Scenario(setup(rule()))
    for _ in range(7):
        assert scenario.ask("act", "program:api", action="run", params={"argv": ["/bin/true"]})["answer"] == "accepted"
        scenario.wait(1)
    assert {entry["result"] for entry in scenario.log.of("verdict")} == {"unverified"}
    assert not scenario.core.desk.memory.intents, "the target is free at once"
    assert not any(one.failures for one in scenario.core.desk.memory.breakers.values())


@pytest.mark.parametrize("clock", ["goes", "jumps"])
def test_outside_its_hours_a_rule_waits_for_them_and_a_clock_that_is_set_brings_them(clock):
    # the conversation begins at 14:13:20 UTC
    evening = Active(hours=((20 * 60, 21 * 60),), tz="UTC")
    scenario = Scenario(setup(rule(active=evening)))
    scenario.see("program.up", 1, target="program:api")
    scenario.wait(1)
    scenario.see("program.up", 0, target="program:api")
    scenario.wait(60)
    assert not scenario.acted
    assert "they begin 2026-09-21 20:00 UTC" in scenario.log.of("withheld")[0]["because"]
    if clock == "goes":
        for _ in range(346):
            scenario.wait(60)
            scenario.see("program.up", 0, target="program:api")
        assert not [one for one in scenario.acted if one.decided_at < 1000 + 5 * 3600 + 46 * 60 + 39]
    else:
        scenario.jump(6 * 3600)
        scenario.see("program.up", 0, target="program:api")
        scenario.wait(3)
    assert actions(scenario)[:1] == [("restart", "program:api")]


def entries():
    return sum(type(one) is Entry for one in gc.get_objects())


def test_a_core_that_was_replaced_is_freed_without_a_look_for_cyclic_garbage(talk):
    """Such a look holds a running agent for 0.2 s; what is tied in rings would wait for it."""
    scenario = talk.with_rules(talk.rule(then=(Step(action="restart", verify=talk.verify()),)))
    talk.falls(scenario)
    scenario.wait(1)
    gc.collect()
    gc.disable()
    try:
        old, scenario.core = (
            scenario.core,
            Core(talk.setup(talk.rule()), scenario.core.desk.memory, now=1010.0, wall=2.0),
        )
        scenario.take(scenario.core.succeed(old))
        ours, before = len(list(old.evaluator.watched())), entries()
        old.retire()
        assert entries() == before - ours
    finally:
        gc.enable()
    talk.up(scenario, 1)


def test_a_core_is_made_without_a_look_at_its_memory(talk):
    """So it may be made beside the one that runs, in another thread."""

    class Shut:
        def __getattr__(self, name):
            raise AssertionError(name)

    Core(talk.setup(talk.rule()), Shut(), now=1000.0, wall=2.0)
