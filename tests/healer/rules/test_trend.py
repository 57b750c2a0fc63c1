"""Forecasts: a line is seen through noise, bursts do not move it, steps begin it anew, doubt is an interval."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.rules.trend import LEAST, POINTS, Trend, through

HOUR = 3600.0
NEVER = (math.inf, math.inf, math.inf)


def past(values, *, every=60.0, history=HOUR):
    made = Trend(history)
    at = -every
    for value in values:
        at += every
        if value is not None:
            made.add(at, value)
    return made, at


def eta(values, limit=0.95, *, falling=False, since=-1.0, **more):
    made, now = past(values, **more)
    return made.eta(limit, now=now, since=since, falling=falling)


def forecast(values, ahead=HOUR, *, since=-1.0, **more):
    made, now = past(values, **more)
    return made.forecast(ahead, now=now, since=since)


def line(count=64, start=0.5, step=0.001):
    return [start + step * index for index in range(count)]


def test_a_straight_line_is_continued():
    assert forecast(line()) == pytest.approx((0.623, 0.623, 0.623))
    assert eta(line()) == pytest.approx((23220, 23220, 23220))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    start=st.floats(-1e6, 1e6),
    slope=st.floats(-100, 100),
    noise=st.sampled_from([0.0, 1e-3, 1.0, 50.0]),
)
def test_a_line_with_noise_lies_within_its_interval(seed, start, slope, noise):
    chance = random.Random(seed)
    low, likely, high = forecast([start + slope * index + chance.gauss(0, noise) for index in range(64)])
    true = start + slope * (63 + 60)
    slack = 1e-6 * (1 + abs(true))
    assert low - slack <= true <= high + slack
    assert low <= likely <= high


@settings(max_examples=40)
@given(value=st.floats(-1e9, 1e9), limit=st.floats(-1e9, 1e9), count=st.integers(40, 80))
def test_a_constant_never_crosses(value, limit, count):
    there = value >= limit
    assert eta([value] * count, limit) == ((0, 0, 0) if there else NEVER)
    assert eta([value] * count, limit, falling=True) == ((0, 0, 0) if value <= limit else NEVER)


@settings(max_examples=40)
@given(
    begin=st.integers(5, 50),
    length=st.integers(1, 13),
    height=st.floats(-0.5, 0.5),
    step=st.sampled_from([0.0, 0.001, -0.001]),
)
def test_a_burst_does_not_move_it(begin, length, height, step):
    values = line(step=step)
    for index in range(begin, min(begin + length, 58)):
        values[index] += height
    found = forecast(values)
    if found is not None:  # a small hump is no burst, and may only widen what is said
        low, likely, high = found
        true = 0.5 + step * 123
        assert low - 1e-9 <= true <= high + 1e-9
        assert abs(likely - true) <= 0.25 * abs(height) + 1e-9


@pytest.mark.parametrize(("begin", "end"), [(50, 54), (30, 40), (5, 12), (20, 32)])
def test_a_clear_burst_is_left_out_exactly(begin, end):
    values = [0.5 + (0.3 if begin <= index < end else 0) for index in range(64)]
    assert forecast(values) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("ago", [35, 45, 54])
def test_a_clean_up_begins_a_new_trend(ago):
    values = [value - (0.3 if index >= 64 - ago else 0) for index, value in enumerate(line(step=0.005))]
    assert eta(values) == pytest.approx([5220 if ago else 0] * 3)


@pytest.mark.parametrize("ago", [2, 5, 10, 20])
def test_right_after_a_step_nobody_can_tell(ago):
    for step in (-0.3, 0.3):
        values = [value + (step if index >= 64 - ago else 0) for index, value in enumerate(line(step=0.001))]
        assert eta(values) is None
        assert forecast(values) is None


def test_one_wild_last_value_is_not_news():
    assert eta([*line(63), 0.9]) == pytest.approx(eta(line(63)), abs=61)


def test_a_rotated_log_is_a_saw_and_its_last_tooth_counts():
    values = [0.1 + 0.01 * (index % 40) for index in range(80)]
    assert eta(values, 0.95) == pytest.approx([2760] * 3)


def test_a_curve_says_less_than_a_line():
    low, _, high = eta([0.5 + 0.3 * math.sin(index / 60) for index in range(64)])
    assert high - low > 1000


def test_what_goes_up_and_down_is_not_forecast():
    low, _, high = eta([0.5 + 0.3 * math.sin(index / 5) for index in range(64)])
    assert (low, high) == (0.0, math.inf)


def test_a_falling_series_is_seen_from_above():
    assert eta(line(step=-0.001), 0.1, falling=True) == pytest.approx([20220] * 3)
    assert eta(line(step=0.001), 0.1, falling=True) == NEVER
    assert eta(line(step=-0.001), 0.45, falling=True) == (0, 0, 0), "it is past it"


def test_it_needs_half_of_the_history():
    assert forecast(line(31)) is not None
    assert forecast(line(30)) is None


def test_it_needs_a_number_of_points():
    values = line(LEAST - 1)
    assert forecast(values, every=240.0) is None
    assert forecast(line(LEAST), every=240.0) is not None


def test_a_hole_begins_it_anew():
    values = line(100)
    values[60:65] = [None] * 5
    assert forecast(values) is not None
    values[60:80] = [None] * 20
    assert forecast(values) is None


def test_only_what_came_after_the_re_arm_counts():
    assert forecast(line(64), since=20 * 60.0) is not None
    assert forecast(line(64), since=40 * 60.0) is None


def test_forgetting_begins_it_anew():
    made, now = past(line())
    made.forget()
    assert made.forecast(HOUR, now=now, since=-1.0) is None
    assert len(made) == 0


def test_memory_is_bounded_whatever_the_pace():
    made, now = past((0.5 for _ in range(20_000)), every=1.0)
    assert len(made) <= 2 * POINTS
    assert made.forecast(HOUR, now=now, since=-1.0) == (0.5, 0.5, 0.5)


def test_a_sample_from_the_past_is_left_out():
    made, now = past(line())
    before = made.forecast(HOUR, now=now, since=-1.0)
    made.add(now - 300, 1e9)
    assert made.forecast(HOUR, now=now, since=-1.0) == before


def test_words_are_left_out():
    made, _ = past(["word"] * 64)
    assert len(made) == 0


@pytest.mark.parametrize("huge", [1e308, -1e308])
def test_values_past_all_counting_are_unknown_or_finite(huge):
    for values in ([huge, -huge] * 32, [0.5] * 63 + [huge], line(64, start=huge, step=huge / 100)):
        found = forecast(values)
        assert found is None or not any(math.isnan(value) for value in found)


@settings(max_examples=60)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=70))
def test_whatever_comes_there_is_an_interval_or_none(values):
    for found in (forecast(values), eta(values, 1.0), eta(values, 1.0, falling=True)):
        assert found is None or found[0] <= found[1] <= found[2]


def test_no_points_no_line():
    assert through([], 0.0) is None
