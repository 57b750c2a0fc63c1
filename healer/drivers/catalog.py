"""Every driver of an agent: made when first needed, one for each system, and closed by their owner."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from healer.clock import Clock
from healer.drivers.docker import Docker
from healer.drivers.http import Http
from healer.drivers.interface import Driver, DriverStatus, LinkState
from healer.drivers.link import Changed, no_one
from healer.drivers.systemd.systemd import Systemd
from healer.errors import HealerError
from healer.model.target import Target

if TYPE_CHECKING:
    from healer.drivers.journalctl import Journal
    from healer.drivers.tls import Tls


class Drivers:
    """The drivers. ``changed`` hears of connections that were lost, and of those that are back."""

    def __init__(self, clock: Clock, *, changed: Changed = no_one, positions: Path | None = None) -> None:
        self.clock = clock
        self.positions = positions
        """Folder where readers of logs note how far they have read; None: they keep nothing."""
        self.changed = changed
        self.http = Http(clock)
        self.docker = Docker(clock=clock, changed=changed)
        self._systemd: dict[str, Systemd] = {}
        self._journals: dict[str, Journal] = {}
        self._own: dict[str, tuple[Target, Driver]] = {}
        self._left: list[Driver] = []
        """Of targets whose keys have changed: closed once nobody uses them any more."""

    def systemd(self, bus: str = "") -> Systemd:
        """The manager behind a bus (``system``, ``user``, or an address), one connection for all of its units."""
        bus = bus or "system"
        if bus not in self._systemd:
            self._systemd[bus] = Systemd(self.clock, bus=bus, changed=self.changed)
        return self._systemd[bus]

    @cached_property
    def tls(self) -> "Tls":
        """The one that shakes hands: what this host trusts is read once for all, and takes a megabyte."""
        from healer.drivers.tls import Tls

        return Tls()

    def journal(self, directory: str = "") -> "Journal":
        """The journal of this host, or that of a folder: one child for all who want entries of it."""
        from healer.drivers.journalctl import Journal

        if directory not in self._journals:
            self._journals[directory] = Journal(self.clock, directory=directory, changed=self.changed)
        return self._journals[directory]

    def of(self, target: Target) -> Driver:
        """The driver of a target that is a system of its own; raises HealerError where its kind has none."""
        known = self._own.get(target.id)
        if known is not None and known[0].spec == target.spec:
            return known[1]
        if target.kind not in MAKERS:
            raise HealerError(f"{target.id}: no driver for kind '{target.kind}'")
        made = MAKERS[target.kind](target, self)
        if known is not None:
            self._left.append(known[1])
        self._own[target.id] = (target, made)
        return made

    def status(self) -> list[DriverStatus]:
        """How each of them is doing."""
        docker = self.docker.status()
        used = () if docker.state is LinkState.IDLE else (docker,)
        managers = [driver.status() for driver in self._systemd.values()]
        journals = [driver.status() for driver in self._journals.values()]
        return [*used, *managers, *journals, *(driver.status() for _, driver in self._own.values())]

    async def keep(self, targets: Iterable[Target]) -> None:
        """Close the drivers of targets that are gone, after a reload."""
        kept = {target.id for target in targets}
        gone = [self._own.pop(name)[1] for name in self._own.keys() - kept]
        left, self._left = self._left, []
        for driver in (*gone, *left):
            await driver.close()

    async def close(self) -> None:
        """Close all."""
        await self.keep(())
        for manager in self._systemd.values():
            await manager.close()
        for journal in self._journals.values():
            await journal.close()
        await self.http.close()
        await self.docker.close()


Make = Callable[[Target, Drivers], Driver]


def _haproxy(target: Target, drivers: Drivers) -> Driver:
    from healer.drivers.haproxy import Haproxy

    patience = float(target.spec.get("timeout") or 5.0)
    return Haproxy(target.id, str(target.spec["socket"]), drivers.clock, timeout=patience)


def _postgres(target: Target, drivers: Drivers) -> Driver:
    from healer.drivers.postgres import Postgres

    return Postgres(target, drivers.clock, changed=drivers.changed)


def _sql(target: Target, drivers: Drivers) -> Driver:
    if target.spec.get("path"):
        from healer.drivers.sqlite import Sqlite

        return Sqlite(target, drivers.clock)
    from healer.drivers.postgres import Postgres

    return Postgres(target, drivers.clock, changed=drivers.changed, ours=False)


def _redis(target: Target, drivers: Drivers) -> Driver:
    from healer.drivers.redis import Redis
    from healer.drivers.redis_wire import Place

    patience = float(target.spec.get("timeout") or 5.0)
    return Redis(target.id, Place.of(target), drivers.clock, timeout=patience, changed=drivers.changed)


def _rabbitmq(target: Target, drivers: Drivers) -> Driver:
    from healer.drivers.rabbitmq import Place, RabbitMQ

    patience = float(target.spec.get("timeout") or 5.0)
    return RabbitMQ(target.id, Place.of(target), drivers.http, drivers.clock, timeout=patience)


MAKERS: Mapping[str, Make] = MappingProxyType(
    {
        "haproxy": _haproxy,
        "postgres": _postgres,
        "sql": _sql,
        "redis": _redis,
        "rabbitmq": _rabbitmq,
    }
)
"""By the kind of a target that is a system of its own."""
