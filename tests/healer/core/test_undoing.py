"""What an incident changed for its time is put back when it is over, through the same gates, and never twice."""

from dataclasses import replace
from itertools import pairwise

import pytest

from healer.core.core import Core
from healer.model.decision import Outcome, Result
from healer.model.effect import Act, Cancel
from healer.model.event import Looked, Sealed, Tick
from healer.model.limit import Brakes
from healer.model.memory import Breaker, Memory, Streak
from healer.model.observation import Observation, labels
from healer.model.unit import Unit
from healer.rules.rule import Step, Verify

BACK = {"back": {"cpu": "100"}}


class Machine:
    """A world in which adjust changes a setting, and says how to put it back."""

    def __init__(self):
        self.scenario = None
        self.cpu = 100
        self.refuses = False
        self.put_back = []

    def __call__(self, decision):
        fields = {"id": decision.id, "at": self.scenario.now, "took": 0.0}
        if decision.action != "adjust":
            return Outcome(result=Result.DONE, because="done", **fields)
        if "back" in decision.params:
            self.put_back.append(decision.params["back"]["cpu"])
            if self.refuses:
                return Outcome(result=Result.FAILED_TRANSIENT, because="it fails", **fields)
            self.cpu = int(decision.params["back"]["cpu"])
            return Outcome(result=Result.DONE, because="put back", **fields)
        before, self.cpu = self.cpu, self.cpu + 20
        return Outcome(result=Result.DONE, because="adjusted", undo={"back": {"cpu": str(before)}}, **fields)


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def scene(talk, machine):
    """A rule that adjusts a program while another one is bad."""

    def made(*, memory=None, at=1000.0, brakes=None, **more):
        text = 'http.ok{target="http:web"} == 1'
        verify = Verify(when=talk.parsed(text), source=text, within=10.0)
        step = Step(action="adjust", params={"cpu": "+20%"}, verify=verify)
        rule = talk.rule('http.ok{target="http:web"} == 0', then=(step,), clear=text, **more)
        machine.scenario = talk.with_rules(rule, memory=memory, at=at, world=machine, brakes=brakes or Brakes())
        return machine.scenario

    return made


def sees(scenario, value):
    scenario.see("http.ok", value, target="http:web")


def treat(scenario):
    """Bad, adjusted, and seen to be better."""
    sees(scenario, 1)
    scenario.wait(1)
    sees(scenario, 0)
    scenario.wait(1)


def adjusted(scenario):
    return [dict(one.params) for one in scenario.acted if one.action == "adjust"]


def test_a_change_is_put_back_once_its_incident_is_over(scene, machine):
    scenario = scene()
    treat(scenario)
    assert machine.cpu == 120
    scenario.wait(5)
    assert machine.cpu == 120  # it holds as long as the incident
    sees(scenario, 1)
    scenario.wait(3)
    assert machine.cpu == 100
    assert adjusted(scenario) == [{"cpu": "+20%"}, BACK]
    assert scenario.core.desk.memory.changes == {}
    scenario.wait(60)
    assert machine.put_back == ["100"]


def test_the_intent_names_the_action_it_undoes_and_its_verdict_is_no_failure(scene):
    scenario = scene()
    treat(scenario)
    sees(scenario, 1)
    scenario.wait(3)
    first, second = [one for one in scenario.log.entries if one["kind"] == "intent"]
    assert second["undoes"] == first["id"]
    assert [one["result"] for one in scenario.log.entries if one["kind"] == "verdict"] == ["verified", "verified"]


def test_a_condition_that_comes_back_keeps_the_change(scene, machine):
    scenario = scene(clear_for=30.0)
    treat(scenario)
    sees(scenario, 1)
    scenario.wait(10)
    sees(scenario, 0)
    scenario.wait(5)
    assert not machine.put_back


def test_changes_of_one_target_are_put_back_the_newest_first(scene, machine):
    scenario = scene(cooldown=0.0)
    treat(scenario)
    memory = scenario.core.desk.memory
    (key,) = memory.changes
    # As after a second adjustment in the same incident.
    memory.changes["i-99"] = replace(memory.changes[key], undo={"back": {"cpu": "120"}})
    machine.cpu = 140
    sees(scenario, 1)
    scenario.wait(10)
    assert machine.put_back == ["120", "100"]
    assert machine.cpu == 100


def test_a_gate_holds_it_back_says_so_once_and_lets_it_go_on(scene, machine):
    scenario = scene()
    treat(scenario)
    scenario.ask("maintenance-add", "program:api", **{"for": 60, "reason": "work", "owner": "me"})
    sees(scenario, 1)
    scenario.wait(30)
    assert not machine.put_back
    said = [one for one in scenario.withheld if one.incident.startswith("undo:")]
    assert [one.gate for one in said] == ["maintenance"]
    scenario.wait(40)
    assert machine.put_back == ["100"]


def test_what_cannot_be_put_back_is_tried_a_few_times_and_then_told(scene, machine):
    scenario = scene()
    treat(scenario)
    machine.refuses = True
    sees(scenario, 1)
    scenario.wait(1800)
    assert 1 < len(machine.put_back) <= 5
    (change,) = scenario.core.desk.memory.changes.values()
    assert change.stuck or scenario.core.desk.memory.breakers["adjust@program:api"].open
    told = len(machine.put_back)
    machine.refuses = False
    scenario.ask("ack", "program:api")
    scenario.wait(700)
    assert machine.put_back[told:] == ["100"]
    assert machine.cpu == 100


def test_giving_up_putting_back_is_told(scene, machine):
    scenario = scene(brakes=Brakes(breaker_opens_after=100, breaker_backoff_after=100))
    treat(scenario)
    machine.refuses = True
    sees(scenario, 1)
    scenario.wait(300)
    assert machine.put_back == ["100"] * 5
    (told,) = [one.params["message"] for one in scenario.acted if one.action == "notify"]
    assert told.startswith("adjust of program:api could not be put back in 5 tries")


def test_a_restart_forgets_no_change(scene, machine):
    scenario = scene()
    treat(scenario)
    folded = Memory()
    for entry in scenario.log.entries:
        folded.apply(entry)
    assert folded.changes == scenario.core.desk.memory.changes
    assert Memory.from_json(scenario.core.desk.memory.to_json()).changes == folded.changes
    after = scene(memory=folded, at=scenario.now)
    sees(after, 1)
    after.wait(5)
    sees(after, 1)
    after.wait(20)
    assert machine.put_back == ["100"]


def test_a_change_a_person_asked_for_stays(scene, machine):
    scenario = scene()
    scenario.see("program.up", 1, target="program:api")
    scenario.ask("act", "program:api", action="adjust", params={"cpu": "+20%"})
    scenario.wait(60)
    assert machine.cpu == 120
    assert scenario.core.desk.memory.changes == {}


def test_a_pause_between_two_tries_goes_on_over_a_boot(scene, machine):
    scenario = scene()
    treat(scenario)
    memory = scenario.core.desk.memory
    (change,) = memory.changes.values()
    age = memory.frame.mono_us / 1e6 - change.at
    memory.rebase(boot="boot-2", mono_us=5_000_000, wall_us=memory.frame.wall_us + 7_000_000)
    assert 5.0 - change.at == pytest.approx(age + 7.0)


def test_a_change_whose_rule_is_gone_before_it_is_done_is_put_back_all_the_same(talk, machine):
    started = Memory()
    entry = {"v": 1, "boot": "boot-1", "node": "test", "ts": 0, "mono": 0, "target": "program:api"}
    intent = {
        "id": "i-1", "corr": "r@http:web", "rule": "r", "action": "adjust", "step": 0, "attempt": 1, "generation": "",
    }  # fmt: skip
    # Its incident was open at the intent, and a reload without its rule ended it before the outcome.
    started.apply({**entry, "kind": "intent", **intent})
    started.apply({**entry, "kind": "outcome", "id": "i-1", "result": "done", "undo": BACK})
    assert [one.undo for one in started.changes.values()] == [BACK]
    machine.scenario = talk.with_rules(memory=started, world=machine)
    machine.scenario.wait(5)
    assert machine.put_back == ["100"]


def test_an_incident_that_begins_again_before_the_effect_keeps_its_change(scene, machine):
    scenario = scene()
    treat(scenario)
    sees(scenario, 1)
    undone = []
    while not undone:
        scenario.now = max(scenario.now, scenario.core.due())
        effects = scenario.core.handle(Tick(at=scenario.now, wall=scenario.now))
        undone = [one.decision.id for one in effects if isinstance(one, Act) and one.decision.undoes]
    # The log is slow, and meanwhile it is bad again.
    sees(scenario, 0)
    assert "r@program:api" in scenario.core.desk.memory.incidents
    effects = scenario.core.handle(Sealed(id=undone[0], leaf="ab" * 32, at=scenario.now))
    assert [one.because for one in effects if isinstance(one, Cancel)] == [
        "the incident that changed it has begun again"
    ]
    assert not machine.put_back


def test_what_comes_to_nothing_is_not_tried_again_at_every_beat(scene, machine):
    scenario = scene()
    treat(scenario)
    tried = []

    def stale(decision):
        tried.append(scenario.now)
        return Outcome(id=decision.id, result=Result.STALE, because="another one", at=scenario.now, took=0.0)

    scenario.world = stale
    sees(scenario, 1)
    scenario.wait(60)
    assert len(tried) > 3
    assert min(later - first for first, later in pairwise(tried)) > 4.9
    scenario.world = machine
    scenario.wait(7)
    assert machine.put_back == ["100"]


def test_what_was_put_back_has_cured_nothing(scene, machine):
    scenario = scene()
    treat(scenario)
    memory = scenario.core.desk.memory

    def after_a_failure(decision):
        memory.breakers["adjust@program:api"] = Breaker(failures=1)
        memory.streaks["r@program:api"] = Streak(failures=1)
        return machine(decision)

    scenario.world = after_a_failure
    sees(scenario, 1)
    scenario.wait(5)
    assert memory.changes == {}
    assert memory.breakers["adjust@program:api"].failures == 1
    assert memory.streaks["r@program:api"].failures == 1


def test_after_what_a_person_had_adjusted_a_rule_waits_for_fresh_evidence(talk):
    rule = talk.rule('program.cpu{target="program:api"} > 80%', for_=0.0)
    open_ended = []
    scenario = talk.with_rules(rule, world=open_ended.append)
    scenario.see("program.up", 1, target="program:api")
    scenario.see("program.cpu", 0.1, target="program:api")
    scenario.wait(1)
    scenario.ask("act", "program:api", action="adjust", params={"cpu": "+20%"})
    scenario.see("program.cpu", 0.9, target="program:api")
    scenario.wait(1)
    (asked,) = open_ended
    scenario.finish(Outcome(id=asked.id, result=Result.DONE, because="done", at=scenario.now, took=1.0))
    scenario.wait(5)
    assert [one.action for one in open_ended] == ["adjust"]  # what was seen was seen before it ended
    scenario.see("program.cpu", 0.9, target="program:api")
    scenario.wait(5)
    assert [one.action for one in open_ended] == ["adjust", "restart"]


def test_what_a_rule_decided_is_not_carried_out_once_the_rule_is_gone(talk):
    rule = talk.rule()
    scenario = talk.with_rules(rule)
    talk.up(scenario, 1)
    scenario.wait(1)
    up = Observation(metric="program.up", labels=labels(target="program:api"), value=0, unit=Unit.FLAG, at=scenario.now)
    effects = scenario.core.handle(Looked(sensor="program:api", at=scenario.now, readings=(up,)))
    (decided,) = [one.decision for one in effects if isinstance(one, Act)]
    after = Core(talk.setup(), scenario.core.desk.memory, now=scenario.now, wall=scenario.now)
    after.succeed(scenario.core)
    effects = after.handle(Sealed(id=decided.id, leaf="ab" * 32, at=scenario.now))
    assert [one.because for one in effects if isinstance(one, Cancel)] == ["its rule is gone"]
