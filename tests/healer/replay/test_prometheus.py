"""Recordings as Prometheus' answers to range queries."""

import json

import pytest
from hypothesis import given
from hypothesis import settings as tuned
from hypothesis import strategies as st

from healer.errors import HealerError
from healer.replay.prometheus import PrometheusFile


def answer(*results):
    return {"status": "success", "data": {"resultType": "matrix", "result": list(results)}}


def result(name, values, **marks):
    return {"metric": {"__name__": name, "job": "healer", "instance": "h:1", **marks}, "values": values}


def recorded(tmp_path, held):
    path = tmp_path / "r.json"
    path.write_bytes(held if isinstance(held, bytes) else json.dumps(held).encode())
    return PrometheusFile(path)


def test_our_own_metrics_come_back_under_their_names_with_their_labels(tmp_path):
    made = recorded(
        tmp_path,
        answer(
            result("healer_disk_used", [[1790000000, "0.5"], [1790000010.5, "0.6"]], mount="/"),
            result("cpu.used", [[1790000000, "0.1"]]),
        ),
    )
    assert [str(one) for one in made.extent.series] == ['disk.used{mount="/"}', "cpu.used"]
    (stretch,) = made.stretches()
    assert (list(stretch[0].times), list(stretch[0].values)) == ([1790000000.0, 1790000010.5], [0.5, 0.6])


def test_what_is_not_ours_is_left_out_and_named(tmp_path):
    made = recorded(tmp_path, answer(result("node_load1", [[1, "1"]]), result("healer_program_state", [[1, "1"]])))
    assert set(made.extent.ignored) == {"node_load1", "healer_program_state"}


def test_what_is_not_finite_is_a_gap(tmp_path):
    made = recorded(tmp_path, answer(result("cpu.used", [[1, "NaN"], [2, "0.5"], [3, "+Inf"], [4, "x"]])))
    (stretch,) = made.stretches()
    assert list(stretch[0].times) == [2.0]


@pytest.mark.parametrize(
    ("held", "says"),
    [
        (b"", "is no JSON"),
        (b'{"data": {"resultType": "matrix", "resu', "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        ({"data": {"resultType": "vector", "result": []}}, "holds a vector"),
        ({"error": "x"}, "holds no results"),
        (["x"], "no series of values"),
        ([{"metric": {}, "values": [[1]]}], "no series of values"),
        ([{"metric": "x", "values": []}], "no series of values"),
    ],
)
def test_what_is_no_range_is_told_with_what_to_ask_for(tmp_path, held, says):
    with pytest.raises(HealerError, match=says) as told:
        recorded(tmp_path, held)
    assert "query_range" in told.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metric", "values", "data", "result"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@tuned(max_examples=60, deadline=None)
@given(held=JSON)
def test_whatever_json_there_is_it_is_read_or_refused(tmp_path_factory, held):
    try:
        made = recorded(tmp_path_factory.mktemp("g"), json.dumps(held).encode())
    except HealerError:
        return
    assert list(made.stretches()) is not None
