"""Whether a program that was started can do its work yet."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from healer.drivers import argv, processes
from healer.errors import ActionError

HttpReady = Callable[[str], Awaitable[bool]]
"""Ask a URL once: True when it answers well. Never raises."""

_ONE_LOOK = 2.0


async def look(check: Mapping[str, Any], http: HttpReady | None, cwd: str = "/") -> bool:
    """Look once, for at most two seconds; anything that goes wrong is *not yet*."""
    try:
        async with asyncio.timeout(_ONE_LOOK):
            return await _look(check, http, cwd)
    except (OSError, TimeoutError, ActionError, ValueError, OverflowError):  # Overflow: a port past 65535
        return False


async def _look(check: Mapping[str, Any], http: HttpReady | None, cwd: str) -> bool:
    if "http" in check:
        return http is not None and await http(str(check["http"]))
    if "tcp" in check:
        return await _tcp(check["tcp"])
    if "file" in check:
        return (Path(cwd) / str(check["file"])).exists()
    if "command" in check:
        return await _command([str(word) for word in check["command"]], cwd)
    return True


async def _tcp(address: str | Mapping[str, Any]) -> bool:
    host, port = _address(address)
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    return True


def _address(address: str | Mapping[str, Any]) -> tuple[str, int]:
    if isinstance(address, Mapping):
        return str(address.get("host") or "127.0.0.1"), int(address["port"])
    host, _, port = str(address).rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


async def _command(command: list[str], cwd: str) -> bool:
    """Run it; exit code 0 is yes. What takes too long is killed when the look is given up."""
    env = argv.environment({}, {}, argv.own_account())
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        pid = processes.spawn(
            argv.checked(command), executable=argv.resolve(command[0], cwd=cwd), env=env, cwd=cwd, output=null
        )
    finally:
        os.close(null)
    fd = os.pidfd_open(pid)
    try:
        if not await processes.gone([fd], _ONE_LOOK / 2):
            os.killpg(pid, 9)
            await processes.gone([fd], _ONE_LOOK / 4)
        return processes.reap(fd) == 0
    finally:
        os.close(fd)
