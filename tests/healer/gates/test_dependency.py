import pytest

from healer.gates import dependency
from healer.model.organism import Health

H, F, U = Health.HEALTHY, Health.FAILED, Health.UNKNOWN


@pytest.mark.parametrize(("health", "word"), [(F, "bad"), (U, "unknown")])
def test_while_a_parent_is_bad_or_unknown_the_child_is_left_alone(question, target, view, health, word):
    view.healths = {"unit:db": health, "unit:net": H}
    refused = dependency.ask(question(target=target(requires=("unit:net", "unit:db"))))
    assert refused.because == f"unit:db, which it requires, is {word}"
    assert refused.until is None


def test_a_parent_nobody_knows_is_unknown(question, target):
    assert "unknown" in dependency.ask(question(target=target(requires=("unit:nobody",)))).because


def test_all_parents_healthy_for_ever_let_it_pass(question, target, view):
    view.healths = {"unit:db": H, "unit:net": H}
    assert dependency.ask(question(target=target(requires=("unit:net", "unit:db")))) is None
    assert dependency.ask(question()) is None


@pytest.mark.parametrize(
    ("members", "passes"),
    [
        ({"a": H, "b": F}, True), ({"a": F, "b": U}, False), ({"a": F, "b": F}, False),
        ({"a": U, "b": H}, True), ({}, False),
    ],
)  # fmt: skip
def test_in_a_redundancy_group_one_healthy_member_suffices(question, target, view, members, passes):
    view.groups, view.healths = {"dbs": tuple(members)}, members
    refused = dependency.ask(question(target=target(requires=("group:dbs",))))
    assert (refused is None) is passes
    if refused:
        assert refused.because == "nothing in group:dbs, which it requires, is known to be healthy"


def test_a_group_and_a_target_are_both_required(question, target, view):
    view.groups, view.healths = {"dbs": ("a", "b")}, {"a": H, "b": F, "unit:net": F}
    assert dependency.ask(question(target=target(requires=("group:dbs", "unit:net")))) is not None


@pytest.mark.parametrize(
    ("settle", "recovered", "until"),
    [(0.0, 996.0, 1001.0), (0.0, 995.0, None), (30.0, 990.0, 1020.0), (30.0, 970.0, None)],
)
def test_after_a_parent_came_back_it_settles_first(question, target, view, settle, recovered, until):
    view.healths, view.recovers = {"unit:db": H}, {"unit:db": recovered}
    refused = dependency.ask(question(target=target(requires=("unit:db",)), settle=settle))
    assert (refused.until if refused else None) == until


def test_of_several_parents_the_one_that_came_back_last_counts(question, target, view):
    view.healths = {"unit:db": H, "unit:net": H}
    view.recovers = {"unit:db": 999.0, "unit:net": 500.0}
    assert dependency.ask(question(target=target(requires=("unit:db", "unit:net")))).until == 1004.0


def test_a_member_of_a_group_that_came_back_does_not_delay(question, target, view):
    view.groups, view.healths, view.recovers = {"dbs": ("a",)}, {"a": H}, {"a": 999.0}
    assert dependency.ask(question(target=target(requires=("group:dbs",)))) is None
