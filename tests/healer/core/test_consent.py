from dataclasses import replace

import pytest

from healer.core import consent
from healer.model.mode import Mode


@pytest.fixture
def asked(talk):
    """A core that has asked, the instance it asked for, and the question it asked about."""
    scene = talk.with_rules(talk.rule(mode=Mode.APPROVE))
    talk.falls(scene)
    core = scene.core
    instance = core.instances["r@program:api"]
    return core, instance, core.acting.question_of(instance, 0)


def test_people_are_asked_once_for_each_step(asked):
    core, instance, question = asked
    told = []

    def tell(message, *, channel, incident):
        told.append((message, channel, incident))

    assert not consent.ask_people(core.desk, instance, question, tell)
    assert consent.ask_people(core.desk, instance, replace(question, step=1), tell)
    assert not consent.ask_people(core.desk, instance, replace(question, step=1), tell)
    ((message, _, incident),) = told
    assert "healer approve a-2" in message
    assert incident == "r@program:api"
    assert core.desk.memory.asked == 2


def test_only_a_yes_that_was_given_can_be_rested_on(asked):
    core, _, question = asked
    assert consent.granted(question) == ""
    approval = core.desk.memory.approvals["a-1"]
    consent.seal(core.desk, approval, "granted", "uid:0", "go")
    assert consent.granted(question) == "a-1"
    assert consent.granted(replace(question, step=1)) == ""
    assert consent.granted(replace(question, action="stop")) == ""


@pytest.mark.parametrize("decision", ["denied", "expired", "stale"])
def test_what_is_closed_is_told_to_whoever_comes_late(asked, decision):
    core, _, question = asked
    consent.seal(core.desk, core.desk.memory.approvals["a-1"], decision, "agent", "it is late")
    assert core.desk.memory.answered["a-1"] == f"{decision} by agent: it is late"
    assert consent.granted(question) == ""
