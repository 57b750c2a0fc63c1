"""What befalls a house is spread over its storm, and taken back before the calm."""

import pytest

from healer.simulation import people
from healer.simulation.chance import FAULTS, MOST
from healer.simulation.life import Life


def test_a_storm_is_planned_by_its_seed_alone(house):
    house.chance.rates = dict(FAULTS)
    people.plan(house, 100.0)
    due = [at for at, *_ in house.world._due]
    assert len(due) > 10
    assert all(10.0 <= at <= 100.0 for at in due)


def test_even_a_seed_without_faults_has_something_to_heal(house):
    people.plan(house, 100.0)
    assert house.world.due() is not None


@pytest.mark.parametrize("book", ["steady", "knobs"])
def test_everything_planned_can_happen(house, book):
    house.book = book
    house.chance.rates = dict.fromkeys(MOST, 1.0) | {
        fault: 0.0 for fault in MOST if fault.startswith(("crash", "seal.broken"))
    }
    people.plan(house, 60.0)
    life = house.life = Life(house)
    assert life.live(80.0) == ""
    assert house.problems == []
    assert house.world.due() is None or house.world.due() >= 80.0


def test_peace_takes_every_brake_away(house):
    life = house.life = Life(house)
    house.kill_switch.throw()
    house.world.plan(1.0, lambda: life.ask("pause", "agent"))
    house.world.plan(1.0, lambda: life.ask("pause", "program:p1"))
    house.world.plan(1.0, lambda: life.ask("maintenance-add", selector={"all": True}, **{"for": 500.0}))
    house.world.plan(2.0, lambda: people.make_peace(house))
    house.world.plan(30.0, lambda: house.world.die("program:p1"))
    assert life.live(60.0) == ""
    assert [effect.target for effect in house.world.ledger] == ["program:p1"]
