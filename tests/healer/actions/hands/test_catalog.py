"""Every verb and kind that are declared to go together have a hand, and no hand does what nobody declared."""

import pytest

from healer.actions.hands.catalog import MAKERS, HandsOf, Services
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.drivers.programs import Programs
from healer.model import systems
from healer.model.kinds.catalog import KINDS


@pytest.fixture
def hands(tmp_path):
    clock = SystemClock()
    return HandsOf(Services(drivers=Drivers(clock), programs=Programs(clock, tmp_path), clock=clock))


PAIRS = sorted((verb, kind) for verb, declared in systems.VERBS.items() for kind in declared.kinds)


@pytest.mark.parametrize(("verb", "kind"), PAIRS, ids=[f"{verb} {kind}" for verb, kind in PAIRS])
def test_what_is_declared_can_be_done(hands, verb, kind):
    hand = hands(kind).get(verb)
    assert hand is not None, f"nothing can {verb} a {kind}"
    assert hand.touches


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_what_can_be_done_is_declared(hands, kind):
    assert kind in KINDS
    assert [verb for verb in hands(kind) if kind not in systems.VERBS[verb].kinds] == []


def test_hands_are_made_once_and_an_unknown_kind_has_none(hands):
    kind = next(iter(MAKERS), "none")
    assert hands(kind) is hands(kind)
    assert hands("no-such-kind") == {}
