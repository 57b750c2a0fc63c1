"""The law of bounds sees its own crime: an honest story is told, and less is printed than was done in it."""

from dataclasses import replace

import pytest

from healer.rules.bounds import ALL
from healer.simulation import boundlaws
from healer.simulation.boundlaws import bounds, bounds_hold
from healer.simulation.life import Life
from healer.simulation.oracle import Evidence
from healer.simulation.rulebooks import BOOKS


@pytest.fixture
def told(house):
    """A story in which a program dies and is healed."""
    house.world.plan(10.0, lambda: house.world.die("program:p0"))
    house.life = Life(house)
    assert house.life.live(40.0) == ""
    evidence = Evidence(house=house)
    evidence.calm, evidence.end = 30.0, 40.0
    evidence.inspect("")
    bounds_hold(evidence)
    assert evidence.violations == []
    assert any(effect.rule for _, effect in evidence.acts())
    return evidence


def test_more_than_was_printed_is_seen(told, monkeypatch):
    printed = bounds(told.house.book, told.house.targets, told.house.brakes)
    less = {key: replace(rate, per_hour=0) for key, rate in printed.items()}
    monkeypatch.setattr(boundlaws, "bounds", lambda *_: less)
    bounds_hold(told)
    assert any("in 3600 s, and 0 were printed" in one for one in map(str, told.violations))


def test_what_was_not_printed_at_all_is_seen(told, monkeypatch):
    monkeypatch.setattr(boundlaws, "bounds", lambda *_: {})
    bounds_hold(told)
    assert any("was not to happen at all" in one for one in map(str, told.violations))


@pytest.mark.parametrize("book", sorted(BOOKS))
def test_every_book_has_bounds_and_so_has_what_a_reload_makes_of_it(house, book):
    for (_, action), rate in bounds(book, house.targets, house.brakes).items():
        assert 0 < rate.per_hour <= rate.per_day
        assert action == ALL or rate.rules
