import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.core.params import checked
from healer.errors import RefusedError
from healer.model.verbs import VERBS

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@given(st.sampled_from(sorted(VERBS)), anything)
def test_parameters_of_any_form_are_taken_or_refused(action, given_):
    try:
        made = checked(action, given_)
    except RefusedError:
        return
    assert set(made) <= set(VERBS[action].params) | {"timeout"}


@given(st.data())
def test_every_parameter_of_any_form_is_taken_or_refused(data):
    action = data.draw(st.sampled_from(sorted(VERBS)))
    names = st.sampled_from([*VERBS[action].params, "timeout"])
    try:
        made = checked(action, data.draw(st.dictionaries(names, anything)))
    except RefusedError:
        return
    for value in made.values():
        assert not (isinstance(value, float) and not math.isfinite(value))


@pytest.mark.parametrize(
    ("action", "given_", "what"),
    [
        ("restart", "no", "no object"),
        ("restart", ["no"], "no object"),
        ("restart", {"grce": 1}, "no parameter grce"),
        ("restart", {"grace": "5s"}, "grace is not"),
        ("restart", {"grace": math.nan}, "grace is not"),
        ("restart", {"grace": math.inf}, "grace is not"),
        ("restart", {"grace": -1}, "grace is not"),
        ("restart", {"grace": True}, "grace is not"),
        ("restart", {"grace": 10**400}, "grace is not"),
        ("restart", {"timeout": 0}, "timeout is not"),
        ("restart", {"timeout": math.nan}, "timeout is not"),
        ("signal", {}, "needs signal"),
        ("signal", {"signal": "SEGV"}, "signal is not"),
        ("signal", {"signal": ["KILL"]}, "signal is not"),
        ("run", {"argv": "rm -rf"}, "argv is not"),
        ("run", {"argv": []}, "argv is not"),
        ("run", {"argv": ["a", 1]}, "argv is not"),
        ("run", {"argv": ["a", "b\0c"]}, "argv is not"),
        ("run", {"argv": ["a", ""]}, "argv is not"),
        ("run", {"argv": ["a"], "ok": [True]}, "ok is not"),
        ("run", {"argv": ["a"], "max_output": 2**50}, "max_output is not"),
        ("run", {"argv": ["a"], "keep_daemons": 1}, "keep_daemons is not"),
        ("run", {"argv": ["a"], "env": {1: "x"}}, "env is not"),
        ("run", {"argv": ["a"], "env": ["A=1"]}, "env is not"),
        ("call", {"url": 5}, "url is not"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(action, given_, what):
    with pytest.raises(RefusedError, match=what):
        checked(action, given_)


def test_what_fits_is_taken_and_the_rest_has_its_defaults():
    made = checked("run", {"argv": ["true"], "env": {"A": "1"}, "timeout": 3, "ok": [0, 2]})
    assert made["argv"] == ["true"]
    assert made["timeout"] == 3.0
    assert (made["ok"], made["grace"], made["cwd"]) == ([0, 2], 2.0, "/")
    assert "user" not in made
    assert checked("restart", None) == {}
