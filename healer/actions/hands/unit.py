"""What can be done to a unit of systemd beyond start, stop and restart."""

from collections.abc import Callable, Mapping

from healer.actions.hand import Hand
from healer.actions.hands import asked
from healer.actions.hands.catalog import Services
from healer.actions.interface import Done, Order
from healer.actions.owner import most_of, unit_of
from healer.drivers.interface import DriverError
from healer.drivers.systemd import limits
from healer.drivers.systemd.systemd import Systemd
from healer.drivers.systemd.unit import LIVING, UNSET, instance, template
from healer.errors import ActionError

Manager = Callable[[str], Systemd]
"""The one behind a bus."""


class UnitHand(Hand):
    """A hand that works through systemd."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def _of(self, order: Order) -> Systemd:
        return self._manager(str(order.target.spec.get("bus", "")))


class Reload(UnitHand):
    """Its ExecReload=, or the signal of a notify-reload service."""

    touches = "the unit's own configuration, read again"

    async def act(self, order: Order) -> Done:
        """Reload it; raises ActionError where it cannot, or did not take it."""
        name = unit_of(order.target)
        after = await self._of(order).reload(name, generation=order.generation, within=most_of(order.timeout))
        return Done(because=f"reloaded {name}", generation=after.generation)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would reload {unit_of(order.target)} ({order.generation or 'it does not run'})"


class Scale(UnitHand):
    """Instances of a template, numbered from 1: the lowest are started first, the highest stopped first."""

    touches = "instances of the unit's template, as many as the target declares"

    async def act(self, order: Order) -> Done:
        """Start or stop instances, one after the other; raises ActionError, telling how far it came."""
        of, least, most = _family(order)
        manager = self._of(order)
        try:
            running = {name for name, state in (await manager.family(of)).items() if state in LIVING}
        except DriverError as exc:
            raise ActionError(f"cannot count the instances of {of}: {exc.message}", hint=exc.hint) from exc
        numbered = [instance(of, which) for which in range(1, most + 1)]
        up = [name for name in numbered if name in running]
        to = asked.instances(order, len(up), least=least, most=most)
        more = [name for name in numbered if name not in running][: max(0, to - len(up))]
        fewer = up[::-1][: max(0, len(up) - to)]
        within = most_of(order.timeout) / max(1, len(more) + len(fewer))
        done: list[str] = []
        try:
            for name in more:
                found = await _seen(manager, name)
                await manager.start(name, generation=found, within=within)
                done.append(name)
            for name in fewer:
                found = await _seen(manager, name)
                await manager.stop(name, generation=found, within=within)
                done.append(name)
        except ActionError as exc:
            exc.message += f" (before that: {', '.join(done) or 'nothing'})"
            raise
        undo = {"to": str(len(up))} if done else {}
        because = f"{of} has {to} instances, was {len(up)}" if done else f"{of} has {to} instances already"
        return Done(because=because, undo=undo)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        of, least, most = _family(order)
        return f"would bring {of} to {order.params['to']} instances, within {least} and {most}"


class Adjust(UnitHand):
    """Limits and weights of its control group, until the next boot."""

    touches = "limits and weights of the unit's control group"

    async def act(self, order: Order) -> Done:
        """Change them, or put former ones back; raises ActionError."""
        manager, name = self._of(order), unit_of(order.target)
        now = await manager.settings(name, (*limits.PROPERTIES, "MemoryCurrent"))
        if order.params.get("back") is not None:
            return await self._put_back(manager, name, order, now)
        used = now.get("MemoryCurrent", UNSET)
        bounds = order.target.spec.get("bounds") or {}
        wanted, taken = asked.changes(order, limits.SETTINGS), None if used == UNSET else used
        new = limits.planned(wanted, now, memory_used=taken, bounds=bounds)
        new = {key: value for key, value in new.items() if now.get(key, UNSET) != value}
        if not new:
            return Done(because=f"{name} has it so already", generation=order.generation)
        await manager.adjust(name, new, generation=order.generation)
        said = ", ".join(f"{key}={value} (was {_shown(now.get(key, UNSET))})" for key, value in new.items())
        return Done(because=f"{name}: {said}", generation=order.generation, undo={"back": limits.noted(now, new)})

    async def _put_back(self, manager: Systemd, name: str, order: Order, now: Mapping[str, int]) -> Done:
        back, others = limits.put_back(order.params["back"], now)
        if back:
            await manager.adjust(name, back, generation=order.generation)
        said = ", ".join(f"{key}={_shown(value)}" for key, value in back.items()) or "nothing to put back"
        left = f"; left alone, since somebody else changed it: {', '.join(others)}" if others else ""
        return Done(because=f"{name}: {said}{left}", generation=order.generation)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        if order.params.get("back") is not None:
            return f"would put back the former limits of {unit_of(order.target)}"
        return f"would adjust {unit_of(order.target)}: {asked.told(order, limits.SETTINGS)}"


def hands(services: Services) -> Mapping[str, Hand]:
    """The hands for units."""
    manager = services.drivers.systemd
    return {"reload": Reload(manager), "scale": Scale(manager), "adjust": Adjust(manager)}


def _family(order: Order) -> tuple[str, int, int]:
    of = template(unit_of(order.target))
    declared = order.target.spec.get("instances")
    if not of or not declared:
        raise ActionError(
            f"{order.target.id} was not declared to have several instances",
            hint="a template such as web@.service, with instances: {least: 1, most: 4}",
            transient=False,
        )
    return of, int(declared["least"]), int(declared["most"])


async def _seen(manager: Systemd, name: str) -> str:
    """The incarnation of an instance that nobody has judged by itself."""
    try:
        return (await manager.unit(name)).generation
    except DriverError as exc:
        raise ActionError(f"cannot look at {name}: {exc.message}", hint=exc.hint) from exc


def _shown(value: int) -> str:
    return "unlimited" if value == UNSET else str(value)
