"""A cache behind HTTP is emptied by the one request that was declared, and nothing else is sent."""

import asyncio

import pytest

from healer.actions.hands.catalog import Services
from healer.actions.hands.http import hands
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.errors import ActionError, AmbiguousError
from healer.model.target import Target


@pytest.fixture
async def server():
    """Takes one request per connection and answers what ``say`` holds."""

    class Server:
        say = b"HTTP/1.1 200 Purged\r\nContent-Length: 0\r\n\r\n"
        got = b""
        url = ""

    made = Server()

    async def serve(reader, writer):
        made.got = await reader.readuntil(b"\r\n\r\n")
        writer.write(made.say)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/images"
    yield made
    listening.close()


@pytest.fixture
async def purge():
    drivers = Drivers(SystemClock())
    yield hands(Services(drivers=drivers, programs=None, clock=drivers.clock))["clear_cache"]
    await drivers.close()


def order(way, params=None):
    target = Target(kind="http", name="front", organ="lungs", spec={"purge": way} if way else {})
    return Order(intent="a" * 64, target=target, params=params or {}, timeout=5.0, generation="")


async def test_the_declared_request_is_sent(purge, server):
    way = {"url": server.url, "method": "PURGE", "headers": {"X-Purge": "all"}, "ok": None}
    assert purge.would(order(way)) == f"would send PURGE {server.url}"
    done = await purge.act(order(way))
    assert done.because == f"PURGE {server.url}: answered 200"
    assert server.got.startswith(b"PURGE /images HTTP/1.1\r\n")
    assert b"\r\nx-purge: all\r\n" in server.got.lower()


async def test_another_status_is_a_failure_unless_it_was_declared(purge, server):
    server.say = b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"
    way = {"url": server.url, "method": "PURGE"}
    with pytest.raises(ActionError, match="answered 405"):
        await purge.act(order(way))
    assert (await purge.act(order({**way, "ok": (405,)}))).rc == 405


async def test_a_lost_reply_is_ambiguous(purge, server):
    server.say = b"HTT"
    with pytest.raises(AmbiguousError, match="may have arrived"):
        await purge.act(order({"url": server.url, "method": "PURGE"}))


async def test_without_a_declaration_or_with_a_bound_nothing_is_sent(purge, server):
    for one in (order(None), order({"url": server.url, "method": "PURGE"}, {"most": 5})):
        with pytest.raises(ActionError):
            await purge.act(one)
        assert purge.would(one).startswith("would refuse")
    assert server.got == b""
