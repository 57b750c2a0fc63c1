"""A Docker container: whether it runs, how healthy it finds itself, what it uses of its bounds; deaths at once."""

from collections.abc import Callable, Sequence

from healer.clock import Clock
from healer.drivers.containers import Container, Event, Usage, nanoseconds
from healer.drivers.docker import Docker
from healer.drivers.interface import DriverError
from healer.errors import SensorError
from healer.model.observation import Reading
from healer.model.target import Target
from healer.sensors.interface import Push, TargetSensor
from healer.sensors.rates import Rates
from healer.sensors.sane import Sieve, ratio

_SHORT_ID = 12
_USED = ("container.cpu", "container.memory", "container.memory_used", "container.pids", "container.throttled")
_OF_RUNNING = (*_USED, "container.uptime")
_OF_ANY = (
    "container.health", "container.restarts", "container.exit_code", "container.oom_killed", "container.image",
    "container.asked_to_end", "container.cpu_limit", "container.memory_limit",
)  # fmt: skip


class ContainerSensor(TargetSensor):
    """Keys of the target: ``container`` (name or id, else the target's name).

    An engine that cannot be asked makes all unknown; one that says there is no such container is believed.
    """

    def __init__(self, target: Target, docker: Docker, clock: Clock) -> None:
        super().__init__(target, every=5.0)
        self._docker = docker
        self._clock = clock
        self._container = str(target.spec.get("container") or target.name)
        self._spares = tuple(target.spec.get("spare") or ())
        self._rates = Rates()
        self._last: Container | None = None
        self._quota: tuple[str, int, int] | None = None
        """Incarnation, periods and throttled periods at the last look."""
        self._asked: tuple[str, bool] | None = None
        """Of the last end that was heard: id of the container, and whether somebody had asked for it."""
        self._starved = ""
        """The run in which the kernel was heard to kill something: engines may say so only once it has ended."""
        self._push: Push | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def open(self, push: Push) -> None:
        """Hear of what happens between looks."""
        self._push = push
        if self._unsubscribe is None:
            self._unsubscribe = self._docker.subscribe(self._hear, self._container)

    async def close(self) -> None:
        """Hear no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask the engine."""
        try:
            found, usage = await self._docker.look(self._container)
            spares = [await self._docker.inspect(name) for name in self._spares]
        except DriverError as exc:
            raise SensorError(exc.message, hint=exc.hint) from exc
        sieve = Sieve(now, self.marks)
        if found is None:
            _tell_absent(sieve)
        else:
            self._tell_state(sieve, found)
            self._tell_usage(sieve, found, usage)
        if spares:
            sieve.number("container.instances", sum(one is not None and one.running for one in (found, *spares)))
        self._last = found
        self.garbage += sieve.garbage
        return sieve.readings

    # ------------------------------------------------------------------------------------- what is told

    def _tell_state(self, sieve: Sieve, found: Container) -> None:
        sieve.number("container.up", found.running)
        sieve.word("container.state", found.state)
        sieve.word("container.health", found.health)
        sieve.word("container.generation", found.generation)
        sieve.number("container.restarts", found.restarts)
        sieve.number("container.oom_killed", found.oom_killed or self._starved == found.run)
        sieve.word("container.image", found.image)
        for metric, bound in (("cpu_limit", found.limits.cpus), ("memory_limit", found.limits.memory)):
            if bound:
                sieve.number(f"container.{metric}", bound)
            else:
                sieve.unknown(f"container.{metric}", "it is not bounded")
        sieve.maybe("container.exit_code", found.exit_code, "it has not exited")
        if found.generation:
            sieve.number("container.asked_to_end", 0)
        elif self._asked is not None and self._asked[0] == found.id:
            sieve.number("container.asked_to_end", self._asked[1])
        else:
            sieve.unknown("container.asked_to_end", "nobody listened when it ended")

    def _tell_usage(self, sieve: Sieve, found: Container, usage: Usage | None) -> None:
        if not found.generation:
            sieve.all_unknown(_OF_RUNNING, "it does not run")
            return
        started = nanoseconds(found.started_at)
        if started is None:
            sieve.unknown("container.uptime", "the engine does not say when it started")
        else:
            # The engine's clock may be a little ahead of ours: what has just started is not garbage for that.
            sieve.number("container.uptime", max(0.0, self._clock.wall() - started / 1e9))
        if usage is None:
            sieve.all_unknown(_USED, "neither the kernel nor the engine says")
            return
        self._tell_cpu(sieve, found, usage)
        self._tell_memory(sieve, found, usage)
        sieve.maybe("container.pids", usage.pids, "neither the kernel nor the engine says")

    def _tell_cpu(self, sieve: Sieve, found: Container, usage: Usage) -> None:
        rate = self._rates.step(found.generation, usage.cpu, sieve.at)
        if self._last is not None and self._last.generation != found.generation:
            self._rates.forget(self._last.generation)
        if isinstance(rate, str):
            sieve.unknown("container.cpu", rate)
        else:
            sieve.number("container.cpu", rate)
        last, self._quota = self._quota, None
        if usage.periods is None or usage.throttled is None:
            sieve.unknown("container.throttled", "neither the kernel nor the engine says")
            return
        self._quota = (found.generation, usage.periods, usage.throttled)
        if last is None or last[0] != found.generation:
            sieve.unknown("container.throttled", "a share needs two looks")
            return
        passed = usage.periods - last[1]
        sieve.number("container.throttled", (usage.throttled - last[2]) / passed if passed > 0 else 0.0)

    @staticmethod
    def _tell_memory(sieve: Sieve, found: Container, usage: Usage) -> None:
        sieve.number("container.memory", usage.memory)
        share = ratio(usage.memory, found.limits.memory)
        used = None if share is None else min(1.0, share)
        sieve.maybe("container.memory_used", used, "its memory is not bounded")

    # ------------------------------------------------------------------------------------- what is heard

    def _hear(self, event: Event) -> None:
        """Push what an event says of this container, on the loop's thread."""
        if self._push is None or not self._is_ours(event):
            return
        sieve = Sieve(self._clock.now(), self.marks)
        if event.what == "die":
            self._asked = (event.id, event.asked)
        if event.what == "oom" and not event.late and event.container is not None:
            self._starved = event.container.run
        if event.container is not None:
            self._tell_state(sieve, event.container)
            self._last = event.container
        elif event.what == "die" and not event.late:
            self._tell_death(sieve, event)
        elif event.what == "destroy":
            _tell_absent(sieve)
            self._last = None
        self.garbage += sieve.garbage
        if sieve.readings:
            self._push(sieve.readings)

    def _is_ours(self, event: Event) -> bool:
        if self._container in (event.name, event.id):
            return True
        return len(self._container) >= _SHORT_ID and event.id.startswith(self._container)

    def _tell_death(self, sieve: Sieve, event: Event) -> None:
        """A death seen is conclusive, unless somebody asked for it or the engine itself may heal it this moment."""
        final = self._last is not None and self._last.policy in ("no", "") and not event.asked
        sieve.number("container.up", 0, conclusive=final)
        sieve.word("container.state", "exited", conclusive=final)
        sieve.word("container.generation", "", conclusive=final)
        sieve.number("container.asked_to_end", event.asked, conclusive=final)
        if self._last is not None and self._starved == self._last.run:
            sieve.number("container.oom_killed", 1, conclusive=final)
        if event.exit_code is not None:
            sieve.number("container.exit_code", event.exit_code, conclusive=final)


def _tell_absent(sieve: Sieve) -> None:
    sieve.number("container.up", 0)
    sieve.word("container.state", "absent")
    sieve.word("container.generation", "")
    sieve.all_unknown((*_OF_ANY, *_OF_RUNNING), "there is no such container")
