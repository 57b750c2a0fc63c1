import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.gates import maintenance
from healer.gates.maintenance import selects
from healer.model.memory import Maintenance
from healer.model.target import Target

NGINX = Target(kind="unit", name="nginx", organ="heart", groups=("web", "edge"))


def window(selector, *, until=10.0):
    return Maintenance(
        selector=selector, owner="ann", reason="upgrade", until_us=1_000_000_000_000_000 + round(until * 1e6)
    )


def test_inside_a_window_it_is_refused_until_its_end(question, memory):
    memory.maintenance["m-1"] = window({"target": "unit:nginx"})
    refused = maintenance.ask(question())
    assert refused.because == "maintenance m-1 by ann: upgrade (10 s left)"
    assert refused.until == 1010.0


def test_at_its_very_end_a_window_is_over(question, memory):
    memory.maintenance["m-1"] = window({"all": True}, until=0.0)
    assert maintenance.ask(question()) is None
    memory.maintenance["m-1"] = window({"all": True}, until=0.000001)
    assert maintenance.ask(question()) is not None


def test_a_window_over_something_else_holds_nothing_back(question, memory):
    memory.maintenance["m-1"] = window({"target": "unit:apache"})
    assert maintenance.ask(question()) is None
    memory.maintenance["m-2"] = window({"kind": "unit"})
    assert "m-2" in maintenance.ask(question()).because


@pytest.mark.parametrize(
    ("selector", "covers"),
    [
        ({}, False),
        ({"all": True}, True),
        ({"all": False}, False),
        ({"all": "yes"}, False),
        ({"all": 1}, False),
        ({"nonsense": "unit:nginx"}, False),
        ({"target": "unit:nginx"}, True),
        ({"target": "unit:*"}, True),
        ({"target": "nginx"}, False),
        ({"target": ""}, False),
        ({"kind": "unit"}, True),
        ({"kind": "program"}, False),
        ({"organ": "heart"}, True),
        ({"organ": "lungs"}, False),
        ({"group": "web"}, True),
        ({"group": "ed*"}, True),
        ({"group": "db"}, False),
        ({"kind": "unit", "group": "db"}, False),
        ({"kind": "unit", "group": "edge"}, True),
        ({"kind": None}, False),
        ({"kind": ["unit"]}, False),
    ],
)
def test_what_a_selector_covers(selector, covers):
    assert selects(selector, NGINX) is covers


@given(st.dictionaries(st.text(), st.text()))
def test_a_selector_without_a_known_word_covers_nothing(selector):
    for word in maintenance.CRITERIA:
        selector.pop(word, None)
    assert not selects(selector, NGINX)
