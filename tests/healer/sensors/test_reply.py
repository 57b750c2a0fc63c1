"""What a JSON reply says, whatever it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.errors import SensorError
from healer.model.observation import Observation, labels
from healer.sensors import reply
from healer.sensors.sane import Sieve

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=10,
)


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b"[Infinity]", b"-Infinity", b"\xff", b"[" * 50_000, b"1" * 5000])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(SensorError, match="no JSON"):
        reply.parse(text)


@pytest.mark.parametrize(
    ("path", "found"),
    [("a", 1), ("b.c", "x"), ("d.1", 5), ("d.1.e", None), ("d.9", None), ("d.-1", None), ("d.x", None), ("z", None),
     ("b.c.d", None), ("", None), ("d.99999999999999999999", None), ("d.²", None)],
)  # fmt: skip
def test_a_path_leads_somewhere_or_nowhere(path, found):
    assert reply.find({"a": 1, "b": {"c": "x"}, "d": [4, 5]}, path) == found


@pytest.mark.parametrize(
    ("value", "wrong"),
    [(True, True), (False, False), ("", False), ("none", False), ("OK", False), ("false", False), ("disk full", True),
     (0, False), (3, True), ([], False), (["x"], True), ({}, False), (None, None)],
)  # fmt: skip
def test_an_error_field_says_whether_there_is_one(value, wrong):
    assert reply.failed(value) is wrong


@given(document=JSON, path=st.text(alphabet="ab.01", max_size=6))
def test_any_document_is_told_sanely(document, path):
    sieve = Sieve(1.0, labels(target="http:x"))
    paths = {"state": path, "error": path, "message": path, "value": path, "metrics": {"m": path}}
    reply.tell(sieve, "http", document, paths)
    reply.tell_numbers(sieve, "http", "http:x", reply.numbers(document, paths))
    for reading in sieve.readings:
        if isinstance(reading, Observation):
            assert isinstance(reading.value, str | float)


def test_scalars_become_words():
    sieve = Sieve(1.0)
    for value in (True, 7, 0.5, "busy"):
        reply.tell(sieve, "http", {"s": value}, {"state": "s"})
    assert [reading.value for reading in sieve.readings] == ["true", "7", "0.5", "busy"]


def test_a_flood_of_metrics_is_bounded():
    sieve = Sieve(1.0)
    reply.tell_numbers(sieve, "command", "command:x", {f"m{n}": n for n in range(1000)})
    assert len(sieve.readings) == reply.MOST_METRICS
