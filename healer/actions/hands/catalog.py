"""The hands for each kind of target, written down; a kind's file is imported at its first order, not before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from healer.actions.hand import Hand
from healer.clock import Clock
from healer.drivers.catalog import Drivers
from healer.drivers.holds import Holds
from healer.drivers.programs import Programs


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What hands hold on to."""

    drivers: Drivers
    programs: Programs
    clock: Clock
    state_dir: Path = Path("/var/lib/healer")
    """Where the agent keeps what is its own."""
    holds: Holds = field(default_factory=lambda: Holds(None))
    """Which incarnations are in quarantine."""


Make = Callable[[Services], Mapping[str, Hand]]


def _haproxy(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.haproxy import hands

    return hands(services)


def _unit(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.unit import hands

    return hands(services)


def _postgres(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.postgres import hands

    return hands(services)


def _sql(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.sql import hands

    return hands(services)


def _rabbitmq(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.rabbitmq import hands

    return hands(services)


def _redis(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.redis import hands

    return hands(services)


def _container(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.container import hands

    return hands(services)


def _program(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.program import hands

    return hands(services)


def _process(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.process import hands

    return hands(services)


def _http(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.http import hands

    return hands(services)


def _file(services: Services) -> Mapping[str, Hand]:
    from healer.actions.hands.file import hands

    return hands(services)


MAKERS: dict[str, Make] = {
    "program": _program,
    "process": _process,
    "file": _file,
    "http": _http,
    "container": _container,
    "redis": _redis,
    "rabbitmq": _rabbitmq,
    "unit": _unit,
    "haproxy": _haproxy,
    "postgres": _postgres,
    "sql": _sql,
}
"""By kind of target."""


class HandsOf:
    """The hands by kind, each kind's made once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._made: dict[str, Mapping[str, Hand]] = {}

    def __call__(self, kind: str) -> Mapping[str, Hand]:
        """The hands for a kind, by verb."""
        if kind not in self._made:
            make = MAKERS.get(kind)
            self._made[kind] = MappingProxyType({}) if make is None else make(self._services)
        return self._made[kind]
