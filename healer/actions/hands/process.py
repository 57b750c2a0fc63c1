"""What can be done to processes somebody else started, beyond stopping them."""

from collections.abc import Mapping

from healer.actions.hand import Hand
from healer.actions.hands.catalog import Services
from healer.actions.hands.tree import Adjust
from healer.actions.interface import Done, Order
from healer.actions.owner import incarnation
from healer.drivers import processes, trees
from healer.drivers.holds import Holds


def hands(services: Services) -> Mapping[str, Hand]:
    """By verb."""
    return {"quarantine": Hold(services.holds), "adjust": Adjust(tree_of)}


def tree_of(order: Order) -> trees.Tree:
    """The process that was judged, and what stems from it; raises ActionError."""
    pid, ticks = incarnation(order)
    processes.check_harmless(pid)
    with processes.opened(pid, order.generation):  # refuses when the number has changed hands
        return trees.Tree(root=pid, ticks=ticks)


class Hold(Hand):
    """Stopped where it stands: memory, descriptors and sockets stay to be looked at."""

    touches = "the process, and what stems from it"

    def __init__(self, holds: Holds) -> None:
        self._holds = holds

    async def act(self, order: Order) -> Done:
        """Stop it where it stands, or let it go on; raises ActionError."""
        back = order.params.get("back")
        if back is not None:
            if back.get("generation", order.generation) != order.generation:
                return Done(because="what stood still has ended since", generation=order.generation)
            count = await trees.thaw(tree_of(order))
            self._holds.drop(order.generation)
            return Done(because=f"{order.target.id} goes on, {count} processes", generation=order.generation)
        tree = tree_of(order)
        if await trees.still(tree):
            # A person's, or another incident's: whoever stopped it lets it go on.
            return Done(because=f"{order.target.id} stands still already", generation=order.generation)
        count = await trees.freeze(tree)
        self._holds.add(order.generation)
        return Done(
            because=f"{order.target.id} is in quarantine: {count} processes of it stand still",
            generation=order.generation,
            undo={"back": {"generation": order.generation}},
        )

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        if order.params.get("back") is not None:
            return f"would let {order.target.id} go on"
        return f"would stop {order.target.id} where it stands ({order.generation or 'it does not run'})"
