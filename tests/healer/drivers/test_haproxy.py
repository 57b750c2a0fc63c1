"""The stats socket when it misbehaves: each way bounded in time and size, and told for what it is."""

import asyncio
import contextlib
import errno
import socket
import subprocess
import sys

import pytest

from healer.clock import SystemClock
from healer.drivers import haproxy as module
from healer.drivers.haproxy import AbsentError, Haproxy
from healer.drivers.interface import DriverError, LinkState

INFO = b"Name: HAProxy\nVersion: 2.6.12\nPid: 77\nStart_time_sec: 9\n"


class Socket:
    """Answers as its script says, and remembers what it was asked."""

    def __init__(self, path):
        self.path = str(path)
        self.asked = []
        self.behave = INFO + b"\n"
        self.writers = []

    async def serve(self, reader, writer):
        self.writers.append(writer)
        with contextlib.suppress(OSError):
            self.asked.append(await reader.readline())
            if callable(self.behave):
                await self.behave(writer)
            else:
                writer.write(self.behave)
                await writer.drain()
        writer.close()

    def reset(self):
        for writer in self.writers:
            writer.transport.abort()


@pytest.fixture
async def sock(tmp_path):
    made = Socket(tmp_path / "s")
    listening = await asyncio.start_unix_server(made.serve, made.path)
    yield made
    listening.close()
    made.reset()
    await asyncio.sleep(0)


def client(path, timeout=2.0):
    return Haproxy("haproxy:web", str(path), SystemClock(), timeout=timeout)


async def failure(question):
    with pytest.raises(DriverError) as caught:
        await question
    return caught.value


async def test_the_process_tells_its_generation(sock):
    haproxy = client(sock.path)
    assert (await haproxy.process()).generation == "77.9"
    assert sock.asked == [b"show info\n"]
    assert haproxy.status().state is LinkState.CONNECTED


async def test_a_loopback_port_is_asked_as_well():
    made = Socket("")
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    assert (await client(f"127.0.0.1:{port}").process()).generation == "77.9"
    listening.close()


async def test_no_socket_is_nobodys_fault_and_one_nobody_listens_on_is_its(tmp_path, sock):
    missing = await failure(client(tmp_path / "none").process())
    assert (missing.fact, "does HAProxy run" in missing.hint) == (False, True)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(tmp_path / "dead"))
    refused = await failure(client(tmp_path / "dead").process())
    assert (refused.fact, refused.sent) == (True, False)
    assert "refused" in refused.message


async def test_a_socket_that_is_not_ours_to_use_says_nothing_of_haproxy(sock, monkeypatch):
    async def denied(*_):
        raise PermissionError(errno.EACCES, "Permission denied")  # root may use every socket, so nobody says it here

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", denied)
    error = await failure(client(sock.path).process())
    assert (error.fact, "may this account" in error.hint) == (False, True)


async def test_a_hung_haproxy_is_a_fact_within_the_timeout(sock):
    sock.behave = lambda _: asyncio.sleep(30)
    started = SystemClock().now()
    error = await failure(client(sock.path, timeout=0.2).process())
    assert (error.fact, error.sent) == (True, True)
    assert SystemClock().now() - started < 1.5


async def test_a_byte_a_moment_does_not_outlast_the_timeout(sock):
    async def drip(writer):
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    sock.behave = drip
    assert "no whole answer" in (await failure(client(sock.path, timeout=0.2).process())).message


async def test_an_endless_answer_is_cut(sock, monkeypatch):
    monkeypatch.setattr(module, "MOST", 100_000)

    async def flood(writer):
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    sock.behave = flood
    assert "longer than" in (await failure(client(sock.path).process())).message


async def test_a_reset_in_the_middle_is_a_fact_that_may_have_been_done(sock):
    async def cut(writer):
        writer.write(INFO[:20])
        await writer.drain()
        writer.transport.abort()

    sock.behave = cut
    error = await failure(client(sock.path).set_state("web", "a", "drain"))
    assert (error.fact, error.sent) == (True, True)


@pytest.mark.parametrize(
    "octets", [b"", b"\x00\x01", b"HTTP/1.1 200 OK\r\n\r\n", INFO[:-3], b"Name: nginx\nPid: 7\n\n"]
)
async def test_what_is_no_haproxy_is_a_fact(sock, octets):
    sock.behave = octets
    assert (await failure(client(sock.path).process())).fact


async def test_an_order_without_a_word_back_was_taken(sock):
    sock.behave = b"\n"
    await client(sock.path).set_state("web", "a", "drain")
    await client(sock.path).set_weight("web", "a", 7)
    assert sock.asked == [b"set server web/a state drain\n", b"set server web/a weight 7\n"]


async def test_a_right_that_is_missing_is_ours_with_what_to_do(sock):
    sock.behave = b"Permission denied\n\n"
    error = await failure(client(sock.path).set_state("web", "a", "drain"))
    assert (error.fact, "level admin" in error.hint) == (False, True)


async def test_a_no_in_words_is_told(sock):
    sock.behave = b"Absolute weight can only be between 0 and 256 inclusive.\n\n"
    assert "between 0 and 256" in (await failure(client(sock.path).set_weight("web", "a", 999))).message


async def test_a_server_nobody_knows_is_absent_and_haproxy_well(sock):
    sock.behave = b"No such server.\n\n"
    haproxy = client(sock.path)
    assert isinstance(await failure(haproxy.set_state("web", "z", "drain")), AbsentError)
    assert haproxy.status().state is LinkState.CONNECTED


@pytest.mark.parametrize(
    "name", ["a;shutdown sessions server web/b", "a\nhelp", "a b", "", "../x", "a/b", "ä", "x" * 200]
)
async def test_a_name_cannot_smuggle_in_a_command(sock, name):
    error = await failure(client(sock.path).set_state("web", name, "drain"))
    assert not error.fact
    await failure(client(sock.path).backend(name))
    assert not sock.asked


async def test_a_haproxy_that_comes_back_is_counted(sock):
    haproxy = client(sock.path)
    await haproxy.health()
    sock.behave = b""
    await failure(haproxy.health())
    assert (haproxy.status().state, haproxy.status().because != "") == (LinkState.LOST, True)
    sock.behave = INFO + b"\n"
    await haproxy.health()
    assert (haproxy.status().state, haproxy.status().reconnects) == (LinkState.CONNECTED, 1)
    await haproxy.close()
    assert haproxy.status().state is LinkState.CLOSED


def test_no_library_is_loaded_for_it():
    code = "import sys, healer.drivers.haproxy; sys.exit(any(m in sys.modules for m in ('httpx', 'docker', 'dns')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
