"""Who can start and stop a target: the driver behind its kind, seen through one small interface."""

import signal
from collections.abc import Callable, Mapping
from typing import Protocol

from healer.actions.interface import Order
from healer.drivers import processes, trees
from healer.drivers.programs import Programs
from healer.drivers.systemd.unit import Unit, full
from healer.errors import ActionError
from healer.model.target import Target

_KILL_TAKES = 5.0
"""Seconds kept for what comes after the grace, so that a step ends within its own timeout."""


class Owner(Protocol):
    """Starts and stops targets of one kind. All raise ActionError; none touches another incarnation than was judged."""

    async def start(self, order: Order) -> str:
        """Start it; returns its generation."""

    async def stop(self, order: Order) -> None:
        """Stop it."""

    async def restart(self, order: Order) -> str:
        """Stop and start it; returns its new generation."""


Owners = Mapping[str, Owner]
"""By kind of target."""


def owner(owners: Owners, order: Order) -> Owner:
    """The owner of the order's target; raises ActionError where its kind has none here."""
    if order.target.kind not in owners:
        raise ActionError(f"nothing here can do that to a {order.target.kind}", transient=False)
    return owners[order.target.kind]


def grace(order: Order, own: float) -> float:
    """Seconds from the stop signal to KILL: as ordered, else the target's own; never past the step's timeout."""
    asked = order.params.get("grace")
    return max(0.0, min(own if asked is None else float(asked), order.timeout - _KILL_TAKES))


class ProgramOwner:
    """Owner of the programs the agent runs itself."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def start(self, order: Order) -> str:
        """Start it under its intent."""
        return await self._programs.start(order.target.name, order.intent, generation=order.generation)

    async def stop(self, order: Order) -> None:
        """Stop its whole tree."""
        await self._programs.stop(order.target.name, self._grace(order), generation=order.generation)

    async def restart(self, order: Order) -> str:
        """Stop its whole tree and start it under its intent."""
        name = order.target.name
        return await self._programs.restart(name, order.intent, self._grace(order), generation=order.generation)

    def _grace(self, order: Order) -> float:
        return grace(order, self._programs.spec(order.target.name).grace)


class ProcessOwner:
    """Owner of processes somebody else started: they can be stopped, not started."""

    async def start(self, order: Order) -> str:
        """Not possible: nobody told us how."""
        raise ActionError(f"{order.target.id} was not started by the agent, so it cannot be", transient=False)

    async def stop(self, order: Order) -> None:
        """TERM, grace, KILL of the process that was judged and what stems from it."""
        pid, ticks = incarnation(order)
        processes.check_harmless(pid)
        with processes.opened(pid, order.generation):  # refuses when the number has changed hands
            await trees.end(trees.Tree(root=pid, ticks=ticks), number=signal.SIGTERM, grace=grace(order, 5.0))

    async def restart(self, order: Order) -> str:
        """Not possible: nobody told us how to start it."""
        return await self.start(order)


class Engine(Protocol):
    """The Docker driver, as far as an owner needs it. All raise ActionError."""

    async def start(self, name: str, *, generation: str) -> str:
        """Start it; returns its new generation."""

    async def stop(self, name: str, *, generation: str, grace: float) -> str:
        """Stop it."""

    async def restart(self, name: str, *, generation: str, grace: float) -> str:
        """Stop and start it; returns its new generation."""


class ContainerOwner:
    """Owner of containers: the engine does it."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine

    async def start(self, order: Order) -> str:
        """Start it."""
        return await self._engine().start(container_of(order), generation=order.generation)

    async def stop(self, order: Order) -> None:
        """Stop it."""
        await self._engine().stop(container_of(order), generation=order.generation, grace=grace(order, 10.0))

    async def restart(self, order: Order) -> str:
        """Stop and start it; of a dead one nothing is waited for."""
        if not order.generation:
            return await self.start(order)
        return await self._engine().restart(container_of(order), generation=order.generation, grace=grace(order, 10.0))


def container_of(order: Order) -> str:
    """What the engine knows the order's target by."""
    return str(order.target.spec.get("container") or order.target.name)


class Manager(Protocol):
    """systemd's driver, as far as an owner needs it. All raise ActionError."""

    async def start(self, name: str, *, generation: str, within: float) -> Unit:
        """Start it; returns it as it is then."""

    async def stop(self, name: str, *, generation: str, within: float, grace: float | None) -> Unit:
        """Stop it."""

    async def restart(self, name: str, *, generation: str, within: float, grace: float | None) -> Unit:
        """Stop and start it."""


class UnitOwner:
    """Owner of units: systemd does it, as the unit's file says. ``manager`` gives the one behind a bus."""

    def __init__(self, manager: Callable[[str], Manager]) -> None:
        self._manager = manager

    async def start(self, order: Order) -> str:
        """Start it."""
        name, within = unit_of(order.target), most_of(order.timeout)
        return (await self._of(order).start(name, generation=order.generation, within=within)).generation

    async def stop(self, order: Order) -> None:
        """Stop it; its own TimeoutStopSec= holds where the order names no grace."""
        name, within = unit_of(order.target), most_of(order.timeout)
        await self._of(order).stop(name, generation=order.generation, within=within, grace=_asked_grace(order))

    async def restart(self, order: Order) -> str:
        """Stop and start it; of a dead one nothing is waited for."""
        name, within, asked = unit_of(order.target), most_of(order.timeout), _asked_grace(order)
        fresh = await self._of(order).restart(name, generation=order.generation, within=within, grace=asked)
        return fresh.generation

    def _of(self, order: Order) -> Manager:
        return self._manager(str(order.target.spec.get("bus", "")))


def unit_of(target: Target) -> str:
    """The name of a target's unit, with its ending."""
    return full(str(target.spec.get("unit") or target.name))


def most_of(timeout: float) -> float:
    """Seconds of a step's timeout for the effect itself; the rest is for telling how it went."""
    return max(0.8 * timeout, timeout - _KILL_TAKES)


def _asked_grace(order: Order) -> float | None:
    return None if order.params.get("grace") is None else grace(order, 0.0)


def incarnation(order: Order) -> tuple[int, int]:
    """Pid and start ticks of the process that was judged; raises ActionError when none ran."""
    pid, _, ticks = order.generation.partition(".")
    if not pid.isdecimal() or not ticks.isdecimal():
        raise ActionError(f"{order.target.id} does not run", transient=False)
    return int(pid), int(ticks)
