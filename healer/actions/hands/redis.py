"""Redis: promote a replica, throw away what is only cached, give it memory, end connections that sit idle."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healer.actions.hand import Hand
from healer.actions.hands.asked import applied, asked
from healer.actions.hands.catalog import Services
from healer.actions.hands.redis_hand import RedisHand, not_done, perhaps
from healer.actions.hands.redis_keys import ClearCache
from healer.actions.interface import Done, Order
from healer.drivers.redis_info import Info, number
from healer.drivers.redis_wire import RedisError, Wire
from healer.errors import ActionError, AmbiguousError
from healer.model.change import Change

_LEAST_MEMORY = 1 << 20
_MOST_SHARE = 0.9
"""Of the host's memory that maxmemory may be raised to."""
_STEP = 0.5
"""The largest share by which maxmemory changes at once."""
_MOST_TOLD = 20
_SPARED = frozenset("MSPbO")
"""Clients that are idle by nature: masters, replicas, subscribers, those that wait for an element, monitors."""


class Failover(RedisHand):
    """Make a replica a master, once its own master is gone."""

    touches = "the replica's role: it takes writes from then on, and follows nobody"

    async def act(self, order: Order) -> Done:
        """Promote it; raises ActionError, AmbiguousError."""
        wire, info = await self.judged(order)
        _check_promotable(order, info)
        if not order.params.get("split_brain"):
            await self._check_alone(order, info)
        lost: RedisError | None = None
        try:
            await wire.ask("REPLICAOF", "NO", "ONE")
        except RedisError as exc:
            if not perhaps(exc):
                raise not_done(exc) from exc
            lost = exc
        after = await self._read_back(order, lost)
        if after.role != "master":
            raise ActionError(f"{order.target.id} was told to be a master and is none")
        facts = {
            "master": f"{info.word('master_host')}:{info.word('master_port')}"[:200],
            "offset": round(after.number("master_repl_offset") or 0),
            "down": round(max(0.0, info.number("master_link_down_since_seconds") or 0.0)),
        }
        because = f"{order.target.id} is a master now (until it restarts, unless its configuration says so too)"
        return Done(because=because, generation=after.generation, facts=facts)

    def would(self, order: Order) -> str:
        """Name it, and what is looked at before."""
        anyway = ", even if its master answers" if order.params.get("split_brain") else ", if its master is gone"
        return f"make {order.target.id} a master{anyway}"

    async def _check_alone(self, order: Order, info: Info) -> None:
        """Raise ActionError while anything is heard of its master: two masters take two truths."""
        host, port = info.word("master_host"), number(info.word("master_port")) or 0
        if info.word("master_link_status") != "down":
            raise ActionError(f"{order.target.id} hears from its master {host}:{port:g}: that one lives")
        try:
            said = await self.redis(order).primary_answers(host, int(port))
        except RedisError as exc:
            raise ActionError(f"nobody can tell whether its master lives: {exc.message}", hint=exc.hint) from exc
        if said:
            raise ActionError(
                f"its master {host}:{port:g} answers ({said[:60]})",
                hint="split_brain: true, where something keeps clients away from it",
            )

    async def _read_back(self, order: Order, lost: RedisError | None) -> Info:
        redis = self.redis(order)
        try:
            after = await redis.info(await redis.wire())
        except RedisError as exc:
            raise AmbiguousError(f"promoted, and it cannot be read back: {exc.message}") from exc
        if after.generation != order.generation:
            raise AmbiguousError(f"{order.target.id} restarted meanwhile")
        if lost is not None and after.role != "master":
            raise AmbiguousError(f"the reply was lost: {lost.message}")
        return after


class Adjust(RedisHand):
    """Change maxmemory."""

    touches = "the memory this server may use (maxmemory)"

    async def act(self, order: Order) -> Done:
        """Set it and read it back; raises ActionError, AmbiguousError."""
        wire, info = await self.judged(order)
        try:
            before = await _limit(wire)
            wanted = _wanted(order, info, before)
            if wanted == before:
                return Done(because=f"maxmemory is {before} already", generation=order.generation)
            await wire.ask("CONFIG", "SET", "maxmemory", wanted)
        except RedisError as exc:
            if perhaps(exc):
                raise AmbiguousError(f"the reply was lost: {exc.message}") from exc
            raise not_done(exc) from exc
        try:
            after = await _limit(wire)
        except RedisError as exc:
            raise AmbiguousError(f"set, and it cannot be read back: {exc.message}") from exc
        if after != wanted:
            raise ActionError(f"maxmemory was set to {wanted} and is {after}")
        return Done(
            because=f"maxmemory of {order.target.id}: {before} -> {after}",
            generation=order.generation,
            facts={"before": before, "after": after},
            undo={} if order.params.get("back") else {"back": {"memory": before, "from": after}},
        )

    def would(self, order: Order) -> str:
        """Name the change."""
        back = order.params.get("back")
        return f"set maxmemory of {order.target.id}: {back.get('memory') if back else order.params.get('memory')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client, as CLIENT LIST has it."""

    id: int
    idle: float
    """Seconds since its last command."""
    flags: str
    name: str
    user: str
    address: str

    @property
    def fact(self) -> Mapping[str, Any]:
        """As it goes into the log."""
        return {"address": self.address, "name": self.name, "user": self.user, "idle": round(self.idle)}


class Reconnect(RedisHand):
    """End connections whose clients have not said anything for long."""

    touches = "connections of clients: they have to connect anew"

    async def act(self, order: Order) -> Done:
        """End the longest idle of them; raises ActionError, AmbiguousError."""
        wire, _ = await self.judged(order)
        try:
            own, listed = await wire.batch([("CLIENT", "ID"), ("CLIENT", "LIST")])
        except RedisError as exc:
            raise not_done(exc) from exc
        chosen = choose(read_clients(listed), order.params, own=own)
        ended: list[Client] = []
        try:
            for client in chosen:
                ended += [client] if await wire.ask("CLIENT", "KILL", "ID", client.id) == 1 else []
        except RedisError as exc:
            if ended or perhaps(exc):
                raise AmbiguousError(f"{len(ended)} connections ended, then: {exc.message}", hint=exc.hint) from exc
            raise not_done(exc) from exc
        facts = {"ended": [client.fact for client in ended[:_MOST_TOLD]], "connections": len(ended)}
        because = (
            f"{len(ended)} connections of {order.target.id} ended" if ended else "no connection is idle for so long"
        )
        return Done(because=because, generation=order.generation, facts=facts)

    def would(self, order: Order) -> str:
        """How many, and since when."""
        most, older = order.params["at_most"], order.params["older"]
        return f"end at most {most} connections of {order.target.id} that have been idle for {older:g} s"


def hands(services: Services) -> Mapping[str, Hand]:
    """By verb."""
    drivers, clock = services.drivers, services.clock
    return {
        "failover": Failover(drivers, clock),
        "clear_cache": ClearCache(drivers, clock),
        "adjust": Adjust(drivers, clock),
        "reconnect": Reconnect(drivers, clock),
    }


# -------------------------------------------------------------------------------------------------- pieces


def choose(clients: Sequence[Client], params: Mapping[str, Any], *, own: object) -> list[Client]:
    """Those to end, the longest idle first: never our own, nor one that is idle by nature."""
    older, user, name = float(params["older"]), params.get("user"), params.get("client")
    idle = [
        client
        for client in clients
        if client.idle >= older
        and client.id != own
        and not _SPARED & set(client.flags)
        and (user is None or client.user == user)
        and (name is None or fnmatch.fnmatchcase(client.name, str(name)))
    ]
    return sorted(idle, key=lambda client: -client.idle)[: int(params["at_most"])]


def read_clients(reply: object) -> list[Client]:
    """The lines of a CLIENT LIST; one that cannot be read is left out, and so left alone."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else ""
    found: list[Client] = []
    for line in text.splitlines():
        fields = dict(part.partition("=")[::2] for part in line.split(" "))
        id_, idle = number(fields.get("id", "")), number(fields.get("idle", ""))
        if id_ is None or idle is None or id_ <= 0 or not fields.get("flags"):
            continue
        found.append(
            Client(
                id=int(id_), idle=idle, flags=fields["flags"], name=fields.get("name", ""),
                user=fields.get("user", ""), address=fields.get("addr", "")[:64],
            )
        )  # fmt: skip
    return found


def _check_promotable(order: Order, info: Info) -> None:
    """Raise ActionError where it must not be a master, whatever anybody says."""
    if info.role != "replica":
        raise ActionError(f"{order.target.id} is no replica: it is a {info.role or 'stranger'}", transient=False)
    if info.number("master_sync_in_progress") != 0.0:
        raise ActionError(f"{order.target.id} is taking over a copy: what it has now is half of it")
    applied = info.number("slave_repl_offset") or 0.0
    down = info.number("master_link_down_since_seconds")
    heard = info.word("master_link_status") == "up" or (down is not None and down >= 0)
    if not heard and applied <= 1:  # it starts with 1, unless it has read from its disk how far it was
        raise ActionError(f"{order.target.id} has never had a copy of its master's data", transient=False)
    behind = (info.number("slave_read_repl_offset") or applied) - applied
    if behind > float(order.params.get("max_lag") or 0.0):
        raise ActionError(f"{order.target.id} has {behind:g} bytes yet to apply", hint="max_lag says how many may be")


async def _limit(wire: Wire) -> int:
    """Maxmemory, 0 for none; raises RedisError."""
    reply = await wire.ask("CONFIG", "GET", "maxmemory")
    if isinstance(reply, list) and len(reply) == 2 and isinstance(reply[1], bytes) and reply[1].isdigit():
        return int(reply[1])
    raise RedisError("it does not say its maxmemory", fact=True)


def _wanted(order: Order, info: Info, before: int) -> int:
    """The new maxmemory; raises ActionError."""
    back = order.params.get("back")
    if back is not None:  # put back as it was, unless somebody else has changed it since
        return before if before != back.get("from", before) else int(back["memory"])
    text = order.params.get("memory")
    if text is None:
        raise ActionError("of a Redis server the memory can be adjusted, and nothing else", transient=False)
    whole, used = info.number("total_system_memory"), info.number("used_memory")
    if not whole or used is None:
        raise ActionError("it does not say how much memory its host has")
    change = asked(text)
    if change.sign and not before:
        raise ActionError("it has no maxmemory to change", hint="write an amount: 512MiB", transient=False)
    least, most = _bounds(change, before, used, whole)
    wanted = round(applied(change, before, least=least, most=most, whole=whole))
    wrong_way = wanted < before if change.sign == "+" else change.sign == "-" and wanted > before
    return before if wrong_way else wanted


def _bounds(change: Change, before: int, used: float, whole: float) -> tuple[float, float]:
    """How low and how high it may go: never beyond the host, and by an amount neither far nor below what is used."""
    if not change.sign:
        return _LEAST_MEMORY, _MOST_SHARE * whole
    # Below what is used it would throw keys away, or refuse writes, the same moment.
    return max(_LEAST_MEMORY, used, before * (1 - _STEP)), min(_MOST_SHARE * whole, before * (1 + _STEP))
