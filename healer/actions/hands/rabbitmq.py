"""RabbitMQ: end connections of a user or a client, empty a queue that was declared."""

import asyncio
import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any, cast

from healer.actions.hand import Hand
from healer.actions.hands.catalog import Services
from healer.actions.interface import Done, Order
from healer.clock import Clock
from healer.drivers.catalog import Drivers
from healer.drivers.rabbitmq import Json, Node, RabbitError, RabbitMQ, is_ended, number
from healer.errors import ActionError, AmbiguousError

_MOST_MESSAGES = 10_000
"""A queue that holds more is not emptied where the rule does not say how many may go."""
_MOST_TOLD = 20
_PROOF = 10.0
"""Seconds in which an effect must show."""
_BETWEEN = 0.2


class _Hand(Hand):
    """What both do first: see that it is the node that was judged."""

    def __init__(self, drivers: Drivers, clock: Clock) -> None:
        self._drivers, self._clock = drivers, clock

    def _rabbit(self, order: Order) -> RabbitMQ:
        return cast("RabbitMQ", self._drivers.of(order.target))

    async def _judged(self, order: Order) -> Node:
        """The node; raises ActionError where it is another incarnation."""
        rabbit = self._rabbit(order)
        try:
            seen = await rabbit.look()
        except RabbitError as exc:
            raise _not_done(exc) from exc
        if rabbit.generation(seen) != order.generation or not order.generation:
            raise ActionError(f"{order.target.id} is another incarnation now", transient=False)
        return seen


class Reconnect(_Hand):
    """End client connections."""

    touches = "connections of clients to this node: what they had not acknowledged goes back into its queues"

    async def act(self, order: Order) -> Done:
        """End the oldest of those that match; raises ActionError, AmbiguousError."""
        _check_chosen(order)
        seen, rabbit = await self._judged(order), self._rabbit(order)
        try:
            listed = await rabbit.connections()
        except RabbitError as exc:
            raise _not_done(exc) from exc
        ended: list[Json] = []
        try:
            for found in choose(listed, order.params, node=seen.name, wall=self._clock.wall()):
                because = f"healer: {order.rule or 'on request'}"[:200]
                ended += [found] if await rabbit.disconnect(str(found["name"]), because) else []
            left = await self._left(rabbit, [str(found["name"]) for found in ended])
        except RabbitError as exc:
            if ended or exc.sent:
                raise AmbiguousError(f"{len(ended)} connections ended, then: {exc.message}", hint=exc.hint) from exc
            raise _not_done(exc) from exc
        if left:
            raise ActionError(f"{len(left)} of {len(ended)} connections are still there")
        facts = {"ended": [_fact(found) for found in ended[:_MOST_TOLD]], "connections": len(ended)}
        because = f"{len(ended)} connections of {order.target.id} ended" if ended else "there is no such connection"
        return Done(because=because, generation=order.generation, facts=facts)

    def would(self, order: Order) -> str:
        """How many, and whose."""
        _check_chosen(order)
        whose = " and ".join(f"{key} {order.params[key]}" for key in ("user", "client") if order.params.get(key))
        return f"end at most {order.params['at_most']} connections to {order.target.id} of {whose}"

    async def _left(self, rabbit: RabbitMQ, names: Sequence[str]) -> list[str]:
        """Those that are still there when time is up; raises RabbitError."""
        until = self._clock.now() + _PROOF
        left = list(names)
        while left:
            left = [name for name in left if await rabbit.connected(name)]
            if not left or self._clock.now() > until:
                break
            await asyncio.sleep(_BETWEEN)
        return left


class ClearCache(_Hand):
    """Empty one queue."""

    touches = "messages ready in one queue that was declared by its full name: they are lost"

    async def act(self, order: Order) -> Done:
        """Purge it, unless it holds more than may go; raises ActionError, AmbiguousError."""
        queue, most = _named(order), _bound(order)
        await self._judged(order)
        rabbit = self._rabbit(order)
        before = await self._ready(order, queue)
        if before > most:
            raise ActionError(
                f"{queue} holds {before} messages, and at most {most} may go",
                hint="most: of clear_cache says how many may",
            )
        if not before:
            return Done(because=f"{queue} is empty", generation=order.generation, facts={"before": 0, "after": 0})
        try:
            await rabbit.purge(queue)
        except RabbitError as exc:
            if exc.sent:
                raise AmbiguousError(f"the reply was lost: {exc.message}", hint=exc.hint) from exc
            raise _not_done(exc) from exc
        after = await self._after(order, queue, before)
        return Done(
            because=f"{queue} emptied: {before} messages, {after} new ones since",
            generation=order.generation,
            facts={"queue": queue, "before": before, "after": after},
        )

    def would(self, order: Order) -> str:
        """Name the queue and the bound."""
        return f"empty queue {_named(order)} of {order.target.id}, if it holds at most {_bound(order)} messages"

    async def _after(self, order: Order, queue: str, before: int) -> int:
        """How many are ready now, once they are fewer; raises AmbiguousError where that does not show."""
        until = self._clock.now() + _PROOF
        while True:
            try:
                after = await self._ready(order, queue)
            except ActionError as exc:
                raise AmbiguousError(f"emptied, and it cannot be read back: {exc.message}") from exc
            if after < before:
                return after
            if self._clock.now() > until:
                raise AmbiguousError(f"{queue} had {before} messages and has {after}")
            await asyncio.sleep(_BETWEEN)

    async def _ready(self, order: Order, queue: str) -> int:
        """Messages ready in the queue now; raises ActionError."""
        try:
            found = (await self._rabbit(order).queues([queue])).get(queue)
        except RabbitError as exc:
            raise _not_done(exc) from exc
        ready = None if found is None else number(found, "messages_ready")
        if ready is None:
            raise ActionError(f"there is no queue {queue}, or it does not say what it holds", transient=False)
        return int(ready)


def hands(services: Services) -> Mapping[str, Hand]:
    """By verb."""
    return {
        "reconnect": Reconnect(services.drivers, services.clock),
        "clear_cache": ClearCache(services.drivers, services.clock),
    }


# -------------------------------------------------------------------------------------------------- pieces


def choose(listed: Sequence[Json], params: Mapping[str, Any], *, node: str, wall: float) -> list[Json]:
    """Those to end, the oldest first: connections to this node, of this user and client, that have stood so long."""
    user, client, older = params.get("user"), params.get("client"), float(params["older"])
    fitting = [
        (since, found)
        for found in listed
        if found.get("node") == node
        and not is_ended(found)
        and (user is None or found.get("user") == user)
        and (client is None or fnmatch.fnmatchcase(str(found.get("user_provided_name") or ""), str(client)))
        and (since := number(found, "connected_at")) is not None
        and wall - since / 1000.0 >= older
    ]
    return [found for _, found in sorted(fitting, key=lambda pair: pair[0])[: int(params["at_most"])]]


def _check_chosen(order: Order) -> None:
    if not order.params.get("user") and not order.params.get("client"):
        raise ActionError("connections of whom?", hint="user: NAME, client: PATTERN, or both", transient=False)


def _named(order: Order) -> str:
    """The queue; raises ActionError where it was not declared by its full name."""
    queue = order.params.get("queue")
    declared = [str(each) for each in order.target.spec.get("queues") or ()]
    if not queue or queue not in declared or {"*", "?"} & set(str(queue)):
        raise ActionError(
            f"queue {queue} was not declared by its full name" if queue else "which queue?",
            hint="name it under queues: of the target, and here", transient=False,
        )  # fmt: skip
    return str(queue)


def _bound(order: Order) -> int:
    most = order.params.get("most")
    return _MOST_MESSAGES if most is None else int(most)


def _fact(found: Json) -> dict[str, str]:
    """As it goes into the log."""
    return {key: str(found.get(key) or "")[:100] for key in ("name", "user", "user_provided_name")}


def _not_done(exc: RabbitError) -> ActionError:
    return ActionError(exc.message, hint=exc.hint, transient=exc.fact or not exc.status)
