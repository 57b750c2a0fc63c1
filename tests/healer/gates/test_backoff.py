import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.gates import backoff
from healer.gates.backoff import pause
from healer.model.limit import Backoff
from healer.model.memory import Streak

STEADY = Backoff(initial=10.0, factor=2.0, max=60.0, jitter=0.0, reset_after=600.0)


@pytest.mark.parametrize(
    ("actions", "seconds"), [(0, 0.0), (1, 10.0), (2, 20.0), (3, 40.0), (4, 60.0), (50, 60.0), (10**9, 60.0)]
)
def test_pauses_grow_to_their_bound(actions, seconds):
    assert pause(STEADY, actions, "k") == seconds


@given(st.integers(1, 10**6), st.text(), st.floats(0, 1))
def test_jitter_stays_within_its_share_and_is_the_same_every_time(actions, key, jitter):
    given_ = Backoff(initial=10.0, factor=2.0, max=60.0, jitter=jitter)
    plain = pause(STEADY, actions, key)
    drawn = pause(given_, actions, key)
    assert plain * (1 - jitter) - 1e-9 <= drawn <= plain * (1 + jitter) + 1e-9
    assert drawn == pause(given_, actions, key)


def test_two_targets_do_not_come_back_in_step():
    jittery = Backoff(initial=10.0, jitter=0.2)
    assert len({pause(jittery, 1, f"r@t{number}") for number in range(50)}) > 40


@pytest.mark.parametrize(("last_end", "until"), [(995.0, 1015.0), (981.0, 1001.0), (980.0, None)])
def test_inside_the_pause_it_is_refused_until_its_end(question, memory, last_end, until):
    memory.streaks["r@unit:nginx"] = Streak(actions=2, last_end=last_end)
    refused = backoff.ask(question(backoff=STEADY))
    assert (refused.until if refused else None) == until
    if refused:
        assert refused.because == "backoff after 2 actions in a row"


def test_without_an_action_there_is_no_pause(question, memory):
    assert backoff.ask(question(backoff=STEADY)) is None
    memory.streaks["r@unit:nginx"] = Streak(actions=3)
    assert backoff.ask(question(backoff=STEADY)) is None


def test_a_healthy_stretch_before_the_incident_forgets_the_row(question, memory):
    memory.streaks["r@unit:nginx"] = Streak(actions=9, last_end=700.0)
    patient = Backoff(initial=500.0, jitter=0.0, max=500.0, reset_after=290.0)
    assert backoff.ask(question(backoff=patient)) is None  # it opened at 990
    assert backoff.ask(question(backoff=Backoff(initial=500.0, jitter=0.0, max=500.0, reset_after=291.0))) is not None
