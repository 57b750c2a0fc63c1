"""Stop a target and everything that stems from it."""

from healer.actions.interface import Action, Done, Order
from healer.actions.owner import Owners, owner


class Stop(Action):
    """Stop signal, grace, KILL."""

    verb = "stop"
    kinds = ("program", "container", "process")
    touches = "the target's processes"
    undo = "start"
    disruptive = True

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    async def act(self, order: Order) -> Done:
        """Stop; raises ActionError."""
        await owner(self._owners, order).stop(order)
        return Done(because=f"stopped {order.target.id}")

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would stop {order.target.id} ({order.generation or 'it does not run'})"
