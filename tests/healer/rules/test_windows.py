"""Windows of time: complete or unknown, bounded whatever comes."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.rules.windows import CELLS, Ring, percentile

FUNCTIONS = ("avg_over", "max_over", "min_over", "sum_over", "count_over", "p95_over", "rate", "delta", "changes")


def ring(*samples, seconds=60.0):
    made = Ring(seconds)
    for at, value in samples:
        made.add(at, value)
    return made


def over(made, function, seconds=60.0, *, since=-math.inf, max_gap=10.0):
    return made.measure(function, seconds, since=since, max_gap=max_gap)


def steady(values, every=10.0, start=0.0):
    return [(start + index * every, value) for index, value in enumerate(values)]


@pytest.mark.parametrize(
    ("function", "expected"),
    [("avg_over", 4.0), ("max_over", 9.0), ("min_over", 1.0), ("sum_over", 28.0), ("count_over", 7.0),
     ("p95_over", 9.0), ("delta", 3.0), ("changes", 6.0)],
)  # fmt: skip
def test_functions_over_a_window(function, expected):
    assert over(ring(*steady([1, 5, 2, 4, 3, 9, 4])), function) == expected


def test_only_the_window_counts():
    assert over(ring(*steady([100, 100, 1, 1, 1, 1, 1, 1, 1])), "max_over") == 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_and_one_sample_are_unknown(function):
    assert math.isnan(over(ring(), function))
    assert math.isnan(over(ring((5.0, 1.0)), function))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_window_observed_for_less_than_nine_tenths_is_unknown(function):
    assert math.isnan(over(ring(*steady([1] * 6)), function))
    assert not math.isnan(over(ring(*steady([1] * 7)), function))


def test_jitter_at_the_edge_does_not_make_it_unknown():
    samples = [(index * 10 + (0.3 if index % 2 else 0.0), 1.0) for index in range(20)]
    made = Ring(60.0)
    for at, value in samples:
        made.add(at, value)
        assert at < 60 or not math.isnan(over(made, "avg_over", max_gap=11.0)), at


def test_a_hole_is_unknown_not_bridged():
    samples = [(at, value) for at, value in steady([1] * 13) if not 30 < at < 70]
    assert math.isnan(over(ring(*samples), "avg_over", seconds=100.0))


def test_samples_up_to_a_rearm_do_not_count():
    made = ring(*steady([9, 9, 9, 9, 1, 1, 1, 1, 1, 1, 1]), seconds=60.0)
    assert over(made, "max_over", since=30.0) == 1
    assert math.isnan(over(made, "max_over", since=50.0))


def test_a_counter_that_began_again_is_no_negative_rate():
    assert over(ring(*steady([100, 110, 120, 0, 10, 20, 30])), "rate") == pytest.approx(50 / 60)
    assert over(ring(*steady([100, 110, 120, 5, 10, 20, 30])), "rate") == pytest.approx((20 + 5 + 25) / 60)


def test_late_samples_are_left_out():
    made = ring(*steady([1] * 7))
    made.add(3.0, 1000.0)
    assert over(made, "max_over") == 1


def test_words_change_and_are_counted():
    made = ring(*steady(["a", "a", "b", "b", "a", "a", "a"]))
    assert over(made, "changes") == 2
    assert over(made, "count_over") == 7
    assert math.isnan(over(made, "avg_over"))


def test_numbers_and_words_mixed_raise_nothing():
    made = ring(*steady([1, "a", 2, 1e308, 1e308, "b", 1e308]))
    for function in FUNCTIONS:
        over(made, function)


@pytest.mark.parametrize("function", ["sum_over", "avg_over", "rate", "delta"])
def test_overflow_is_unknown_not_infinite(function):
    made = ring(*steady([-1.7e308, 1.7e308, 1.7e308, 1.7e308, 1.7e308, 1.7e308, 1.7e308]))
    assert math.isnan(over(made, function)) or math.isfinite(over(made, function))


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=500), st.floats(0.1, 60))
def test_memory_is_bounded_at_any_pace(steps, seconds):
    made, at = Ring(seconds), 0.0
    for step in steps:
        at += step * seconds / CELLS
        made.add(at, 1.0)
    assert len(made) <= 500 * 0.5 + 2


def test_a_day_of_seconds_fits_and_its_extremes_are_exact():
    made = Ring(86400.0)
    for at in range(90000):
        made.add(float(at), 5.0 if at == 50_001 else 1.0)
    assert len(made) < CELLS + 10
    assert over(made, "max_over", 86400.0) == 5.0
    assert over(made, "changes", 86400.0) == 2
    assert over(made, "rate", 86400.0) == pytest.approx(4 / 86400, rel=0.3)
    assert over(made, "count_over", 86400.0) == pytest.approx(86400, rel=0.002)


def test_a_longer_window_asked_for_later_keeps_more():
    made = ring(*steady([1] * 5, every=1.0), seconds=2.0)
    made.keep(60.0)
    for at, value in steady([1] * 60, every=1.0, start=5.0):
        made.add(at, value)
    assert over(made, "count_over", 60.0) >= 60


@given(st.lists(st.floats(-1e9, 1e9), min_size=7, max_size=30))
def test_windows_agree_with_a_plain_list(values):
    made = ring(*steady(values))
    inside = values[-7:]
    assert over(made, "max_over") == max(inside)
    assert over(made, "min_over") == min(inside)
    assert over(made, "sum_over") == pytest.approx(sum(inside), abs=1e-3)
    assert over(made, "delta") == inside[-1] - inside[0]
    rises = sum(b - a if b >= a else b for a, b in pairwise(inside))
    assert over(made, "rate") == pytest.approx(rises / 60, abs=1e-3)


def test_percentile_is_nearest_rank():
    assert percentile([(float(value), 1) for value in range(1, 101)], 0.95) == 95
    assert percentile([(1.0, 19), (7.0, 1)], 0.95) == 1
    assert percentile([(1.0, 9), (7.0, 1)], 0.95) == 7
    assert math.isnan(percentile([], 0.95))


def counted(*values, every=10.0):
    ring = Ring(300.0)
    for number, value in enumerate(values):
        ring.add(number * every, value)
    return ring


def test_that_a_counter_rose_is_known_at_once_and_that_it_did_not_after_the_window():
    assert counted(0, 0, 1).grew(300.0, since=-1.0) == 1.0
    assert math.isnan(counted(*[0] * 20).grew(300.0, since=-1.0))
    assert counted(*[7] * 31).grew(300.0, since=-1.0) == 0.0
    assert math.isnan(Ring(300.0).grew(300.0, since=-1.0))


def test_what_rose_before_the_window_or_before_a_rearm_is_no_news():
    assert counted(0, 1, *[1] * 40).grew(300.0, since=-1.0) == 0.0
    assert counted(0, 1, 1, 2).grew(300.0, since=5.0) == 1.0
    # When it rose between two samples, one before the re-arm, nobody can tell on which side of it.
    assert math.isnan(counted(0, 1, 1, 2).grew(300.0, since=25.0))


def test_a_counter_that_began_again_rose_if_it_is_above_zero():
    assert counted(9, 9, 2).grew(300.0, since=-1.0) == 1.0
    assert math.isnan(counted(9, 9, 0).grew(300.0, since=-1.0))


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60))
def test_growth_is_where_a_sum_of_rises_would_be(steps):
    total, ring = 0, Ring(300.0)
    for number, step in enumerate(steps):
        total += step
        ring.add(number * 10.0, float(total))
    recent = steps[1:][-30:]
    if any(recent):
        assert ring.grew(300.0, since=-1.0) == 1.0
    elif len(steps) >= 30:
        assert ring.grew(300.0, since=-1.0) == 0.0
