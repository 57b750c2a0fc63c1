import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.importing.harvest import Fate, Harvest, Made, duration, name, slug, without_none
from healer.yamldoc.mark import Mark
from healer.yamldoc.parsers import NAME

HERE = Mark(file="f", line=1, column=1)


def test_ids_are_ascii_and_never_twice():
    harvest = Harvest()
    assert harvest.rule_id("Wstrzymanie systemu przy błędach (@all)") == "wstrzymanie-systemu-przy-bledach-all"
    assert harvest.rule_id("Wstrzymanie systemu przy błędach (@all)") == "wstrzymanie-systemu-przy-bledach-all-2"
    assert harvest.rule_id("🎬") == "rule"


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_any_text_becomes_a_name_that_targets_may_have(text):
    assert re.fullmatch(NAME, name(text))
    assert re.fullmatch(r"[a-z0-9-]{0,80}", slug(text))


@pytest.mark.parametrize(
    ("seconds", "said"), [(30, "30s"), (60, "1m"), (90, "90s"), (7200, "2h"), (86400, "1d"), (0.5, "500ms"), (0, "0s")]
)
def test_durations_have_the_largest_whole_unit(seconds, said):
    assert duration(seconds) == said


def test_one_thing_is_listed_once_and_in_the_order_of_the_text():
    harvest = Harvest()
    for line in (3, 1, 3):
        harvest.left(Mark(file="f", line=line, column=1), "x", "y")
    assert [item.mark.line for item in harvest.of(Fate.LEFT)] == [1, 3]


def test_a_target_named_twice_is_declared_once():
    harvest = Harvest()
    for _ in range(2):
        assert harvest.target(Made(body={"kind": "http", "name": "a"}, mark=HERE)) == "http:a"
    assert len(harvest.targets) == 1


def test_two_secrets_of_one_name_get_two_and_neither_is_ever_shown():
    harvest = Harvest()
    assert [
        harvest.credential("db", "hunter22"),
        harvest.credential("db", "other99"),
        harvest.credential("db", "hunter22"),
    ] == [
        "db",
        "db-2",
        "db",
    ]
    assert harvest.hide("x hunter22 other99") == "x *** ***"


def test_a_secret_that_is_a_word_takes_no_words_of_the_language_with_it():
    harvest = Harvest()
    harvest.credential("db", "program")
    assert harvest.hide("programs: [program]") == "programs: [program]"


def test_nothing_to_say_is_left_out_but_false_and_zero_stay():
    assert without_none({"a": None, "b": "", "c": [], "d": False, "e": 0}) == {"d": False, "e": 0}
