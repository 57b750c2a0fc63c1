"""A part of a recording."""

from healer.replay.clip import Clip
from tests.healer.replay.conftest import START, Tape
from tests.healer.replay.test_play import CPU, UP, track


def test_only_what_lies_between_is_there_both_ends_included():
    whole = Tape([track(CPU, *[0.1] * 100), track(UP, 1.0, 1.0)], size=10)
    part = Clip(whole, START + 50, START + 150)
    assert (part.extent.start, part.extent.end) == (START + 50, START + 150)
    times = [at for stretch in part.stretches() for one in stretch for at in one.times]
    assert (times[0], times[-1], len(times)) == (START + 50, START + 150, 11)


def test_what_is_asked_beyond_the_recording_is_cut_to_it():
    part = Clip(Tape([track(CPU, 0.1, 0.1)]), 0.0, 1e12)
    assert (part.extent.start, part.extent.end) == (START, START + 10)
