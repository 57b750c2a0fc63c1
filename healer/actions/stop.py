"""Stop a target and everything that stems from it."""

from healer.actions.evidence import Nobody
from healer.actions.interface import Action, Done, Order
from healer.actions.owner import Owners, owner


class Stop(Action):
    """Stop signal, grace, KILL; what lives is written about first."""

    verb = "stop"
    kinds = ("program", "container", "unit", "process")
    touches = "the target's processes"
    undo = "start"
    disruptive = True

    def __init__(self, owners: Owners, evidence: Nobody | None = None) -> None:
        self._owners, self._evidence = owners, evidence or Nobody()

    async def prepare(self, order: Order) -> None:
        """Keep evidence of what lives: nothing is left of it afterwards."""
        await self._evidence.before(order)

    async def act(self, order: Order) -> Done:
        """Stop; raises ActionError."""
        await owner(self._owners, order).stop(order)
        return Done(because=f"stopped {order.target.id}")

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would stop {order.target.id} ({order.generation or 'it does not run'})"
