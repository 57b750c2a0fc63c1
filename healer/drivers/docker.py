"""Docker's engine, by the low-level API of its SDK in threads; the only importer of docker."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from healer import blocking
from healer.errors import ActionError, AmbiguousError, HealerError

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

WATCHED = ("die", "start", "oom", "pause", "unpause", "health_status", "destroy")
_DEFAULT = "unix:///var/run/docker.sock"
_HINT = "is it running, and may this account use its socket?"
_ACTING = 60
"""Seconds an act may take beyond its grace: a reply given up early would make it an ambiguous one."""
_RETRY = (0.2, 1.0, 5.0)
"""Seconds before the events are asked for again; the last goes on."""


class DockerError(HealerError):
    """The engine could not be asked: nothing is known of its containers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as the engine describes it."""

    id: str
    name: str
    state: str
    """created, running, paused, restarting, removing, exited or dead."""
    health: str
    """Of its health check: none, starting, healthy or unhealthy."""
    restarts: int
    """Times the engine's own policy started it again."""
    started_at: str
    """As the engine writes it: RFC 3339 with nanoseconds."""
    exit_code: int | None
    """Of the last run; None while it runs, or before its first."""
    policy: str
    """Its restart policy: no, always, on-failure or unless-stopped."""

    @property
    def running(self) -> bool:
        """It runs, and is neither paused nor between two starts."""
        return self.state == "running"

    @property
    def generation(self) -> str:
        """``id.started``; empty when it does not run."""
        return f"{self.id[:12]}.{self.started_at}" if self.state in ("running", "paused") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a container has used."""

    cpu: float
    """Seconds of CPU time since its start."""
    memory: int
    """Bytes, without the page cache it would give back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a container."""

    what: str
    """One of `WATCHED`."""
    id: str
    name: str
    exit_code: int | None
    """Of a ``die``, where the engine tells."""
    container: Container | None
    """As it is right after, except for ``die``, which is told before anything else is asked."""


Listener = Callable[[Event], None]


class Docker:
    """One engine. ``url`` as in DOCKER_HOST; empty is that, or the usual socket. ``timeout`` in seconds.

    ``docker`` is imported at the first call, in its thread (20 MB that a host without containers never pays).
    """

    def __init__(self, url: str = "", *, timeout: int = 5) -> None:
        self._url = url or os.environ.get("DOCKER_HOST", "") or _DEFAULT
        self._timeout = timeout
        self._clients: dict[int, APIClient] = {}
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._stop: threading.Event | None = None
        self._stream: Any = None

    async def inspect(self, name: str) -> Container | None:
        """The container of this name or id; None when there is none. Raises DockerError."""
        return await blocking.call(lambda: self.inspect_now(name))

    async def usage(self, name: str) -> Usage | None:
        """What it uses; None when it does not run, or the engine does not say. Raises DockerError."""
        return await blocking.call(lambda: self.usage_now(name))

    def inspect_now(self, name: str) -> Container | None:
        """As `inspect`, in the caller's thread."""
        found = self._ask(lambda client: client.inspect_container(name))
        return None if found is None else describe(found)

    def usage_now(self, name: str) -> Usage | None:
        """As `usage`, in the caller's thread."""
        found = self._ask(lambda client: client.stats(name, stream=False, one_shot=True))
        return None if found is None else measure(found)

    # --------------------------------------------------------------------------------------------- hands

    async def start(self, name: str, *, generation: str) -> str:
        """Start it; returns its new generation. Raises ActionError when it is not the incarnation that was judged."""
        return await self._act(name, generation, lambda client, id_: client.start(id_))

    async def stop(self, name: str, *, generation: str, grace: float = 10.0) -> str:
        """Stop it: TERM (or its own signal), and KILL after ``grace`` seconds. Returns its generation: empty."""
        return await self._act(name, generation, lambda client, id_: client.stop(id_, timeout=round(max(0.0, grace))))

    async def restart(self, name: str, *, generation: str, grace: float = 10.0) -> str:
        """Stop it and start it; returns its new generation."""
        return await self._act(
            name, generation, lambda client, id_: client.restart(id_, timeout=round(max(0.0, grace)))
        )

    async def _act(self, name: str, generation: str, act: Callable[["APIClient", str], object]) -> str:
        def work() -> str:
            before = self._judged(name)
            if before.generation != generation:
                raise ActionError(f"container {name} is another incarnation now", transient=False)
            try:
                # By its full id, not by name: the name may be another container's by the time the engine reads it.
                self._tell(lambda client: act(client, before.id))
            except DockerError as exc:
                raise AmbiguousError(f"the engine's reply was lost: {exc.message}") from exc
            after = self._judged(name)
            return after.generation

        return await blocking.call(work)

    def _judged(self, name: str) -> Container:
        try:
            found = self.inspect_now(name)
        except DockerError as exc:
            raise ActionError(exc.message) from exc
        if found is None:
            raise ActionError(f"there is no container {name}", transient=False)
        return found

    def _tell(self, act: Callable[["APIClient"], object]) -> None:
        """Do one thing; raises ActionError when the engine says no, DockerError when it does not answer."""
        import docker

        try:
            act(self._connect(_ACTING))
        except docker.errors.APIError as exc:
            raise ActionError(f"the engine refused: {exc.explanation or exc}"[:300]) from exc
        except (docker.errors.DockerException, OSError) as exc:
            raise DockerError(f"the container engine did not answer: {_brief(exc)}") from exc

    # ------------------------------------------------------------------------------------------- events

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear of what happens to containers, on the loop's thread, until the returned function is called.

        The first listener starts one thread for all. What happens while the engine is away is not told afterwards:
        an old death told late would be taken for a new one. Looks find it.
        """
        self._listeners.append(listener)
        if self._stop is None:
            self._stop = threading.Event()
            loop = asyncio.get_running_loop()
            # A thread of its own: it lasts as long as the agent, and a daemon never holds the end of the process.
            threading.Thread(target=self._hear, args=(self._stop, loop), name="docker-events", daemon=True).start()
        return lambda: self._unsubscribe(listener)

    def _unsubscribe(self, listener: Listener) -> None:
        with contextlib.suppress(ValueError):
            self._listeners.remove(listener)
        if not self._listeners:
            self._hush()

    def _hush(self) -> None:
        if self._stop is not None:
            self._stop.set()
            self._stop = None
        if self._stream is not None:
            with contextlib.suppress(Exception):  # the SDK reaches into urllib3 here: whatever it says, we are done
                self._stream.close()

    def _hear(self, stop: threading.Event, loop: asyncio.AbstractEventLoop) -> None:
        misses = 0
        while not stop.is_set():
            try:
                for event in self._events():
                    misses = 0
                    loop.call_soon_threadsafe(self._spread, event)
            except DockerError:
                misses += 1
            except RuntimeError:
                return  # the loop is closed
            stop.wait(_RETRY[min(misses, len(_RETRY) - 1)])

    def _events(self) -> Iterator[Event]:
        filters = {"type": "container", "event": list(WATCHED)}
        self._stream = self._ask(lambda client: client.events(decode=True, filters=filters))
        for raw in self._stream or ():
            event = read_event(raw)
            if event is None:
                continue
            yield event if event.what == "die" else replace(event, container=self.inspect_now(event.id))

    def _spread(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    # -------------------------------------------------------------------------------------- connection

    async def close(self) -> None:
        """Let go of the engine."""
        self._listeners.clear()
        self._hush()
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            client.close()

    def _connect(self, timeout: int) -> "APIClient":
        """A client that has agreed on a version with the engine; raises DockerError."""
        import docker

        self._knock()
        with self._lock:
            if timeout not in self._clients:
                try:
                    self._clients[timeout] = docker.APIClient(
                        base_url=self._url, version="auto", timeout=timeout, user_agent="healer"
                    )
                except (docker.errors.DockerException, OSError) as exc:
                    raise DockerError(
                        f"cannot reach the container engine at {self._url}: {_brief(exc)}", hint=_HINT
                    ) from exc
            return self._clients[timeout]

    def _knock(self) -> None:
        """Raise DockerError where the engine's socket takes no connection.

        The SDK would say so too, but it forgets to close the socket it tried with.
        """
        if not self._url.startswith("unix://"):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(self._timeout)
            try:
                sock.connect(self._url.removeprefix("unix://"))
            except OSError as exc:
                raise DockerError(
                    f"cannot reach the container engine at {self._url}: {exc.strerror or exc}", hint=_HINT
                ) from exc

    def _ask(self, question: Callable[["APIClient"], T]) -> T | None:
        """One question; None when it is about something that is not there. Raises DockerError."""
        import docker

        client = self._connect(self._timeout)
        try:
            return question(client)
        except docker.errors.NotFound:
            return None
        except (docker.errors.DockerException, OSError, ValueError) as exc:
            raise DockerError(f"the container engine did not answer: {_brief(exc)}") from exc


def describe(found: Mapping[str, Any]) -> Container:
    """What the engine's description says; raises DockerError where it is not one."""
    try:
        state = found["State"]
        running = bool(state.get("Running"))
        return Container(
            id=str(found["Id"]),
            name=str(found["Name"]).removeprefix("/"),
            state=str(state["Status"]),
            health=str((state.get("Health") or {}).get("Status") or "none"),
            restarts=int(found.get("RestartCount") or 0),
            started_at=str(state.get("StartedAt") or ""),
            exit_code=None if running or state["Status"] == "created" else int(state.get("ExitCode", 0)),
            policy=str(((found.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "no"),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise DockerError(f"the container engine described a container oddly: {_brief(exc)}") from exc


def measure(found: Mapping[str, Any]) -> Usage | None:
    """What the engine measured; None where it does not say (the container does not run, or has no cgroup)."""
    try:
        memory = found["memory_stats"]
        cache = memory.get("stats") or {}
        reclaimable = cache.get("inactive_file", cache.get("total_inactive_file", 0))
        cpu = found["cpu_stats"]["cpu_usage"]["total_usage"]
        return Usage(cpu=float(cpu) / 1e9, memory=max(0, int(memory["usage"]) - int(reclaimable)))
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def read_event(raw: object) -> Event | None:
    """What an event of the engine says; None where it is not one of ours."""
    if not isinstance(raw, dict):
        return None
    what = str(raw.get("Action") or raw.get("status") or "").partition(":")[0]
    actor = raw.get("Actor")
    about = actor.get("Attributes") if isinstance(actor, dict) else None
    if what not in WATCHED or not isinstance(actor, dict) or not isinstance(about, dict):
        return None
    code = str(about.get("exitCode", ""))
    return Event(
        what=what, id=str(actor.get("ID") or ""), name=str(about.get("name") or ""),
        exit_code=int(code) if code.isascii() and code.isdigit() and len(code) < 6 else None, container=None,
    )  # fmt: skip


def _brief(exc: BaseException) -> str:
    """The end of the chain: the SDK wraps a refused socket four times."""
    while exc.__cause__ or exc.__context__:
        exc = exc.__cause__ or exc.__context__ or exc
    return f"{type(exc).__name__}: {exc}"[:200]
