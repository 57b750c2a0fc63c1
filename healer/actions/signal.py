"""Send one signal to the process that was judged, and to no other."""

from healer.actions.interface import Action, Done, Order
from healer.actions.owner import incarnation
from healer.drivers import processes
from healer.drivers.program import signal_number


class Signal(Action):
    """Through a pidfd whose start time is compared after it was opened: the number cannot change hands."""

    verb = "signal"
    kinds = ("program", "process")
    touches = "the target's main process"

    async def act(self, order: Order) -> Done:
        """Send it; raises ActionError (gone, another incarnation, init or the agent itself)."""
        pid, _ = incarnation(order)
        name = str(order.params["signal"])
        processes.send(pid, order.generation, signal_number(name))
        return Done(because=f"sent {name} to {order.target.id}", generation=order.generation)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would send {order.params['signal']} to {order.target.id} (pid {order.generation.partition('.')[0]})"
