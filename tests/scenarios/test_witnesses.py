"""Conversations about rules that act before witnesses only, and about a log that others say is not the whole one."""

from dataclasses import replace

import pytest

from healer.cli.explain import lines
from healer.core.explain import explain
from healer.model.effect import Cancel
from healer.model.event import Sealed
from healer.model.limit import Backoff, Limit
from healer.model.mode import Mode
from healer.rules.rule import Step
from tests.healer.core.conftest import Talk

talk = Talk()
QUICK = {"cooldown": 0.0, "backoff": Backoff(initial=0.1, jitter=0.0)}


def scene(**more):
    return talk.with_rules(talk.rule(witness="before", **QUICK | more))


def results(scenario):
    return [one["result"] for one in scenario.log.of("outcome")]


def test_an_action_waits_for_the_quorum_with_its_intent_sealed():
    scenario, seen = scene(), []

    def quorum(decision):
        seen.append((scenario.log.kinds()[-1], scenario.core.desk.memory.intents[decision.id].leaf, scenario.acted[:]))
        return ""

    scenario.quorum = quorum
    talk.falls(scenario)
    ((kind, leaf, acted),) = seen
    assert (kind, bool(leaf), acted) == ("intent", True, [])
    assert talk.actions(scenario) == [("restart", "program:api")]


def test_without_a_quorum_nothing_is_done_no_limit_is_used_and_no_breaker_opens():
    scenario = scene(limits=(Limit(max=1, per=3600.0),))
    scenario.quorum = lambda _: "b sleeps"
    talk.falls(scenario)
    for _ in range(120):
        scenario.wait(1)
        talk.up(scenario, 0)
    assert scenario.acted == []
    assert set(results(scenario)) == {"refused"}
    assert all("b sleeps" in one["because"] for one in scenario.log.of("outcome"))
    assert scenario.log.of("verdict") == []
    memory = scenario.core.desk.memory
    assert (memory.acted, memory.breakers, memory.intents) == ([], {}, {})
    # Seconds 0, 1, 3, 7, 15, 31, 63: a quorum that is away for a day does not fill the log.
    assert 6 <= len(results(scenario)) <= 8


def test_when_the_witnesses_are_back_it_is_tried_at_once():
    scenario = scene()
    scenario.quorum = lambda _: "b sleeps"
    talk.falls(scenario)
    for _ in range(40):
        scenario.wait(1)
        talk.up(scenario, 0)
    scenario.quorum = lambda _: ""
    scenario.happen("witnesses", reached=False)
    assert scenario.acted == []
    scenario.happen("witnesses", reached=True)
    assert talk.actions(scenario) == [("restart", "program:api")]


@pytest.mark.parametrize("change", ["recovers", "restarts", "takes too long", "kill switch", "maintenance"])
def test_what_changes_while_the_witnesses_are_asked_makes_the_intent_stale(change):
    scenario = scene()

    def quorum(_):
        if change == "recovers":
            talk.up(scenario, 1)
        elif change == "restarts":
            scenario.see("program.generation", "77.1", target="program:api")
        elif change == "takes too long":
            scenario.now += 11
            talk.up(scenario, 0)
        elif change == "kill switch":
            scenario.happen("kill-switch", on=True)
        else:
            scenario.ask("maintenance-add", "program:api", **{"for": 60})
        return ""

    scenario.quorum = quorum
    talk.falls(scenario)
    assert scenario.acted == []
    assert results(scenario)[0] == "stale"


def test_telling_people_waits_for_no_witness():
    scenario = scene(then=(Step(action="notify"), Step(action="restart")))
    scenario.quorum = lambda _: "b sleeps"
    talk.falls(scenario)
    for _ in range(3):
        scenario.wait(1)
        talk.up(scenario, 0)
    assert [one.action for one in scenario.acted] == ["notify"]
    assert "refused" in results(scenario)


def test_a_rule_that_only_wants_it_shown_waits_for_nobody():
    scenario = talk.with_rules(talk.rule(witness="at-once"))
    scenario.quorum = lambda _: "b sleeps"
    talk.falls(scenario)
    assert [one.witness for one in scenario.acted] == ["at-once"]


def test_what_waited_when_the_agent_died_is_interrupted_and_closed_in_the_log():
    scenario = scene()

    def die(_):
        raise KeyboardInterrupt

    scenario.quorum = die
    with pytest.raises(KeyboardInterrupt):
        talk.falls(scenario)
    again = talk.with_rules(talk.rule(witness="before", mode=Mode.OBSERVE), memory=scenario.folded(), at=scenario.now)
    (outcome,) = again.log.of("outcome")
    assert (outcome["result"], len(outcome["of"])) == ("interrupted", 64)


def test_another_history_is_sealed_and_nothing_is_done_until_a_person_says_so():
    scenario = talk.with_rules(talk.rule(**QUICK))
    scenario.happen("contradicted", because="witness b: it has 9", data={"witness": "b", "size": 9, "ours": 5})
    scenario.happen("safe-mode", because="the log was rolled back, or there are two of it: witness b: it has 9")
    talk.falls(scenario)
    for _ in range(5):
        scenario.wait(1)
        talk.up(scenario, 0)
    (gap,) = scenario.log.of("gap")
    assert gap["data"]["size"] == 9
    assert talk.actions(scenario) == []
    assert scenario.folded().safe_mode.endswith("it has 9")
    scenario.ask("resume-healing")
    for value in (1, 0):
        talk.up(scenario, value)
        scenario.wait(1)
    assert talk.actions(scenario) == [("restart", "program:api")]


def test_nothing_is_proved_again_before_the_witnesses_have_answered():
    scenario, wanted = scene(), []
    scenario._act = wanted.append
    talk.falls(scenario)
    talk.up(scenario, 1)
    sealed = Sealed(id=wanted[0].decision.id, leaf="ab", at=scenario.now, waits=True)
    assert not [one for one in scenario.core.handle(sealed) if isinstance(one, Cancel)]
    assert [one for one in scenario.core.handle(replace(sealed, waits=False)) if isinstance(one, Cancel)]


def test_explain_says_that_it_waits_for_witnesses():
    (told,) = explain(scene().core, "r")
    assert told["witness"] == "before"
    assert "only once the log's witnesses have seen it" in "\n".join(lines(told))
    (plain,) = explain(talk.with_rules(talk.rule()).core, "r")
    assert "witnesses" not in "\n".join(lines(plain))
