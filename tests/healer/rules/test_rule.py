import dataclasses

import pytest

from healer.model.active import Active
from healer.model.mode import Mode
from healer.rules.rule import Position, Rule, Selector, Step, Trigger


def test_a_place_is_written_as_editors_read_it():
    assert str(Position(file="rules/web.yaml", line=3, column=7)) == "rules/web.yaml:3:7"


def test_what_a_rule_does_not_say_is_careful():
    rule = Rule(id="r", position=Position(file="f", line=1, column=1), when=None, when_source="")
    assert rule.mode is None, "the default of the configuration, which is observe"
    assert (rule.cooldown, rule.on_unknown, rule.spelled_out) == (60.0, "hold", False)
    assert [(limit.max, limit.per) for limit in rule.limits] == [(5, 3600.0)]
    assert rule.trigger == Trigger(kind="auto")
    assert not rule.trigger.own
    assert rule.on_exhausted.rearm_after == 6 * 3600.0


def test_a_step_waits_half_a_minute_and_a_person_ten():
    assert Step(action="restart").timeout == 30.0
    from healer.rules.rule import Approve

    assert (Approve().ttl, Approve().on_timeout) == (600.0, "deny")


def test_a_rule_cannot_be_changed_once_it_is_loaded():
    for noun in (Selector(kind="unit"), Active(), Step(action="restart"), Trigger()):
        with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
            noun.mode = Mode.AUTO
