"""Chance is the seed's and nobody else's."""

import pytest

from healer.simulation.chance import FAULTS, LATER, Chance
from healer.simulation.loop import Crash


def test_a_seed_is_the_same_menu_every_time_and_another_seed_another():
    assert Chance(1).rates == Chance(1).rates
    assert len({tuple(Chance(seed).rates) for seed in range(20)}) == 20


def test_every_fault_is_on_the_menu_of_some_seed_and_missing_on_that_of_another():
    menus = [Chance(seed).rates for seed in range(60)]
    for fault in FAULTS:
        have = sum(fault in menu for menu in menus)
        assert 0 < have < 60, fault


def test_faults_that_came_later_leave_the_seeds_before_them_as_they_were():
    one = Chance(5)
    assert LATER.keys() <= one.rates.keys()
    assert FAULTS.keys().isdisjoint(LATER)
    assert Chance(5, ["world.pressed"]).random.random() == one.random.random()


def test_what_a_seed_must_have_it_has_at_full_rate():
    assert Chance(1, ["reboot"]).rates["reboot"] == FAULTS["reboot"]


def test_in_the_calm_nothing_happens(chance):
    chance.rates = dict.fromkeys(FAULTS, 1.0)
    assert chance.hit("sensor.hang")
    chance.calm = True
    assert not any(chance.hit(fault) for fault in FAULTS)


def test_a_crash_names_its_place_and_is_counted(chance):
    chance.rates = {"crash.after-seal": 1.0}
    with pytest.raises(Crash, match="after-seal"):
        chance.crash("after-seal")
    chance.crash("before-seal")
    assert chance.reached == {"crash.after-seal": 1}
