"""Every kind of sensor by the name used in organism.yaml, written down."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from healer import plugged
from healer.clock import Clock
from healer.drivers.catalog import Drivers
from healer.drivers.docker import Docker
from healer.drivers.http import Http
from healer.errors import ConfigError
from healer.model.target import EMPTY, Target
from healer.sensors.cgroup import CgroupSensor
from healer.sensors.command import CommandSensor
from healer.sensors.container import ContainerSensor
from healer.sensors.file import FileSensor
from healer.sensors.host import HostSensor
from healer.sensors.host_slow import HostSlowSensor
from healer.sensors.http import HttpSensor
from healer.sensors.interface import Sensor
from healer.sensors.process import ProcessSensor
from healer.sensors.program import ProgramSensor, ProgramView
from healer.sensors.self import Figures, SelfSensor
from healer.sensors.tcp import TcpSensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What sensors look through. The drivers are cheap until used: their libraries load with the first look."""

    clock: Clock
    http: Http
    docker: Docker
    drivers: Drivers | None = None
    """All of them; None: only what needs no driver of its own can be looked at."""
    programs: ProgramView | None = None
    figures: Figures = lambda: EMPTY
    """The agent's own figures, for the `self` sensor."""


Build = Callable[[Target, Services], Sensor]


def _drivers(target: Target, services: Services) -> Drivers:
    if services.drivers is None:
        raise ConfigError(f"{target.id}: no drivers to look at it with")
    return services.drivers


def _unit(target: Target, services: Services) -> Sensor:
    from healer.sensors.unit import UnitSensor

    return UnitSensor(target, _drivers(target, services).systemd(str(target.spec.get("bus", ""))), services.clock)


def _haproxy(target: Target, services: Services) -> Sensor:
    from healer.drivers.haproxy import Haproxy
    from healer.sensors.haproxy import HaproxySensor

    return HaproxySensor(target, cast("Haproxy", _drivers(target, services).of(target)))


def _tls(target: Target, services: Services) -> Sensor:
    from healer.sensors.tls import TlsSensor

    return TlsSensor(target, _drivers(target, services).tls, services.clock)


def _dns(target: Target, services: Services) -> Sensor:
    from healer.drivers.dns import Dns
    from healer.sensors.dns import DnsSensor

    return DnsSensor(target, Dns(services.clock))


def _postgres(target: Target, services: Services) -> Sensor:
    from healer.drivers.postgres import Postgres
    from healer.sensors.postgres import PostgresSensor

    return PostgresSensor(target, cast("Postgres", _drivers(target, services).of(target)), services.clock)


def _sql(target: Target, services: Services) -> Sensor:
    from healer.drivers.sql import Database
    from healer.sensors.sql import SqlSensor

    return SqlSensor(target, cast("Database", _drivers(target, services).of(target)), services.clock)


def _redis(target: Target, services: Services) -> Sensor:
    from healer.drivers.redis import Redis
    from healer.sensors.redis import RedisSensor

    return RedisSensor(target, cast("Redis", _drivers(target, services).of(target)), services.clock)


def _prometheus(target: Target, services: Services) -> Sensor:
    from healer.sensors.prometheus import PrometheusSensor

    return PrometheusSensor(target, services.http, services.clock)


def _rabbitmq(target: Target, services: Services) -> Sensor:
    from healer.drivers.rabbitmq import RabbitMQ
    from healer.sensors.rabbitmq import RabbitSensor

    return RabbitSensor(target, cast("RabbitMQ", _drivers(target, services).of(target)))


def _log(target: Target, services: Services) -> Sensor:
    from healer.sensors.log import LogSensor

    return LogSensor(target, services.clock, services.drivers.positions if services.drivers else None)


def _journal(target: Target, services: Services) -> Sensor:
    from healer.sensors.journal import JournalSensor

    drivers = _drivers(target, services)
    journal = drivers.journal(str(target.spec.get("directory") or ""))
    return JournalSensor(target, journal, services.clock, drivers.positions)


def _nagios(target: Target, services: Services) -> Sensor:
    from healer.sensors.nagios import NagiosSensor

    return NagiosSensor(target, services.clock)


KINDS: dict[str, Build] = {
    "process": lambda target, services: ProcessSensor(target, services.clock),
    "file": lambda target, services: FileSensor(target, services.clock),
    "command": lambda target, services: CommandSensor(target, services.clock),
    "http": lambda target, services: HttpSensor(target, services.http),
    "tcp": lambda target, services: TcpSensor(target, services.clock),
    "container": lambda target, services: ContainerSensor(target, services.docker, services.clock),
    "unit": _unit,
    "log": _log,
    "journal": _journal,
    "nagios": _nagios,
    "haproxy": _haproxy,
    "postgres": _postgres,
    "sql": _sql,
    "redis": _redis,
    "rabbitmq": _rabbitmq,
    "tls": _tls,
    "dns": _dns,
    "prometheus": _prometheus,
}
"""A sensor that only some hosts need is imported in a function of its own.

Programs are not among them: one sensor looks at all (`defaults`)."""


def build(target: Target, services: Services) -> Sensor:
    """The sensor of a target; raises ConfigError for a kind nothing here can look at."""
    if target.kind in plugged.SENSORS:
        sensor: Sensor = plugged.SENSORS[target.kind](target, services.clock)
        return sensor
    if target.kind not in KINDS:
        raise ConfigError(f"{target.id}: no sensor for kind '{target.kind}'", hint=f"one of: {', '.join(KINDS)}")
    return KINDS[target.kind](target, services)


def looks_at(kind: str) -> bool:
    """Whether there is a sensor for targets of this kind, of ours or of a plug-in."""
    return kind in KINDS or kind in plugged.SENSORS


def defaults(services: Services, *, host_every: float = 1.0, slow_every: float = 30.0) -> list[Sensor]:
    """What every agent looks at: the host, itself, and its programs."""
    sensors: list[Sensor] = [
        HostSensor(services.clock, every=host_every),
        HostSlowSensor(every=slow_every),
        SelfSensor(services.figures),
    ]
    if services.programs is not None:
        sensors.append(ProgramSensor(services.programs))
    return sensors


def everything(targets: Iterable[Target], services: Services, *, host_every: float = 1.0) -> list[Sensor]:
    """The default sensors, and one for each target that is not a program and that something here can look at."""
    every = tuple(targets)
    built = [build(target, services) for target in every if looks_at(target.kind)]
    groups = [CgroupSensor(target) for target in every if target.spec.get("cgroup")]
    return [*defaults(services, host_every=host_every), *built, *groups]
