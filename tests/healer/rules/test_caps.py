import math
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.model.limit import Backoff, Limit
from healer.rules.caps import incidents, paused, room

HOUR, DAY = 3600.0, 86400.0


@pytest.mark.parametrize(
    ("limits", "window", "most"),
    [
        ([(3, HOUR)], HOUR, 3),
        ([(3, HOUR)], DAY, 72),
        ([(2, 2400.0)], HOUR, 4),
        ([(3, HOUR), (7, DAY)], DAY, 7),
        ([(3, HOUR), (7, 5 * HOUR)], DAY, 4 * 7 + 7),
        ([(1, HOUR), (7, 5 * HOUR)], 6 * HOUR, 6),
        ([(5, 5 * HOUR), (2, HOUR)], 6 * HOUR, 7),  # five hours of one, and an hour of the other
        ([(9, 30 * DAY)], DAY, 9),
        ([(0, HOUR)], DAY, 0),
        ([], DAY, math.inf),
    ],
)
def test_a_window_is_filled_limit_by_limit(limits, window, most):
    assert room([Limit(max=count, per=per) for count, per in limits], window) == most


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.builds(Limit, max=st.integers(1, 5), per=st.integers(1, 40).map(float)), min_size=1, max_size=4),
    st.integers(1, 120),
    st.integers(0, 2**32),
)
def test_nobody_who_keeps_the_limits_does_more(limits, window, seed):
    chance = random.Random(seed)
    taken = []
    for now in range(1, 200):
        while chance.random() < 0.9 and all(sum(at > now - one.per for at in taken) < one.max for one in limits):
            taken.append(now)
    busiest = max((sum(end - window < at <= end for at in taken) for end in taken), default=0)
    assert busiest <= room(limits, float(window))


def test_a_cooldown_lies_between_incidents():
    assert [incidents(cooldown, HOUR) for cooldown in (1800.0, 2400.0, HOUR, 2 * HOUR, 0.0)] == [2, 2, 1, 1, math.inf]


@pytest.mark.parametrize(
    ("backoff", "window", "most"),
    [
        (Backoff(initial=60.0, factor=2.0, max=600.0, jitter=0.0, reset_after=DAY), HOUR, 9),  # 0 1 3 7 15 25 35 45 55
        (Backoff(initial=600.0, factor=1.0, max=600.0, jitter=0.5, reset_after=DAY), HOUR, 12),
        (Backoff(initial=300.0, factor=5.0, max=DAY, jitter=0.0, reset_after=600.0), HOUR, 8),
        (Backoff(initial=0.0), HOUR, math.inf),
        (Backoff(initial=5.0, reset_after=0.0), HOUR, math.inf),
        (Backoff(initial=5.0, jitter=1.0), HOUR, math.inf),
        (Backoff(initial=DAY, max=DAY, jitter=0.0, reset_after=2 * DAY), HOUR, 1),
    ],
)
def test_pauses_at_their_shortest_bound_what_fits_between_them(backoff, window, most):
    assert paused(backoff, window) == most


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        Backoff,
        initial=st.sampled_from((1.0, 7.0, 60.0)),
        factor=st.sampled_from((1.0, 1.3, 4.0)),
        max=st.sampled_from((60.0, 500.0)),
        jitter=st.just(0.0),
        reset_after=st.sampled_from((30.0, 90.0, 4000.0)),
    ),
    st.integers(0, 2**32),
)
def test_nobody_who_keeps_the_pauses_does_more(backoff, seed):
    chance = random.Random(seed)
    now, row, taken = 0.0, 0, []
    while now < 2 * HOUR:
        taken.append(now)
        row += 1
        pause = min(backoff.max, backoff.initial * backoff.factor ** (row - 1))
        if pause > backoff.reset_after or chance.random() < 0.2:
            pause, row = backoff.reset_after, 0
        now += pause
    busiest = max(sum(end - HOUR < at <= end for at in taken) for end in taken)
    assert busiest <= paused(backoff, HOUR)


def test_extreme_numbers_take_no_time():
    began = time.monotonic()
    assert room([Limit(max=10**9, per=0.001), Limit(max=10**9, per=0.0007)], DAY) > 10**9
    assert room([Limit(max=1, per=1e300)], DAY) == 1
    assert paused(Backoff(initial=1e-3, factor=1.0001, max=DAY, jitter=0.0, reset_after=1e-3), DAY) == DAY * 1000
    assert paused(Backoff(initial=0.001, factor=100.0, max=DAY, jitter=0.0, reset_after=50.0), DAY) < 10**5
    assert time.monotonic() - began < 2
