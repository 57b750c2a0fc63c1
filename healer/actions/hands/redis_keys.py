"""Redis: throw away keys that are only cached, within a budget, or a whole database that was declared disposable."""

from collections.abc import Sequence
from dataclasses import dataclass

from healer.actions.hands.redis_hand import RedisHand, not_done, perhaps
from healer.actions.interface import Done, Order
from healer.drivers.redis_wire import RedisError, Wire
from healer.errors import ActionError, AmbiguousError

_SHARE = 0.9
"""Of a step's timeout that the work may take, so that what was done can still be told."""
_PAGE = 500
"""Keys asked for, measured and thrown away at once: the server serves others in between."""
_MOST_KEYS = 10_000
_MOST_BYTES = 64 << 20
_SPECIAL = frozenset("*?[]^\\")


class ClearCache(RedisHand):
    """Throw away keys by what they begin with, or a whole database where that is declared and spelled out."""

    touches = "keys that begin as declared under caches:, or a database declared disposable:"

    async def act(self, order: Order) -> Done:
        """Throw away; raises ActionError, AmbiguousError."""
        whole = _whole(order)
        prefix = "" if whole else _prefix(order)
        wire, info = await self.judged(order)
        if info.role != "master":
            raise ActionError(
                f"{order.target.id} is a {info.role or 'stranger'}: keys are its master's", transient=False
            )
        return await (_flush(wire, order) if whole else self._sweep(wire, order, prefix))

    def would(self, order: Order) -> str:
        """Say what, and how much at most."""
        if _whole(order):
            return f"throw away database {_db(order)} of {order.target.id}, all of it"
        keys, octets = _budget(order)
        return f"throw away at most {keys} keys ({octets >> 10} KiB) of {order.target.id} that begin '{_prefix(order)}'"

    async def _sweep(self, wire: Wire, order: Order, prefix: str) -> Done:
        until = self.clock.now() + order.timeout * _SHARE
        budget = _Budget(*_budget(order))
        cursor, end = b"0", ""
        try:
            while not end:
                cursor, found = await _page(wire, cursor, prefix)
                for at in range(0, len(found), _PAGE):
                    await _throw(wire, found[at : at + _PAGE], budget)
                if cursor == b"0":
                    end = "all were seen"
                elif budget.spent:
                    end = "the bound was reached"
                elif self.clock.now() > until:
                    end = "time was up"
        except RedisError as exc:
            if budget.keys or perhaps(exc):
                told = f"{budget.keys} keys thrown away, then: {exc.message}"
                raise AmbiguousError(told, hint=exc.hint) from exc
            raise not_done(exc) from exc
        facts = {"keys": budget.keys, "bytes": budget.octets, "end": end}
        because = f"{budget.keys} keys '{prefix}...' thrown away, about {budget.octets >> 10} KiB; {end}"
        return Done(because=because, generation=order.generation, facts=facts)


@dataclass(slots=True)
class _Budget:
    """What may still be thrown away, and what was."""

    most_keys: int
    most_octets: int
    keys: int = 0
    octets: int = 0

    @property
    def spent(self) -> bool:
        """Nothing more."""
        return self.keys >= self.most_keys or self.octets >= self.most_octets


def _budget(order: Order) -> tuple[int, int]:
    """Keys and octets at most."""
    keys, octets = order.params.get("most"), order.params.get("most_bytes")
    return (_MOST_KEYS if keys is None else int(keys)), (_MOST_BYTES if octets is None else int(octets))


async def _page(wire: Wire, cursor: bytes, prefix: str) -> tuple[bytes, list[bytes]]:
    """The next keys that begin so; raises RedisError."""
    reply = await wire.ask("SCAN", cursor, "MATCH", _pattern(prefix), "COUNT", _PAGE)
    if not (isinstance(reply, list) and len(reply) == 2 and isinstance(reply[0], bytes) and isinstance(reply[1], list)):
        raise RedisError("its reply to SCAN is none", fact=True)
    begins = prefix.encode()
    return reply[0], [key for key in reply[1] if isinstance(key, bytes) and key.startswith(begins)]


def _pattern(prefix: str) -> str:
    """Whatever begins so: signs of a pattern are letters in it."""
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in prefix) + "*"


async def _throw(wire: Wire, keys: Sequence[bytes], budget: _Budget) -> None:
    """Throw away as many as the budget allows; raises RedisError."""
    sizes = await wire.batch([("MEMORY", "USAGE", key) for key in keys]) if keys and not budget.spent else []
    chosen: list[tuple[bytes, int]] = []
    left_keys, left_octets = budget.most_keys - budget.keys, budget.most_octets - budget.octets
    for key, size in zip(keys, sizes, strict=False):
        if not isinstance(size, int) or len(chosen) >= left_keys:  # None: it is gone already
            continue
        if size <= left_octets:  # where it does not fit, a smaller one still may
            chosen.append((key, size))
            left_octets -= size
    # One by one: in a cluster, keys of one command must share a slot.
    gone = await wire.batch([("UNLINK", key) for key, _ in chosen]) if chosen else []
    for (_, size), count in zip(chosen, gone, strict=False):
        if count == 1:
            budget.keys += 1
            budget.octets += size


async def _flush(wire: Wire, order: Order) -> Done:
    try:
        before = await wire.ask("DBSIZE")
    except RedisError as exc:
        raise not_done(exc) from exc
    try:
        await wire.ask("FLUSHDB", "ASYNC")
        after = await wire.ask("DBSIZE")
    except RedisError as exc:
        if perhaps(exc):
            raise AmbiguousError(f"the reply was lost: {exc.message}") from exc
        raise not_done(exc) from exc
    if not isinstance(before, int) or not isinstance(after, int) or (before and after >= before):
        raise ActionError(f"database {_db(order)} had {before} keys and has {after}")
    because = f"database {_db(order)} of {order.target.id} thrown away: {before} keys, {after} new ones since"
    return Done(because=because, generation=order.generation, facts={"keys": before, "left": after})


def _whole(order: Order) -> bool:
    """Whether all of it is to go; raises ActionError where that was not declared."""
    if order.params.get("flush") is None:
        return False
    if order.params.get("prefix") is not None:
        raise ActionError("either flush or prefix", transient=False)
    if order.target.spec.get("disposable") is not True:
        hint = "disposable: true, where all of the database is a cache"
        raise ActionError(f"{order.target.id} was not declared disposable", hint=hint, transient=False)
    return True


def _prefix(order: Order) -> str:
    """What keys begin with; raises ActionError where that was not declared."""
    declared = [str(each) for each in order.target.spec.get("caches") or ()]
    asked = order.params.get("prefix")
    if asked is None and len(declared) == 1:
        return declared[0]
    if asked is None or not any(str(asked).startswith(each) for each in declared):
        raise ActionError(
            f"keys that begin '{asked}' were not declared" if asked else "keys of which beginning?",
            hint="name one of caches: of the target, or a longer one", transient=False,
        )  # fmt: skip
    return str(asked)


def _db(order: Order) -> int:
    return int(order.target.spec.get("db") or 0)
