"""Patterns: what RE2 takes, captures as names, and nothing that can hang."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.patterns import (
    LONGEST,
    LONGEST_CAPTURE,
    LONGEST_TEXT,
    PatternError,
    captures,
    check,
    found,
    names,
    possible,
)  # fmt: skip

HOSTILE = (
    "(a+)+$", "(a|a)*b", "(x+x+)+y", ".*.*.*.*.*=.*", "(a|aa)+$", "([a-zA-Z]+)*$", "(.*a){20}$", r"(\w+\s?)*!",
    "(?:.?){150}x", "[a-z]{1,500}b", r"\pL+\pN+x",
)  # fmt: skip
CANNOT = (
    r"(?P<x>\w+) \1", "(?=x)y", "(?<!x)y", "(a{1000}){1000}", "(", "[", "*a", "a**", r"\k<x>", "(?P<x", "a{2000}",
    "(?:.?){500}x", "((((a?){10}){10}){5})b", r"(?i)(?:\pL?){40}x", r"(?:\pL?){100}b",
)  # fmt: skip


@pytest.mark.parametrize("pattern", HOSTILE)
def test_a_catastrophic_pattern_costs_no_time(pattern):
    for text in ("a" * LONGEST_TEXT + "!", "x" * 10_000_000, "é" * LONGEST_TEXT):
        found("warm", pattern)
        start = time.process_time()
        captures(text, pattern)
        assert time.process_time() - start < 0.05


@pytest.mark.parametrize("pattern", CANNOT)
def test_what_cannot_be_linear_or_read_is_refused_with_a_hint(pattern):
    with pytest.raises(PatternError) as caught:
        check(pattern)
    assert "RE2" in caught.value.hint
    assert "(?P<" not in caught.value.message[:12]


@pytest.mark.parametrize(
    ("pattern", "offset"), [("", 0), ("a" * (LONGEST + 1), LONGEST), ("ab\0c", 2), ("ab\nc", 2), ("\ud800", 0)]
)
def test_what_is_no_pattern_is_pointed_at(pattern, offset):
    with pytest.raises(PatternError) as caught:
        check(pattern)
    assert caught.value.offset == offset


@pytest.mark.parametrize("pattern", ["a*", "x?", "(a|b)*", ".*", "^", "()"])
def test_a_pattern_that_is_true_of_everything_is_refused(pattern):
    with pytest.raises(PatternError, match="empty text"):
        check(pattern)


def test_it_is_searched_for_anywhere():
    assert found("kernel: Out of memory: Killed", "Out of memory")
    assert not found("kernel: fine", "Out of memory")
    assert found("a.b", r"^a\.b$")


def test_groups_are_captured_by_name():
    assert captures("pid 12 of web", r"pid (?P<pid>\d+) of (?P<name>\w+)") == {"pid": "12", "name": "web"}
    assert names(r"pid (?P<pid>\d+) of {name}") == ("name", "pid")


def test_a_name_in_braces_takes_one_word():
    assert captures("pool main-1 is exhausted", "pool {pool} is exhausted") == {"pool": "main-1"}


@pytest.mark.parametrize("pattern", ["a{2}", "a{2,3}b", r"\p{Greek}x", r"\x{61}"])
def test_repeats_and_classes_are_no_names(pattern):
    check(pattern)
    assert names(pattern) == ()


def test_no_match_captures_nothing():
    assert captures("x", "pid {pid}") is None
    assert captures("x", "(") is None
    assert captures("pid 1", "pid") == {}


@pytest.mark.parametrize("value", ["-rf", "a\x1bb", "x" * (LONGEST_CAPTURE + 1), "a\u2028b"])
def test_what_must_not_become_an_argument_is_left_out(value):
    assert captures(f"<{value}>", "<(?P<x>.+)>") == {}


def test_an_optional_group_that_took_nothing_is_left_out():
    assert captures("ab", "a(?P<x>z)?b") == {}


def test_halves_of_characters_are_no_crash():
    assert not found("\udc80", "x")
    assert found("\udc80x", "x")


def test_only_the_beginning_of_a_text_is_looked_at():
    assert not found("a" * LONGEST_TEXT + "needle", "needle")


@settings(max_examples=150)
@given(st.text(max_size=40), st.text(max_size=60))
def test_whatever_is_written_is_taken_or_refused(pattern, text):
    offset = 0
    try:
        check(pattern)
    except PatternError as error:
        offset = error.offset
    assert 0 <= offset <= len(pattern)
    assert (captures(text, pattern) is not None) is found(text, pattern)
    assert set(captures(text, pattern) or ()) <= set(names(pattern))


@settings(max_examples=60)
@given(
    st.lists(st.text(alphabet="ab \u00e9x", max_size=8), max_size=6),
    st.sampled_from(["a", "^a", "b$", "^ab$", r"\Aa", r"b\z", r"\ba", "{word} x", "(?i)A b", r"[^a]b", "a|^x$"]),
)
def test_where_a_line_holds_a_pattern_it_is_possible_in_the_block(lines, pattern):
    if any(found(line, pattern) for line in lines):
        assert possible("\n".join(lines), pattern)


def test_a_block_without_the_pattern_is_told_at_once():
    assert not possible("all is well\n" * 10, "panic")
    assert not possible("well, a\nb", "^b.$")


def test_as_much_of_a_text_is_looked_at_as_is_asked_for():
    assert captures("x" * 3000 + " user=bob", "user={user}") is None
    assert captures("x" * 3000 + " user=bob", "user={user}", most=4000) == {"user": "bob"}
