"""A look at readiness is yes or not yet, never an error."""

import asyncio

import pytest

from healer.drivers import ready


async def test_a_port_that_takes_connections_is_ready():
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert await ready.look({"tcp": f"127.0.0.1:{port}"}, None)
        assert await ready.look({"tcp": {"host": "127.0.0.1", "port": port}}, None)
    assert not await ready.look({"tcp": f"127.0.0.1:{port}"}, None)


@pytest.mark.parametrize("address", ["", "x", "127.0.0.1:x", "127.0.0.1:99999999", "[::1"])
async def test_an_address_that_is_none_is_not_ready(address):
    assert not await ready.look({"tcp": address}, None)


async def test_a_file_is_looked_for_from_the_programs_folder(tmp_path):
    assert not await ready.look({"file": "flag"}, None, str(tmp_path))
    (tmp_path / "flag").touch()
    assert await ready.look({"file": "flag"}, None, str(tmp_path))


@pytest.mark.parametrize(
    ("command", "is_ready"), [(["true"], True), (["false"], False), (["no-such"], False), ([""], False)]
)
async def test_a_command_says_so_by_its_exit_code(command, is_ready):
    assert await ready.look({"command": command}, None) == is_ready


async def test_a_command_that_hangs_is_killed_and_not_ready():
    assert not await ready.look({"command": ["sleep", "60"]}, None)


async def test_http_is_asked_through_the_driver_and_without_one_it_is_not_ready():
    asked = []

    async def ask(url):
        asked.append(url)
        return True

    assert await ready.look({"http": "http://x/"}, ask)
    assert asked == ["http://x/"]
    assert not await ready.look({"http": "http://x/"}, None)


async def test_an_asker_that_hangs_is_given_up():
    async def hang(_):
        await asyncio.sleep(60)

    assert not await ready.look({"http": "http://x/"}, hang)


async def test_without_a_check_it_is_ready():
    assert await ready.look({}, None)
