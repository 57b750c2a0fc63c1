"""The grammar meets hostile text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.model.vocabulary import METRICS
from healer.rules.calls import CALLS
from healer.rules.reader import MAX_NESTING, Reader
from healer.rules.syntax import ExpressionError
from healer.rules.unparse import unparse

PIECES = (
    *CALLS, "(", ")", ",", "{", "}", "=", "==", "<", ">", "and", "or", "not", "-", "*", "target", "own", "kind",
    "cpu.used", "disk.used", "file.owner", "http.message", "95%", "4h", "5", "1h30m", "1e400", "0s", '"a"', '"web"',
    '"(a+)+$"', '"(?P<x>\\\\w+)"', '"yes"', '"mon-fri"', "\0", "nan", "inf", "state", "flaps", "\ud800",
)  # fmt: skip


def read(text):
    return Reader(text, METRICS, lenient=False).all()


@settings(max_examples=200)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join))
def test_any_pieces_are_a_tree_or_a_mistake_at_a_place(text):
    offset, tree = 0, None
    try:
        tree = read(text)
    except ExpressionError as error:
        offset = error.offset
    assert 0 <= offset <= len(text)
    assert tree is None or read(unparse(tree)) == tree


@pytest.mark.parametrize("opening", ["(", "not ", "-", "abs(", "max(", "at_least(1, ", "age("])
def test_depth_is_refused_and_not_recursed(opening):
    with pytest.raises(ExpressionError):
        read(opening * 1000 + "1")
    assert len(opening) * 1000 > MAX_NESTING


def test_braces_follow_events_only():
    with pytest.raises(ExpressionError, match=r"unexpected '\{'"):
        read('any_state("stopped", kind="program"){target}')
