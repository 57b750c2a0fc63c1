import asyncio
import contextlib
import os
import socket
import time

import httpx
import pytest

from healer.api.serve import bind, peer, serving, somebody_answers
from healer.errors import ConfigError, HealerError


async def test_only_its_owner_may_use_the_socket(fake, tmp_path):
    path = tmp_path / "deep" / "er" / "healer.sock"
    async with serving(fake, path) as where:
        assert where == (str(path),)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


async def test_a_socket_of_a_dead_agent_is_replaced_and_one_of_a_living_agent_is_not(fake, tmp_path):
    path = tmp_path / "healer.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    async with serving(fake, path):
        with pytest.raises(HealerError, match="another agent listens"):
            bind(path)
        assert somebody_answers(path)
    assert not path.exists()


def test_a_file_in_its_place_is_left_alone(tmp_path):
    path = tmp_path / "healer.sock"
    path.write_text("precious")
    with pytest.raises(HealerError, match="is no socket"):
        bind(path)
    assert path.read_text() == "precious"


def test_a_path_longer_than_the_kernel_takes_is_told_as_such(tmp_path):
    with pytest.raises(HealerError, match="too long"):
        bind(tmp_path / ("x" * 100) / "healer.sock")


async def test_a_socket_that_somebody_else_put_there_since_is_not_removed(fake, tmp_path):
    path = tmp_path / "healer.sock"
    async with serving(fake, path):
        path.unlink()
        path.write_text("of somebody else")
    assert path.exists()


async def test_the_kernel_says_who_asks(fake, listen):
    async with listen(fake) as client:
        reply = await client.post("/api/v1/requests", json={"verb": "pause"})
    assert reply.status_code == 202
    asked = [heard for heard in fake.bus.ring if heard.topic == "request.answered"]
    assert asked[-1].data["who"] == f"uid:{os.geteuid()}"


def test_where_the_kernel_says_nothing_it_is_just_a_socket():
    left, right = socket.socketpair()
    with left, right:
        assert peer(left)[0] == f"uid:{os.geteuid()}"
    assert peer(left) == ("socket", 0)


async def test_it_stops_at_once_with_an_idle_and_a_busy_connection(fake, tmp_path, caplog):
    before = asyncio.all_tasks()
    path = tmp_path / "healer.sock"
    fake.silent = True
    async with contextlib.AsyncExitStack() as stack:
        serve = contextlib.AsyncExitStack()
        await serve.enter_async_context(serving(fake, path))
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://x"))
        posted = await client.post("/api/v1/requests", json={"verb": "pause"})
        busy = asyncio.ensure_future(client.get(posted.headers["location"] + "?wait=30"))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        await serve.aclose()
        took = time.monotonic() - started
        with pytest.raises(httpx.HTTPError):
            await busy
        assert asyncio.all_tasks() == before  # nothing of it goes on unseen
    assert took < 0.5
    assert not caplog.records  # to stop is no error


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "192.0.2.1:80", "localhost:80", "127.0.0.1:x", "8080", "[::]:80"])
async def test_nothing_listens_beyond_loopback(fake, tmp_path, address):
    with pytest.raises(ConfigError, match="not a loopback address"):
        async with serving(fake, tmp_path / "healer.sock", address):
            pass
    assert not (tmp_path / "healer.sock").exists()


async def test_the_tcp_port_is_for_reading(fake, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    async with (
        serving(fake, tmp_path / "healer.sock", f"127.0.0.1:{number}"),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{number}", trust_env=False) as client,
    ):
        assert (await client.get("/api/v1/status")).status_code == 200
        for path in ("requests", "reload", "rebalance", "verify"):
            assert (await client.post(f"/api/v1/{path}", json={"verb": "pause"})).status_code == 403
        led = await client.get("/api/v1/status", headers={"host": "evil.example"})
        assert (led.status_code, led.headers["content-type"]) == (421, "application/problem+json")
        with pytest.raises(HealerError, match="cannot listen"):
            async with serving(fake, tmp_path / "other.sock", f"127.0.0.1:{number}"):
                pass
    assert not fake.core.desk.memory.modes


@pytest.mark.parametrize(
    "octets",
    [b"\x00" * 50, b"GET / HTTP/9.9\r\n\r\n", b"GET /api/v1/status HTTP/1.1\r\n" + b"a: b\r\n" * 20_000,
     b"POST /api/v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
     b"GET /" + b"a" * 100_000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ids=["zeros", "version", "headers", "length", "line", "http2"],
)  # fmt: skip
async def test_octets_that_are_no_http_end_their_own_connection_only(fake, listen, send, octets):
    async with listen(fake) as client:
        said = await send(octets)
        assert said == b"" or said.startswith(b"HTTP/1.1 4")
        assert (await client.get("/api/v1/status")).status_code == 200
