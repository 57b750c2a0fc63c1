import pytest

from healer.gates import flapping, order
from healer.model.organism import Health


@pytest.fixture
def lives(view, memory):
    view.healths["unit:nginx"] = Health.HEALTHY
    memory.flapping["unit:nginx"] = 940.0


def test_what_flaps_is_not_taken_down(question, lives):
    refused = flapping.ask(question())
    assert refused.because.startswith("unit:nginx has been flapping for 60 s")
    assert refused.proposal


def test_nor_is_another_because_of_it(question, lives, target, view):
    view.healths["unit:db"] = Health.HEALTHY
    refused = flapping.ask(question(target=target("unit:db"), incident="r@unit:nginx"))
    assert "unit:nginx has been flapping" in refused.because
    assert flapping.ask(question(target=target("unit:db"), incident="r@unit:db")) is None


def test_what_is_down_may_be_started_and_what_disturbs_nobody_done(question, lives, view):
    assert flapping.ask(question(disruptive=False)) is None
    view.healths["unit:nginx"] = Health.FAILED
    assert flapping.ask(question()) is None


def test_what_nobody_can_see_counts_as_alive(question, lives, view):
    view.healths["unit:nginx"] = Health.UNKNOWN
    assert flapping.ask(question()) is not None


def test_a_person_who_means_it_is_let_through(question, lives):
    assert flapping.ask(question(rule="", spelled_out=True, incident="request:1")) is None
    assert flapping.ask(question(rule="", incident="request:1")) is not None


def test_what_is_steady_is_treated(question):
    assert flapping.ask(question()) is None


def test_garbage_says_no(question, memory, lives):
    memory.flapping = {"unit:nginx": "since noon"}
    assert not {one.gate: one for one in order.ask_all(question())}["flapping"].ok
