"""Toy hands: the ledger first, then the deed; and every way in which a deed goes wrong."""

import pytest

from healer.actions.interface import Order
from healer.errors import ActionError, AmbiguousError
from healer.simulation.hands import ToyHand
from healer.simulation.loop import Crash, SimLoop, run


class NoLog:
    def height(self):
        return 41


def act(house, verb, *faults, target="program:p0", forbidden=False, **params):
    house.chance.rates = dict.fromkeys(faults, 1.0)
    thing = house.world.things.get(target)
    hand = ToyHand(verb, world=house.world, tap=house.tap, witness=NoLog(), run=1, forbidden=lambda: forbidden)
    order = Order(intent="ab" * 32, target=thing.target, timeout=5.0, generation="1.1", rule="down", params=params)
    return run(SimLoop(house.clock, house.chance.interleaving), hand.act(order))


def test_an_effect_is_in_the_ledger_with_all_that_the_oracle_asks(house):
    met = house.world.things["program:p0"].generation
    done = act(house, "restart", forbidden=True)
    (effect,) = house.world.ledger
    assert (effect.verb, effect.target, effect.rule, effect.height) == ("restart", "program:p0", "down", 41)
    assert (effect.judged, effect.met, effect.forbidden) == ("1.1", met, True)
    assert effect.began < effect.ended == pytest.approx(house.clock.at)
    assert done.generation == house.world.things["program:p0"].generation != met


def test_stop_and_start_do_what_they_say(house):
    act(house, "stop")
    assert not house.world.things["program:p0"].up
    act(house, "start")
    assert house.world.things["program:p0"].starting


@pytest.mark.parametrize(
    ("fault", "raised", "changed"),
    [
        ("action.transient", ActionError, False),
        ("action.permanent", ActionError, False),
        ("action.crash", RuntimeError, False),
        ("action.ambiguous", AmbiguousError, True),
    ],
)
def test_a_deed_that_fails_is_in_the_ledger_all_the_same(house, fault, raised, changed):
    before = house.world.things["program:p0"].generation
    with pytest.raises(raised):
        act(house, "restart", fault)
    assert len(house.world.ledger) == 1
    assert (house.world.things["program:p0"].generation != before) is changed


def test_a_deed_may_say_done_and_have_done_nothing(house):
    before = house.world.things["program:p0"].generation
    assert act(house, "restart", "action.lost").generation == before


@pytest.mark.parametrize(("where", "entered"), [("before", 0), ("during", 1), ("after", 1)])
def test_the_agent_may_die_before_during_and_after(house, where, entered):
    with pytest.raises(Crash, match=f"{where}-effect"):
        act(house, "restart", f"crash.{where}-effect")
    assert len(house.world.ledger) == entered


def test_a_knob_is_turned_and_turned_back(house):
    thing = house.world.things["program:p0"]
    done = act(house, "adjust", cpu="+20%")
    assert (thing.knob, house.world.ledger[-1].turned) == (1, (0, 1))
    assert not act(house, "adjust", **done.undo).undo
    assert (thing.knob, house.world.ledger[-1].turned) == (0, (1, 0))


def test_a_knob_that_somebody_turned_meanwhile_is_left_alone(house):
    done = act(house, "adjust", cpu="+20%")
    house.world.things["program:p0"].knob = 9
    act(house, "adjust", **done.undo)
    assert (house.world.things["program:p0"].knob, house.world.ledger[-1].turned) == (9, (9, 9))


def test_a_knob_that_does_not_turn_is_never_said_to_have_turned(house):
    with pytest.raises(ActionError, match="did not turn"):
        act(house, "adjust", "action.lost", cpu="+20%")
    assert (house.world.things["program:p0"].knob, house.world.ledger[-1].turned) == (0, None)


def test_the_dead_do_nothing(house):
    house.world.dead = True
    with pytest.raises(Crash):
        act(house, "restart")
    assert not house.world.ledger
