import contextlib
import math
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.store import columns
from healer.store.columns import ColumnError

NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50)


@settings(max_examples=150, deadline=None)
@given(NUMBERS)
def test_numbers_come_back_whole_or_to_five_digits(values):
    found = columns.unpack_values(columns.pack_numbers(values), len(values))
    for was, now in zip(values, found, strict=True):
        assert now == was if was.is_integer() else now == float(f"{was:.5g}")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(0, 4e9), min_size=1, max_size=50), st.integers(0, 2_000_000_000))
def test_times_come_back_to_the_millisecond_in_any_order(times, base):
    found = columns.unpack_times(columns.pack_times(times, base), len(times), base)
    assert all(abs(was - now) <= 0.000_501 for was, now in zip(times, found, strict=True))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=30))
def test_words_come_back_as_they_were(words):
    assert columns.unpack_values(columns.pack_words(words), len(words)) == words


def test_a_shape_that_a_host_has_takes_few_octets():
    times = [1.7e9 + 10 * place + (place * 7 % 5) / 1000 for place in range(720)]
    assert len(columns.pack_times(times, 1_700_000_000)) < 500
    assert len(columns.pack_numbers([1.0] * 720)) < 20
    assert len(columns.pack_numbers([round(5 + math.sin(place / 9) * 3, 1) / 100 for place in range(720)])) < 800


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(-2, 40))
def test_any_other_octets_are_refused_and_nothing_else(octets, count):
    for read in (columns.unpack_values, lambda held, many: columns.unpack_times(held, many, 0)):
        for tried in (octets, deflated(octets)):
            with contextlib.suppress(ColumnError):
                assert len(read(tried, count)) == count


def deflated(octets):
    worker = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return worker.compress(octets) + worker.flush()


def test_a_bomb_is_refused_before_it_is_inflated():
    with pytest.raises(ColumnError, match="longer"):
        columns.unpack_values(deflated(bytes(5_000_000)), 3)
    with pytest.raises(ColumnError, match="values in one column"):
        columns.unpack_values(columns.pack_numbers([1.0]), 10**9)


def test_a_column_of_another_length_is_refused():
    packed = columns.pack_numbers([1.5, 2.5, 3.5])
    for count in (1, 2, 4):
        with pytest.raises(ColumnError):
            columns.unpack_values(packed, count)
    with pytest.raises(ColumnError, match="2 words instead of 3"):
        columns.unpack_values(columns.pack_words(["a", "b"]), 3)
    with pytest.raises(ColumnError, match="no kind"):
        columns.unpack_values(deflated(bytes([200, 0, 1, 0])), 1)
