"""Trees as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.unit import Unit
from healer.rules.expression import parse
from healer.rules.syntax import Number, Word
from healer.rules.unparse import decimal, quoted, unparse


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimals_read_back_the_same_and_have_no_exponent(value):
    assert float(decimal(value)) == value
    assert "e" not in decimal(value)


@given(st.floats(0, 1e15), st.sampled_from([None, Unit.RATIO, Unit.SECONDS, Unit.BYTES]))
def test_constants_without_their_text_read_back_the_same(value, unit):
    assert parse(unparse(Number(value=value, unit=unit)), vocabulary={}) == Number(value=value, unit=unit)


@given(st.text(st.characters(exclude_characters="\n"), max_size=20))
def test_words_read_back_the_same(text):
    assert parse(quoted(text), vocabulary={}) == Word(text=text)


@pytest.mark.parametrize(
    "text", ["a - (b - c)", "a / (b * c)", "-(a + b)", "not (a > 1 or b > 1)", "(a > 1 or b > 1) and c > 1", "- -a > 1"]
)
def test_brackets_stay_where_they_matter(text):
    vocabulary = dict.fromkeys("abc", Unit.NUMBER)
    assert parse(unparse(parse(text, vocabulary=vocabulary)), vocabulary=vocabulary) == parse(
        text, vocabulary=vocabulary
    )
