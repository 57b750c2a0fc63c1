"""The listeners: a Unix socket for its owner (always), a loopback port for reading (only when configured)."""

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healer.api.port import Port
from healer.errors import ConfigError, HealerError

if TYPE_CHECKING:
    from uvicorn.config import Config

BACKLOG = 64
MOST_CONNECTIONS = 128
_LONGEST_PATH = 107  # sun_path of unix(7), its closing NUL left out
_PATIENCE = 0.2
"""Seconds requests under way have to end when the agent stops."""
_CREDENTIALS = struct.Struct("3i")
"""struct ucred: pid, uid, gid."""
_LOOPBACK = ("127.0.0.1", "::1")


@contextlib.asynccontextmanager
async def serving(port: Port, path: Path, tcp: str = "") -> AsyncIterator[tuple[str, ...]]:
    """Listen while the context lasts; yields where. Raises HealerError when something else listens there.

    uvicorn's HTTP is used without its server: that one wakes ten times a second, takes signals over, and needs a tenth
    of a second to stop.
    """
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from healer.api.app import build

    config = Config(
        build(port),
        http=_protocol(),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=16 * 1024,
    )
    config.load()
    state = ServerState()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_no_news_of_stopping())
        stack.push_async_callback(_let_end, state)
        where = [str(await _listen_unix(path, config, state, stack))]
        if tcp:
            where.append(await _listen_tcp(tcp, config, state, stack))
        yield tuple(where)


def _protocol() -> type[asyncio.Protocol]:
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Known(H11Protocol):
        """HTTP from somebody the kernel knows."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base says it
            super().connection_made(transport)
            sock = transport.get_extra_info("socket")
            if sock is not None and sock.family == socket.AF_UNIX:
                self.client = peer(sock)

    return Known


def peer(sock: Any) -> tuple[str, int]:  # noqa: ANN401 - asyncio's TransportSocket is no socket by type
    """Who connected, as the kernel says: ``uid:N`` and the pid; ``socket`` where it does not."""
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(raw)
    except (OSError, struct.error):
        return "socket", 0
    return f"uid:{uid}", pid


async def _listen_unix(path: Path, config: "Config", state: Any, stack: contextlib.AsyncExitStack) -> Path:  # noqa: ANN401 - uvicorn's own
    sock = bind(path)
    stack.callback(_remove, path, os.lstat(path).st_ino)
    server = await asyncio.get_running_loop().create_unix_server(
        lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),  # type: ignore[call-arg]  # uvicorn's protocols take these
        sock=sock,
        backlog=BACKLOG,
    )
    stack.callback(server.close)
    return path


async def _listen_tcp(address: str, config: "Config", state: Any, stack: contextlib.AsyncExitStack) -> str:  # noqa: ANN401 - uvicorn's own
    host, _, number = address.rpartition(":")
    host = host.strip("[]")
    if host not in _LOOPBACK or not number.isdecimal():
        raise ConfigError(
            f"api.tcp: {address} is not a loopback address", hint="127.0.0.1:PORT or [::1]:PORT; others need TLS"
        )
    try:
        server = await asyncio.get_running_loop().create_server(
            lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),  # type: ignore[call-arg]  # uvicorn's protocols take these
            host,
            int(number),
            backlog=BACKLOG,
        )
    except (OSError, OverflowError) as exc:
        raise HealerError(f"cannot listen on {address}: {exc}", hint="is another agent there? see api.tcp") from exc
    stack.callback(server.close)
    return address


def bind(path: Path) -> socket.socket:
    """A listening socket at ``path`` that only its owner may use; one left by a dead agent is replaced.

    Raises HealerError when somebody answers there, when something else lies there, or when the path is too long.
    """
    if len(os.fsencode(path)) + 8 > _LONGEST_PATH:
        raise HealerError(
            f"the socket's path is too long for the kernel: {path}", hint="give a shorter --state-dir or api.socket"
        )
    _check_place(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made beside and moved into place: at no moment is there a socket that others may use, or none at all.
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.bind(str(fresh))
        fresh.chmod(0o600)
        sock.listen(BACKLOG)
        fresh.replace(path)
    except OSError as exc:
        sock.close()
        raise HealerError(f"cannot listen at {path}: {exc.strerror}", hint="see api.socket in organism.yaml") from exc
    return sock


def _check_place(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise HealerError(f"cannot look at {path}: {exc.strerror}") from exc
    if not stat.S_ISSOCK(found.st_mode):
        raise HealerError(f"{path} exists and is no socket", hint="move it away, or set api.socket")
    if somebody_answers(path):
        raise HealerError(f"another agent listens at {path}", hint="stop it first, or use another --state-dir")


def somebody_answers(path: Path) -> bool:
    """Whether a connection is taken at a socket now."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1.0)
        try:
            sock.connect(str(path))
        except OSError as exc:
            # A full backlog means that somebody is there and busy.
            return exc.errno in {errno.EAGAIN, errno.ETIMEDOUT} or isinstance(exc, TimeoutError)
    return True


def _remove(path: Path, inode: int) -> None:
    """Take our socket away, and nobody else's."""
    with contextlib.suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()


@contextlib.contextmanager
def _no_news_of_stopping() -> Iterator[None]:
    """A request that is cut off by the end of the agent is no error of the application, as uvicorn would call it."""

    def worth_telling(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))

    logger = logging.getLogger("uvicorn.error")
    logger.addFilter(worth_telling)
    try:
        yield
    finally:
        logger.removeFilter(worth_telling)


async def _let_end(state: Any) -> None:  # noqa: ANN401 - uvicorn's own
    """Close idle connections at once, let requests under way end for a moment, then cut them off."""
    for connection in list(state.connections):
        connection.shutdown()
    if state.tasks:
        await asyncio.wait(list(state.tasks), timeout=_PATIENCE)
    for task in list(state.tasks):
        task.cancel()
    for connection in list(state.connections):
        connection.transport.abort()
    if state.tasks:
        await asyncio.wait(list(state.tasks), timeout=_PATIENCE)
