"""Conditions of one shape in one pass."""

from types import SimpleNamespace

import pytest

from healer.model.unit import Unit
from healer.rules.compile import NAN, compile_condition
from healer.rules.expression import parse
from healer.rules.groups import Groups, picker


def entry(order, text, *indexes):
    program = compile_condition(parse(text, vocabulary=dict.fromkeys("ab", Unit.NUMBER)))
    return SimpleNamespace(order=order, program=program, indexes=indexes)


@pytest.mark.parametrize("indexes", [(), (1,), (2, 0)])
def test_a_picker_always_gives_a_tuple(indexes):
    assert picker(indexes)("abc") == tuple("abc"[index] for index in indexes)


def test_shapes_are_decided_together_and_only_changes_are_told():
    groups = Groups(
        [entry(0, "a > 1", 0), entry(1, "b > 5", 1), entry(2, "a > 1 and b > 1", 0, 1), entry(3, "a > 1", 2)]
    )
    truths = [2, 2, 2, 2]
    assert groups.decide([2.0, 3.0, NAN], truths) == {0: 2, 1: 2, 2: 2}
    assert truths == [1, 0, 1, 2]
    assert groups.decide([2.0, 3.0, NAN], truths) == {}


def test_conditions_without_inputs_and_nothing_at_all():
    truths = [2]
    assert Groups([entry(0, "1 > 2")]).decide([], truths) == {0: 2}
    assert truths == [0]
    assert Groups([]).decide([], []) == {}
