"""Names are looked up without the loop's own threads."""

import asyncio
import socket
import threading

import pytest

from healer.drivers import reach
from healer.drivers.reach import LookupFailedError, Resolver, said


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
async def test_an_address_is_not_looked_up(host, family, monkeypatch):
    monkeypatch.setattr(reach.socket, "getaddrinfo", None)
    assert await Resolver().addresses(host, 80) == [(family, (host, 80))]


async def test_a_name_is_looked_up_in_a_thread_of_our_own(monkeypatch):
    seen = []

    def look_up(host, port, **_):
        seen.append(threading.current_thread().name)
        return [(socket.AF_INET, 1, 6, "", (f"10.0.0.{n}", port)) for n in range(9)]

    monkeypatch.setattr(reach.socket, "getaddrinfo", look_up)
    found = await Resolver().addresses("many.example", 80)
    assert found == [(socket.AF_INET, (f"10.0.0.{n}", 80)) for n in range(4)]
    assert seen == ["healer-blocking"]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300, "x..y"])
async def test_what_cannot_be_looked_up_says_so(host):
    with pytest.raises(LookupFailedError, match="cannot look up"):
        await Resolver().addresses(host, 80)


async def test_a_dead_resolver_is_not_piled_on(monkeypatch):
    back, asked = threading.Event(), []

    def hang(host, *_, **__):
        asked.append(host)
        back.wait(20)
        return []

    monkeypatch.setattr(reach.socket, "getaddrinfo", hang)
    resolver = Resolver()
    for _ in range(20):
        with pytest.raises((TimeoutError, LookupFailedError)):
            async with asyncio.timeout(0.01):
                await resolver.addresses("dead.example", 80)
    assert len(asked) <= 8
    back.set()


def test_an_error_is_told_in_words():
    assert said(111) == "Connection refused"
    assert said(None) == "no connection"
