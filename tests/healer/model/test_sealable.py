import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import canonical, entry
from healer.model.sealable import MOST_OCTETS, sealable

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner),
    max_leaves=40,
)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True), anything))
def test_whatever_comes_in_the_log_takes_it(fields):
    canonical.encode(sealable(fields))


def test_what_fits_already_is_left_as_it_is():
    fields = {"kind": "event", "data": {"a": [1, -5, "é", None, True, {"b": "c"}]}, "ts": 2**53 - 1}
    assert sealable(fields) == fields


@pytest.mark.parametrize(
    ("value", "sealed"),
    [
        (0.5, "0.5"),
        (math.nan, "nan"),
        (2**53, str(2**53)),
        ("\udcff.txt", "?.txt"),
        ({"userId": 1}, {"pairs": [["userId", 1]]}),
        ({1: {"x": 2}}, {"pairs": [["1", {"x": 2}]]}),
    ],
)
def test_what_the_log_has_no_spelling_for_gets_one(value, sealed):
    assert sealable({"data": value})["data"] == sealed


def test_what_is_nested_for_ever_becomes_text():
    value = []
    for _ in range(100):
        value = [value]
    canonical.encode(sealable({"data": {"deep": value}}))


@pytest.mark.parametrize(
    "data",
    [
        {"text": "x" * 200_000},
        {"text": "\x01" * 60_000},
        {"many": ["y" * 300] * 5_000},
        {f"k{number}": "z" * 300 for number in range(3_000)},
    ],
    ids=["long", "control", "list", "keys"],
)
def test_an_entry_that_is_too_long_is_cut_and_says_so(data):
    made = sealable({"kind": "event", "type": "a.b", "data": data})
    assert len(canonical.encode(made)) <= MOST_OCTETS
    assert "more]" in str(made) or "omitted" in str(made)
    entry.check({**made, "v": 1, "seq": 0, "ts": 0, "mono": 0, "boot": "b", "node": "n"})
