"""Wait, so that the next step judges what has settled."""

import asyncio

from healer.actions.interface import Action, Done, Order


class Wait(Action):
    """Touches nothing."""

    verb = "wait"
    kinds = ("*",)
    touches = "nothing"

    async def act(self, order: Order) -> Done:
        """Wait as long as asked, at most as long as the step may take."""
        seconds = min(float(order.params["for"]), order.timeout)
        await asyncio.sleep(seconds)
        return Done(because=f"waited {seconds:g} s")

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would wait {float(order.params['for']):g} s"
