import datetime as dt

import pytest

from healer.model.active import Active
from healer.model.decision import Outcome, Result
from healer.model.effect import Snapshot
from healer.model.limit import Backoff
from healer.model.mode import Mode
from healer.model.target import Target
from healer.rules.rule import Exhausted, Step
from healer.testing import START, WALL

QUICK = Backoff(initial=0.0, jitter=0.0)


def moves(scenario, key="r@program:api"):
    return [(one["from"], one["to"]) for one in scenario.log.of("state") if one["subject"] == f"incident:{key}"]


def phase(scenario, key="r@program:api"):
    incident = scenario.core.desk.memory.incidents.get(key)
    return incident.phase if incident else "inactive"


# Clearing ------------------------------------------------------------------------------------------------------


def test_a_cured_incident_clears_when_its_condition_is_false(talk):
    scenario = talk.with_rules(talk.rule())
    talk.falls(scenario)
    scenario.wait(1)
    talk.up(scenario, 1)
    assert moves(scenario) == [("pending", "firing"), ("firing", "clearing"), ("clearing", "inactive")]


def test_what_recovers_by_itself_clears_without_an_action(talk):
    scenario = talk.with_rules(talk.rule(mode=Mode.OBSERVE))
    talk.falls(scenario)
    scenario.wait(1)
    talk.up(scenario, 1)
    assert (phase(scenario), scenario.acted) == ("inactive", [])


def test_clear_for_waits_and_a_break_in_it_starts_it_again(talk):
    scenario = talk.with_rules(talk.rule(mode=Mode.OBSERVE, clear_for=10.0))
    talk.falls(scenario)
    scenario.wait(1)
    talk.up(scenario, 1)
    assert phase(scenario) == "clearing"
    scenario.wait(6)
    talk.up(scenario, None)
    scenario.wait(6)
    for expected in ["clearing"] * 10 + ["inactive"]:
        talk.up(scenario, 1)
        assert phase(scenario) == expected, "unknown was no health"
        scenario.wait(1)


def test_a_relapse_while_it_clears_is_a_new_incident(talk):
    scenario = talk.with_rules(talk.rule(mode=Mode.OBSERVE, clear_for=60.0))
    talk.falls(scenario)
    scenario.wait(1)
    talk.up(scenario, 1)
    scenario.wait(1)
    talk.up(scenario, 0)
    assert moves(scenario)[-2:] == [("clearing", "inactive"), ("pending", "firing")]
    assert len(scenario.log.of("withheld")) == 2, "a no is said once per incident"


def test_a_death_seen_while_it_clears_is_conclusive_still(talk):
    scenario = talk.with_rules(talk.rule(for_=30.0, clear_for=60.0, cooldown=0.0, backoff=QUICK))
    talk.up(scenario, 0, conclusive=True)
    scenario.wait(1)
    talk.up(scenario, 1)
    assert phase(scenario) == "clearing"
    scenario.wait(1)
    talk.up(scenario, 0, conclusive=True)
    assert len(talk.actions(scenario)) == 2


def test_a_clear_of_its_own_has_to_become_true(talk):
    scenario = talk.with_rules(
        talk.rule("cpu.used > 90%", target="", clear="cpu.used < 50%", mode=Mode.OBSERVE, then=(Step(action="notify"),))
    )
    for used in (0.95, 0.95, 0.7):
        scenario.see("cpu.used", used)
        scenario.wait(1)
    assert phase(scenario, "r@host:") == "firing"
    scenario.see("cpu.used", 0.4)
    assert phase(scenario, "r@host:") == "inactive"


# Unknown -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_unknown", "told"), [("notify", 1), ("hold", 0)])
def test_whoever_wants_to_know_is_told_once_that_nothing_can_be_seen(talk, on_unknown, told):
    scenario = talk.with_rules(talk.rule(mode=Mode.OBSERVE, on_unknown=on_unknown))
    talk.falls(scenario)
    for _ in range(5):
        scenario.wait(1)
        talk.up(scenario, None)
    assert [one.action for one in scenario.acted] == ["notify"] * told
    assert phase(scenario) == "firing", "unknown clears nothing"


def test_the_next_incident_may_tell_again(talk):
    scenario = talk.with_rules(talk.rule(mode=Mode.OBSERVE, on_unknown="notify"))
    for _ in range(2):
        talk.falls(scenario)
        scenario.wait(1)
        talk.up(scenario, None)
        scenario.wait(1)
        talk.up(scenario, 1)
        scenario.wait(1)
    assert len(scenario.acted) == 2


def test_a_failed_look_is_unknown_and_acts_on_nothing(talk):
    scenario = talk.with_rules(talk.rule())
    talk.up(scenario, 1)
    for _ in range(20):
        scenario.wait(1)
        scenario.blind("program:api")
    assert not scenario.acted


# Waiting -------------------------------------------------------------------------------------------------------


def test_settle_gives_a_parents_failure_time_to_arrive(talk):
    db = Target(kind="program", name="db", organ="heart", startup_grace=0.0)
    api = Target(kind="program", name="api", organ="heart", requires=("program:db",), startup_grace=0.0)
    scenario = talk.with_rules(talk.rule(settle=10.0), targets=(db, api))
    for name in ("program:db", "program:api"):
        talk.up(scenario, 1, name)
    scenario.wait(1)
    talk.up(scenario, 0, "program:api")
    scenario.wait(5)
    talk.up(scenario, 0, "program:db")
    scenario.wait(10)
    talk.up(scenario, 0, "program:api")
    assert not scenario.acted
    assert {one.gate for one in scenario.withheld} == {"dependency"}
    talk.up(scenario, 1, "program:db")
    scenario.wait(1)
    talk.up(scenario, 0, "program:api")
    scenario.wait(5)
    assert not scenario.acted, "its parent has only just recovered"
    scenario.wait(15)
    talk.up(scenario, 0, "program:api")
    scenario.wait(1)
    assert talk.actions(scenario) == [("restart", "program:api")]


def test_after_a_parent_is_back_only_fresh_evidence_counts(talk):
    db = Target(kind="program", name="db", organ="heart")
    api = Target(kind="program", name="api", organ="heart", requires=("program:db",))
    scenario = talk.with_rules(talk.rule(), targets=(db, api))
    for value in (1, 0):
        for name in ("program:db", "program:api"):
            talk.up(scenario, value, name)
        scenario.wait(1)
    talk.up(scenario, 1, "program:db")
    scenario.wait(30)
    assert not scenario.acted, "what was seen of the child while its parent was down proves nothing"
    talk.up(scenario, 0, "program:api")
    assert len(talk.actions(scenario)) == 1


def test_outside_its_hours_a_rule_looks_and_does_not_act(talk):
    clock = dt.datetime.fromtimestamp(WALL, tz=dt.UTC)
    minute = clock.hour * 60 + clock.minute
    opens = (minute + 10) % 1440
    scenario = talk.with_rules(talk.rule(active=Active(hours=((opens, (opens + 60) % 1440),), tz="UTC")))
    talk.falls(scenario)
    for _ in range(8):
        scenario.wait(60)
        talk.up(scenario, 0)
    assert (scenario.acted, [one.gate for one in scenario.withheld]) == ([], ["active"])
    for _ in range(3):
        scenario.wait(60)
        talk.up(scenario, 0)
    assert len(talk.actions(scenario)) == 1


# Giving up -----------------------------------------------------------------------------------------------------


def gave_up(talk, **more):
    scenario = talk.with_rules(talk.rule(**more))
    scenario.world = talk.ends(lambda: scenario, "failed-permanent")
    talk.falls(scenario)
    return scenario


def test_giving_up_is_loud_and_lasts(talk):
    scenario = gave_up(talk, on_exhausted=Exhausted(notify="pager", rearm_after=3600.0))
    assert phase(scenario) == "given-up"
    assert scenario.acted[-1].params["channel"] == "pager"
    assert "gave up on program:api (rule r): the last remedy was failed-permanent" in scenario.acted[-1].because
    for _ in range(50):
        scenario.wait(60)
        talk.up(scenario, 0)
    assert len(talk.actions(scenario)) == 1


def test_after_rearm_after_it_may_be_tried_again(talk):
    scenario = gave_up(talk, on_exhausted=Exhausted(rearm_after=600.0))
    scenario.wait(599)
    assert phase(scenario) == "given-up"
    scenario.wait(2)
    assert phase(scenario) == "inactive"
    talk.up(scenario, 0)
    assert len(talk.actions(scenario)) == 2


def test_long_health_rearms_and_a_moment_of_it_does_not(talk):
    scenario = gave_up(talk, backoff=Backoff(initial=0.0, reset_after=120.0))
    for value, seconds in ((1, 60), (0, 10), (1, 119)):
        talk.up(scenario, value)
        for _ in range(seconds):
            scenario.wait(1)
            talk.up(scenario, value)
    assert phase(scenario) == "given-up"
    assert scenario.core.state("program:api").value == "fault"
    scenario.wait(2)
    assert phase(scenario) == "inactive"
    assert scenario.core.state("program:api").value == "running"


def test_an_open_breaker_closes_after_long_health(talk):
    from healer.model.limit import Brakes

    scenario = talk.with_rules(
        talk.rule(cooldown=0.0, backoff=QUICK),
        brakes=Brakes(breaker_opens_after=1, breaker_healthy_for=100.0),
    )
    scenario.world = talk.ends(lambda: scenario, "failed-transient")
    talk.falls(scenario)
    breaker = scenario.core.desk.memory.breakers["restart@program:api"]
    assert breaker.open
    scenario.wait(50)
    talk.up(scenario, 1)
    scenario.wait(99)
    assert breaker.open, "healthy for 99 s only"
    scenario.wait(3)
    assert not scenario.core.desk.memory.breakers["restart@program:api"].open


# The ladder ----------------------------------------------------------------------------------------------------


def test_quiet_steps_are_taken_in_turn_and_the_last_waits_for_the_end(talk):
    ladder = (Step(action="capture"), Step(action="notify", params={"channel": "journal"}))
    scenario = talk.with_rules(talk.rule(then=ladder))
    talk.falls(scenario)
    scenario.wait(5)
    talk.up(scenario, 0)
    scenario.wait(5)
    assert talk.actions(scenario) == [("capture", "program:api"), ("notify", "program:api")]
    assert phase(scenario) == "firing"
    talk.up(scenario, 1)
    assert phase(scenario) == "inactive"


def test_an_ambiguous_action_is_never_tried_again(talk):
    ladder = (Step(action="restart"), Step(action="notify"))
    scenario = talk.with_rules(talk.rule(then=ladder, cooldown=0.0, backoff=QUICK))
    scenario.world = talk.ends(lambda: scenario, "ambiguous")
    talk.falls(scenario)
    for _ in range(20):
        scenario.wait(1)
        talk.up(scenario, 0)
    assert talk.actions(scenario) == [("restart", "program:api"), ("notify", "program:api")]


def test_a_step_may_act_on_another_target(talk):
    db = Target(kind="program", name="db", organ="heart", startup_grace=0.0)
    scenario = talk.with_rules(talk.rule(then=(Step(action="restart", target="program:db"),)), targets=(talk.api, db))
    talk.falls(scenario)
    assert talk.actions(scenario) == [("restart", "program:db")]


def test_a_rule_without_steps_only_says_that_it_holds(talk):
    scenario = talk.with_rules(talk.rule(then=()))
    talk.falls(scenario)
    scenario.wait(5)
    assert (phase(scenario), scenario.acted) == ("firing", [])


# Crashes -------------------------------------------------------------------------------------------------------


def test_a_rule_that_is_gone_takes_its_incident_with_it(talk):
    first = talk.with_rules(talk.rule(mode=Mode.OBSERVE))
    talk.falls(first)
    second = talk.with_rules(talk.rule(id="other"), memory=first.folded(), at=first.now + 1)
    assert not second.core.desk.memory.incidents
    assert second.log.of("state")[0]["because"] == "its rule or target is gone"


def test_an_incident_goes_on_after_a_crash_on_fresh_evidence(talk):
    first = talk.with_rules(talk.rule(mode=Mode.OBSERVE))
    talk.falls(first)
    second = talk.with_rules(talk.rule(), memory=first.folded(), at=first.now + 1)
    second.wait(10)
    assert not second.acted, "nothing was seen since"
    for _ in range(2):
        talk.up(second, 0)
        second.wait(2)
    assert len(talk.actions(second)) == 1
    assert second.core.desk.memory.incidents["r@program:api"].opened == START + 1


def test_confirmation_survives_a_restart_and_its_time_does_not_count(talk):
    patient = talk.rule(for_=100.0)
    first = talk.with_rules(patient)
    talk.falls(first)
    for _ in range(60):
        first.wait(1)
        talk.up(first, 0)
    kept = first.core.keep()
    assert kept["r@program:api"] == pytest.approx(60.0)
    second = talk.with_rules(patient, memory=first.folded(), at=first.now + 1000)
    second.core.take_up({**kept, "gone@program:api": 5.0})
    for _ in range(39):
        talk.up(second, 0)
        second.wait(1)
    assert not second.acted
    for _ in range(5):
        talk.up(second, 0)
        second.wait(1)
    assert len(talk.actions(second)) == 1


def test_an_end_told_twice_counts_once(talk):
    scenario = talk.with_rules(talk.rule(), world=lambda _: None)
    talk.falls(scenario)
    for result in (Result.DONE, Result.DONE, Result.FAILED_TRANSIENT):
        scenario.finish(Outcome(id="i-1", result=result, because="", at=scenario.now, took=0.0))
    scenario.finish(Outcome(id="i-99", result=Result.DONE, because="", at=scenario.now, took=0.0))
    assert [entry["result"] for entry in scenario.log.of("outcome")] == ["done"]
    assert scenario.core.desk.memory.streaks["r@program:api"].actions == 1


def test_a_long_healthy_stretch_forgets_the_actions_in_a_row_and_seals_that_it_did(talk):
    scenario = talk.with_rules(talk.rule(cooldown=0.0, backoff=Backoff(initial=5.0, jitter=0.0, reset_after=100.0)))
    for pause, streaks in ((1, []), (50, []), (101, ["streak:r@program:api"])):
        scenario.wait(pause)
        talk.up(scenario, 0, conclusive=True)
        scenario.wait(6)
        talk.up(scenario, 1)
        sealed = [one["subject"] for one in scenario.log.of("state") if one["subject"].startswith("streak:")]
        assert sealed == streaks
    assert scenario.core.desk.memory.streaks["r@program:api"].actions == 1


def test_what_was_stale_is_tried_again_on_what_is_true_then(talk):
    scenario = talk.with_rules(talk.rule(cooldown=0.0, backoff=QUICK))
    scenario.world = talk.ends(lambda: scenario, "stale")
    talk.falls(scenario)
    assert len(talk.actions(scenario)) == 1
    assert not scenario.core.desk.memory.acted
    scenario.world = talk.ends(lambda: scenario, "done", generation="2.2")
    scenario.wait(1.5)
    assert len(talk.actions(scenario)) == 2


def test_the_end_of_an_incident_is_a_good_moment_for_a_snapshot(talk):
    scenario = talk.with_rules(talk.rule(mode=Mode.OBSERVE))
    kept = []
    take, scenario.take = scenario.take, lambda effects: (kept.extend(effects), take(effects))
    talk.falls(scenario)
    assert not [one for one in kept if isinstance(one, Snapshot)]
    scenario.wait(1)
    talk.up(scenario, 1)
    assert [one for one in kept if isinstance(one, Snapshot)] == [Snapshot()]


# What an event said, in the arguments of a step --------------------------------------------------------------------


def kicking(talk, *words):
    step = Step(action="run", params={"argv": ["/bin/kick", *words]})
    return talk.with_rules(talk.rule(then=(step,), for_=5.0))


def test_bindings_fill_arguments_and_survive_a_restart_of_the_agent(talk):
    scenario = kicking(talk, "{event.user}")
    scenario.core.instances["r@program:api"].bindings = {"event.user": "alice"}
    talk.falls(scenario)
    scenario.wait(6)
    assert scenario.acted[0].params["argv"] == ["/bin/kick", "alice"]
    assert scenario.folded().incidents["r@program:api"].bindings == {"event.user": "alice"}


def test_a_step_with_an_unknown_name_is_refused(talk):
    scenario = kicking(talk, "{event.user}")
    talk.falls(scenario)
    scenario.wait(10)
    assert talk.actions(scenario) == []
    assert phase(scenario) == "given-up", "nobody can fill it in later"
    assert [(one.gate, one.because.partition(" (")[0]) for one in scenario.withheld] == [
        ("binding", "{event.user} is not known here")
    ]
