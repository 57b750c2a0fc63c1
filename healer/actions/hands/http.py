"""What can be done to something behind HTTP: empty the cache it has, in the way that was declared."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from healer.actions.call import Call
from healer.actions.hand import Hand
from healer.actions.hands.catalog import Services
from healer.actions.interface import Done, Order
from healer.errors import ActionError


def hands(services: Services) -> Mapping[str, Hand]:
    """By verb."""
    return {"clear_cache": Purge(Call(lambda: services.drivers.http))}


class Purge(Hand):
    """One request that makes a cache forget; whether it did, only the rule's verification can tell."""

    touches = "the cache that answers at the declared address"

    def __init__(self, call: Call) -> None:
        self._call = call

    async def act(self, order: Order) -> Done:
        """Send it; raises ActionError, AmbiguousError."""
        way = _way(order)
        done = await self._call.act(replace(order, params=way))
        return replace(done, because=f"{way['method']} {_shown(way)}: {done.because}")

    def would(self, order: Order) -> str:
        """The sentence for a dry run; the query of the address is not shown."""
        try:
            way = _way(order)
        except ActionError as exc:
            return f"would refuse: {exc}"
        return f"would send {way['method']} {_shown(way)}"


def _way(order: Order) -> Mapping[str, Any]:
    way = order.target.spec.get("purge")
    if way is None:
        raise ActionError(
            f"{order.target.id} does not say how its cache is emptied",
            hint="declare purge: {url: ...}",
            transient=False,
        )
    bounds = [name for name in ("most", "most_bytes") if order.params.get(name) is not None]
    if bounds:
        raise ActionError(f"{', '.join(bounds)}: a purge is all or nothing", hint="leave it out", transient=False)
    return {name: value for name, value in way.items() if value is not None}


def _shown(way: Mapping[str, Any]) -> str:
    return str(way["url"]).partition("?")[0]
