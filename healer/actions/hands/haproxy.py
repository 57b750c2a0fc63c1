"""What can be done to a server of HAProxy: route away from it, weigh it, set it apart; each is read back."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from healer.actions.hand import Hand
from healer.actions.hands.asked import applied, asked
from healer.actions.hands.catalog import Services
from healer.actions.interface import Done, Order
from healer.drivers.haproxy import AbsentError, Haproxy
from healer.drivers.haproxy_answers import DRAIN, MAINT, READY, Absent, Backend, Server
from healer.drivers.interface import DriverError
from healer.errors import ActionError, AmbiguousError, HealerError

_LEAST, _MOST = 1, 256
"""Weights an adjustment may end at; to take a server away is another verb, which looks who is left."""


class _Desk:
    """Who has a backend in hand: two that each look whether another server is left would take both away."""

    def __init__(self, services: Services) -> None:
        self._drivers = services.drivers
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}

    def turn(self, order: Order) -> asyncio.Lock:
        """Held from the first look to the last."""
        spec = order.target.spec
        return self._turns.setdefault((str(spec["socket"]), str(spec.get("backend"))), asyncio.Lock())

    def haproxy(self, order: Order) -> Haproxy:
        """The driver of the target; raises ActionError."""
        return cast("Haproxy", self._drivers.of(order.target))


class _Routing(Hand):
    """Orders a server to a state."""

    touches = "which requests HAProxy sends to one server"
    state: str

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk

    async def act(self, order: Order) -> Done:
        """Order it, unless nobody would be left to serve."""
        backend, server = _named(order)
        haproxy = self._desk.haproxy(order)
        async with self._desk.turn(order):
            found, before = await _judged(haproxy, order)
            if (back := order.params.get("back")) is not None:
                return await _put_state_back(haproxy, order, before, back)
            wanted = READY if order.params.get("ready") else self.state
            if wanted == before.admin:
                return Done(because=f"{backend}/{server} was ordered to {wanted} before", generation=before.generation)
            if wanted != READY:
                _check_left(found, before)
            after = await _order_state(haproxy, order, wanted)
            if wanted != READY and not after.others(server):
                await _order_state(haproxy, order, before.admin)
                raise ActionError(f"the last other server of {backend} went away meanwhile: {server} was put back")
        return Done(
            because=f"{backend}/{server}: {before.admin} -> {wanted}, {after.others(server)} others take requests",
            generation=before.generation,
            facts={"before": before.admin, "after": wanted, "others": after.others(server)},
            # The way back is no change for a time: undone, it would take the server away again, the last one too.
            undo={} if wanted == READY else {"back": {"state": before.admin, "from": wanted}},
        )

    def would(self, order: Order) -> str:
        """Name the order."""
        backend, server = _named(order)
        back = order.params.get("back")
        wanted = back.get("state") if back else READY if order.params.get("ready") else self.state
        return f"order server {backend}/{server} to state {wanted}"


class Failover(_Routing):
    """Drain a server: what it serves it ends, nothing new is sent to it."""

    state = DRAIN


class Quarantine(_Routing):
    """Set a server apart: nothing is sent to it, not even by stickiness, and it is not checked any more."""

    state = MAINT


class Adjust(Hand):
    """Change a server's weight."""

    touches = "the share of the requests HAProxy sends to one server"

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk

    async def act(self, order: Order) -> Done:
        """Order the weight: absolute, a share of the configured one, or by an amount of the present one."""
        backend, server = _named(order)
        haproxy = self._desk.haproxy(order)
        async with self._desk.turn(order):
            _, before = await _judged(haproxy, order)
            wanted = _weight(order, before)
            if wanted == before.weight:
                return Done(because=f"{backend}/{server} has weight {wanted}", generation=before.generation)
            await _ordered(
                haproxy, order, haproxy.set_weight(backend, server, wanted), lambda found: found.weight == wanted
            )
        back = {"weight": before.weight, "from": wanted}
        return Done(
            because=f"{backend}/{server}: weight {before.weight} -> {wanted}",
            generation=before.generation,
            facts={"before": before.weight, "after": wanted},
            undo={} if order.params.get("back") else {"back": back},
        )

    def would(self, order: Order) -> str:
        """Name the weight."""
        backend, server = _named(order)
        back = order.params.get("back")
        return f"set the weight of {backend}/{server} to {back.get('weight') if back else order.params.get('weight')}"


def hands(services: Services) -> Mapping[str, Hand]:
    """By verb."""
    desk = _Desk(services)
    return {"failover": Failover(desk), "quarantine": Quarantine(desk), "adjust": Adjust(desk)}


# -------------------------------------------------------------------------------------------------- pieces


def _named(order: Order) -> tuple[str, str]:
    """Backend and server; raises ActionError where the target is no server."""
    backend, server = order.target.spec.get("backend"), order.target.spec.get("server")
    if not backend or not server:
        raise ActionError(f"{order.target.id} is no single server", transient=False, hint="declare backend and server")
    return str(backend), str(server)


async def _judged(haproxy: Haproxy, order: Order) -> tuple[Backend, Server]:
    """The backend and the server now; raises ActionError where it is not the one that was judged."""
    backend, name = _named(order)
    try:
        found = await haproxy.backend(backend)
        server = found.server(name)
    except (Absent, AbsentError) as exc:
        raise ActionError(str(exc), transient=False) from exc
    except DriverError as exc:
        raise ActionError(exc.message, hint=exc.hint) from exc
    if server.generation != order.generation:
        raise ActionError(f"{order.target.id} is another incarnation now", transient=False)
    return found, server


def _check_left(found: Backend, server: Server) -> None:
    if not found.others(server.name):
        raise ActionError(
            f"{server.name} is the last server of {found.name} that takes requests: nobody would be left",
            hint="add a server, or mend another one first",
        )
    if server.admin == MAINT:
        raise ActionError(f"{found.name}/{server.name} is in maintenance: somebody works on it", transient=False)


async def _order_state(haproxy: Haproxy, order: Order, wanted: str) -> Backend:
    backend, server = _named(order)
    return await _ordered(
        haproxy, order, haproxy.set_state(backend, server, wanted), lambda found: found.admin == wanted
    )


async def _ordered(haproxy: Haproxy, order: Order, words: Awaitable[None], proof: Callable[[Server], bool]) -> Backend:
    """Give an order and read it back; raises ActionError (not done), AmbiguousError (nobody can tell)."""
    backend, server = _named(order)
    failed: DriverError | None = None
    try:
        await words
    except DriverError as exc:
        if not exc.sent:
            raise ActionError(
                exc.message, hint=exc.hint, transient=exc.fact and not isinstance(exc, AbsentError)
            ) from exc
        failed = exc  # the reply was lost, not the effect: what HAProxy says now decides
    try:
        found = await haproxy.backend(backend)
        done = proof(found.server(server))
    except (Absent, HealerError) as exc:
        raise AmbiguousError(f"ordered, and it cannot be read back: {exc}") from exc
    if not done:
        raise ActionError(failed.message if failed else f"{backend}/{server} did not take the order")
    return found


async def _put_state_back(haproxy: Haproxy, order: Order, now: Server, back: Mapping[str, Any]) -> Done:
    """Restore what was ordered before, unless somebody ordered something else since."""
    backend, server = _named(order)
    state = str(back.get("state"))
    if now.admin != back.get("from", now.admin) or state not in (READY, DRAIN, MAINT):
        because = f"{backend}/{server} was ordered to {now.admin} since: it is left so"
    elif now.admin == state:
        because = f"{backend}/{server} is {state} already"
    else:
        await _order_state(haproxy, order, state)
        because = f"{backend}/{server}: {now.admin} -> {state} again"
    return Done(because=because, generation=now.generation)


def _weight(order: Order, before: Server) -> int:
    """The weight that is wanted; raises ActionError."""
    back = order.params.get("back")
    if back is not None:
        since = before.weight != back.get("from", before.weight)
        return before.weight if since else min(_MOST, max(0, int(back["weight"])))
    text = order.params.get("weight")
    if text is None:
        raise ActionError("a server of HAProxy has a weight to adjust, and nothing else", transient=False)
    return round(applied(asked(text), before.weight, least=_LEAST, most=_MOST, whole=before.initial))
