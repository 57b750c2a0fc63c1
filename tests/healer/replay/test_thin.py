"""Which samples can make a difference."""

import pytest

from healer.model.observation import Series
from healer.model.vocabulary import METRICS
from healer.replay.thin import ALL, LOST, Cursor, Wanted, ended, relevant
from healer.replay.track import Track
from healer.rules import expression

CPU = Series("cpu.used", ())


def wanted(text, *, every=False):
    made = Wanted()
    made.add(expression.parse(text, vocabulary=METRICS), every=every)
    return made.of(CPU)


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("cpu.used > 90%", (0.9,)),
        ("10% < cpu.used and not cpu.used >= 90%", (0.1, 0.9)),
        ("max(cpu.used) > 90%", (0.9,)),
        ("avg(cpu.used) > 90%", ALL),
        ("avg_over(cpu.used, 5m) > 90%", ALL),
        ("cpu.used * 2 > 90%", ALL),
        ("cpu.used > memory.used", ALL),
        ("age(cpu.used) > 5s", ALL),
        ("memory.used > 90%", None),
    ],
)
def test_bounds_are_what_a_series_is_compared_with(text, bounds):
    found = wanted(text)
    assert found is ALL if bounds is ALL else found == bounds


def test_where_samples_are_counted_each_counts():
    assert wanted("cpu.used > 90%", every=True) is ALL


def places(values, *, times=None, bounds=(0.5,), gap=25.0, **more):
    times = times or [10.0 * number for number in range(len(values))]
    cursor = Cursor(bounds=bounds, gap=gap, **more)
    return list(relevant(Track(series=CPU, times=times, values=values), cursor)), cursor


def test_the_first_two_count_and_then_each_change_of_side():
    found, _ = places([0.1, 0.2, 0.3, 0.6, 0.7, 0.5, 0.4])
    assert [place for _, place in found] == [0, 1, 3, 5, 6], "exactly on the bound is a side of its own"


def test_a_hole_is_told_when_it_has_lasted_too_long_and_what_follows_counts():
    found, _ = places([0.1] * 4, times=[0.0, 10.0, 20.0, 100.0])
    assert found == [(0.0, 0), (10.0, 1), (45.0, LOST), (100.0, 3)]


def test_long_quiet_stretches_are_passed_over_whole():
    found, cursor = places([0.1] * 5000)
    assert len(found) == 2
    assert cursor.at == 49990.0


def test_words_count_when_they_change():
    found, _ = places(["a", "a", "a", "b", "b"], bounds=())
    assert [place for _, place in found] == [0, 1, 3]


def test_high_values_are_told_again_and_again():
    found, _ = places([0.1] * 5 + [0.99] * 10, bounds=(0.9,), refresh=30.0, high=0.9)
    assert [place for _, place in found] == [0, 1, 5, 8, 11, 14]


def test_a_series_that_has_ended_is_told_once():
    _, cursor = places([0.1, 0.1])
    assert ended(cursor, 20.0) is None
    assert ended(cursor, 100.0) == 35.0
    assert ended(cursor, 200.0) is None
