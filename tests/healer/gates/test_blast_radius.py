import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.gates import blast_radius
from healer.gates.blast_radius import budget
from healer.model.limit import Brakes, Budget
from healer.model.memory import Memory
from healer.model.organism import Health
from healer.model.target import Target

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
    assert refused.because == ("group web: unavailable already: unit:web3 (under treatment); at most 1 may be at once")


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
    view.healths["unit:db"] = H
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
    assert budget(question(brakes=brakes), "web", size) == allowed


@given(st.integers(1, 50), st.floats(0, 1), st.integers(1, 200))
def test_a_budget_never_exceeds_either_bound_except_for_the_one(absolute, ratio, size):
    class Asked:
        brakes = Brakes(group_unavailable=absolute, group_unavailable_percent=ratio)

    allowed = budget(Asked, "web", size)
    assert allowed == 1 or allowed <= min(absolute, ratio * size + 1e-8)


def test_a_member_nobody_knows_of_may_be_away_so_it_counts(web, view):
    view.healths[WEB[4]] = U
    assert "unit:web4 (unknown)" in blast_radius.ask(web()).because
    del view.healths[WEB[4]]
    assert "unit:web4 (unknown)" in blast_radius.ask(web()).because


def test_one_that_may_still_live_is_not_taken_for_dead(web, view):
    view.healths[WEB[0]], view.healths[WEB[1]] = U, F
    assert blast_radius.ask(web()) is not None


@pytest.mark.parametrize(
    ("own", "size", "allowed"),
    [
        (Budget(unavailable=2), 3, 2),  # its own word stands alone
        (Budget(unavailable=0), 6, 0),  # zero means none
        (Budget(percent=0.34), 6, 1),  # beside the host's absolute bound
        (Budget(unavailable=9, percent=0.29), 100, 9),
        (Budget(unavailable=99, percent=0.29), 100, 29),
        (Budget(percent=0.1), 5, 0),
        (Budget(min_available=6), 6, 0),
        (Budget(min_available=5), 6, 1),
        (Budget(unavailable=3, min_available=4), 6, 2),
        (Budget(min_available=99), 6, 0),
    ],
)
def test_a_group_may_have_a_budget_of_its_own(question, own, size, allowed):
    assert budget(question(brakes=Brakes(groups={"web": own})), "web", size) == allowed
    assert budget(question(brakes=Brakes(groups={"web": own})), "db", 6) == 1


def test_what_must_stay_available_is_said(web):
    refused = blast_radius.ask(web(brakes=Brakes(groups={"web": Budget(min_available=6)})))
    assert refused.because == "group web: 6 of its members must stay available"
    refused = blast_radius.ask(web(brakes=Brakes(groups={"web": Budget(unavailable=0)})))
    assert refused.because == "group web: none of its members may be taken away"


def test_a_member_that_is_down_may_be_treated_whatever_must_stay(web, view):
    view.healths[WEB[0]] = F
    assert blast_radius.ask(web(brakes=Brakes(groups={"web": Budget(unavailable=0, min_available=6)}))) is None


@given(
    st.lists(st.sampled_from((H, F, U)), min_size=1, max_size=8),
    st.none() | st.integers(0, 9),
    st.none() | st.floats(0, 1),
    st.integers(0, 9),
)
def test_however_it_is_set_enough_stay_available(healths, unavailable, percent, least):
    """After the action on a member that lives, no fewer are known to be healthy than the budget promises."""
    names = [f"unit:w{number}" for number in range(len(healths))]
    own = Budget(unavailable=unavailable, percent=percent, min_available=least)

    class Asked:
        disruptive, brakes, memory = True, Brakes(groups={"g": own}), Memory()
        target = Target(kind="unit", name="w0", organ="heart", groups=("g",))

        class view:  # noqa: N801 - stands where an object stands
            health = dict(zip(names, healths, strict=True)).get

            @staticmethod
            def members(_):
                return names

    if healths[0] is F or blast_radius.ask(Asked) is not None:
        return
    stay = sum(health is H for health in healths[1:])
    assert stay >= min(least, len(names))
    assert len(names) - stay <= max(1, budget(Asked, "g", len(names)))
    assert unavailable is None or len(names) - stay <= unavailable
