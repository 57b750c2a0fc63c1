import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.gates import blast_radius
from healer.gates.blast_radius import budget
from healer.model.limit import Brakes
from healer.model.organism import Health

H, F, U = Health.HEALTHY, Health.FAILED, Health.UNKNOWN
WEB = tuple(f"unit:web{number}" for number in range(6))


@pytest.fixture
def web(question, target, view):
    """Six healthy members of a group, and a question about the first."""
    view.groups, view.healths = {"web": WEB}, dict.fromkeys(WEB, H)
    return lambda **more: question(target=target(WEB[0], groups=("web",)), **more)


def test_with_everybody_well_one_may_be_taken(web):
    assert blast_radius.ask(web()) is None


def test_a_second_one_is_refused_while_the_first_is_under_treatment(web, memory, intent):
    memory.intents["i-1"] = intent(WEB[3])
    refused = blast_radius.ask(web())
    assert refused.because == "group web: unit:web3 unavailable already, at most 1 may be at once"


def test_a_live_member_is_not_taken_while_another_is_down(web, view):
    view.healths[WEB[2]] = F
    assert blast_radius.ask(web()) is not None


def test_treating_one_that_is_down_takes_nothing_away(web, view):
    view.healths[WEB[0]] = view.healths[WEB[2]] = F
    assert blast_radius.ask(web()) is None


def test_but_not_while_another_is_being_treated(web, view, memory, intent):
    view.healths[WEB[0]] = F
    memory.intents["i-1"] = intent(WEB[2])
    assert blast_radius.ask(web()) is not None


def test_a_larger_budget_lets_as_many_go_as_it_says(web, view, memory, intent):
    view.groups = {"web": WEB[:4]}
    generous = Brakes(group_unavailable=9, group_unavailable_percent=0.5)
    memory.intents["i-1"] = intent(WEB[1])
    assert blast_radius.ask(web(brakes=generous)) is None
    memory.intents["i-2"] = intent(WEB[2], id="i-2")
    assert "at most 2" in blast_radius.ask(web(brakes=generous)).because


def test_the_budget_of_every_group_counts(question, target, view, memory, intent):
    view.groups = {"web": (WEB[0],), "rack": (WEB[0], "unit:db")}
    memory.intents["i-1"] = intent("unit:db")
    assert "group rack" in blast_radius.ask(question(target=target(WEB[0], groups=("web", "rack")))).because


def test_what_disturbs_nobody_has_no_radius(web, memory, intent):
    memory.intents["i-1"] = intent(WEB[3])
    assert blast_radius.ask(web(disruptive=False)) is None


def test_a_target_without_a_group_has_no_budget(question):
    assert blast_radius.ask(question()) is None


@pytest.mark.parametrize(
    ("absolute", "ratio", "size", "allowed"),
    [(1, 0.5, 6, 1), (9, 0.5, 6, 3), (9, 0.5, 7, 3), (9, 0.34, 3, 1), (9, 0.5, 1, 1), (9, 0.1, 5, 1), (2, 1.0, 9, 2)],
)
def test_a_ratio_is_rounded_down_but_never_below_one(question, absolute, ratio, size, allowed):
    brakes = Brakes(group_unavailable=absolute, group_unavailable_percent=ratio)
    assert budget(question(brakes=brakes), size) == allowed


@given(st.integers(1, 50), st.floats(0, 1), st.integers(1, 200))
def test_a_budget_never_exceeds_either_bound_except_for_the_one(absolute, ratio, size):
    class Asked:
        brakes = Brakes(group_unavailable=absolute, group_unavailable_percent=ratio)

    allowed = budget(Asked, size)
    assert allowed == 1 or allowed <= min(absolute, ratio * size)
