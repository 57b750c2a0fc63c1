import pytest

from healer.gates import saturation
from healer.model.organism import Health


@pytest.fixture
def alive(question, view):
    view.healths = {"unit:nginx": Health.HEALTHY}
    return question


@pytest.mark.parametrize("what", ["cpu", "memory", "io"])
def test_a_starved_host_gets_no_restart_of_what_still_runs(alive, view, what):
    view.pressures = {what: 0.61}
    assert saturation.ask(alive()).because == f"{what} pressure is 61%: a restart cannot cure overload"
    view.pressures = {what: 0.6}
    assert saturation.ask(alive()) is None


def test_what_nobody_can_see_is_not_known_to_be_down(question, view):
    view.pressures = {"cpu": 0.9}
    assert saturation.ask(question()) is not None


def test_what_is_down_gains_from_a_start_whatever_the_load(question, view):
    view.healths, view.pressures = {"unit:nginx": Health.FAILED}, {"cpu": 0.99, "disk:/": 1.0}
    assert saturation.ask(question()) is None


def test_what_disturbs_nobody_may_be_done(alive, view):
    view.pressures = {"cpu": 0.99}
    assert saturation.ask(alive(disruptive=False)) is None


def test_a_full_disk_wants_space_and_not_a_restart(alive, view):
    view.pressures = {"disk:/var": 0.99}
    assert saturation.ask(alive()).because.startswith("/var is full")
    view.pressures = {"disk:/var": 0.98}
    assert saturation.ask(alive()) is None, "a disk is no pressure: 98% used is not overload"


def test_no_pressure_known_is_none_held_against_anybody(alive):
    assert saturation.ask(alive()) is None
