"""Restart: stop what runs, with all that stems from it, and start it again."""

from healer.actions.interface import Action, Done, Order
from healer.actions.owner import Owners, owner


class Restart(Action):
    """A dead target is only started: nothing is waited for."""

    verb = "restart"
    kinds = ("program", "container")
    touches = "the target's processes"
    disruptive = True

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    async def act(self, order: Order) -> Done:
        """Restart; raises ActionError. Success is for the verification to say."""
        fresh = await owner(self._owners, order).restart(order)
        return Done(because=f"restarted {order.target.id}", generation=fresh)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would restart {order.target.id} ({order.generation or 'it does not run'})"
