"""What can be done to programs the agent runs beyond start, stop and restart."""

from collections.abc import Mapping

from healer.actions.hand import Hand
from healer.actions.hands.asked import instances
from healer.actions.hands.catalog import Services
from healer.actions.hands.tree import Adjust
from healer.actions.interface import Done, Order
from healer.drivers import trees
from healer.drivers.holds import Holds
from healer.drivers.programs import Programs
from healer.errors import ActionError


def hands(services: Services) -> Mapping[str, Hand]:
    """By verb."""
    programs = services.programs

    def tree_of(order: Order) -> trees.Tree:
        name = order.target.name
        if not order.generation or programs.generation(name) != order.generation:
            raise ActionError(f"program:{name} does not run, or is another incarnation now", transient=False)
        return programs.tree(name)

    return {"quarantine": Hold(programs, services.holds), "scale": Scale(programs), "adjust": Adjust(tree_of)}


class Hold(Hand):
    """Stopped where it stands, and not started again: memory, descriptors and sockets stay to be looked at."""

    touches = "the program's processes, and whether it is started"

    def __init__(self, programs: Programs, holds: Holds) -> None:
        self._programs, self._holds = programs, holds

    async def act(self, order: Order) -> Done:
        """Stop it where it stands, or let it go on; raises ActionError."""
        name = order.target.name
        if order.params.get("back") is not None:
            count = await self._programs.release(name, generation=order.generation)
            self._holds.drop(order.generation)
            return Done(because=f"{order.target.id} goes on, {count} processes", generation=order.generation)
        if self._programs.held(name):
            return Done(because=f"{order.target.id} is in quarantine already", generation=order.generation)
        count = await self._programs.hold(name, generation=order.generation)
        self._holds.add(order.generation)
        what = f"{count} processes of it stand still" if count else "it does not run"
        return Done(
            because=f"{order.target.id} is in quarantine: {what}, and nothing starts it",
            generation=order.generation,
            undo={"back": {"generation": order.generation}},
        )

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        if order.params.get("back") is not None:
            return f"would let {order.target.id} go on"
        return f"would stop {order.target.id} where it stands, and keep it from being started"


class Scale(Hand):
    """Members of a family of declared programs, ``NAME@1`` to ``NAME@n``: the lowest start, the highest stop first."""

    touches = "the programs of its family, as many as the target declares"

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def act(self, order: Order) -> Done:
        """Start or stop members; raises ActionError, telling how far it came."""
        family, least, most = self._family(order)
        up = [name for name in family if self._programs.generation(name)]
        to = instances(order, len(up), least=least, most=most)
        more = [name for name in family if name not in up and not self._programs.held(name)][: max(0, to - len(up))]
        fewer = up[::-1][: max(0, len(up) - to)]
        done: list[str] = []
        try:
            for name in more:
                await self._programs.start(name, order.intent, generation="")
                done.append(name)
            for name in fewer:
                await self._programs.stop(name, generation=self._programs.generation(name))
                done.append(name)
        except ActionError as exc:
            exc.message += f" (before that: {', '.join(done) or 'nothing'})"
            raise
        now = sum(1 for name in family if self._programs.generation(name))
        if now != to:
            raise ActionError(f"{now} of {family[0]} ... {family[-1]} run and not {to}")
        because = f"{now} of {family[0]} ... {family[-1]} run, it was {len(up)}"
        return Done(
            because=because,
            generation=self._programs.generation(order.target.name),
            undo={"to": str(len(up))} if done else {},
        )

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        try:
            family, least, most = self._family(order)
        except ActionError as exc:
            return f"would refuse: {exc}"
        return f"would bring {family[0]} ... {family[-1]} to {order.params['to']}, within {least} and {most}"

    def _family(self, order: Order) -> tuple[list[str], int, int]:
        base, at, _ = order.target.name.partition("@")
        declared = order.target.spec.get("instances")
        if not at or not declared:
            raise ActionError(
                f"{order.target.id} was not declared to have several instances",
                hint="programs worker@1, worker@2 ..., the first with instances: {least: 1, most: 4}",
                transient=False,
            )
        most = int(declared["most"])
        known = set(self._programs.names())
        family = [name for name in (f"{base}@{number}" for number in range(1, most + 1)) if name in known]
        return family, int(declared["least"]), min(most, len(family))
