"""The tree itself."""

import pytest

from healer.model.unit import Unit
from healer.rules.syntax import (  # fmt: skip
    All,
    Compare,
    ExpressionError,
    Matcher,
    Not,
    Number,
    Select,
    Word,
    bind,
    is_condition,
    is_number,
    is_word,
    walk,
)

LOAD = Select(metric="load", unit=Unit.NUMBER)
HIGH = Compare(op=">", left=LOAD, right=Number(value=1.0))


def test_where_a_thing_was_written_does_not_change_what_it_means():
    assert Number(value=1.0, at=3, text="1") == Number(value=1.0, at=7, text="1.0")
    assert hash(Number(value=1.0, at=3)) == hash(Number(value=1.0))


def test_depth_is_counted_and_bounded():
    assert (LOAD.depth, HIGH.depth) == (1, 2)
    deep = HIGH
    for _ in range(30):
        deep = Not(of=deep)
    with pytest.raises(ExpressionError, match="32 levels"):
        Not(of=deep, at=5)


def test_a_wide_tree_is_not_deep():
    assert All(items=(HIGH,) * 1000).depth == 3


def test_walking_sees_every_node_before_its_children():
    assert list(walk(All(items=(HIGH, Not(of=HIGH))))) == [
        All(items=(HIGH, Not(of=HIGH))), HIGH, LOAD, Number(value=1.0), Not(of=HIGH), HIGH, LOAD, Number(value=1.0)
    ]  # fmt: skip


def test_binding_leaves_other_labels_alone():
    other = Matcher(label="a", op="!=", value="b")
    select = Select(metric="up", unit=Unit.FLAG, matchers=(Matcher(label="target", op="=", value=None), other))
    assert bind(select, "unit:x").matchers == (
        Matcher(label="target", op="=", value="unit:x"), other
    )  # fmt: skip
    assert bind(Word(text="{target}"), "unit:x") == Word(text="{target}")


def test_every_node_is_one_of_three_kinds():
    words = Select(metric="state", unit=Unit.WORD)
    for node, kind in ((LOAD, is_number), (HIGH, is_condition), (words, is_word), (Word(text="a"), is_word)):
        assert [test(node) for test in (is_number, is_condition, is_word)].count(True) == 1
        assert kind(node)


def test_an_error_knows_its_place():
    error = ExpressionError("what", hint="do this", offset=4)
    assert (str(error), error.offset) == ("what (do this)", 4)
