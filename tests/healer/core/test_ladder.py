import pytest

from healer.core.core import Core
from healer.model.decision import Outcome, Result
from healer.model.limit import Backoff, Brakes
from healer.model.mode import Mode
from healer.model.target import Target
from healer.rehearsal.play import run_suite
from healer.rules.rule import Approve, Branch, Check, Concurrency, Selection, Selector, Step, Trigger, WaitFor
from healer.rules.suite import load_suite

QUICK = Backoff(initial=0.0, jitter=0.0)
KEY = "r@program:api"


@pytest.fixture
def play(talk):
    """A scenario with one ladder on program:api whose condition holds: ``play(step, ...)``."""

    def start(*steps, rules=(), targets=None, fall=True, **more):
        more = {"cooldown": 0.0, "backoff": QUICK} | more
        given = {"brakes": Brakes(mass_failure_count=99, group_unavailable=99, group_unavailable_percent=1.0)} | (
            {} if targets is None else {"targets": targets}
        )
        scenario = talk.with_rules(talk.rule(then=steps, **more), *rules, **given)
        for target in targets or ():
            talk.up(scenario, 1, target.id)
        scenario.see("cpu.used", 0.6)
        scenario.wait(0.5)
        scenario.see("cpu.used", 0.6)
        if fall:
            talk.falls(scenario)
        return scenario

    return start


@pytest.fixture
def check(talk):
    return lambda text: Check(when=talk.parsed(text), source=text)


def told(scenario, key=KEY):
    """What was said of the way along the ladder."""
    return [one["because"] for one in scenario.log.of("state") if one["subject"] == f"incident:{key}"][1:]


def phase(scenario, key=KEY):
    incident = scenario.core.desk.memory.incidents.get(key)
    return incident.phase if incident else "inactive"


def results(scenario):
    told_people = {one.id for one in scenario.acted if one.incident.startswith("alert:")}
    return [one["result"] for one in scenario.log.of("verdict") if one["id"] not in told_people]


# only_if -------------------------------------------------------------------------------------------------------------


def test_a_step_is_taken_where_its_only_if_holds(talk, play, check):
    assert talk.actions(play(Step(action="restart", only_if=check("cpu.used > 50%")))) == [("restart", "program:api")]


def test_a_step_is_skipped_where_its_only_if_is_false_and_the_log_says_so(talk, play, check):
    scenario = play(Step(action="restart", only_if=check("cpu.used < 50%")), Step(action="stop"))
    assert talk.actions(scenario) == [("stop", "program:api")]
    assert told(scenario) == ["skipped: only if cpu.used < 50%, and that is false"]
    assert scenario.folded().incidents[KEY].step == 1


def test_unknown_is_waited_for_a_while_and_then_no_permission(talk, play, check):
    scenario = play(Step(action="restart", only_if=check("memory.used < 50%")), Step(action="stop"))
    assert talk.actions(scenario) == []
    for _ in range(31):
        talk.up(scenario, 0)
        scenario.wait(1)
    assert talk.actions(scenario) == [("stop", "program:api")]
    assert told(scenario) == ["skipped: only if memory.used < 50%, and that is unknown"]


def test_unknown_that_comes_to_be_known_in_time_is_an_answer(talk, play, check):
    scenario = play(Step(action="restart", only_if=check("memory.used < 50%")), Step(action="stop"))
    for _ in range(3):
        scenario.see("memory.used", 0.2)
        scenario.wait(1)
    assert talk.actions(scenario) == [("restart", "program:api")]


def test_a_ladder_whose_last_remedy_is_skipped_is_given_up_loudly(play, check):
    scenario = play(Step(action="restart", only_if=check("cpu.used < 50%")))
    assert (phase(scenario), told(scenario)) == ("given-up", ["the last remedy was skipped"])


def test_a_word_that_is_skipped_at_the_end_is_no_failure(play, check):
    assert phase(play(Step(action="notify", only_if=check("cpu.used < 50%")))) == "firing"


# if / else -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def fork(check):
    def made(text="cpu.used > 50%", **more):
        held = {"then": (Step(action="restart"),), "else_": (Step(action="stop"),)} | more
        return Step(action="if", branch=Branch(test=check(text), **held))

    return made


@pytest.mark.parametrize(("text", "verb"), [("cpu.used > 50%", "restart"), ("cpu.used < 50%", "stop")])
def test_the_way_goes_by_the_condition(talk, play, fork, text, verb):
    assert talk.actions(play(fork(text))) == [(verb, "program:api")]


def test_unknown_holds_both_ways_until_it_is_known(talk, play, fork):
    scenario = play(fork("memory.used > 50%"))
    for _ in range(60):
        talk.up(scenario, 0)
        scenario.wait(1)
    assert (talk.actions(scenario), phase(scenario)) == ([], "firing")
    for _ in range(2):
        scenario.see("memory.used", 0.9)
        scenario.wait(0.5)
    assert talk.actions(scenario) == [("restart", "program:api")]


def test_unknown_may_be_the_other_way_once_nobody_came_to_know(talk, play, fork):
    scenario = play(fork("memory.used > 50%", on_unknown="else"))
    assert talk.actions(scenario) == []
    for _ in range(31):
        talk.up(scenario, 0)
        scenario.wait(1)
    assert talk.actions(scenario) == [("stop", "program:api")]


def test_without_an_else_the_ladder_goes_on_behind(talk, play, fork):
    scenario = play(fork("cpu.used < 50%", else_=()), Step(action="stop"))
    assert talk.actions(scenario) == [("stop", "program:api")]
    assert told(scenario) == ["if cpu.used < 50%: false"]


def test_behind_a_branch_both_ways_meet(talk, play, fork):
    scenario = play(fork(then=(Step(action="notify"),)), Step(action="stop"))
    assert talk.actions(scenario) == [("notify", "program:api"), ("stop", "program:api")]


def test_a_step_inside_a_branch_may_ask_for_a_yes(talk, play, fork):
    scenario = play(fork(then=(Step(action="restart", approve=Approve(ttl=60.0)),)))
    (asked,) = scenario.log.of("approval")
    assert (asked["decision"], asked["step"], asked["action"]) == ("asked", 1, "restart")
    assert ("restart", "program:api") not in talk.actions(scenario)
    scenario.ask("approve", id=asked["id"])
    assert ("restart", "program:api") in talk.actions(scenario)


def test_an_incident_whose_ladder_was_rewritten_meanwhile_does_nothing_wrong(talk, play, fork):
    scenario = play(fork(then=(Step(action="wait", params={"for": 1.0}), Step(action="restart"))), mode=Mode.OBSERVE)
    old = scenario.core
    assert old.desk.memory.incidents[KEY].step == 1
    setup = talk.setup(talk.rule(then=(Step(action="notify"),)))
    scenario.core = Core(setup, old.desk.memory, now=scenario.now, wall=scenario.now + old.desk.wall_offset)
    scenario.take(scenario.core.succeed(old))
    feed(talk, scenario, 5)
    assert (talk.actions(scenario), phase(scenario)) == ([], "firing"), "it has no such rung: its ladder is at its end"


# wait_for ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def wait(check):
    return lambda text="cpu.used > 80%", **more: Step(action="wait_for", wait_for=WaitFor(test=check(text), **more))


def feed(talk, scenario, seconds, cpu=None):
    for _ in range(seconds):
        talk.up(scenario, 0)
        if cpu is not None:
            scenario.see("cpu.used", cpu)
        scenario.wait(1)


def test_a_wait_ends_when_it_comes(talk, play, wait):
    scenario = play(wait(), Step(action="stop"))
    feed(talk, scenario, 3)
    assert talk.actions(scenario) == []
    feed(talk, scenario, 1, cpu=0.9)
    assert talk.actions(scenario) == [("stop", "program:api")]
    assert told(scenario) == ["it came: cpu.used > 80%"]


@pytest.mark.parametrize(
    ("on_timeout", "last", "ends"),
    [("next", False, "acted"), ("fail", False, "acted"), ("give_up", False, "given-up"), ("fail", True, "given-up")],
)
def test_what_does_not_come_in_time_is_dealt_with_as_written(talk, play, wait, on_timeout, last, ends):
    steps = (wait(timeout=10.0, on_timeout=on_timeout), *(() if last else (Step(action="stop"),)))
    hook = (Step(action="publish", params={"topic": "a.b"}),)
    scenario = play(*steps, on_attempt_failed=hook)
    feed(talk, scenario, 9)
    assert talk.actions(scenario) == []
    feed(talk, scenario, 3)
    assert ("acted" if ("stop", "program:api") in talk.actions(scenario) else phase(scenario)) == ends
    failed = [one for one in scenario.acted if one.incident.startswith("hook:on_attempt_failed:")]
    assert len(failed) == (on_timeout == "fail"), "a failed wait is told as an attempt that failed"


def test_a_wait_goes_on_where_it_was_after_a_restart_of_the_agent(talk, play, wait):
    scenario = play(wait(timeout=20.0), Step(action="stop"))
    feed(talk, scenario, 15)
    memory, old = scenario.folded(), scenario.core
    scenario.core = Core(old.setup, memory, now=scenario.now, wall=scenario.now + old.desk.wall_offset)
    scenario.take(scenario.core.recover())
    feed(talk, scenario, 3)
    assert talk.actions(scenario) == []
    feed(talk, scenario, 4)
    assert talk.actions(scenario) == [("stop", "program:api")], "20 s after it began, not after the restart"


# trigger -------------------------------------------------------------------------------------------------------------


def test_a_step_starts_another_rule_for_the_same_target_and_the_log_tells_the_cause(talk, play):
    other = talk.rule(id="o", trigger=Trigger(kind="manual"), then=(Step(action="stop"),))
    scenario = play(Step(action="trigger", starts="o"), Step(action="notify"), rules=(other,))
    assert ("stop", "program:api") in talk.actions(scenario)
    assert told(scenario)[0] == "started o@program:api"
    opening = next(one for one in scenario.log.of("state") if one["subject"] == "incident:o@program:api")
    assert opening["data"]["cause"] == KEY


@pytest.mark.parametrize(
    ("other", "because"),
    [
        ({"id": "o", "when": "program.up{target} == 1"}, "o@program:api was not started: it is false"),
        ({"id": "o", "enabled": False}, "o@program:api was not started: it is switched off"),
        ({"id": "o", "each": Selector(kind="http")}, "o is not about program:api"),
    ],
)
def test_a_rule_that_cannot_be_started_is_told_and_the_ladder_goes_on(talk, play, other, because):
    scenario = play(
        Step(action="trigger", starts="o"),
        Step(action="stop"),
        rules=(talk.rule(**other, trigger=Trigger(kind="manual")),),
    )
    assert told(scenario)[0] == because
    assert talk.actions(scenario) == [("stop", "program:api")]


def test_a_rule_that_was_started_answers_to_its_own_gates(talk, play):
    other = talk.rule(id="o", trigger=Trigger(kind="manual"), settle=5.0)
    scenario = play(Step(action="trigger", starts="o"), Step(action="notify"), rules=(other,))
    assert talk.actions(scenario) == [("notify", "program:api")]
    feed(talk, scenario, 6)
    assert ("restart", "program:api") in talk.actions(scenario)


# settle --------------------------------------------------------------------------------------------------------------


def test_what_is_seen_while_an_action_settles_proves_nothing(talk, play):
    scenario = play(Step(action="restart", settle=5.0, verify=talk.verify(within=10.0)))
    for _ in range(5):
        talk.up(scenario, 1)
        assert results(scenario) == []
        scenario.wait(1)
    scenario.wait(0.5)
    talk.up(scenario, 1)
    assert results(scenario) == ["verified"]


def test_the_time_of_a_proof_begins_when_the_action_has_settled(talk, play):
    scenario = play(Step(action="restart", settle=5.0, verify=talk.verify(within=2.0)))
    scenario.wait(6)
    talk.up(scenario, 1)
    assert results(scenario) == ["verified"]


# rollback ------------------------------------------------------------------------------------------------------------


def back(talk, **more):
    undo = Step(action="run", params={"argv": ["/bin/undo"]}, verify=talk.verify("cpu.used > 50%", within=3.0))
    return Step(action="restart", verify=talk.verify(within=3.0), rollback=(undo,), **more)


def test_what_was_not_verified_is_taken_back_once_and_then_the_ladder_goes_on(talk, play):
    scenario = play(back(talk), Step(action="stop"))
    feed(talk, scenario, 20, cpu=0.6)
    assert talk.actions(scenario)[:3] == [("restart", "program:api"), ("run", "program:api"), ("stop", "program:api")]
    assert results(scenario)[:2] == ["unverified", "verified"]
    assert told(scenario)[:2] == ["step 0 was unverified: it is taken back", "step 0 was taken back"]


def test_a_cure_that_was_verified_is_not_taken_back(talk, play):
    scenario = play(back(talk))
    scenario.wait(1)
    talk.up(scenario, 1)
    assert talk.actions(scenario) == [("restart", "program:api")]


def test_what_cannot_be_taken_back_is_a_persons_matter(talk, play):
    scenario = play(back(talk), Step(action="stop"))
    feed(talk, scenario, 20, cpu=0.4)
    assert talk.actions(scenario) == [("restart", "program:api"), ("run", "program:api")]
    assert (phase(scenario), told(scenario)[-1]) == ("given-up", "the rollback of step 0 was unverified")


def test_a_rollback_that_fails_is_not_tried_again(talk, play):
    scenario = play(back(talk))
    plain = scenario.world

    def world(decision):
        failed = Outcome(id=decision.id, result=Result.FAILED_TRANSIENT, because="no", at=scenario.now, took=0.0)
        return failed if decision.action == "run" else plain(decision)

    scenario.world = world
    feed(talk, scenario, 30, cpu=0.6)
    assert [verb for verb, _ in talk.actions(scenario)] == ["restart", "run"]


def test_what_is_to_be_taken_back_goes_before_everybody_and_is_not_replaced(talk, play):
    rival = talk.rule(
        id="a",
        priority=10,
        for_=2.0,
        then=(Step(action="stop"),),
        concurrency=Concurrency(key="one", on_conflict="replace"),
    )
    scenario = play(back(talk), rules=(rival,), concurrency=Concurrency(key="one"))
    feed(talk, scenario, 6, cpu=0.6)
    assert [one.gate for one in scenario.withheld if one.rule == "a"][:1] == ["conflict"], "it waits for the target"
    assert [verb for verb, _ in talk.actions(scenario)][:2] == ["restart", "run"]


def test_a_ladder_that_ends_with_what_was_taken_back_is_given_up(talk, play):
    scenario = play(back(talk))
    feed(talk, scenario, 20, cpu=0.6)
    assert told(scenario)[-1] == "step 0 did not help, and was taken back"


def test_a_rollback_cut_short_by_a_crash_is_not_repeated(talk, play):
    scenario = play(back(talk), Step(action="stop"))
    scenario.world = lambda decision: None if decision.action == "run" else scenario.succeed(decision)
    feed(talk, scenario, 6, cpu=0.6)
    assert [verb for verb, _ in talk.actions(scenario)] == ["restart", "run"]
    memory, old = scenario.folded(), scenario.core
    scenario.core = Core(old.setup, memory, now=scenario.now, wall=scenario.now + old.desk.wall_offset)
    scenario.take(scenario.core.recover())
    feed(talk, scenario, 10, cpu=0.6)
    assert (phase(scenario), told(scenario)[-1]) == ("given-up", "the rollback of step 0 was interrupted")


# Several targets -----------------------------------------------------------------------------------------------------

FARM = tuple(
    Target(kind="program", name=name, organ="heart", groups=groups, requires=needs, startup_grace=0.0)
    for name, groups, needs in (
        ("api", (), ()),
        ("w1", ("web",), ("program:db",)),
        ("w2", ("web",), ("program:w1",)),
        ("db", ("web",), ()),
    )
)


def many(verb="start", **more):
    held = {"selector": Selector(group=("web",))} | more
    return Step(action=verb, targets=Selection(**held))


def treat(talk, scenario, count=3, up=1):
    """Let each target show what an action made of it, as often as that, and then the trouble be over."""
    for left in reversed(range(count)):
        (intent,) = scenario.core.desk.memory.intents.values()
        scenario.wait(1)
        talk.up(scenario, 0)
        scenario.see("program.up", up, target=intent.target)
        for _ in range(6 if up and left else 0):
            talk.up(scenario, 0)
            scenario.wait(1)  # what was down is given time before its children are judged
    talk.up(scenario, 1)
    scenario.wait(1)


def test_each_of_several_is_acted_on_alone_and_those_that_others_need_come_first(talk, play):
    scenario = play(many(), targets=FARM, cooldown=60.0)
    assert talk.actions(scenario) == [("start", "program:db")], "one at a time"
    treat(talk, scenario)
    assert talk.actions(scenario) == [("start", f"program:{name}") for name in ("db", "w1", "w2")]
    assert told(scenario)[0] == "start of 3, one at a time: program:db, program:w1, program:w2"
    assert results(scenario) == ["verified"] * 3
    assert "the cure was verified" in told(scenario), "once all of them were seen to be up"


def test_a_stop_goes_backward(talk, play):
    scenario = play(many("stop"), targets=FARM, cooldown=60.0)
    treat(talk, scenario, up=0)
    assert [name for _, name in talk.actions(scenario)] == ["program:w2", "program:w1", "program:db"]


def test_the_first_that_is_not_verified_ends_the_step(talk, play):
    scenario = play(many(), Step(action="notify"), targets=FARM, cooldown=60.0)
    for _ in range(40):
        talk.up(scenario, 0)
        scenario.wait(1)
    assert talk.actions(scenario)[:2] == [("start", "program:db"), ("notify", "program:api")]


def test_what_was_chosen_stays_chosen(talk, play):
    selector = Selector(group=("web",), state="stopped")
    scenario = play(many(selector=selector), targets=FARM, fall=False, cooldown=60.0)
    for name in ("w1", "db"):
        talk.falls(scenario, f"program:{name}")
    talk.falls(scenario)
    assert told(scenario)[0] == "start of 2, one at a time: program:db, program:w1"
    talk.falls(scenario, "program:w2")
    treat(talk, scenario, 2)
    assert [name for _, name in talk.actions(scenario)] == ["program:db", "program:w1"]


def test_nothing_selected_is_nothing_done(talk, play):
    scenario = play(many(selector=Selector(group=("nobody",))), Step(action="notify"), targets=FARM, cooldown=60.0)
    assert talk.actions(scenario) == [("notify", "program:api")]
    assert told(scenario)[0] == "skipped: nothing is selected, so nothing is done"


def test_more_than_the_bound_is_nothing_done_at_all(talk, play):
    scenario = play(many(max_targets=2), targets=FARM, cooldown=60.0)
    feed(talk, scenario, 5)
    assert talk.actions(scenario) == []
    assert [(one.gate, one.because) for one in scenario.withheld] == [
        ("blast_radius", "3 targets are selected, at most 2 may be")
    ]


def test_all_of_them_means_all_and_never_the_host(talk, play):
    scenario = play(many(selector=Selector(all_=True, except_=("api",)), order="declared"), targets=FARM, cooldown=60.0)
    treat(talk, scenario)
    assert [name for _, name in talk.actions(scenario)] == ["program:w1", "program:w2", "program:db"]


def test_each_of_several_is_proved_by_its_own_series(talk, play):
    step = Step(
        action="restart",
        targets=Selection(selector=Selector(group=("web",))),
        verify=talk.verify("program.memory{target} < 500MiB", within=5.0),
    )
    scenario = play(step, targets=FARM, cooldown=60.0)
    for _ in range(3):
        for name in ("db", "w1"):
            scenario.see("program.memory", 1.0, target=f"program:{name}")
        scenario.see("program.memory", 2**30, target="program:w2")
        talk.up(scenario, 0)
        scenario.wait(1)
    assert [name for _, name in talk.actions(scenario)] == ["program:db", "program:w1", "program:w2"]
    feed(talk, scenario, 8)
    assert results(scenario) == ["verified", "verified", "unverified"]


def test_where_it_is_among_several_survives_a_restart_of_the_agent(talk, play):
    scenario = play(many(), targets=FARM, cooldown=60.0)
    scenario.wait(1)
    scenario.see("program.up", 1, target="program:db")
    held = scenario.folded().incidents[KEY]
    assert (held.targets, held.item) == (["program:db", "program:w1", "program:w2"], 1)


# The state that a selection asks for ---------------------------------------------------------------------------------


def test_a_rule_fires_only_for_targets_in_the_state_it_asks_for(talk):
    rule = talk.rule("cpu.used > 50%", each=Selector(kind="program", state="stopped"), then=(Step(action="start"),))
    scenario = talk.with_rules(rule)
    talk.up(scenario, 1)
    for _ in range(3):
        scenario.see("cpu.used", 0.6)
        scenario.wait(1)
    assert talk.actions(scenario) == []
    talk.up(scenario, 0)
    scenario.see("cpu.used", 0.6)
    scenario.wait(2)
    assert talk.actions(scenario) == [("start", "program:api")]


# As an author tests it -----------------------------------------------------------------------------------------------

RULES = """\
version: 1
rules:
  - id: fat
    each: {kind: program}
    when: program.memory{target} > 500MiB
    mode: auto
    then:
      - if: cpu.used > 50%
        then: [{restart: {}, verify: {when: "program.memory{target} < 400MiB", within: 10s}}]
        else: [{signal: HUP, verify: {when: "program.memory{target} < 400MiB", within: 10s}}]
      - stop: {}
"""
TESTS = """\
version: 1
rule_files: fat.yaml
interval: 5s
targets: [{kind: program, name: api}]
tests:
  - name: a busy host has it restarted
    series:
      - {series: cpu.used, values: '60%x12'}
      - {series: 'program.memory{target="program:api"}', values: '600MiBx3 100MiBx8'}
    expect: [{at: 12s, rule: fat, target: "program:api", action: restart, step: 2}]
  - name: an idle one asks it to let go, and stops it where that does not help
    series:
      - {series: cpu.used, values: '10%x12'}
      - {series: 'program.memory{target="program:api"}', values: '600MiBx11'}
    expect:
      - {at: 12s, rule: fat, target: "program:api", action: signal}
      - {at: 40s, rule: fat, target: "program:api", action: stop, step: 4}
"""


def test_a_branch_is_tested_as_any_other_rule(tmp_path):
    (tmp_path / "fat.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "test.yaml").write_text(TESTS, encoding="utf-8")
    told = [one for played in run_suite(load_suite(tmp_path / "test.yaml")) for one in played.checked]
    assert len(told) == 3
    assert [one.because for one in told if not one.ok] == []


def test_a_message_that_was_skipped_is_the_next_steps_turn_and_not_tried_again(talk):
    def world(decision):
        if decision.action == "notify":
            because = "skipped: oncall failed 5 times in a row"
            return Outcome(id=decision.id, result=Result.SKIPPED, because=because, at=scenario.now, took=0.0)
        return scenario.succeed(decision)

    steps = (Step(action="notify", params={"channel": "oncall"}), Step(action="restart"))
    scenario = talk.with_rules(talk.rule(then=steps))
    scenario.world = world
    talk.falls(scenario)
    scenario.wait(5)
    done = [one.action for one in scenario.acted]
    assert done == ["notify", "restart"]
    assert [one["result"] for one in scenario.log.of("outcome")] == ["skipped", "done"]


def test_a_ladder_of_one_message_that_was_skipped_is_not_climbed_every_second(talk):
    def world(decision):
        return Outcome(id=decision.id, result=Result.SKIPPED, because="skipped", at=scenario.now, took=0.0)

    scenario = talk.with_rules(talk.rule(then=(Step(action="notify"),)))
    scenario.world = world
    talk.falls(scenario)
    scenario.wait(600)
    assert len(scenario.acted) == 1
