import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.gates import maintenance, order
from healer.gates.maintenance import selects
from healer.model.memory import Maintenance
from healer.model.target import Target

NGINX = Target(
    kind="unit", name="nginx", organ="heart", groups=("web", "edge"), labels=(("tier", "front"), ("zone", "a"))
)


NOW_US = 1_000_000_000_000_000


def window(selector, *, until=10.0, begins=-10.0, **more):
    return Maintenance(
        selector=selector,
        owner="ann",
        reason="upgrade",
        from_us=NOW_US + round(begins * 1e6),
        until_us=NOW_US + round(until * 1e6),
        **more,
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
        ({"kind": ["unit"]}, True),
        ({"kind": ["program", "unit"]}, True),
        ({"kind": []}, False),
        ({"name": "ngi*"}, True),
        ({"name": "unit:nginx"}, False),
        ({"label": {"tier": "front"}}, True),
        ({"label": {"tier": "f*", "zone": "a"}}, True),
        ({"label": {"tier": "back"}}, False),
        ({"label": {"nobody": "*"}}, False),
        ({"label": {}}, False),
        ({"label": "tier"}, False),
        ({"group": ["db", "web"]}, True),
        ({"kind": "unit", "except": "unit:nginx"}, False),
        ({"all": True, "except": ["nginx"]}, False),
        ({"all": True, "except": ["apache"]}, True),
        ({"except": ["apache"]}, False),
    ],
)
def test_what_a_selector_covers(selector, covers):
    assert selects(selector, NGINX) is covers


@given(st.dictionaries(st.text().filter(lambda word: word not in maintenance.CRITERIA), st.text(), min_size=1))
def test_a_selector_of_words_nobody_knows_is_not_guessed_at(selector):
    with pytest.raises(ValueError, match="a selector has no"):
        selects(selector, NGINX)


def test_garbage_in_a_window_says_no(question, memory):
    """Fail closed: a window nobody can read may cover the target."""
    for bad in (window({"nonsense": "x"}), window({"all": True}, recurrence={"hours": "22:00"})):
        memory.maintenance = {"m-1": bad}
        answers = {one.gate: one for one in order.ask_all(question())}
        assert "could not answer" in answers["maintenance"].refusal.because


def test_a_window_that_has_not_begun_holds_nothing_back(question, memory):
    memory.maintenance["m-1"] = window({"all": True}, begins=5.0)
    assert maintenance.ask(question()) is None
    memory.maintenance["m-1"] = window({"all": True}, begins=0.0)
    assert maintenance.ask(question()) is not None


def test_a_window_that_comes_again_is_open_at_its_hours_only(question, memory):
    """The moment of the question is a Sunday, 01:46:40 UTC."""
    at_night = {"hours": [[1380, 120]], "tz": "UTC"}
    memory.maintenance["m-1"] = window({"all": True}, until=86400.0, recurrence=at_night)
    refused = maintenance.ask(question())
    assert question().now < refused.until <= question().now + 900
    assert maintenance.ask(question(wall_us=1_000_000_000_000_000 + 900_000_000)) is None
    memory.maintenance["m-1"] = window({"all": True}, until=86400.0, recurrence={"days": [0], **at_night})
    assert maintenance.ask(question()) is None
