"""Restart: stop what runs, with all that stems from it, and start it again."""

from healer.actions.evidence import Nobody
from healer.actions.interface import Action, Done, Order
from healer.actions.owner import Owners, owner


class Restart(Action):
    """A dead target is only started: nothing is waited for. What it leaves is written about afterwards."""

    verb = "restart"
    kinds = ("program", "container", "unit")
    touches = "the target's processes"
    disruptive = True

    def __init__(self, owners: Owners, evidence: Nobody | None = None) -> None:
        self._owners, self._evidence = owners, evidence or Nobody()

    async def prepare(self, order: Order) -> None:
        """Keep evidence of what lives: a restart destroys it."""
        await self._evidence.before(order)

    async def act(self, order: Order) -> Done:
        """Restart; raises ActionError. Success is for the verification to say."""
        hand = owner(self._owners, order)
        last = self._evidence.glance(order)
        fresh = await hand.restart(order)
        self._evidence.afterwards(order, last)
        return Done(because=f"restarted {order.target.id}", generation=fresh)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would restart {order.target.id} ({order.generation or 'it does not run'})"
