"""Counters become rates, or say why not."""

from hypothesis import given
from hypothesis import strategies as st

from healer.sensors.rates import FIRST, NO_TIME, RESET, Rates


def test_a_rate_needs_two_looks():
    rates = Rates()
    assert rates.step("a", 10, 0.0) == FIRST
    assert rates.step("a", 30, 4.0) == 5.0


def test_a_counter_that_went_back_is_unknown_once():
    rates = Rates()
    rates.step("a", 10, 0.0)
    assert rates.step("a", 3, 1.0) == RESET
    assert rates.step("a", 5, 2.0) == 2.0


def test_no_time_is_no_rate():
    rates = Rates()
    rates.step("a", 10, 1.0)
    assert rates.step("a", 20, 1.0) == NO_TIME
    assert rates.step("a", 20, 0.5) == NO_TIME


def test_a_forgotten_counter_starts_anew():
    rates = Rates()
    rates.step("a", 10, 0.0)
    rates.forget("a")
    rates.forget("never seen")
    assert rates.step("a", 20, 1.0) == FIRST


@given(st.lists(st.tuples(st.floats(0, 1e15), st.floats(0, 1e9)), min_size=2))
def test_a_rate_is_never_negative(looks):
    rates = Rates()
    for value, now in looks:
        rate = rates.step("a", value, now)
        assert isinstance(rate, str) or rate >= 0
