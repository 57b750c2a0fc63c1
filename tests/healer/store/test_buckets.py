import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.store import buckets
from healer.store.columns import ColumnError
from healer.store.kept import Bucket, Words

SEEN = st.lists(st.tuples(st.floats(0, 50_000), st.floats(-1e308, 1e308)), min_size=1, max_size=60).map(sorted)


@settings(max_examples=80, deadline=None)
@given(SEEN, st.sampled_from([1.0, 7.0, 300.0, 3600.0]))
def test_every_sample_is_in_the_bucket_of_its_time(seen, width):
    times, values = [at for at, _ in seen], [value for _, value in seen]
    made = buckets.bucketed(times, values, width)
    assert sum(one.samples for one in made) == len(seen)
    for one in made:
        inside = [value for at, value in seen if at // width * width == one.at]
        assert (one.least, one.most, one.last) == (min(inside), max(inside), inside[-1])
        assert one.least <= one.mean <= one.most
        assert one.mean == pytest.approx(sum(value / len(inside) for value in inside), abs=1e295, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(SEEN)
def test_wider_buckets_say_what_the_samples_would_have(seen):
    times, values = [at for at, _ in seen], [value / 1e300 for _, value in seen]
    direct = buckets.bucketed(times, values, 3600.0)
    for one, other in zip(buckets.widened(buckets.bucketed(times, values, 300.0), 3600.0), direct, strict=True):
        assert one[:3] == other[:3]
        assert one[4:] == other[4:]
        assert one.mean == pytest.approx(other.mean, rel=1e-6, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(SEEN)
def test_buckets_come_back_from_their_octets(seen):
    made = buckets.bucketed([at for at, _ in seen], [value for _, value in seen], 300.0)
    found = buckets.unpack([one.at for one in made], buckets.pack(made))
    for was, now in zip(made, found, strict=True):
        assert (now.at, now.samples) == (was.at, was.samples)
        assert now.least <= now.mean <= now.most
        assert now.mean == pytest.approx(was.mean, rel=1e-4)


def test_late_buckets_of_the_same_stretch_become_one():
    early, late = Bucket(0.0, 1.0, 3.0, 2.0, 3.0, 4), Bucket(0.0, 0.0, 2.0, 1.0, 2.0, 4)
    assert buckets.widened([early, late], 300.0) == [Bucket(0.0, 0.0, 3.0, 1.5, 2.0, 8)]


def test_of_words_the_last_is_kept():
    assert buckets.worded([1.0, 2.0, 400.0], ["a", "b", "c"], 300.0) == [Words(0.0, "b", 2), Words(300.0, "c", 1)]
    assert buckets.joined_words([Words(0.0, "b", 2), Words(300.0, "c", 1)], 600.0) == [Words(0.0, "c", 3)]


@pytest.mark.parametrize("octets", [b"", b"\0\0\0\1", b"\0\0\0\xff", b"\0\0", b"\xff\xff\xff\xff" + b"x" * 50])
def test_octets_that_are_no_buckets_are_refused(octets):
    with pytest.raises(ColumnError):
        buckets.unpack([0.0], octets)


def test_words_in_the_place_of_numbers_are_refused():
    from healer.store import columns

    word = columns.pack_words(["a"])
    with pytest.raises(ColumnError):
        buckets.unpack([0.0], b"".join(len(word).to_bytes(4) + word for _ in range(5)))
