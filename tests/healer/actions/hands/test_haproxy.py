"""Orders to HAProxy when the way there breaks: done, not done and nobody can tell are never taken for each other."""

import asyncio
import dataclasses

import pytest

from healer.actions.hands.catalog import MAKERS, Services
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers.haproxy import AbsentError
from healer.drivers.haproxy_answers import Absent, Backend, Process, Server
from healer.drivers.interface import DriverError
from healer.errors import ActionError, AmbiguousError
from healer.model.target import Target

PROCESS = Process(generation="7.9", figures={})


class Proxy:
    """Two servers, and ways to lose an order or an answer."""

    def __init__(self):
        self.servers = {
            name: Server(
                name=name, generation=f"g-{name}", admin="ready", status="up", running=True, leaving=False, weight=100,
                initial=100,
                row={},
            )
            for name in ("a", "b")
        }  # fmt: skip
        self.orders = []
        self.lose = None
        self.deaf = False
        self.blind = 0
        self.then = lambda: None

    async def backend(self, name):
        if name != "web":
            raise Absent(name)
        if self.blind > 0 and self.orders:
            self.blind -= 1
            raise DriverError("it does not answer", fact=True)
        found = list(self.servers.values())
        await asyncio.sleep(0)  # what was seen may be old before anybody acts on it
        return Backend(name=name, process=PROCESS, generation="g", row={}, servers=found)

    async def set_state(self, _, server, state):
        await asyncio.sleep(0)
        self._order(server, admin=state)

    async def set_weight(self, _, server, weight):
        self._order(server, weight=weight)

    def _order(self, server, **changed):
        self.orders.append(changed)
        if not self.deaf:
            self.servers[server] = dataclasses.replace(self.servers[server], **changed)
            self.then()
        if self.lose is not None:
            raise self.lose


class Drivers:
    def __init__(self, proxy):
        self.of = lambda _: proxy


@pytest.fixture
def proxy():
    return Proxy()


@pytest.fixture
def act(proxy):
    made = MAKERS["haproxy"](Services(drivers=Drivers(proxy), programs=None, clock=SystemClock()))

    async def acted(verb, server="a", generation="g-a", backend="web", **params):
        spec = {"socket": "/s", "backend": backend, "server": server}
        target = Target(kind="haproxy", name="x", organ="lungs", spec=spec)
        return await made[verb].act(Order(intent="i", target=target, params=params, timeout=9.0, generation=generation))

    return acted


LOST = DriverError("the connection broke", fact=True, sent=True)


async def test_a_reply_that_was_lost_is_no_failure_where_the_effect_is_seen(proxy, act):
    proxy.lose = LOST
    assert (await act("failover")).facts["after"] == "drain"


async def test_a_reply_that_was_lost_with_no_effect_seen_is_a_failure_that_may_be_tried_again(proxy, act):
    proxy.lose, proxy.deaf = LOST, True
    with pytest.raises(ActionError, match="the connection broke") as caught:
        await act("failover")
    assert caught.value.transient
    assert not isinstance(caught.value, AmbiguousError)


async def test_an_order_that_cannot_be_read_back_is_ambiguous(proxy, act):
    proxy.blind = 9
    with pytest.raises(AmbiguousError):
        await act("failover")
    proxy.lose = LOST
    with pytest.raises(ActionError):
        await act("adjust", weight="50%")


async def test_an_order_that_was_never_sent_did_not_happen(proxy, act):
    proxy.lose, proxy.deaf = DriverError("Connection refused", fact=True), True
    with pytest.raises(ActionError, match="refused") as caught:
        await act("quarantine")
    assert caught.value.transient


async def test_an_order_haproxy_took_without_doing_it_is_a_failure(proxy, act):
    proxy.deaf = True
    with pytest.raises(ActionError, match="did not take the order"):
        await act("failover")


async def test_a_server_whose_last_neighbour_goes_in_that_moment_is_put_back(proxy, act):
    def gone():
        proxy.servers["b"] = dataclasses.replace(proxy.servers["b"], running=False)

    proxy.then = gone
    with pytest.raises(ActionError, match="was put back"):
        await act("failover")
    assert proxy.servers["a"].admin == "ready"


async def test_two_at_once_wait_for_each_other_and_one_of_them_stays(proxy, act):
    found = await asyncio.gather(
        act("failover"), act("quarantine", server="b", generation="g-b"), return_exceptions=True
    )
    assert [type(one).__name__ for one in found] == ["Done", "ActionError"]
    assert proxy.orders == [{"admin": "drain"}], "the second was never ordered, not even for a moment"


@pytest.mark.parametrize(
    "neighbour", [{"running": False}, {"leaving": True}, {"admin": "drain"}, {"admin": "maint"}, {"weight": 0}]
)
async def test_a_neighbour_that_takes_no_requests_is_none(proxy, act, neighbour):
    proxy.servers["b"] = dataclasses.replace(proxy.servers["b"], **neighbour)
    for verb in ("failover", "quarantine"):
        with pytest.raises(ActionError, match="last server"):
            await act(verb)
    assert not proxy.orders


async def test_another_incarnation_and_what_is_not_there_are_left_alone(proxy, act):
    for more in ({"generation": "g-old"}, {"generation": ""}, {"server": "z"}, {"backend": "nope"}):
        with pytest.raises(ActionError) as caught:
            await act("failover", **more)
        assert not caught.value.transient
    assert not proxy.orders


async def test_ready_is_the_way_back_and_needs_no_neighbour(proxy, act):
    await act("failover")
    proxy.servers["b"] = dataclasses.replace(proxy.servers["b"], running=False)
    done = await act("failover", ready=True)
    assert done.facts["after"] == "ready"
    assert done.undo == {}, "undone, it would take away the only one that is left"


async def test_what_was_so_before_is_not_changed_and_not_put_back(proxy, act):
    proxy.servers["a"] = dataclasses.replace(proxy.servers["a"], admin="drain")
    done = await act("failover")
    assert (done.undo, proxy.orders) == ({}, [])
    same = await act("adjust", weight="100")
    assert (same.undo, proxy.orders) == ({}, [])


async def test_what_somebody_ordered_since_is_not_put_back(proxy, act):
    proxy.servers["a"] = dataclasses.replace(proxy.servers["a"], admin="maint")
    assert "left so" in (await act("failover", back={"state": "ready", "from": "drain"})).because
    assert not proxy.orders


@pytest.mark.parametrize("back", [{"state": "ready", "from": "maint"}, {"state": "sideways", "from": "ready"}])
async def test_what_is_not_as_we_left_it_is_not_put_back(proxy, act, back):
    await act("failover", back=back)
    assert not proxy.orders


async def test_a_weight_that_somebody_changed_since_is_not_put_back(proxy, act):
    done = await act("adjust", weight="50%")
    proxy.servers["a"] = dataclasses.replace(proxy.servers["a"], weight=77)
    await act("adjust", **done.undo)
    assert proxy.servers["a"].weight == 77


@pytest.mark.parametrize("params", [{}, {"cpu": "+20%"}, {"weight": "a lot"}])
async def test_an_adjustment_without_a_weight_is_refused_for_good(act, params):
    with pytest.raises(ActionError) as caught:
        await act("adjust", **params)
    assert not caught.value.transient


async def test_a_server_haproxy_forgot_meanwhile_is_no_ambiguity(proxy, act):
    proxy.lose, proxy.deaf = AbsentError("No such server", fact=True), True
    with pytest.raises(ActionError) as caught:
        await act("failover")
    assert not caught.value.transient
    assert not isinstance(caught.value, AmbiguousError)
