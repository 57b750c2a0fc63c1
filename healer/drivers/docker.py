"""Docker's engine as a driver: what is asked of it and done through it, over one supervised connection."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from healer import blocking
from healer.clock import Clock, SystemClock
from healer.drivers import container_proofs as proofs
from healer.drivers.container_events import Events, Listener
from healer.drivers.containers import Container, Greeting, Limits, Usage
from healer.drivers.docker_engine import DockerError, Engine
from healer.drivers.interface import Driver, DriverError, DriverStatus, LinkState
from healer.drivers.link import Changed, Link, Pauses
from healer.errors import ActionError, AmbiguousError

T = TypeVar("T")

_PAUSES = Pauses(first=0.5, most=5.0)
"""An engine is on this host as a rule, and many look through it: it is tried again soon."""
_AT_ONCE = 8
"""Looks that ask side by side: the library keeps ten connections, and would make and throw away more."""
_MOST = 64
"""Questions that may be unanswered at once: a hung engine must not fill the process with threads."""


class Docker(Driver):
    """One engine. ``url`` as in DOCKER_HOST; empty is that, or the usual socket. ``timeout`` in seconds.

    Its library is imported at the first call, in a thread (20 MB that a host without containers never pays). Names may
    be names or ids. Whatever is done is done by the full id of the incarnation that was judged, and seen to be done.
    """

    name = "docker"

    def __init__(
        self, url: str = "", *, timeout: int = 5, clock: Clock | None = None, changed: Changed | None = None
    ) -> None:
        self._engine = Engine(url, timeout=timeout)
        self.url = self._engine.url
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._waiting: set[object] = set()
        self._seen: dict[str, str] = {}
        """By the name it was asked for, the full id of the container that was last seen under it."""
        self.events = Events(self._engine)
        self._link: Link[Greeting] = Link(
            self.name, connect=self._greet, close=self._leave, clock=clock or SystemClock(), timeout=2.0 * timeout,
            pauses=_PAUSES, changed=changed,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------- looking

    async def inspect(self, name: str) -> Container | None:
        """The container of this name or id; None when there is none. Raises DriverError."""
        return await self._ask(lambda: self._engine.inspect_now(name))

    async def look(self, name: str) -> tuple[Container | None, Usage | None]:
        """The container, and what it uses where it runs and somebody says. Raises DriverError."""
        found, used = await self._ask(lambda: self._engine.look_now(name))
        if found is None:
            self._seen.pop(name, None)
        else:
            self._seen[name] = found.id
        return found, used

    async def labelled(self, label: str) -> tuple[Container, ...]:
        """Every container, running or not, that carries ``key=value``. Raises DriverError."""
        return await self._ask(lambda: self._engine.labelled_now(label))

    async def told(self, name: str, lines: int) -> tuple[Mapping[str, Any], bytes]:
        """All the engine says of a container, its environment left out, and the last lines of its log."""
        return await self._ask(lambda: self._engine.told_now(name, lines))

    async def host(self) -> Greeting:
        """The engine itself: its version, and how large its host is. Raises DriverError."""
        return await self._link.get()

    def subscribe(self, listener: Listener, name: str = "") -> Callable[[], None]:
        """Hear of what happens to containers, on the loop's thread, until the returned function is called.

        ``name``: the container that is told of once more after a break.
        """
        return self.events.subscribe(listener, name)

    # --------------------------------------------------------------------------------------------- hands

    async def start(self, name: str, *, generation: str) -> str:
        """Start it; returns its new generation. Raises ActionError when it is not the incarnation that was judged."""
        done = await self._act(name, generation, lambda one: self._engine.start_now(one.id), proofs.runs)
        return done.generation

    async def stop(self, name: str, *, generation: str, grace: float = 10.0) -> str:
        """Stop it: TERM (or its own signal), and KILL after ``grace`` seconds. Returns its generation: empty."""
        act = lambda one: self._engine.stop_now(one.id, grace)  # noqa: E731 - one line, used once
        return (await self._act(name, generation, act, proofs.does_not_run)).generation

    async def restart(self, name: str, *, generation: str, grace: float = 10.0) -> str:
        """Stop it and start it; returns its new generation."""
        act = lambda one: self._engine.restart_now(one.id, grace)  # noqa: E731 - as above
        return (await self._act(name, generation, act, proofs.runs)).generation

    async def signal(self, name: str, *, generation: str, signal: str) -> None:
        """Send one signal, by name without SIG, to its first process."""
        await self._act(name, generation, lambda one: self._engine.signal_now(one.id, signal), proofs.anything)

    async def pause(self, name: str, *, generation: str) -> None:
        """Freeze all of its processes."""
        await self._act(name, generation, lambda one: self._engine.pause_now(one.id), proofs.paused)

    async def unpause(self, name: str, *, generation: str) -> None:
        """Let them go on."""
        await self._act(name, generation, lambda one: self._engine.unpause_now(one.id), proofs.runs)

    async def detach(self, name: str, *, generation: str, networks: Mapping[str, Any]) -> None:
        """Take it out of these networks."""

        def act(one: Container) -> None:
            for network in networks:
                if network in one.networks:
                    self._engine.detach_now(one.id, network)

        await self._act(name, generation, act, partial(proofs.apart, networks=networks))

    async def attach(self, name: str, *, generation: str, networks: Mapping[str, Mapping[str, Any]]) -> None:
        """Put it into these networks: for each, the ``aliases`` and the ``address`` it asks for there, if any."""

        def act(one: Container) -> None:
            for network, asks in networks.items():
                if network not in one.networks:
                    self._engine.attach_now(one.id, network, asks.get("aliases"), asks.get("address"))

        await self._act(name, generation, act, partial(proofs.joined, networks=networks))

    async def update(self, name: str, *, generation: str, limits: Limits) -> None:
        """Bound it as ``limits`` say, all of them, without a restart."""
        act = lambda one: self._engine.update_now(one.id, limits, one.limits)  # noqa: E731 - as above
        await self._act(name, generation, act, partial(proofs.bounded, limits=limits))

    async def _act(
        self, name: str, generation: str, act: Callable[[Container], None], came_about: Callable[[Container], str]
    ) -> Container:
        """Do one thing to the incarnation that was judged, and see that it came about."""
        seen = self._seen.get(name, "")

        def work() -> Container:
            before = self._judged(name)
            # A dead one has no incarnation to compare: then it is to be the container that was last looked at.
            if before.generation != generation or (not generation and seen not in ("", before.id)):
                raise ActionError(f"container {name} is another incarnation now", transient=False)
            self._do(act, before)
            after = self._after(before)
            if because := came_about(after):
                raise ActionError(f"container {name} {because}")
            return after

        try:
            await self._link.get()
        except DriverError as exc:
            raise ActionError(exc.message, hint=exc.hint) from exc
        return await blocking.call(work)

    def _judged(self, name: str) -> Container:
        try:
            found = self._engine.inspect_now(name)
        except DriverError as exc:
            raise ActionError(exc.message, hint=exc.hint) from exc
        if found is None:
            raise ActionError(f"there is no container {name}", transient=False)
        return found

    @staticmethod
    def _do(act: Callable[[Container], None], before: Container) -> None:
        try:
            # By its full id, not by name: the name may be another container's by the time the engine reads it.
            act(before)
        except DriverError as exc:
            if exc.sent:
                raise AmbiguousError(f"the engine's reply was lost: {exc.message}") from exc
            raise ActionError(exc.message, hint=exc.hint) from exc

    def _after(self, before: Container) -> Container:
        try:
            found = self._engine.inspect_now(before.id)
        except DriverError as exc:
            raise AmbiguousError(f"the engine took it, and is silent since: {exc.message}") from exc
        if found is None:
            raise ActionError(f"container {before.name} is gone", transient=False)
        return found

    # ---------------------------------------------------------------------------------------- connection

    def status(self) -> DriverStatus:
        """How it is doing; ``because`` also says when it answers and its events cannot be heard."""
        link = self._link.status()
        if link.state is LinkState.CONNECTED and self.events.wanted and not self.events.open:
            return replace(link, because="it answers, but its events are not heard")
        return replace(link, because=link.because or self.events.changed)

    async def health(self) -> None:
        """Prove that the engine answers; raises DriverError."""
        await self._ask(self._engine.greet_now)

    async def close(self) -> None:
        """Let go of the engine."""
        self.events.close()
        await self._link.close()
        self._engine.close()

    async def _greet(self) -> Greeting:
        hello = await self._bounded(self._engine.prepare_now)
        self._link.version = hello.version
        self.events.hurry()
        return hello

    async def _leave(self, _hello: Greeting) -> None:
        self._engine.close()

    async def _ask(self, question: Callable[[], T]) -> T:
        """Ask off the loop, over a link that is up; raises DriverError."""
        async with self._turn:  # who waited here while it was lost must not find out for himself that it hangs
            hello = await self._link.get()
            try:
                return await self._bounded(question)
            except DriverError as exc:
                if exc.fact:
                    await self._link.drop(hello, exc.message)
                    self.events.interrupt()  # a stream of an engine that hangs, or went, may look alive for ever
                raise

    async def _bounded(self, question: Callable[[], T]) -> T:
        if len(self._waiting) >= _MOST:
            raise DockerError(f"{_MOST} questions to the container engine have not come back yet")
        token = object()
        self._waiting.add(token)

        def work() -> T:
            # Here and not around the await: who gives up must leave the thread counted until it is back.
            try:
                return question()
            finally:
                self._waiting.discard(token)

        return await blocking.call(work)
