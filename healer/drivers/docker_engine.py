"""Questions to a container engine and things told to it, by the low-level API of docker's SDK: blocking, for threads.

The only importer of docker, and only when first asked.
"""

import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from healer.clock import SystemClock
from healer.drivers.container_events import Stream
from healer.drivers.container_proofs import written
from healer.drivers.container_usage import Groups
from healer.drivers.containers import (
    WATCHED,
    Container,
    Greeting,
    Limits,
    OddError,
    Usage,
    describe,
    greeting,
    measure,
)
from healer.drivers.interface import DriverError
from healer.drivers.leaving_out import leaving_out
from healer.errors import ActionError

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

_DEFAULT = "unix:///var/run/docker.sock"
_HINT = "is it running, and may this account use its socket?"
_ACTING = 60
"""Seconds an act may take beyond its grace: a reply given up early would make it an ambiguous one."""
_MOST = 1000
"""Containers with one label that are described; more than that is nobody's wish."""

_MOST_OCTETS = 32 << 20
"""Of one answer."""
_LETTING_GO = 0.2


class DockerError(DriverError):
    """The engine could not be asked: nothing is known of its containers."""


class Engine:
    """One engine. ``url`` as in DOCKER_HOST; empty is that, or the usual socket. ``timeout`` in seconds.

    All questions raise DockerError; all acts raise ActionError where the engine says no, and DockerError with ``sent``
    where it does not answer.
    """

    def __init__(self, url: str = "", *, timeout: int = 5) -> None:
        self.url = url or os.environ.get("DOCKER_HOST", "") or _DEFAULT
        self._timeout = timeout
        self._clients: dict[int, APIClient] = {}
        self._lock = threading.Lock()
        self._groups = Groups()

    # ------------------------------------------------------------------------------------------- questions

    def greet_now(self) -> Greeting:
        """Who answers at the socket."""
        try:
            return greeting(self._ask(lambda client: client.info()))
        except OddError as exc:
            raise DockerError(f"what answers at {self.url} is no container engine: {exc}", fact=True) from exc

    def prepare_now(self) -> Greeting:
        """As `greet_now`, and make the connection for acts too: the first of them shall not wait for it."""
        hello = self.greet_now()
        self._connect(_ACTING)
        return hello

    def inspect_now(self, name: str) -> Container | None:
        """The container of this name or id; None when there is none."""
        found = self._ask(lambda client: client.inspect_container(name))
        if found is None:
            return None
        try:
            return describe(found)
        except OddError as exc:
            raise DockerError(f"the container engine described a container oddly: {exc}", fact=True) from exc

    def look_now(self, name: str) -> tuple[Container | None, Usage | None]:
        """The container, and what it uses where it runs and somebody says."""
        found = self.inspect_now(name)
        if found is None or not found.generation:
            return found, None
        here = self._groups.usage(found.pid, found.id) if self.url.startswith("unix://") and found.pid else None
        return found, here or self.usage_now(found.id)

    def usage_now(self, name: str) -> Usage | None:
        """What it uses by the engine's word, which may take it a second; None when it does not say."""
        found = self._ask(lambda client: client.stats(name, stream=False, one_shot=True))
        return None if found is None else measure(found)

    def labelled_now(self, label: str) -> tuple[Container, ...]:
        """Every container, running or not, that carries ``key=value``, in the order of their names."""
        return self._described(lambda client: client.containers(all=True, filters={"label": label}))

    def running_now(self) -> tuple[Container, ...]:
        """Every container that runs, in the order of their names."""
        return self._described(lambda client: client.containers())

    def _described(self, question: "Callable[[APIClient], object]") -> tuple[Container, ...]:
        rows = self._ask(question)
        if not isinstance(rows, list):
            raise DockerError("the container engine listed something else than containers", fact=True)
        ids = [str(row.get("Id")) for row in rows[:_MOST] if isinstance(row, Mapping)]
        found = [one for one in map(self.inspect_now, ids) if one is not None]
        return tuple(sorted(found, key=lambda one: one.name))

    def stream_now(self, since: int) -> Stream:
        """The engine's events about containers from this nanosecond on."""
        # The SDK has it as whole seconds; the engine reads fractions, and without them would tell things twice.
        at = cast("int", f"{since // 10**9}.{since % 10**9:09d}")
        # Every health check of every container is three events more that nobody wants.
        wanted = {"type": "container", "event": list(WATCHED)}
        stream = self._ask(lambda client: client.events(since=at, decode=True, filters=wanted))
        if stream is None:
            raise DockerError("the container engine knows no events", fact=True)
        return cast("Stream", stream)

    def told_now(self, name: str, lines: int) -> tuple[Mapping[str, Any], bytes]:
        """All the engine says of a container, its environment left out, and the last lines of its log."""
        said = self._ask(lambda client: client.inspect_container(name))
        if not isinstance(said, Mapping):
            return {}, b""
        log = self._ask(lambda client: client.logs(name, tail=lines, timestamps=True))
        config = {key: value for key, value in (said.get("Config") or {}).items() if key != "Env"}
        return {**said, "Config": config}, log if isinstance(log, bytes) else b""

    # ----------------------------------------------------------------------------------------------- acts

    def start_now(self, id_: str) -> None:
        """Start it."""
        self._tell(lambda client: client.start(id_))

    def stop_now(self, id_: str, grace: float) -> None:
        """Stop it: its stop signal, and KILL after ``grace`` seconds."""
        self._tell(lambda client: client.stop(id_, timeout=round(max(0.0, grace))))

    def restart_now(self, id_: str, grace: float) -> None:
        """Stop it and start it."""
        self._tell(lambda client: client.restart(id_, timeout=round(max(0.0, grace))))

    def signal_now(self, id_: str, signal: str) -> None:
        """Send one signal, by name without SIG, to its first process."""
        self._tell(lambda client: client.kill(id_, f"SIG{signal}"))

    def pause_now(self, id_: str) -> None:
        """Freeze all of its processes."""
        self._tell(lambda client: client.pause(id_))

    def unpause_now(self, id_: str) -> None:
        """Let them go on."""
        self._tell(lambda client: client.unpause(id_))

    def detach_now(self, id_: str, network: str) -> None:
        """Take it out of a network."""
        self._tell(lambda client: client.disconnect_container_from_network(id_, network))

    def attach_now(self, id_: str, network: str, aliases: list[str] | None, address: str | None) -> None:
        """Put it into a network."""
        self._tell(
            lambda client: client.connect_container_to_network(id_, network, aliases=aliases, ipv4_address=address)
        )

    def update_now(self, id_: str, limits: Limits, old: Limits) -> None:
        """Bound it as ``limits`` say, all of them, without a restart."""

        def act(client: "APIClient") -> None:
            # The SDK's own update knows neither pids nor --cpus, and an engine refuses one kind where the other is set.
            url = f"{client.base_url}/v{client.api_version}/containers/{id_}/update"
            reply = client.post(url, json=written(limits, old), timeout=_ACTING)
            if reply.status_code >= 400:
                raise ActionError(f"the engine refused: {_message(reply)}"[:300])

        self._tell(act)

    # ----------------------------------------------------------------------------------------- connection

    def close(self) -> None:
        """Let go of it; the next question connects again."""
        if not self._lock.acquire(timeout=_LETTING_GO):
            return  # a thread still waits for an engine that hangs: it holds nobody else up, nor the end of the process
        try:
            clients, self._clients = list(self._clients.values()), {}
        finally:
            self._lock.release()
        for client in clients:
            client.close()

    def _connect(self, timeout: int) -> "APIClient":
        """A client that has agreed on a version with the engine; raises DockerError."""
        docker = _load()

        self._knock()
        with self._lock:
            if timeout not in self._clients:
                try:
                    self._clients[timeout] = _client(docker)(
                        base_url=self.url, version="auto", timeout=timeout, user_agent="healer"
                    )
                except (docker.errors.DockerException, OSError, LookupError, TypeError, ValueError) as exc:
                    raise DockerError(
                        f"cannot reach the container engine at {self.url}: {_brief(exc)}", hint=_HINT, fact=True
                    ) from exc
            return self._clients[timeout]

    def _knock(self) -> None:
        """Raise DockerError where the engine's socket takes no connection.

        The SDK would say so too, but it forgets to close the socket it tried with.
        """
        if not self.url.startswith("unix://"):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(self._timeout)
            try:
                sock.connect(self.url.removeprefix("unix://"))
            except OSError as exc:
                said = f"cannot reach the container engine at {self.url}: {exc.strerror or exc}"
                raise DockerError(said, hint=_HINT, fact=not isinstance(exc, PermissionError)) from exc

    def _ask(self, question: "Callable[[APIClient], T]") -> T | None:
        """One question; None when it is about something that is not there."""
        docker = _load()

        client = self._connect(self._timeout)
        try:
            return question(client)
        except docker.errors.NotFound:
            return None
        except docker.errors.APIError as exc:
            raise DockerError(f"the container engine refused: {exc.explanation or exc}"[:300]) from exc
        except (docker.errors.DockerException, OSError, LookupError, TypeError, ValueError, AttributeError) as exc:
            raise DockerError(f"the container engine did not answer: {_brief(exc)}", fact=True) from exc

    def _tell(self, act: "Callable[[APIClient], object]") -> None:
        docker = _load()

        try:
            act(self._connect(_ACTING))
        except docker.errors.APIError as exc:
            raise ActionError(f"the engine refused: {exc.explanation or exc}"[:300]) from exc
        except (docker.errors.DockerException, OSError, LookupError, TypeError, ValueError) as exc:
            raise DockerError(f"the container engine did not answer: {_brief(exc)}", fact=True, sent=True) from exc


def _load() -> ModuleType:
    """The SDK, without requests' tables for guessing at alphabets (2.5 MB): an engine speaks UTF-8."""
    if "docker" not in sys.modules:
        warnings.filterwarnings("ignore", message="Unable to find acceptable character detection")
    with leaving_out("chardet", "charset_normalizer", of="docker"):
        import docker
    return docker


def _client(docker: ModuleType) -> "type[APIClient]":
    """The SDK's client, with a bound on what one answer holds and on how long it comes: its own reads on for ever."""
    now = SystemClock().now

    class Client(docker.APIClient):  # type: ignore[misc, name-defined]  # known only once it is loaded
        def send(self, request: Any, **how: Any) -> Any:  # noqa: ANN401 - requests' own: it is not imported here
            until = now() + (self.timeout or _ACTING)
            reply = super().send(request, **{**how, "stream": True})
            if not how.get("stream"):
                reply._content = _whole(reply, lambda: now() > until)  # noqa: SLF001 - as requests itself leaves it
            return reply

    return Client


def _whole(reply: Any, late: Callable[[], bool]) -> bytes:  # noqa: ANN401 - as above
    """The body of an answer; raises OSError where it is none that an engine gives."""
    found = bytearray()
    for piece in reply.iter_content(65536):
        found += piece
        if len(found) > _MOST_OCTETS or late():
            reply.close()
            raise OSError("its answer does not end")
    return bytes(found)


def _message(reply: Any) -> str:  # noqa: ANN401 - requests' response: its library is not imported here
    try:
        return str(reply.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {reply.status_code}"


def _brief(exc: BaseException) -> str:
    """The end of the chain: the SDK wraps a refused socket four times."""
    while exc.__cause__ or exc.__context__:
        exc = exc.__cause__ or exc.__context__ or exc
    return f"{type(exc).__name__}: {exc}"[:200]
