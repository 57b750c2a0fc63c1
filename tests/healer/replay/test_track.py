"""What every recording is."""

from healer.replay.track import Extent
from tests.healer.replay.conftest import START, Tape
from tests.healer.replay.test_play import CPU, track


def test_an_extent_says_what_was_left_out():
    assert Extent(start=0.0, end=1.0, series=(CPU,)).ignored == {}


def test_stretches_follow_each_other_and_hold_a_series_once():
    last = 0.0
    for stretch in Tape([track(CPU, *[0.1] * 120)], size=50).stretches():
        assert len({one.series for one in stretch}) == len(stretch)
        assert min(one.times[0] for one in stretch) > last
        last = max(one.times[-1] for one in stretch)
    assert last == START + 1190
