import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.mode import Mode, Profile, strictest


def test_modes_are_ordered_from_nothing_to_everything():
    words = [mode.word for mode in sorted(Mode)]
    assert words == ["off", "observe", "suggest", "approve", "auto"]


@given(st.lists(st.sampled_from(Mode)))
def test_the_strictest_wins_wherever_it_stands(modes):
    assert strictest(modes) == min(modes, default=Mode.AUTO)
    assert all(strictest(order) == strictest(modes) for order in itertools.islice(itertools.permutations(modes), 6))


@pytest.mark.parametrize("mode", list(Mode))
def test_a_word_is_read_back(mode):
    assert Mode.parse(mode.word) is mode


@pytest.mark.parametrize("word", ["", "on", "auto ", "Automatic", "3"])
def test_any_other_word_is_none(word):
    with pytest.raises(KeyError):
        Mode.parse(word)


def test_there_are_four_profiles():
    assert {profile.value for profile in Profile} == {"full", "core", "economy", "maintenance"}
