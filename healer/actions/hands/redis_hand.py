"""What every hand for Redis does first: see that it is the server that was judged."""

from typing import cast

from healer.actions.hand import Hand
from healer.actions.interface import Order
from healer.clock import Clock
from healer.drivers.catalog import Drivers
from healer.drivers.redis import Redis
from healer.drivers.redis_info import Info
from healer.drivers.redis_wire import FACTS, RedisError, Wire
from healer.errors import ActionError


class RedisHand(Hand):
    """A hand that has the drivers."""

    def __init__(self, drivers: Drivers, clock: Clock) -> None:
        self._drivers, self.clock = drivers, clock

    def redis(self, order: Order) -> Redis:
        """Its driver."""
        return cast("Redis", self._drivers.of(order.target))

    async def judged(self, order: Order) -> tuple[Wire, Info]:
        """Its connection and its figures; raises ActionError where it is another incarnation."""
        redis = self.redis(order)
        try:
            wire = await redis.wire()
            info = await redis.info(wire)
        except RedisError as exc:
            raise not_done(exc) from exc
        if info.generation != order.generation:
            raise ActionError(f"{order.target.id} is another incarnation now", transient=False)
        if info.number("loading") != 0.0:
            raise ActionError(f"{order.target.id} loads its data")
        return wire, info


def perhaps(exc: RedisError) -> bool:
    """Nobody can tell whether it was done: it was sent, and no reply came."""
    return exc.sent and not exc.code


def not_done(exc: RedisError) -> ActionError:
    """It was not done, and whether a later try may succeed."""
    return ActionError(exc.message, hint=exc.hint, transient=exc.fact and (not exc.code or exc.code in FACTS))
