"""What can be done to a container beyond start, stop and restart: none is made, nothing is run inside."""

import asyncio
from collections.abc import Mapping
from typing import Any

from healer.actions.hand import Hand
from healer.actions.hands.asked import changes, instances, told
from healer.actions.hands.catalog import Services
from healer.actions.interface import Done, Order
from healer.actions.owner import container_of
from healer.drivers import container_bounds as bounds
from healer.drivers.containers import Container
from healer.drivers.docker import Docker
from healer.drivers.interface import DriverError
from healer.errors import ActionError

_SETTLES = 0.5
"""Seconds after a signal in which a process that cannot take it would have ended."""
_SHORT_ID = 12


class ContainerHand(Hand):
    """A hand that works through the engine."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    async def _judged(self, order: Order) -> Container:
        """The container, if it is the incarnation that was judged; raises ActionError."""
        name = container_of(order)
        found = await self._found(name)
        if found is None or found.generation != order.generation:
            raise ActionError(f"container {name} is another incarnation now", transient=False)
        return found

    async def _found(self, name: str) -> Container | None:
        try:
            return await self._docker.inspect(name)
        except DriverError as exc:
            raise ActionError(exc.message, hint=exc.hint) from exc


class Reload(ContainerHand):
    """The declared signal, to its first process, which must outlive it."""

    touches = "the container's first process"

    async def act(self, order: Order) -> Done:
        """Send it; raises ActionError where none is declared, or the process ended of it."""
        name, signal = container_of(order), order.target.spec.get("reload")
        if not signal:
            raise ActionError(
                f"{order.target.id} was not declared to read its configuration again on a signal",
                hint="reload: HUP, where its program does",
                transient=False,
            )
        await self._docker.signal(name, generation=order.generation, signal=str(signal))
        await asyncio.sleep(_SETTLES)
        after = await self._found(name)
        if after is None or after.generation != order.generation:
            raise ActionError(f"container {name} ended of {signal}", transient=False)
        return Done(because=f"sent {signal} to {name}, which runs on", generation=after.generation)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would send {order.target.spec.get('reload') or 'nothing'} to {container_of(order)}"


class Scale(ContainerHand):
    """The target's own container always runs; its spares are started in their order, and stopped in the reverse."""

    touches = "the spare containers that the target declares"

    async def act(self, order: Order) -> Done:
        """Start or stop spares, one after the other; raises ActionError, telling how far it came."""
        spares = _spares(order)
        await self._judged(order)
        seen = {name: await self._found(name) for name in spares}
        up = [name for name, one in seen.items() if one is not None and one.running]
        to = instances(order, 1 + len(up), least=1, most=1 + len(spares))
        more = [name for name in spares if name not in up][: max(0, to - 1 - len(up))]
        fewer = up[::-1][: max(0, 1 + len(up) - to)]
        done: list[str] = []
        try:
            for name in more + fewer:
                await self._one(name, seen[name], start=name in more, grace=order.timeout / len(more + fewer) / 2)
                done.append(name)
        except ActionError as exc:
            exc.message += f" (before that: {', '.join(done) or 'nothing'})"
            raise
        own = container_of(order)
        if not done:
            return Done(because=f"{own} has {to} instances already", generation=order.generation)
        because = f"{own} has {to} instances, was {1 + len(up)}: {', '.join(done)}"
        return Done(because=because, generation=order.generation, undo={"to": str(1 + len(up))})

    async def _one(self, name: str, seen: Container | None, *, start: bool, grace: float) -> None:
        if seen is None:
            raise ActionError(f"there is no container {name}", hint="none is made here", transient=False)
        if start:
            await self._docker.start(name, generation=seen.generation)
        else:
            await self._docker.stop(name, generation=seen.generation, grace=min(10.0, grace))

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would bring {container_of(order)} to {order.params['to']} instances, of {', '.join(_spares(order))}"


class Adjust(ContainerHand):
    """CPU, memory, weight and tasks, without a restart."""

    touches = "bounds of the container's control group"

    async def act(self, order: Order) -> Done:
        """Change them, or put former ones back; raises ActionError."""
        if (back := order.params.get("back")) is not None:
            return await self._put_back(order, back)
        wanted = changes(order, bounds.SETTINGS)
        before = await self._judged(order)
        new = bounds.planned(wanted, before.limits, await self._room(order))
        if new == before.limits:
            return Done(because=f"{before.name} has it so already", generation=order.generation)
        await self._docker.update(before.id, generation=order.generation, limits=new)
        note = {"of": before.id[:_SHORT_ID], "was": bounds.noted(before.limits), "is": bounds.noted(new)}
        because = f"{before.name}: {bounds.told(before.limits, new)}"
        return Done(because=because, generation=order.generation, undo={"back": note})

    async def _put_back(self, order: Order, note: Mapping[str, Any]) -> Done:
        now = await self._judged(order)
        if note.get("of") != now.id[:_SHORT_ID]:
            because = f"{now.name} was made anew since, with bounds of its own: nothing to put back"
            return Done(because=because, generation=order.generation)
        old, others = bounds.put_back(note, now.limits)
        left = f"; left alone, since somebody else changed it: {', '.join(others)}" if others else ""
        if old != now.limits:
            await self._docker.update(now.id, generation=order.generation, limits=old)
        because = f"{now.name}: {bounds.told(now.limits, old) or 'nothing to put back'}{left}"
        return Done(because=because, generation=order.generation)

    async def _room(self, order: Order) -> bounds.Room:
        try:
            host = await self._docker.host()
            _, used = await self._docker.look(container_of(order))
        except DriverError as exc:
            raise ActionError(exc.message, hint=exc.hint) from exc
        return bounds.Room(
            cpus=host.cpus, memory=host.memory, declared=order.target.spec.get("bounds") or {},
            memory_used=used.memory if used else 0.0, tasks_used=(used.pids or 0.0) if used else 0.0,
        )  # fmt: skip

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        if order.params.get("back") is not None:
            return f"would put back the former bounds of {container_of(order)}"
        return f"would adjust {container_of(order)}: {told(order, bounds.SETTINGS)}"


class Quarantine(ContainerHand):
    """Frozen as it is, or cut off from its networks; kept for study, and put back when the incident is over."""

    touches = "the container's processes, or its networks"

    async def act(self, order: Order) -> Done:
        """Set it apart, or take it back; raises ActionError."""
        back = order.params.get("back")
        before = await self._judged(order)
        if back is not None:
            return await self._put_back(order, before, back)
        if order.target.spec.get("quarantine") == "networks":
            return await self._cut_off(order, before)
        if before.state == "paused":
            return Done(because=f"{before.name} is frozen already", generation=order.generation)
        await self._docker.pause(before.id, generation=order.generation)
        undo = {"back": {"of": before.id[:_SHORT_ID], "state": before.state}}
        return Done(because=f"froze {before.name}", generation=order.generation, undo=undo)

    async def _cut_off(self, order: Order, before: Container) -> Done:
        networks = {name: _asked(before, given) for name, given in before.networks.items() if name != "host"}
        if not networks:
            raise ActionError(
                f"{before.name} is in no network that it could leave",
                hint="quarantine: pause, of the target, freezes it",
                transient=False,
            )
        await self._docker.detach(before.id, generation=order.generation, networks=networks)
        undo = {"back": {"of": before.id[:_SHORT_ID], "networks": networks}}
        because = f"took {before.name} out of {', '.join(sorted(networks))}"
        return Done(because=because, generation=order.generation, undo=undo)

    async def _put_back(self, order: Order, now: Container, note: Mapping[str, Any]) -> Done:
        if note.get("of") != now.id[:_SHORT_ID]:
            return Done(because=f"{now.name} was made anew since: nothing to put back", generation=order.generation)
        if networks := note.get("networks"):
            await self._docker.attach(now.id, generation=order.generation, networks=networks)
            because = f"put {now.name} back into {', '.join(sorted(networks))}"
            return Done(because=because, generation=order.generation)
        if now.state != "paused":
            return Done(because=f"{now.name} is not frozen any more", generation=order.generation)
        await self._docker.unpause(now.id, generation=order.generation)
        return Done(because=f"let {now.name} go on", generation=order.generation)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        if order.params.get("back") is not None:
            return f"would let {container_of(order)} go on as before"
        if order.target.spec.get("quarantine") == "networks":
            return f"would take {container_of(order)} out of its networks"
        return f"would freeze {container_of(order)}"


def hands(services: Services) -> Mapping[str, Hand]:
    """The hands for containers."""
    docker = services.drivers.docker
    return {
        "reload": Reload(docker), "scale": Scale(docker), "adjust": Adjust(docker), "quarantine": Quarantine(docker),
    }  # fmt: skip


def _spares(order: Order) -> tuple[str, ...]:
    spares = tuple(order.target.spec.get("spare") or ())
    if not spares:
        raise ActionError(
            f"{order.target.id} was not declared to have several instances",
            hint="spare: [NAME, ...] names containers that are made already",
            transient=False,
        )
    return spares


def _asked(one: Container, given: Mapping[str, Any]) -> dict[str, Any]:
    """What it asked of a network, so that it can ask for it again: the engine adds its short id to the aliases."""
    aliases = [str(alias) for alias in given.get("Aliases") or () if not one.id.startswith(str(alias))]
    address = (given.get("IPAMConfig") or {}).get("IPv4Address")
    return {**({"aliases": aliases} if aliases else {}), **({"address": str(address)} if address else {})}
