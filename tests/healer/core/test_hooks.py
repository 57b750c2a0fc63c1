import pytest

from healer.core.core import Core
from healer.core.hooks import TELLING
from healer.model.decision import Outcome, Result
from healer.model.event import Sealed
from healer.model.limit import Backoff, Brakes, Limit
from healer.model.mode import Mode
from healer.rules.rule import HOOKS, Concurrency, Exhausted, Step

QUICK = Backoff(initial=0.0, jitter=0.0)
RUN = Step(action="run", params={"argv": ["/bin/hook"]})


def hooked(scenario):
    """What hooks did: (hook, verb, because)."""
    return [
        (one.incident.split(":")[1], one.action, one.because)
        for one in scenario.acted
        if one.incident.startswith("hook:")
    ]


def word(name):
    return (Step(action="notify", params={"message": name}),)


@pytest.fixture
def scene(talk):
    """A rule with a word in every hook, whose restart does not help."""

    def made(**more):
        hooks = {name: word(name) for name in HOOKS if name != "on_exhausted"}
        rule = talk.rule(on_exhausted=Exhausted(steps=word("on_exhausted")), **(hooks | more))
        return talk.with_rules(rule)

    return made


def test_each_hook_has_its_moment_and_says_why(talk, scene):
    scenario = scene()
    talk.falls(scenario)
    assert hooked(scenario) == [("on_fire", "notify", "rule r fires for program:api: program.up{target} == 0")]
    for _ in range(35):
        talk.up(scenario, 0)
        scenario.wait(1)
    assert hooked(scenario)[1:] == [
        ("on_attempt_failed", "notify", "step 0 (restart of program:api) was unverified"),
        ("on_exhausted", "notify", "the last remedy was unverified"),
    ]


def test_recovery_is_told_once_the_trouble_is_known_to_be_over(talk, scene):
    scenario = scene(clear_for=5.0)
    talk.falls(scenario)
    scenario.wait(1)
    talk.up(scenario, 1)
    assert [name for name, *_ in hooked(scenario)] == ["on_fire"]
    for _ in range(6):
        scenario.wait(1)
        talk.up(scenario, 1)
    assert hooked(scenario)[1:] == [("on_recovered", "notify", "program:api is well again (rule r)")]


def test_an_incident_that_a_person_ends_has_not_recovered(talk, scene):
    scenario = scene(mode=Mode.OBSERVE)
    talk.falls(scenario)
    scenario.ask("disable-rule", "r")
    scenario.wait(1)
    talk.up(scenario, None)
    assert "on_recovered" not in [name for name, *_ in hooked(scenario)]


def test_withheld_is_told_once_per_gate_and_incident(talk, scene):
    scenario = scene(mode=Mode.OBSERVE)
    talk.falls(scenario)
    for _ in range(10):
        talk.up(scenario, 0)
        scenario.wait(1)
    withheld = [one for one in hooked(scenario) if one[0] == "on_withheld"]
    assert len(withheld) == 1
    assert withheld[0][2].startswith("restart of program:api is withheld by mode:")


def test_a_word_is_heard_in_any_mode_but_off_and_the_kill_switch_silences_it(talk, scene):
    for mode, heard in ((Mode.OBSERVE, True), (Mode.SUGGEST, True), (Mode.OFF, False)):
        scenario = scene(mode=mode)
        talk.falls(scenario)
        assert bool(hooked(scenario)) is heard
    scenario = scene()
    scenario.happen("kill-switch", on=True, because="the file")
    talk.falls(scenario)
    assert hooked(scenario) == []


def test_what_may_change_something_asks_every_gate(talk):
    assert "run" not in TELLING
    for mode, done in ((Mode.AUTO, True), (Mode.OBSERVE, False), (Mode.APPROVE, False)):
        scenario = talk.with_rules(talk.rule(mode=mode, on_fire=(RUN,)))
        talk.falls(scenario)
        assert ("run" in [verb for _, verb, _ in hooked(scenario)]) is done
    scenario = talk.with_rules(talk.rule(on_fire=(RUN,)))
    scenario.ask("maintenance-add", "program:api", **{"for": 600.0})
    talk.falls(scenario)
    assert hooked(scenario) == []
    assert ("hook:on_fire:r@program:api", "maintenance") in [(one.incident, one.gate) for one in scenario.withheld]


def test_a_hook_that_is_refused_neither_calls_another_nor_is_tried_again(talk):
    scenario = talk.with_rules(talk.rule(mode=Mode.OBSERVE, on_fire=(RUN,), on_withheld=word("no")))
    talk.falls(scenario)
    for _ in range(5):
        talk.up(scenario, 0)
        scenario.wait(1)
    assert [name for name, *_ in hooked(scenario)] == ["on_withheld"]
    assert len([one for one in scenario.withheld if one.incident.startswith("hook:")]) == 1


def test_a_hook_that_never_ends_blocks_no_healing(talk):
    scenario = talk.with_rules(talk.rule(on_fire=(RUN,)), brakes=Brakes(concurrent=1))
    scenario.world = lambda one: None if one.incident.startswith("hook:") else scenario.succeed(one)
    talk.falls(scenario)
    assert ("restart", "program:api") in talk.actions(scenario)


def test_a_hook_takes_no_place_of_its_rule(talk):
    scenario = talk.with_rules(talk.rule(on_fire=(RUN,), concurrency=Concurrency(max=1, key="target")))
    scenario.world = lambda one: None if one.incident.startswith("hook:") else scenario.succeed(one)
    talk.falls(scenario)
    assert ("restart", "program:api") in talk.actions(scenario)


def test_a_hook_that_is_withheld_again_and_again_is_sealed_once_in_an_incident(talk):
    step = Step(action="run", params={"argv": ["/bin/hook", "{event.user}"]})
    scenario = talk.with_rules(talk.rule(on_attempt_failed=(step,), cooldown=0.0, backoff=QUICK))
    scenario.world = scenario.fail
    talk.falls(scenario)
    for _ in range(3):
        scenario.wait(1)
        talk.up(scenario, 0)
    assert talk.actions(scenario).count(("restart", "program:api")) > 1
    assert [one.gate for one in scenario.withheld].count("binding") == 1


def test_hooks_use_up_nothing_and_open_no_breaker(talk):
    limits = (Limit(max=1, per=3600.0, scope="rule"), Limit(max=1, per=3600.0, scope="target"))
    scenario = talk.with_rules(talk.rule(limits=limits, on_fire=(RUN,) * 8), brakes=Brakes(concurrent=9))
    plain = scenario.world

    def world(decision):
        if decision.incident.startswith("hook:"):
            return Outcome(id=decision.id, result=Result.FAILED_PERMANENT, because="no", at=scenario.now, took=0.0)
        return plain(decision)

    scenario.world = world
    talk.falls(scenario)
    memory = scenario.core.desk.memory
    assert talk.actions(scenario).count(("run", "program:api")) == 8
    assert ("restart", "program:api") in talk.actions(scenario)
    assert [one for one in memory.breakers if one.startswith("run@")] == []
    assert memory.streaks["r@program:api"].actions == 1, "the restart alone"
    assert memory.to_json() == scenario.folded().to_json()


def test_hooks_count_for_the_ceiling_of_the_host(talk):
    scenario = talk.with_rules(talk.rule(on_fire=(RUN, RUN)), brakes=Brakes(actions_per_hour=2))
    talk.falls(scenario)
    assert talk.actions(scenario) == [("run", "program:api")] * 2
    assert "limit" in [one.gate for one in scenario.withheld]


def test_so_many_hooks_at_once_and_no_more(talk):
    scenario = talk.with_rules(talk.rule(on_fire=(RUN,) * 6), brakes=Brakes(concurrent=2))
    scenario.world = lambda _: None
    talk.falls(scenario)
    assert len(hooked(scenario)) == 2


def test_evidence_is_not_re_armed_by_a_hook(talk):
    scenario = talk.with_rules(talk.rule(mode=Mode.OBSERVE, on_withheld=(RUN,), on_fire=word("x")))
    talk.falls(scenario)
    armed = scenario.core.instances["r@program:api"].armed
    scenario.wait(1)
    assert scenario.core.instances["r@program:api"].armed == armed


def test_a_hook_cut_short_by_a_crash_is_closed_and_not_repeated(talk):
    scenario = talk.with_rules(talk.rule(on_fire=(RUN,)))
    scenario.world = lambda one: None if one.incident.startswith("hook:") else scenario.succeed(one)
    talk.falls(scenario)
    memory, old = scenario.folded(), scenario.core
    scenario.core = Core(old.setup, memory, now=scenario.now, wall=scenario.now + old.desk.wall_offset)
    scenario.take(scenario.core.recover())
    assert [one.hook for one in memory.intents.values()].count(True) == 0
    assert len(hooked(scenario)) == 1


def test_a_sealed_hook_of_a_rule_that_is_gone_is_not_done(talk):
    scenario = talk.with_rules(talk.rule(on_fire=(RUN,)))
    scenario.world = lambda _: None
    talk.falls(scenario)
    hook = next(one for one in scenario.acted if one.incident.startswith("hook:"))
    del scenario.core.instances["r@program:api"]
    (cancel,) = scenario.core.handle(Sealed(id=hook.id, leaf="0" * 64, at=scenario.now))
    assert cancel.because == "its rule is not in force any more"


def test_a_hook_with_an_unknown_name_is_withheld(talk):
    step = Step(action="run", params={"argv": ["/bin/hook", "{event.user}"]})
    scenario = talk.with_rules(talk.rule(on_fire=(step,)))
    talk.falls(scenario)
    assert [one.gate for one in scenario.withheld] == ["binding"]
    assert ("restart", "program:api") in talk.actions(scenario)
