"""A connection is made when asked for, once at a time, and after a loss not before its pause is over."""

import asyncio

import pytest

from healer.clock import SystemClock
from healer.drivers.interface import DriverError, LinkState
from healer.drivers.link import AT_ONCE, Link, Pauses
from healer.testing import FakeClock


class Server:
    """What a link connects to: it may refuse, hang, or count."""

    def __init__(self):
        self.made = self.closed = 0
        self.refuses = ""
        self.hangs = False
        self.open = asyncio.Event()
        self.open.set()

    async def connect(self):
        await self.open.wait()
        if self.hangs:
            await asyncio.Event().wait()
        if self.refuses:
            raise DriverError(self.refuses, fact=True)
        self.made += 1
        return f"connection {self.made}"

    async def close(self, _connection):
        self.closed += 1


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def clock():
    return FakeClock()


def linked(server, clock, **more):
    told = []
    return Link("thing", connect=server.connect, close=server.close, clock=clock, changed=told.append, **more), told


async def test_nothing_is_connected_before_somebody_asks(server, clock):
    link, _ = linked(server, clock)
    assert link.status().state is LinkState.IDLE
    assert await link.get() == await link.get() == "connection 1"
    assert link.status().state is LinkState.CONNECTED
    assert server.made == 1


async def test_many_who_ask_at_once_share_one_try(server, clock):
    link, _ = linked(server, clock)
    server.open.clear()
    asking = [asyncio.ensure_future(link.get()) for _ in range(20)]
    await asyncio.sleep(0)
    assert link.status().state is LinkState.CONNECTING
    server.open.set()
    assert set(await asyncio.gather(*asking)) == {"connection 1"}


async def test_after_a_failure_it_refuses_at_once_until_its_pause_is_over(server, clock):
    link, told = linked(server, clock, pauses=Pauses(first=1.0, jitter=0.0))
    server.refuses = "it refused"
    with pytest.raises(DriverError, match=r"^it refused$"):
        await link.get()
    server.refuses = ""
    with pytest.raises(DriverError, match=r"it refused; the next try is in 1\.0 s") as caught:
        await link.get()
    assert caught.value.fact
    assert link.status().again_at == clock.now() + 1.0
    clock.at += 1.01
    assert await link.get() == "connection 1"
    # Who was told of a loss is told of its end, although there was no connection before.
    assert [(one.state, one.reconnects) for one in told] == [(LinkState.LOST, 0), (LinkState.CONNECTED, 0)]


async def test_pauses_grow_to_their_limit_and_begin_anew_after_a_success(server, clock):
    link, _ = linked(server, clock, pauses=Pauses(first=1.0, factor=2.0, most=5.0, jitter=0.0))
    server.refuses = "no"
    waited = []
    for _ in range(5):
        with pytest.raises(DriverError):
            await link.get()
        waited.append(link.status().again_at - clock.now())
        clock.at += 10.0
    assert waited == [1.0, 2.0, 4.0, 5.0, 5.0]
    server.refuses = ""
    connection = await link.get()
    link.lost(connection, "gone")
    assert link.status().again_at == clock.now() + 1.0


async def test_pauses_are_spread(server):
    clock = SystemClock()
    spread = set()
    for _ in range(8):
        link, _told = linked(server, clock, pauses=Pauses(first=10.0, jitter=0.2))
        server.refuses = "no"
        with pytest.raises(DriverError):
            await link.get()
        spread.add(round(link.status().again_at - clock.now(), 3))
    assert len(spread) > 1
    assert all(8.0 <= one <= 12.0 for one in spread)


async def test_a_loss_is_news_once_and_so_is_the_comeback(server, clock):
    link, told = linked(server, clock, pauses=Pauses(first=1.0, jitter=0.0))
    connection = await link.get()
    link.lost(connection, "the peer closed it")
    link.lost(connection, "again")
    server.refuses = "no"
    for _ in range(3):
        clock.at += 60.0
        with pytest.raises(DriverError):
            await link.get()
    server.refuses = ""
    clock.at += 60.0
    assert await link.get() == "connection 2"
    assert [(one.state, one.reconnects) for one in told] == [(LinkState.LOST, 0), (LinkState.CONNECTED, 1)]


async def test_an_old_connection_that_breaks_late_takes_nothing_away(server, clock):
    link, _ = linked(server, clock, pauses=AT_ONCE)
    first = await link.get()
    link.lost(first, "gone")
    second = await link.get()
    link.lost(first, "gone, said late")
    assert await link.get() == second


async def test_with_no_pause_every_question_is_a_try(server, clock):
    link, _ = linked(server, clock, pauses=AT_ONCE)
    server.refuses = "no"
    for _ in range(2):
        with pytest.raises(DriverError, match=r"^no$"):
            await link.get()
    server.refuses = ""
    assert await link.get() == "connection 1"


async def test_who_hangs_is_given_up_in_time(server, clock):
    link, _ = linked(server, clock, timeout=0.05)
    server.hangs = True
    with pytest.raises(DriverError, match=r"thing did not answer within 0\.05 s") as caught:
        await link.get()
    assert caught.value.fact


async def test_a_try_that_was_cut_short_leaves_no_half_connection(server, clock):
    link, _ = linked(server, clock, pauses=AT_ONCE)
    server.hangs = True
    asking = asyncio.ensure_future(link.get())
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    server.hangs = False
    assert await link.get() == "connection 1"


async def test_a_closed_link_lets_go_and_stays_closed(server, clock):
    link, _ = linked(server, clock)
    await link.get()
    await link.close()
    assert server.closed == 1
    assert link.status().state is LinkState.CLOSED
    with pytest.raises(DriverError, match="is closed"):
        await link.get()


async def test_a_connection_that_comes_after_the_end_is_closed_at_once(server, clock):
    link, _ = linked(server, clock)
    server.open.clear()
    asking = asyncio.ensure_future(link.get())
    await asyncio.sleep(0)
    await link.close()
    server.open.set()
    with pytest.raises(DriverError, match="is closed"):
        await asking
    assert server.closed == 1


async def test_a_library_that_breaks_while_it_lets_go_is_no_trouble_of_ours(clock):
    async def connect():
        return "it"

    async def close(_connection):
        raise RuntimeError("event loop is closed")

    link = Link("thing", connect=connect, close=close, clock=clock)
    await link.drop(await link.get(), "enough")
    assert link.status().state is LinkState.LOST
