"""A unit of systemd: whether it is up, how it ended, what it uses; every change at once."""

from collections.abc import Callable, Mapping, Sequence

from healer.clock import Clock
from healer.drivers.interface import DriverError
from healer.drivers.systemd.systemd import Systemd
from healer.drivers.systemd.unit import LIVING, Unit, full, is_template
from healer.errors import SensorError
from healer.model.kinds.unit import KIND
from healer.model.observation import Reading
from healer.model.target import Target
from healer.sensors.interface import Push, TargetSensor
from healer.sensors.rates import Rates
from healer.sensors.sane import Sieve

_ALL = tuple(metric.name for metric in KIND.metrics)
_OF_ONE = tuple(name for name in _ALL if name not in ("unit.up", "unit.instances"))
_USE = ("unit.cpu", "unit.memory", "unit.tasks")
_NO_PROCESSES = (".timer", ".path", ".target", ".device", ".automount")
"""Types of unit that never run anything themselves."""


class UnitSensor(TargetSensor):
    """Keys of the target: ``unit`` (else its name), ``bus``.

    A manager that cannot be asked makes all unknown; one that says there is no such unit is believed.
    """

    def __init__(self, target: Target, systemd: Systemd, clock: Clock) -> None:
        super().__init__(target, every=15.0)
        self._systemd = systemd
        self._clock = clock
        self._unit = full(str(target.spec.get("unit") or target.name))
        self._rates = Rates()
        self._run = ""
        self._push: Push | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def open(self, push: Push) -> None:
        """Hear of what happens between looks."""
        self._push = push
        if self._unsubscribe is None and not is_template(self._unit):
            self._unsubscribe = self._systemd.subscribe(self._unit, self._hear)

    async def close(self) -> None:
        """Hear no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask the manager."""
        sieve = Sieve(now, self.marks)
        try:
            if is_template(self._unit):
                _tell_family(sieve, await self._systemd.family(self._unit))
            else:
                found = await self._systemd.unit(self._unit)
                _tell(sieve, found)
                self._tell_use(sieve, found)
        except DriverError as exc:
            raise SensorError(exc.message, hint=exc.hint) from exc
        self.garbage += sieve.garbage
        return sieve.readings

    def _tell_use(self, sieve: Sieve, found: Unit) -> None:
        _tell_times(sieve, found, self._clock.wall())
        if not found.generation or found.id.endswith(_NO_PROCESSES):
            for metric in _USE:
                sieve.number(metric, 0)  # what runs nothing uses nothing
            return
        not_counted = "systemd does not count it (CPUAccounting=, MemoryAccounting=, TasksAccounting=)"
        if self._run != found.generation:
            self._rates.forget(self._run)
            self._run = found.generation
        rate = not_counted if found.cpu is None else self._rates.step(found.generation, found.cpu, sieve.at)
        for metric, value in zip(_USE, (rate, found.memory, found.tasks), strict=True):
            if value is None or isinstance(value, str):
                sieve.unknown(metric, value or not_counted)
            else:
                sieve.number(metric, value)

    def _hear(self, news: Unit | str) -> None:
        """Push what the manager told, on the loop's thread."""
        if self._push is None:
            return
        sieve = Sieve(self._clock.now(), self.marks)
        if isinstance(news, str):
            sieve.all_unknown(_ALL, news)
        else:
            # What it tells by itself has just happened. That it is down is final, once nobody is about to start it.
            _tell(sieve, news, final=news.standing() is False)
        self.garbage += sieve.garbage
        self._push(sieve.readings)


def _tell(sieve: Sieve, found: Unit, *, final: bool = False) -> None:
    up = found.standing()
    if isinstance(up, str):
        sieve.unknown("unit.up", up)
    else:
        sieve.number("unit.up", up, conclusive=final)
    sieve.number("unit.failed", found.failed, conclusive=final)
    for metric, word in (
        ("unit.state", found.state),
        ("unit.sub", found.sub),
        ("unit.result", found.result),
        ("unit.load", found.load),
        ("unit.generation", found.generation),
    ):
        sieve.word(metric, word, conclusive=final)
    if found.restarts is None:
        sieve.unknown("unit.restarts", "systemd does not start units of its type again")
    else:
        sieve.number("unit.restarts", found.restarts)
    if found.exit_code is None:
        sieve.unknown("unit.exit_code", "it has not exited")
    else:
        sieve.number("unit.exit_code", found.exit_code, conclusive=final)


def _tell_times(sieve: Sieve, found: Unit, wall: float) -> None:
    if found.since is None or found.state not in LIVING:
        sieve.unknown("unit.uptime", "it is not active")
    else:
        sieve.number("unit.uptime", max(0.0, wall - found.since))
    if found.triggered is not None:
        sieve.number("unit.triggered", max(0.0, wall - found.triggered))
    elif found.id.endswith(".timer"):
        sieve.unknown("unit.triggered", "it has not fired yet")


def _tell_family(sieve: Sieve, family: Mapping[str, str]) -> None:
    """A template is up when an instance is; the rest is for its instances to say."""
    active = sum(1 for state in family.values() if state in LIVING)
    sieve.number("unit.up", active > 0)
    sieve.number("unit.instances", active)
    sieve.all_unknown(_OF_ONE, "it is a template: its instances run, not it")
