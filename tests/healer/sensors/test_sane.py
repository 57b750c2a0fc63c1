"""Garbage never becomes a number: whatever a sensor is told, what leaves it is sane or unknown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.observation import Observation, Unknown, labels
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.sensors.sane import LARGEST, LONGEST_WORD, Sieve, clean, clean_word, ratio

GARBAGE = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.sampled_from([math.nan, math.inf, -math.inf, -1, -0.001, 1e308, 10**400, -(10**400), 2**63]),
    st.integers(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.complex_numbers(),
    st.builds(object),
)


@given(metric=st.sampled_from(sorted(METRICS)), value=GARBAGE)
def test_what_is_let_through_is_finite_and_within_the_metrics_bounds(metric, value):
    bounds = METRICS[metric]
    number = clean(metric, value)
    if number is not None:
        assert type(number) is float
        assert math.isfinite(number)
        assert abs(number) <= LARGEST
        assert bounds.minimum is None or number >= bounds.minimum
        assert bounds.maximum is None or number <= bounds.maximum


@given(metric=st.sampled_from(sorted(METRICS)), value=GARBAGE)
def test_every_metric_takes_any_value_as_a_reading_or_as_an_unknown_that_is_counted(metric, value):
    sieve = Sieve(5.0, labels(target="file:x"))
    add = sieve.word if METRICS[metric].unit is Unit.WORD else sieve.number
    add(metric, value)
    (reading,) = sieve.readings
    assert reading.metric == metric
    assert reading.at == 5.0
    assert isinstance(reading, Unknown) == (sieve.garbage == 1)
    if isinstance(reading, Unknown):
        assert "garbage" in reading.because
        assert len(reading.because) < 150
    else:
        assert isinstance(reading.value, str) == (METRICS[metric].unit is Unit.WORD)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, "0.5", None, True, 1e308, 10**400, 1.0001, b"1", [0.5]])
def test_none_of_the_classic_garbage_is_a_ratio(value):
    assert clean("cpu.used", value) is None


@pytest.mark.parametrize(
    ("value", "number"), [(True, 1.0), (False, 0.0), (1, 1.0), (0.5, None), (2, None), ("1", None)]
)
def test_a_flag_is_nought_or_one(value, number):
    assert clean("http.ok", value) == number


def test_what_may_be_negative_is_let_through():
    assert clean("host.temperature", -40) == -40
    assert clean("clock.offset_jump", -3600.0) == -3600
    assert clean("command.value", -1) == -1


@given(st.text())
def test_a_word_is_one_printable_line_of_bounded_length(text):
    word = clean_word("http.message", text)
    assert word is not None
    assert len(word) <= LONGEST_WORD
    assert word.isprintable()


def test_a_word_outside_a_closed_list_is_garbage():
    assert clean_word("container.health", "splendid") is None
    assert clean_word("container.health", "healthy") == "healthy"
    assert clean_word("container.health", 1) is None


def test_a_gigabyte_of_text_is_not_searched_through():
    assert clean_word("http.message", "x" * 10_000_000) == "x" * LONGEST_WORD


def test_nothing_is_no_ratio_of_nothing():
    assert ratio(0, 0) is None
    assert ratio(1, math.inf) is None
    assert ratio(1, 2) == 0.5


def test_readings_carry_the_labels_of_the_look_unless_told_otherwise():
    sieve = Sieve(1.0, labels(target="file:x"))
    sieve.number("file.size", 1)
    sieve.number("command.metric", 2, labels(target="file:x", name="n"), conclusive=True)
    sieve.all_unknown(("file.age", "file.mode"), "because")
    first, second, *rest = sieve.readings
    assert first == Observation(metric="file.size", labels=(("target", "file:x"),), value=1.0, unit=Unit.BYTES, at=1.0)
    assert second.labels == (("name", "n"), ("target", "file:x"))
    assert second.conclusive
    assert [reading.metric for reading in rest] == ["file.age", "file.mode"]


def test_none_is_unknown_for_its_reason_and_zero_is_a_number():
    sieve = Sieve(1.0)
    for value in (None, 0, "0"):
        sieve.maybe("file.size", value, "nobody says")
    none, zero, garbage = sieve.readings
    assert none == Unknown(metric="file.size", labels=(), because="nobody says", at=1.0)
    assert isinstance(zero, Observation)
    assert "garbage" in garbage.because
    assert sieve.garbage == 1
