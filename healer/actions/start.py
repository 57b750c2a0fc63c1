"""Start a target that does not run."""

from healer.actions.interface import Action, Done, Order
from healer.actions.owner import Owners, owner


class Start(Action):
    """One that runs already is left alone."""

    verb = "start"
    kinds = ("program", "container", "unit")
    touches = "the target's processes"
    undo = "stop"

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    async def act(self, order: Order) -> Done:
        """Start; raises ActionError."""
        fresh = await owner(self._owners, order).start(order)
        because = f"{order.target.id} runs already" if fresh == order.generation else f"started {order.target.id}"
        return Done(because=because, generation=fresh)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        if order.generation:
            return f"would leave {order.target.id} alone: it runs already"
        return f"would start {order.target.id}"
