"""Who is due, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.runtime.due import EARLY_SECOND, DueHeap


def heap(*, every=10.0, first=0.0, origin=0.0):
    due = DueHeap()
    due.add("a", every=every, first=first, origin=origin)
    return due


def beats(due, until):
    """Every beat up to a second, each taken exactly when it is due."""
    found = []
    while (at := due.due()) is not None and at <= until:
        found.extend((at, name) for name in due.take(at))
    return found


def test_an_empty_heap_is_never_due():
    due = DueHeap()
    assert due.due() is None
    assert due.take(1e9) == []


def test_the_second_look_comes_early_and_later_ones_keep_their_phase():
    assert [at for at, _ in beats(heap(first=100.5, origin=103.0), 130.0)] == [100.5, 102.5, 103.0, 113.0, 123.0]


def test_a_short_interval_has_no_early_second_look():
    assert [at for at, _ in beats(heap(every=1.0), 3.0)] == [0.0, 1.0, 2.0, 3.0]


def test_beats_missed_in_sleep_are_skipped_not_made_up_for():
    due = heap(every=1.0)
    due.take(0.0)
    assert due.take(1000.5) == ["a"]
    assert due.due() == 1001.0


def test_pulling_moves_one_beat_and_no_other():
    due = heap()
    beats(due, 20.0)
    due.pull("a", 23.0)
    assert due.take(23.0) == ["a"]
    assert due.due() == 30.0


def test_pulling_what_is_unknown_or_already_due_changes_nothing():
    due = heap(first=5.0)
    due.pull("b", 1.0)
    due.pull("a", 7.0)
    assert due.due() == 5.0


def test_removed_names_are_never_due_again():
    due = heap()
    due.add("b", every=1.0, first=0.5, origin=0.5)
    due.remove("a")
    due.remove("never there")
    assert due.take(0.6) == ["b"]


def test_stretching_looks_less_often_and_back():
    due = heap(every=1.0)
    beats(due, 10.0)
    due.stretch(3.0, 10.0)
    assert [at for at, _ in beats(due, 20.0)] == [12.0, 15.0, 18.0]
    due.stretch(1.0, 18.5)
    assert due.due() == 19.0


def test_stretching_does_not_delay_the_first_look():
    due = heap(first=0.5)
    due.stretch(10.0, 0.0)
    assert due.due() == 0.5


def test_the_early_second_look_is_stretched_no_further_than_its_bound():
    due = heap(every=1.0)
    due.stretch(100.0, 0.0)
    due.take(0.0)
    assert due.due() == EARLY_SECOND


@given(
    every=st.floats(0.1, 1000), origin=st.floats(0, 1e6), steps=st.lists(st.floats(0, 5000), min_size=1, max_size=30)
)
def test_the_next_beat_always_lies_ahead_and_within_one_interval(every, origin, steps):
    due = heap(every=every, first=origin, origin=origin)
    now = origin
    for step in steps:
        now += step
        due.take(now)
        at = due.due()
        assert at is not None
        assert now < at or at == pytest.approx(now)
        assert at <= now + every * 1.0001 + 1e-6
