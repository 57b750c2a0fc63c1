"""A verb that depends on what it is applied to finds the hand for it, or says that there is none."""

import pytest

from healer.actions.hand import ByKind, Hand
from healer.actions.interface import Done, Order
from healer.errors import ActionError
from healer.model.systems import VERBS
from healer.model.target import Target


class Drain(Hand):
    touches = "nothing"

    async def act(self, order):
        return Done(because=f"drained {order.target.name}")

    def would(self, order):
        return f"would drain {order.target.name}"


def order(kind):
    target = Target(kind=kind, name="a", organ="lungs")
    return Order(intent="x", target=target, timeout=1.0, generation="")


@pytest.fixture
def action():
    return ByKind("failover", lambda kind: {"failover": Drain()} if kind == "haproxy" else {})


async def test_the_hand_of_the_kind_acts(action):
    assert (await action.act(order("haproxy"))).because == "drained a"
    assert action.would(order("haproxy")) == "would drain a"


async def test_a_kind_without_that_hand_is_refused_for_good(action):
    with pytest.raises(ActionError, match="nothing here can failover a redis") as caught:
        await action.act(order("redis"))
    assert not caught.value.transient
    with pytest.raises(ActionError):
        action.would(order("redis"))


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_it_is_what_the_verb_declares(verb):
    made = ByKind(verb, lambda _: {})
    declared = VERBS[verb]
    assert (made.verb, made.kinds, made.disruptive, made.undo) == (
        verb, declared.kinds, declared.disruptive, declared.undo,
    )  # fmt: skip
