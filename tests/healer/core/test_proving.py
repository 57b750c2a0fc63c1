import pytest

from healer.model.decision import Outcome, Result
from healer.model.limit import Backoff, Brakes
from healer.model.organism import Vital
from healer.model.target import Target
from healer.rules.rule import Step

QUICK = Backoff(initial=0.0, jitter=0.0)


@pytest.fixture
def proved(talk):
    """A restart whose proof is asked for, with the generation the world gives it."""

    def play(*, generation="2.2", before="1.1", rule=None, **verify):
        step = Step(action="restart", verify=talk.verify(**verify))
        scenario = talk.with_rules(rule or talk.rule(then=(step,)))
        scenario.world = talk.ends(lambda: scenario, "done", generation=generation)
        scenario.see("program.generation", before, target="program:api")
        talk.falls(scenario)
        return scenario

    return play


def verdicts(scenario):
    """Of what was done, not of what was told."""
    told = {one.id for one in scenario.acted if one.incident.startswith("alert:")}
    return [(one["result"], one["because"]) for one in scenario.log.of("verdict") if one["id"] not in told]


def results(scenario):
    return [result for result, _ in verdicts(scenario)]


def test_done_is_not_success(talk, proved):
    scenario = proved(within=10.0)
    assert results(scenario) == []
    assert scenario.looks[-1] == "program:api", "it is looked at again at once"
    scenario.wait(1)
    talk.up(scenario, 1)
    assert verdicts(scenario) == [("verified", "the condition it had to reach holds")]


def test_it_is_looked_at_again_when_that_first_counts_however_seldom_it_is_looked_at(talk, proved):
    settles = Step(action="restart", verify=talk.verify(within=10.0), settle=3.0)
    scenario = proved(rule=talk.rule(then=(settles,)))
    before = len(scenario.looks)
    scenario.wait(2.9)
    assert scenario.looks[before:] == []
    scenario.wait(3)  # what is seen counts again, and nobody has looked by himself
    assert scenario.looks[before:] == ["program:api"], "once"


def test_what_is_not_seen_in_time_is_unverified(talk, proved):
    scenario = proved(within=10.0)
    for _ in range(9):
        scenario.wait(1)
        talk.up(scenario, 0)
    assert results(scenario) == []
    scenario.wait(1.1)
    assert verdicts(scenario) == [("unverified", "what would prove it was not seen in time")]


@pytest.mark.parametrize("seen", [None, 0])
def test_unknown_and_bad_prove_nothing(talk, proved, seen):
    scenario = proved(within=5.0)
    for _ in range(6):
        scenario.wait(1)
        talk.up(scenario, seen)
    assert results(scenario) == ["unverified"]


def test_a_cure_has_to_last_where_it_is_asked_to(talk, proved):
    scenario = proved(within=10.0, stable_for=5.0)
    scenario.wait(1)
    for value in (0, 1, 1, None, 1, 1, 1, 1, 1):
        talk.up(scenario, value)
        assert results(scenario) == []
        scenario.wait(1)
    talk.up(scenario, 1)
    assert results(scenario) == ["verified"], "five seconds without a break, and unknown was one"


def test_a_relapse_before_it_has_held_long_enough_fails_the_step(talk, proved):
    scenario = proved(within=10.0, stable_for=5.0)
    scenario.wait(1)
    for value in (1, 1, 0):
        talk.up(scenario, value)
        scenario.wait(1)
    assert verdicts(scenario) == [("unverified", "it relapsed before it had held long enough")]


def test_the_same_incarnation_was_not_restarted(proved):
    assert verdicts(proved(generation="1.1"))[0] == (
        "unverified", "it is still the same incarnation: nothing restarted",
    )  # fmt: skip


def test_what_was_started_and_died_again_has_failed_at_once(talk, proved):
    scenario = proved(within=100.0)
    scenario.see("program.generation", "2.2", target="program:api")
    scenario.wait(0.5)
    scenario.see("program.generation", "3.3", target="program:api")
    assert verdicts(scenario) == [("failed-transient", "what it started has ended again already")]


def test_the_old_incarnation_still_seen_is_not_yet_a_failure(talk, proved):
    scenario = proved(within=100.0)
    scenario.see("program.generation", "1.1", target="program:api")
    scenario.wait(0.5)
    assert results(scenario) == []


def test_samples_within_the_startup_grace_do_not_count(talk):
    slow = Target(kind="program", name="api", organ="heart", startup_grace=5.0)
    scenario = talk.with_rules(talk.rule(then=(Step(action="restart", verify=talk.verify()),)), targets=(slow,))
    talk.falls(scenario)
    scenario.wait(3)
    talk.up(scenario, 1)
    scenario.wait(1)
    assert results(scenario) == []
    scenario.wait(2)
    talk.up(scenario, 1)
    assert results(scenario) == ["verified"]


def test_without_a_verify_the_end_of_the_condition_proves_it(talk):
    scenario = talk.with_rules(talk.rule())
    talk.falls(scenario)
    scenario.wait(1)
    talk.up(scenario, 1)
    assert results(scenario) == ["verified"]
    late = talk.with_rules(talk.rule())
    talk.falls(late)
    late.wait(31)
    assert results(late) == ["unverified"]


def test_a_window_never_spans_the_action(talk):
    rule = talk.rule("avg_over(program.cpu{target}, 10s) > 1.0", cooldown=0.0, backoff=QUICK)
    scenario = talk.with_rules(rule)
    for _ in range(13):
        scenario.see("program.cpu", 2.0, target="program:api")
        if scenario.acted:
            break
        scenario.wait(1)
    assert len(talk.actions(scenario)) == 1
    scenario.wait(1)
    truths = []
    for _ in range(14):
        scenario.see("program.cpu", 2.0, target="program:api")
        scenario.wait(1)
        truths.append(scenario.core.instances["r@program:api"].truth.value)
    assert truths.index("true") >= 8, "a whole new window had to be seen"
    assert set(truths) == {"unknown", "true"}


def test_the_change_in_harmony_is_kept_with_the_verdict(talk):
    vital = Vital(organ="stomach", name="root", value='disk.used{mount="/"}', healthy=0.8, critical=0.97)
    scenario = talk.with_rules(talk.rule(), vitals=(vital,))
    scenario.see("disk.used", 0.97, mount="/")
    talk.up(scenario, 1)
    scenario.wait(2)
    talk.up(scenario, 0)
    scenario.see("disk.used", 0.5, mount="/")
    scenario.wait(3)
    talk.up(scenario, 1)
    (entry,) = scenario.log.of("verdict")
    assert (entry["harmony_before"], entry["harmony_after"]) == (100, 10_000)


@pytest.mark.parametrize(("action", "want"), [("start", 1), ("restart", 1), ("stop", 0)])
def test_a_request_is_proved_by_the_targets_own_sign_seen_afterwards(talk, action, want):
    scenario = talk.with_rules()
    scenario.world = talk.ends(lambda: scenario, "done", generation="" if action == "stop" else "9.9")
    talk.up(scenario, want)
    scenario.wait(1)
    scenario.ask("act", "program:api", action=action)
    assert results(scenario) == [], "what was seen before proves nothing"
    scenario.wait(1)
    talk.up(scenario, 1 - want)
    assert results(scenario) == []
    scenario.wait(1)
    talk.up(scenario, want)
    assert results(scenario) == ["verified"]


def test_the_breaker_opens_at_its_threshold_and_tells(talk):
    rule = talk.rule(cooldown=0.0, backoff=QUICK)
    scenario = talk.with_rules(rule, brakes=Brakes(breaker_backoff_after=9, breaker_opens_after=3))
    scenario.world = talk.ends(lambda: scenario, "failed-transient")
    talk.falls(scenario)
    for count in (1, 2, 3):
        assert len(talk.actions(scenario)) == count
        opened = [one for one in scenario.log.of("state") if one["subject"].startswith("breaker:")]
        assert bool(opened) is (count == 3)
        scenario.wait(2)
        talk.up(scenario, 0)
        scenario.wait(1)
    assert len(talk.actions(scenario)) == 3
    assert "the breaker of restart opened" in scenario.acted[-1].because


def test_requests_that_keep_failing_open_the_breaker_and_set_the_fault(talk):
    scenario = talk.with_rules(brakes=Brakes(breaker_backoff_after=9, breaker_opens_after=2))
    scenario.world = talk.ends(lambda: scenario, "failed-permanent")
    talk.up(scenario, 1)
    for _ in range(2):
        scenario.ask("act", "program:api", action="restart")
        scenario.wait(1)
    assert scenario.core.state("program:api").value == "fault"
    assert "breaker open" in scenario.ask("act", "program:api", action="restart")["because"]


def test_a_proof_is_taken_up_again_after_a_crash_with_its_time_running_on(talk):
    rule = talk.rule(then=(Step(action="restart", verify=talk.verify(within=10.0)),))
    first = talk.with_rules(rule)
    talk.falls(first)
    first.wait(4)
    second = talk.with_rules(rule, memory=first.folded(), at=first.now + 1)
    assert not second.acted
    second.wait(5.1)
    assert results(second) == ["unverified"]


def test_an_outcome_without_a_seal_is_not_in_the_log(talk):
    scenario = talk.with_rules(talk.rule())
    effects = []
    scenario.take = effects.extend
    talk.falls(scenario)
    (act,) = [one for one in effects if type(one).__name__ == "Act"]
    effects.clear()
    outcome = Outcome(id=act.decision.id, result=Result.REFUSED, because="the log is full", at=scenario.now, took=0.0)
    scenario.finish(outcome)
    assert not [one for one in effects if getattr(one, "kind", "") == "outcome"]
    assert not scenario.core.desk.memory.intents


@pytest.mark.parametrize(("action", "seen", "counts"), [("restart", 1, False), ("stop", 0, True)])
def test_a_requested_start_has_its_grace_and_a_stop_needs_none(talk, action, seen, counts):
    slow = Target(kind="program", name="api", organ="heart", startup_grace=5.0)
    scenario = talk.with_rules(targets=(slow,))
    talk.up(scenario, 1)
    scenario.wait(1)
    scenario.ask("act", "program:api", action=action)
    scenario.wait(2)
    talk.up(scenario, seen)
    assert bool(results(scenario)) is counts
    scenario.wait(5)
    talk.up(scenario, seen)
    assert results(scenario) == ["verified"]
    assert scenario.log.of("verdict")[0]["took_us"] == (2_000_000 if counts else 7_000_000)
