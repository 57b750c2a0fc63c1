"""A Docker container: whether it runs, how healthy it finds itself, how often it was restarted; deaths at once."""

from collections.abc import Callable, Sequence
from datetime import datetime

from healer.clock import Clock
from healer.drivers.docker import Container, Docker, DockerError, Event, Usage
from healer.drivers.slot import Slot
from healer.errors import SensorError
from healer.model.observation import Reading
from healer.model.target import Target
from healer.sensors.interface import Push, TargetSensor
from healer.sensors.rates import Rates
from healer.sensors.sane import Sieve

_SHORT_ID = 12
_OF_RUNNING = ("container.cpu", "container.memory", "container.uptime")


class ContainerSensor(TargetSensor):
    """Keys of the target: ``container`` (name or id, else the target's name).

    An engine that cannot be asked makes all unknown; one that says there is no such container is believed.
    """

    def __init__(self, target: Target, docker: Docker, clock: Clock) -> None:
        super().__init__(target, every=5.0)
        self._docker = docker
        self._clock = clock
        self._container = str(target.spec.get("container") or target.name)
        self._slot = Slot(target.id)
        self._rates = Rates()
        self._last: Container | None = None
        self._push: Push | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def open(self, push: Push) -> None:
        """Hear of what happens between looks."""
        self._push = push
        if self._unsubscribe is None:
            self._unsubscribe = self._docker.subscribe(self._hear)

    async def close(self) -> None:
        """Hear no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask the engine."""
        try:
            found, usage = await self._slot.call(self._ask)
        except DockerError as exc:
            raise SensorError(exc.message, hint=exc.hint) from exc
        return self._tell(now, found, usage)

    def _ask(self) -> tuple[Container | None, Usage | None]:
        found = self._docker.inspect_now(self._container)
        running = found is not None and found.state in ("running", "paused")
        return found, self._docker.usage_now(self._container) if running else None

    def _tell(self, now: float, found: Container | None, usage: Usage | None) -> Sequence[Reading]:
        sieve = Sieve(now, self.marks)
        if found is None:
            _tell_absent(sieve)
        else:
            _tell_state(sieve, found)
            self._tell_usage(sieve, found, usage)
        self._last = found
        self.garbage += sieve.garbage
        return sieve.readings

    def _tell_usage(self, sieve: Sieve, found: Container, usage: Usage | None) -> None:
        if not found.generation:
            sieve.all_unknown(_OF_RUNNING, "it does not run")
            return
        started = _seconds(found.started_at)
        if started is None:
            sieve.unknown("container.uptime", "the engine does not say when it started")
        else:
            sieve.number("container.uptime", self._clock.wall() - started)
        if usage is None:
            sieve.all_unknown(_OF_RUNNING[:2], "the engine does not say")
            return
        rate = self._rates.step(found.generation, usage.cpu, sieve.at)
        if self._last is not None and self._last.generation != found.generation:
            self._rates.forget(self._last.generation)
        if isinstance(rate, str):
            sieve.unknown("container.cpu", rate)
        else:
            sieve.number("container.cpu", rate)
        sieve.number("container.memory", usage.memory)

    def _hear(self, event: Event) -> None:
        """Push what an event says of this container, on the loop's thread."""
        if self._push is None or not self._is_ours(event):
            return
        now = self._clock.now()
        if event.what == "die":
            self._push(self._tell_death(now, event))
        elif event.container is not None:
            sieve = Sieve(now, self.marks)
            _tell_state(sieve, event.container)
            self._last = event.container
            self._push(sieve.readings)

    def _is_ours(self, event: Event) -> bool:
        if self._container in (event.name, event.id):
            return True
        return len(self._container) >= _SHORT_ID and event.id.startswith(self._container)

    def _tell_death(self, now: float, event: Event) -> Sequence[Reading]:
        """A death seen is conclusive, unless the engine itself may be starting it again this moment."""
        sieve = Sieve(now, self.marks)
        final = self._last is not None and self._last.policy in ("no", "")
        sieve.number("container.up", 0, conclusive=final)
        sieve.word("container.state", "exited", conclusive=final)
        sieve.word("container.generation", "", conclusive=final)
        if event.exit_code is not None:
            sieve.number("container.exit_code", event.exit_code, conclusive=final)
        return sieve.readings


def _tell_state(sieve: Sieve, found: Container) -> None:
    sieve.number("container.up", found.running)
    sieve.word("container.state", found.state)
    sieve.word("container.health", found.health)
    sieve.word("container.generation", found.generation)
    sieve.number("container.restarts", found.restarts)
    if found.exit_code is None:
        sieve.unknown("container.exit_code", "it has not exited")
    else:
        sieve.number("container.exit_code", found.exit_code)


def _tell_absent(sieve: Sieve) -> None:
    sieve.number("container.up", 0)
    sieve.word("container.state", "absent")
    sieve.word("container.generation", "")
    because = "there is no such container"
    sieve.all_unknown(("container.health", "container.restarts", "container.exit_code", *_OF_RUNNING), because)


def _seconds(text: str) -> float | None:
    """Seconds since 1970 of the engine's time; None for its year 1, which means never."""
    head = text[:19]
    try:
        when = datetime.fromisoformat(head + "+00:00")
    except ValueError:
        return None
    return when.timestamp() if when.year > 1 else None
