"""Apprise is asked address by address, says who was told, and never an address: they hold secrets."""

import asyncio
import json
import subprocess
import sys

import pytest

from healer.drivers import apprise
from healer.drivers.apprise import AppriseError, send

pytestmark = pytest.mark.filterwarnings("ignore:'(imghdr|cgi|crypt)' is deprecated:DeprecationWarning")


@pytest.fixture
async def hook():
    heard, status = [], [200]

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-len")
        )
        heard.append(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 %d x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status[0])
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/s3cret-token", heard, status
    server.close()


async def test_it_is_said_who_has_it(hook):
    url, heard, _ = hook
    assert await send([url], "web is down", "all of it", "critical", 10.0) == "accepted by 1 (JSON)"
    assert (heard[0]["title"], heard[0]["message"], heard[0]["type"]) == ("web is down", "all of it", "failure")


async def test_who_was_not_told_is_named_without_the_address(hook):
    url, _, status = hook
    with pytest.raises(AppriseError, match=r"^not told: 2 \(JSON\); told: 1 \(JSON\)$"):
        await send([url, "json://127.0.0.1:9/s3cret-token"], "t", "b", "info", 10.0)
    status[0] = 500
    with pytest.raises(AppriseError) as caught:
        await send([url], "t", "b", "info", 10.0)
    assert "s3cret" not in str(caught.value)
    assert caught.value.transient


async def test_an_address_nobody_knows_is_ours_to_mend():
    with pytest.raises(AppriseError, match="address 1 is none that apprise knows") as caught:
        await send(["nonsense-s3cret"], "t", "b", "info", 10.0)
    assert "s3cret" not in str(caught.value)
    assert not caught.value.transient


async def test_a_service_that_hangs_is_left_in_time():
    over = asyncio.Event()

    async def hang(reader, writer):
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(AppriseError, match="no end within") as caught:
        await send([f"json://127.0.0.1:{port}/?rto=1&cto=1"], "t", "b", "info", 0.3)
    assert caught.value.sent
    await asyncio.wait_for(over.wait(), 10.0)  # its thread lets go by itself
    server.close()


async def test_without_the_library_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(AppriseError, match="not installed") as caught:
        await send(["json://x"], "t", "b", "info", 10.0)
    assert "make extras" in caught.value.hint


def test_the_driver_alone_imports_nothing_of_it():
    probe = (
        "import sys, healer.actions.voices, healer.drivers.apprise; print(*(m in sys.modules for m in sys.argv[1:]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", probe, "apprise", "smtplib"], capture_output=True, text=True, check=True, timeout=30
    )
    assert said.stdout.split() == ["False", "False"]
    assert apprise.send
