import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.target import State, Target
from healer.rules.rule import Selection, Selector
from healer.rules.select import by_requirement, chosen, matches

WEB = Target(kind="unit", name="web@1", organ="heart", groups=("web", "edge"), labels=(("env", "prod"), ("tier", "1")))
names = st.text("abc@:*?[]12", max_size=6)


@given(names, names, st.lists(names, max_size=3))
def test_an_empty_selector_means_nothing_never_everything(name, group, left_out):
    target = Target(kind="unit", name=name, organ="heart", groups=(group,))
    assert not matches(Selector(), target)
    assert not matches(Selector(except_=tuple(left_out)), target)


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        (Selector(kind="unit"), True),
        (Selector(kind="Unit"), False),
        (Selector(name="web@*"), True),
        (Selector(name="web"), False),
        (Selector(name="*"), True),
        (Selector(name="WEB@1"), False),
        (Selector(organ="heart"), True),
        (Selector(organ="lungs"), False),
        (Selector(group=("db", "edge")), True),
        (Selector(group=("db",)), False),
        (Selector(label=(("env", "prod"),)), True),
        (Selector(label=(("env", "prod"), ("tier", "1"))), True),
        (Selector(label=(("env", "prod"), ("tier", "2"))), False),
        (Selector(kind="unit", organ="lungs"), False),
        (Selector(kind="unit", organ="heart", name="web@1", group=("web",)), True),
        (Selector(kind="unit", except_=("unit:web@*",)), False),
        (Selector(kind="unit", except_=("web@1",)), False),
        (Selector(kind="unit", except_=("web@2", "db")), True),
        (Selector(kind="unit", except_=("*",)), False),
    ],
)
def test_all_criteria_given_must_hold(selector, selects):
    assert matches(selector, WEB) is selects


def test_a_pattern_is_about_the_whole_name():
    assert not matches(Selector(name="web"), Target(kind="unit", name="web2", organ="heart"))
    assert not matches(Selector(name="eb*"), Target(kind="unit", name="web2", organ="heart"))


# What a step chooses ------------------------------------------------------------------------------------------------


def farm(**needs):
    """Programs of group web that require what is given."""
    return {
        f"program:{name}": Target(kind="program", name=name, organ="heart", groups=("web",), requires=tuple(wanted))
        for name, wanted in needs.items()
    }


WEB_ALL = Selection(selector=Selector(group=("web",)))


def pick(targets, action="start", selection=WEB_ALL, states=()):
    return chosen(selection, targets, lambda name: dict(states).get(name, State.RUNNING), action)


def test_what_others_require_is_started_first_and_stopped_last():
    targets = farm(a=["program:b"], b=["program:c"], c=[])
    assert pick(targets) == ("program:c", "program:b", "program:a")
    assert pick(targets, "stop") == ("program:a", "program:b", "program:c")
    assert pick(targets, selection=Selection(selector=Selector(group=("web",)), order="backward"))[0] == "program:a"
    assert pick(targets, selection=Selection(selector=Selector(group=("web",)), order="declared"))[0] == "program:a"


def test_requirements_count_through_what_is_not_chosen():
    targets = farm(a=["program:b"], b=["program:c"], c=[])
    without = Selection(selector=Selector(group=("web",), except_=("b",)))
    assert pick(targets, selection=without) == ("program:c", "program:a")


def test_a_group_that_is_required_comes_first():
    targets = farm(a=["group:web"], b=[], c=[])
    assert pick(targets) == ("program:b", "program:c", "program:a")


def test_only_those_in_the_state_asked_for_are_chosen():
    stopped = Selection(selector=Selector(group=("web",), state="stopped"))
    states = [("program:b", State.STOPPED)]
    assert pick(farm(a=[], b=[], c=[]), selection=stopped, states=states) == ("program:b",)
    assert pick(farm(a=[]), selection=stopped) == ()


def test_all_means_all_but_the_host_and_the_exceptions():
    everything = Selection(selector=Selector(all_=True, except_=("a",)), max_targets=9)
    host = Target(kind="host", name="", organ="brain")
    assert pick({"host:": host} | farm(a=[], b=[]), selection=everything) == ("program:b",)


def test_a_circle_ends():
    targets = farm(a=["program:b"], b=["program:a"])
    assert sorted(by_requirement(["program:a", "program:b"], targets)) == ["program:a", "program:b"]


def test_a_long_chain_is_no_depth():
    targets = farm(**{f"n{number}": [f"program:n{number + 1}"] for number in range(3000)})
    assert pick(targets)[-1] == "program:n0"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20), st.permutations(range(10)))
def test_forward_keeps_every_requirement_there_is(pairs, order):
    needs = {f"n{number}": [f"program:n{low}" for high, low in pairs if high == number > low] for number in range(10)}
    targets = farm(**{f"n{number}": needs[f"n{number}"] for number in order})
    place = {name: index for index, name in enumerate(pick(targets))}
    assert len(place) == 10
    assert all(place[need] < place[one.id] for one in targets.values() for need in one.requires)
