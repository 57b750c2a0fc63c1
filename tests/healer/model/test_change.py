"""A change is read as it is written, and never leaves its bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.errors import HealerError
from healer.model.change import parse


@pytest.mark.parametrize(
    ("text", "now", "becomes"),
    [
        ("+20%", 100, 120),
        ("-20%", 100, 80),
        ("+1", 3, 4),
        ("-1", 3, 2),
        ("4", 100, 4),
        ("512MiB", 0, 512 * 2**20),
        ("50%", 7, 100),
        ("+1MB", 5, 1_000_005),
    ],
)
def test_a_change_says_to_what_or_by_how_much(text, now, becomes):
    assert parse(text).apply(now, least=0, most=1e12, whole=200) == pytest.approx(becomes)


@pytest.mark.parametrize(
    "text", ["", "+", "%", "1e9", "nan", "inf", "--1", "1 000", "²", "1" * 40, "+20%%", "20percent"]
)
def test_what_is_no_change_is_refused_with_what_would_be(text):
    with pytest.raises(HealerError, match="is no change") as caught:
        parse(text)
    assert "+20%" in caught.value.hint


def test_a_change_by_an_amount_needs_a_present_value():
    with pytest.raises(HealerError, match="present value"):
        parse("+10%").apply(math.inf, least=0, most=100)
    assert parse("10").apply(math.inf, least=0, most=100) == 10


@given(
    st.from_regex(r"[+-]?[0-9]{1,9}(\.[0-9]{1,3})?(%|MiB|kB)?", fullmatch=True),
    st.floats(0, 1e12),
    st.floats(0, 1e6),
    st.floats(1e6, 1e12),
)
def test_no_change_leaves_its_bounds(text, now, least, most):
    assert least <= parse(text).apply(now, least=least, most=most) <= most
