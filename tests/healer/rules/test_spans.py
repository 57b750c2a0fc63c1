import math

import pytest

from healer.model.vocabulary import METRICS
from healer.rules.expression import parse
from healer.rules.spans import FULL, SPANS, Span, Words, covers, meet, narrowed, possible


def key(text):
    return parse(text, vocabulary=METRICS)


def test_what_two_spans_share():
    assert SPANS[">"](5).meet(SPANS["<="](9)) == Span(low=5, low_open=True, high=9)
    assert SPANS[">"](5).meet(SPANS["<"](5)).empty
    assert SPANS[">="](5).meet(SPANS["<"](5)).empty
    assert not SPANS[">="](5).meet(SPANS["<="](5)).empty
    assert SPANS[">"](5).covers(SPANS[">"](6))
    assert not SPANS[">"](5).covers(SPANS[">="](5))


def test_a_flag_is_0_or_1_and_nothing_between():
    assert SPANS[">"](0).meet(SPANS["<="](1)).flag() == Span(low=1, high=1)
    assert SPANS["<"](1).flag() == Span(low=0, high=0)
    assert SPANS[">"](0).meet(SPANS["<"](1)).flag().empty


def test_words_are_these_only_or_all_but_those():
    these, but = Words(only=frozenset("ab")), Words(never=frozenset("b"))
    assert these.meet(but) == Words(only=frozenset("a"))
    assert but.meet(Words(never=frozenset("c"))) == Words(never=frozenset("bc"))
    assert (these.meet(Words(only=frozenset("c"))).empty, but.empty) == (True, False)
    assert but.covers(Words(only=frozenset("a")))
    assert not but.covers(these)
    assert not these.covers(but)
    assert but.covers(Words(never=frozenset("bc")))


def test_a_number_is_no_word():
    assert meet(FULL, Words()).empty
    assert not covers(FULL, Words())


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("cpu.used", Span(low=0, high=1)),
        ("avg_over(cpu.used, 5m)", Span(low=0, high=1)),
        ("max(disk.used)", Span(low=0, high=1)),
        ("changes(http.ok{target}, 5m)", Span(low=0)),
        ("delta(cpu.used, 5m)", FULL),
        ("age(cpu.used)", Span(low=0)),
        ("abs(clock.offset_jump)", Span(low=0)),
        ("clock.offset_jump", FULL),
        ("cpu.used - 5%", FULL),
    ],
)
def test_what_can_be_at_all(text, span):
    assert possible(key(text)) == span


def test_words_of_a_closed_list():
    assert "healthy" in possible(key("heart.health")).only
    assert possible(key("program.generation{target}")) == Words()


def test_what_is_left_of_values_that_can_be():
    assert narrowed(key("cpu.used"), SPANS[">"](0.9)) == Span(low=0.9, low_open=True, high=1)
    assert narrowed(key("cpu.used"), SPANS[">"](1)).empty
    assert narrowed(key("http.ok{target}"), SPANS[">"](0)) == Span(low=1, high=1)
    assert not narrowed(key("clock.offset_jump"), Span(low=math.inf)).empty
