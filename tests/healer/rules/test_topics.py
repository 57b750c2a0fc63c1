import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.trigger import Heard
from healer.rules.topics import ABSENT, group, number, pattern, reach, wanted_test
from healer.yamldoc.shape import Mistake


def fits(topic="a.b", given=None, **wanted):
    return pattern(Heard(topic=topic, filter=wanted)).fits("a.b", given or {})


@pytest.mark.parametrize(
    ("glob", "does"), [("a.b", True), ("a.*", True), ("*", True), ("?.b", True), ("A.b", False), ("a", False)]
)
def test_a_topic_is_matched_by_a_glob_of_all_of_it(glob, does):
    assert fits(glob) is does


@pytest.mark.parametrize(
    ("wanted", "found", "does"),
    [
        ("prod", "prod", True),
        ("prod", "production", False),
        ("web*", "web-1", True),
        ("web*", "api", False),
        ("web*", 3, False),
        (3, 3, True),
        (3, True, False),
        (True, True, True),
        (True, 1, False),
        (0.5, "0.5", True),  # the log has no floats
        (">= 3", 3, True),
        (">=3", 2, False),
        ("> 0.4", "0.5", True),
        ("< 0", "-1", True),
        ("<= 1e3", 1000, True),
        (">= 3", "three", False),
        (">= 3", True, False),
        (">= 3", None, False),
        (">= 3", [4], False),
        ("!= test", "prod", True),
        ("!= test*", "test-2", False),
        ("!= 3", 3, False),
        ("== *", "*", True),
        ("== *", "x", False),
        ("== 3", 3, True),
        (["prod", "test*"], "test-1", True),
        (["prod", 3], 3, True),
        (["prod", "test*"], "dev", False),
    ],
)
def test_a_field_is_equal_like_a_glob_or_compares(wanted, found, does):
    assert wanted_test(wanted)(found) is does


def test_a_field_that_is_not_there_fits_nothing_not_even_what_is_unequal():
    assert not fits(level="!= 3")
    assert fits(given={"level": 4}, level="!= 3")


def test_a_field_may_lie_deeper_and_a_name_with_dots_comes_first():
    assert fits(given={"user": {"name": "bob"}}, **{"user.name": "bob"})
    assert fits(given={"user.name": "bob", "user": {"name": "eve"}}, **{"user.name": "bob"})
    assert reach({"user": "bob"}, "user.name") is ABSENT


@pytest.mark.parametrize("wanted", ["> abc", ">= ", "< 3 m", "<= 0x10", "> nan", "> 3%"])
def test_a_comparison_with_no_number_is_a_mistake(wanted):
    with pytest.raises(Mistake, match="no number"):
        wanted_test(wanted)


@pytest.mark.parametrize(
    "found", [math.nan, math.inf, -math.inf, "nan", "inf", "1" * 40, 10**400, True, None, "", "1_0"]
)
def test_what_is_no_number_is_none(found):
    assert number(found) is None


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=4))
def test_no_value_of_any_kind_upsets_a_test(found):
    for wanted in (">= 3", "web*", "!= x", "== 3", "a", 3, 0.5, True, ["a", 3]):
        assert wanted_test(wanted)(found) in {True, False}


def test_groups_are_told_apart_and_an_event_without_the_field_is_in_none():
    assert group({"user": "bob", "n": 3}, ("user", "n")) == ("bob", "3")
    assert group({"user": "bob"}, ()) == ()
    for lacks in ({}, {"user": None}, {"user": ["bob"]}, {"user": {"name": "bob"}}):
        assert group(lacks, ("user",)) is None
    assert len(group({"user": "x" * 10**6}, ("user",))[0]) == 4096
