"""Put an event on the bus."""

from collections.abc import Callable, Mapping
from typing import Any

from healer.actions.interface import Action, Done, Order
from healer.errors import ActionError, HealerError
from healer.model.target import EMPTY

Publish = Callable[[str, Mapping[str, Any]], None]
"""(topic, data): hand the event to the bus; raises HealerError when it is not legal."""


class PublishAction(Action):
    """The event says that the agent caused it: rules do not hear it unless they ask for that."""

    verb = "publish"
    kinds = ("*",)
    touches = "the bus"

    def __init__(self, bus: Publish) -> None:
        self._bus = bus

    async def act(self, order: Order) -> Done:
        """Publish; raises ActionError when the bus refuses the topic."""
        topic = str(order.params["topic"])
        data = {
            **order.params.get("data", EMPTY),
            "target": order.target.id,
            "rule": order.rule,
            "intent": order.intent,
        }
        try:
            self._bus(topic, data)
        except HealerError as exc:
            raise ActionError(exc.message, hint=exc.hint, transient=False) from exc
        return Done(because=f"published {topic}")

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would publish {order.params['topic']}"
