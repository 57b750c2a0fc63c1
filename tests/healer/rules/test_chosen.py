"""Criteria of selections in conditions."""

import pytest

from healer.rules.chosen import CRITERIA, chosen, listed
from healer.rules.selectors import SELECTOR
from healer.rules.syntax import ExpressionError


def test_criteria_are_kept_as_written():
    made = chosen("any", "stopped", {"group": "web, db", "except": "program:x"})
    assert made.criteria == (("group", "web, db"), ("except", "program:x"))
    assert listed("web, db") == ("web", "db")


@pytest.mark.parametrize(
    ("criteria", "word"),
    [
        ({}, "every target"),
        ({"name": "*"}, "every target"),
        ({"except": "a"}, "every target"),
        ({"kind": "programme"}, "program"),
        ({"organ": "hart"}, "heart"),
        ({"group": "a,,b"}, "empty"),
        ({"kind": "program", "name": ""}, "empty"),
        ({"label": "a"}, "value"),
    ],
)
def test_what_selects_nothing_or_everything_is_refused(criteria, word):
    with pytest.raises(ExpressionError) as caught:
        chosen("any", "stopped", criteria)
    assert word in f"{caught.value.message} {caught.value.hint}"


def test_the_criteria_are_those_of_a_selection():
    assert set(CRITERIA) <= set(SELECTOR.fields)
