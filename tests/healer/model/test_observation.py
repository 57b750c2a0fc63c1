from hypothesis import given
from hypothesis import strategies as st

from healer.model.observation import Observation, Series, Unknown, labels
from healer.model.unit import Unit


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_labels_that_mean_the_same_are_equal(pairs):
    backwards = dict(reversed(list(pairs.items())))
    assert labels(**pairs) == labels(**backwards)
    assert dict(labels(**pairs)) == pairs


def test_a_series_is_written_as_rules_write_it():
    assert str(Series("disk.used", labels(mount="/", host="a"))) == 'disk.used{host="a",mount="/"}'
    assert str(Series("cpu.used", ())) == "cpu.used"


def test_what_was_seen_and_what_could_not_be_seen_belong_to_one_series():
    seen = Observation(metric="m", labels=labels(a="1"), value=1.0, unit=Unit.RATIO, at=1.0)
    missed = Unknown(metric="m", labels=labels(a="1"), because="gone", at=2.0)
    assert seen.series == missed.series == Series("m", (("a", "1"),))
