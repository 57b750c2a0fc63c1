"""Send one signal to the process that was judged, and to no other."""

from healer.actions.interface import Action, Done, Order
from healer.actions.owner import incarnation
from healer.drivers import processes
from healer.drivers.holds import Holds
from healer.drivers.program import signal_number
from healer.errors import ActionError


class Signal(Action):
    """Through a pidfd whose start time is compared after it was opened: the number cannot change hands."""

    verb = "signal"
    kinds = ("program", "process")
    touches = "the target's main process"

    def __init__(self, holds: Holds | None = None) -> None:
        self._holds = holds or Holds(None)

    async def act(self, order: Order) -> Done:
        """Send it; raises ActionError (gone, another incarnation, init or the agent itself)."""
        pid, _ = incarnation(order)
        name = str(order.params["signal"])
        if name == "CONT" and self._holds.has(order.generation):
            raise ActionError(f"{order.target.id} is in quarantine", hint="put it back, or stop it", transient=False)
        processes.send(pid, order.generation, signal_number(name))
        return Done(because=f"sent {name} to {order.target.id}", generation=order.generation)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would send {order.params['signal']} to {order.target.id} (pid {order.generation.partition('.')[0]})"
