import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.core.params import checked, filled
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


BOUND = {"event.user": "alice", "capture.worker": "web@3"}


def test_names_fill_whole_arguments():
    made = filled(
        "run", {"argv": ["/bin/kick", "{event.user}", "{capture.worker}", "x{event.user}", "{target}"]}, BOUND
    )
    assert made["argv"] == ["/bin/kick", "alice", "web@3", "x{event.user}", "{target}"]


@pytest.mark.parametrize("word", ["{event.nobody}", "{capture.user}"])
def test_an_unknown_name_is_refused_and_never_an_empty_argument(word):
    with pytest.raises(RefusedError, match="not known here"):
        filled("run", {"argv": ["/bin/kick", word]}, BOUND)


@pytest.mark.parametrize(
    "value", ["", "-rf", "--all", "@file", "/etc/passwd", "a b", "$(id)", "a\n", "x" * 300, "{target}"]
)
def test_a_value_that_is_no_plain_name_is_refused(value):
    with pytest.raises(RefusedError, match="no plain name"):
        filled("run", {"argv": ["/bin/kick", "{event.user}"]}, {"event.user": value})


@pytest.mark.parametrize(
    "words", [["{event.user}"], ["sh", "{event.user}"], ["python3.11", "{event.user}"], ["sh", "-c", "{event.user}"]]
)
def test_no_name_stands_where_code_is_expected(words):
    with pytest.raises(RefusedError, match="code"):
        filled("run", {"argv": words}, BOUND)


def test_what_has_no_arguments_is_left_as_it_is():
    assert filled("notify", {"message": "{event.user}"}, BOUND) == {"message": "{event.user}"}


HOSTILE = {"event.user": "x'; DROP TABLE jobs; --", "event.id": "7"}


def test_what_is_sent_beside_a_statement_is_filled_whatever_it_holds_and_statements_never_are():
    given = {
        "statements": ["UPDATE jobs SET state = %(who)s -- {event.user}"],
        "values": {"who": "{event.user}", "n": 1},
    }
    made = filled("sql", given, HOSTILE)
    assert made == given | {"values": {"who": HOSTILE["event.user"], "n": 1}}
    given = {"table": "{event.user}", "set": {"state": "{event.user}"}, "where": {"id": "{event.id}"}}
    made = filled("update", given, HOSTILE)
    assert made == {"table": "{event.user}", "set": {"state": HOSTILE["event.user"]}, "where": {"id": "7"}}


def test_a_slot_that_nothing_fills_is_refused():
    with pytest.raises(RefusedError, match="not known here"):
        filled("update", {"where": {"id": "{event.nobody}"}}, HOSTILE)
