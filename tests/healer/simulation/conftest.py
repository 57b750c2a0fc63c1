"""A small house for the tests of the simulation: its world, its clock, and no faults but those a test asks for."""

import random

import pytest

from healer.model.limit import Brakes
from healer.model.target import Target
from healer.simulation.chance import Chance
from healer.simulation.life import House
from healer.simulation.loop import SimClock
from healer.simulation.sealing import QuickSigner
from healer.simulation.senses import Tap
from healer.simulation.world import World

TARGETS = (
    *(Target(kind="program", name=f"p{number}", organ="heart", startup_grace=0.5) for number in range(4)),
    Target(kind="container", name="c0", organ="heart", startup_grace=0.5),
    Target(kind="http", name="front", organ="lungs"),
)


@pytest.fixture
def chance():
    one = Chance(7)
    one.rates = {}
    return one


@pytest.fixture
def clock():
    return SimClock(random.Random(7))


@pytest.fixture
def house(chance, clock, tmp_path):
    world, tap = World(TARGETS, clock, chance), Tap(clock, chance)
    tap.watch(TARGETS)
    return House(
        folder=tmp_path / "state",
        anchor=tmp_path / "anchor",
        clock=clock,
        chance=chance,
        world=world,
        tap=tap,
        signer=QuickSigner(),
        targets=TARGETS,
        brakes=Brakes(),
        book="steady",
    )
