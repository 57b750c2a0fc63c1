"""What is usual: learned from one season, kept in little memory, and not taught by trouble."""

import math
import random
import statistics
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.rules.season import LONGEST, SHORTEST, Season

DAY = 86400.0
SLOT = 300.0


def usual(slot):
    return 50 + 10 * math.sin(2 * math.pi * slot / 288) + 4 * math.sin(4 * math.pi * slot / 288)


def taught(slots, value=usual, *, noise=1.0, seed=1, season=DAY):
    chance = random.Random(seed)
    made = Season(season)
    for slot in range(slots):
        made.add(slot * SLOT + 1, value(slot) + chance.gauss(0, noise))
    return made


def test_nothing_is_known_before_a_whole_season_and_a_bit_are_over():
    assert math.isnan(taught(288).score(288 * SLOT, 50.0))
    assert math.isnan(taught(298).score(298 * SLOT, 50.0))
    assert not math.isnan(taught(310).score(310 * SLOT, 50.0))


def test_the_usual_is_near_nought_and_the_unusual_is_not():
    made, slot = taught(5 * 288), 5 * 288
    assert abs(made.score(slot * SLOT + 1, usual(slot))) < 1.5
    assert made.score(slot * SLOT + 1, usual(slot) + 10) > 6
    assert made.score(slot * SLOT + 1, usual(slot) - 10) < -6


def test_what_is_usual_by_day_is_not_by_night():
    made, night = taught(5 * 288), 5 * 288 + 216
    for slot in range(5 * 288, night):
        made.add(slot * SLOT + 1, usual(slot))
    assert made.score(night * SLOT + 1, usual(72)) > 5


@pytest.mark.parametrize("drift", [0.0, 1.0, 5.0])
def test_it_forecasts_as_well_as_the_best_known(drift):
    """Mean absolute error at noise 1: 0.80 is the best there can be, an average for each slot is at 1.7."""
    chance, made, errors, scores = random.Random(7), Season(DAY), [], []
    for slot in range(6 * 288):
        value = usual(slot) + drift * slot / 288 + chance.gauss(0, 1)
        if made.known:
            score = made.score(slot * SLOT + 1, value)
            scores.append(score)
            errors.append(abs(score) * made._deviation(value))
        made.add(slot * SLOT + 1, value)
    assert statistics.mean(errors) < 1.15
    assert 0.8 < statistics.pstdev(scores) < 1.2


def test_trouble_is_not_the_new_normal_within_the_hour():
    made, slot = taught(5 * 288), 5 * 288
    for more in range(12):
        made.add((slot + more) * SLOT + 1, usual(slot + more) + 20)
    assert made.score((slot + 12) * SLOT + 1, usual(slot + 12) + 20) > 4


def test_a_still_series_is_not_alarmed_by_dust():
    made = taught(2 * 288, lambda _: 40.0, noise=0.0)
    assert made.score(2 * DAY + 1, 40.0) == 0
    assert abs(made.score(2 * DAY + 1, 40.001)) < 1
    assert made.score(2 * DAY + 1, 44.0) > 10


def test_a_first_season_with_large_holes_does_not_count():
    made = Season(DAY)
    for slot in range(3 * 288):
        if slot % 288 < 150:
            made.add(slot * SLOT + 1, 5.0)
    assert not made.known


def test_after_a_hole_of_a_season_it_begins_anew():
    made = taught(3 * 288)
    made.add(5 * DAY, 50.0)
    assert not made.known


def test_a_sample_of_a_slot_that_is_over_teaches_nothing():
    made = taught(2 * 288)
    before = made.score(2 * DAY, 50.0)
    made.add(DAY, 1e9)
    assert made.score(2 * DAY, 50.0) == before


def test_a_series_takes_little_memory():
    made = Season(DAY)
    assert sys.getsizeof(made._usual) < 1400
    assert len(Season(LONGEST)._usual) == 288
    assert len(Season(SHORTEST)._usual) == 24


@settings(max_examples=20)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_whatever_comes_a_score_is_a_number_or_unknown(values):
    made = Season(SHORTEST)
    for slot in range(60):
        made.add(slot * 150.0, values[slot % len(values)])
    score = made.score(60 * 150.0, values[0])
    assert math.isnan(score) or math.isfinite(score)


def test_words_teach_nothing():
    made = Season(DAY)
    made.add(1.0, "word")
    assert not made.known
