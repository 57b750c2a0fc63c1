"""An agent inside somebody's program: a thread of its own, and calls that are safe from any other."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Protocol, TypeVar

from healer.api.healings import sealed_event, top
from healer.errors import HealerError, RefusedError
from healer.record import Record
from healer.runtime.bus import Callback

T = TypeVar("T")
_START = 30.0
_ANSWER = 10.0


class _Agent(Protocol):
    """What is needed of the agent, on its own thread."""

    record: Record

    @property
    def state_dir(self) -> Any: ...  # noqa: ANN401 - a Path
    async def serve(self, *, ready: Callable[[], None] | None = None, signals: bool = True) -> None: ...
    def ask_stop(self) -> None: ...
    def status(self) -> dict[str, Any]: ...
    def ask(
        self, verb: str, subject: str = "agent", args: Mapping[str, Any] | None = None, who: str = "python"
    ) -> str: ...
    async def answered(self, request_id: str, timeout: float = 5.0) -> Mapping[str, Any]: ...
    async def reflect(self) -> dict[str, Any]: ...
    async def rebalance(self) -> dict[str, Any]: ...
    async def reload(self) -> dict[str, Any]: ...
    async def verify(self) -> dict[str, Any]: ...
    def on(self, glob: str, callback: Callback) -> Callable[[], None]: ...


class Running:
    """An agent that runs in a thread of this process. Every call may be made from any other thread."""

    def __init__(self, agent: _Agent) -> None:
        self._agent = agent
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="healer", daemon=True)

    def start(self) -> None:
        """Start it and wait until it is ready; raises what its start raised."""
        self._thread.start()
        if not self._ready.wait(_START):
            self._ask_stop()
            raise HealerError(f"the agent was not ready within {_START:g} s")
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as exc:  # noqa: BLE001 - carried to whoever started the thread
            self._failure = exc
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._agent.serve(ready=self._ready.set, signals=False)

    def stop(self) -> None:
        """Stop in order and wait for the end; raises what the agent died of, if it did. A second call does nothing."""
        self._ask_stop()
        if self._thread is not threading.current_thread():
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _ask_stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop has just ended: so has the agent
            if self._loop is None:
                self._agent.ask_stop()
            else:
                self._loop.call_soon_threadsafe(self._agent.ask_stop)

    def status(self) -> dict[str, Any]:
        """What the agent sees, as ``healer status`` shows it."""
        return self._there(self._agent.status)

    def reflect(self) -> dict[str, Any]:
        """Assess the host and the agent now."""
        return self._await(self._agent.reflect())

    def rebalance(self) -> dict[str, Any]:
        """Check harmony now, and judge the balancing rules."""
        return self._await(self._agent.rebalance())

    def reload(self) -> dict[str, Any]:
        """Read configuration and rules again, all or nothing; raises ConfigError."""
        return self._await(self._agent.reload())

    def verify(self) -> dict[str, Any]:
        """Verify the log now, in a process of its own."""
        return self._await(self._agent.verify(), patience=300.0)

    def on(self, topic: str, callback: Callback) -> Callable[[], None]:
        """Call back for every topic of the bus that matches; returns what ends it.

        ``callback(topic, data)`` runs on the agent's thread: it must be quick. One that raises is dropped, and logged.
        """
        end = self._there(lambda: self._agent.on(topic, callback))
        return lambda: self._there(end)

    def ask(self, verb: str, subject: str = "agent", **args: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON values
        """Make a request and wait for its answer; raises RefusedError when it is refused."""
        return self._await(self._asked(verb, subject, args))

    def log_event(self, type: str, data: Mapping[str, Any] | None = None) -> str:  # noqa: A002 - the word of the log
        """Seal an event of your own; returns the id (the number) of its entry once it is durable."""
        return self._await(self._logged(type, data or {}))

    async def _asked(self, verb: str, subject: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = await self._agent.answered(self._agent.ask(verb, subject, args))
        if answer["answer"] != "accepted":
            raise RefusedError(str(answer["because"]))
        return answer

    async def _logged(self, kind: str, data: Mapping[str, Any]) -> str:
        since = top(self._agent.state_dir)
        answer = await self._asked("log-event", "agent", {"type": kind, "data": dict(data)})
        await self._agent.record.flush()
        entry = sealed_event(self._agent.state_dir, str(answer["id"]), since)
        if entry is None:
            raise HealerError("the event was accepted, but the log does not hold it", hint="healer audit verify")
        return str(entry["seq"])

    def _there(self, work: Callable[[], T]) -> T:
        """Do ``work`` on the agent's thread and return its result."""

        async def there() -> T:
            return work()

        return self._await(there())

    def _await(self, work: Coroutine[Any, Any, T], patience: float = _ANSWER) -> T:
        if self._loop is None or self._loop.is_closed():
            work.close()
            raise HealerError("the agent does not run", hint="use it inside `with Agent(...) as agent:`")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(patience)


class Embedded:
    """The context manager: ``with Agent(config) as agent:`` gives a `Running`."""

    _running: Running | None = None

    def __enter__(self) -> Running:
        """Start the agent in a thread and wait until it is ready; raises what its start raised."""
        self._running = Running(self)  # type: ignore[arg-type]  # the class this is mixed into is one
        self._running.start()
        return self._running

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.stop()
