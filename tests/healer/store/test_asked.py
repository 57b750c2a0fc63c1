import pytest

from healer.errors import HealerError
from healer.model.observation import labels
from healer.store.asked import AUTO, RAW, Asked, answer
from healer.store.kept import Sample
from healer.store.store import Store

DAY = 86400.0


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "state.db")
    opened.record(
        Sample(metric="x.y", labels=labels(n=str(number)), at=1e9 + at, value=1 / 3)
        for at in range(0, 1000, 10)
        for number in range(3)
    )
    opened.record([Sample(metric="x.word", at=1e9, value="up")])
    yield opened
    opened.close()


def asked(store, span, **more):
    return answer(store.reader, Asked(**{"metric": "x.y", "start": 1e9, "end": 1e9 + span, **more}))


@pytest.mark.parametrize(
    ("span", "step"), [(600.0, RAW), (3 * 3600.0, RAW), (DAY, 300.0), (7 * DAY, 3600.0), (400 * DAY, 604_800.0)]
)
def test_a_longer_span_is_told_in_longer_steps(store, span, step):
    found = asked(store, span)
    assert found["step"] == step
    assert ("samples" in found) is (step == RAW)


def test_a_moment_is_told_whole_and_where_to_go_on(store):
    start, seen = 1e9, []
    while start is not None:
        found = asked(store, 1000.0, start=start, limit=4)
        seen += [(one["at"], one["labels"]["n"]) for one in found["samples"]]
        start = found["next"]
    assert len(seen) == len(set(seen)) == 300


def test_buckets_are_told_without_digits_that_mean_nothing(store):
    (line, *_) = asked(store, 1000.0, step=500.0)["lines"]
    assert line["buckets"][0] == {"at": 1e9, "min": 1 / 3, "max": 1 / 3, "mean": 0.3333333, "last": 1 / 3, "count": 50}
    (line,) = asked(store, 1000.0, metric="x.word", step=500.0)["lines"]
    assert line["buckets"] == [{"at": 1e9, "last": "up", "count": 1}]


def test_more_than_can_be_told_is_refused(store):
    with pytest.raises(HealerError, match="30000 values") as raised:
        asked(store, 10_000.0, step=1.0)
    assert raised.value.hint == "a longer step"


def test_of_nothing_nothing_is_told(store):
    assert asked(store, 10.0, metric="no.such")["samples"] == []
    assert asked(store, DAY, metric="no.such")["lines"] == []
    assert asked(store, -10.0)["samples"] == []
    assert asked(store, DAY, step=AUTO, labels={"n": "9"})["lines"] == []
