import dataclasses

import pytest

from healer.rules import case
from healer.rules.rule import Position


def test_what_is_not_said_is_usual():
    cure = case.Cure(action="restart")
    assert (cure.target, cure.outcome, cure.takes, cure.lines) == ("", "done", 0.0, ())
    happening = case.Happening(at=1.0, position=Position(file="f", line=1, column=1))
    assert (happening.subject, happening.refused, dict(happening.data)) == ("agent", False, {})


def test_a_test_is_a_value():
    expectation = case.Expectation(at=1.0, rule="r", position=Position(file="f", line=1, column=1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        expectation.at = 2.0
