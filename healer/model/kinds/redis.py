"""Redis (and Valkey) servers: masters, replicas, sentinels."""

from collections.abc import Iterator

from healer.model.kinds.kind import Kind
from healer.model.metric import Metric, Shelf
from healer.model.unit import Unit

ROLES: tuple[str, ...] = ("master", "replica", "sentinel")
_SEEN = Shelf(labels=("target",), max_age=60.0)


def _itself() -> Iterator[Metric]:
    yield _SEEN.put("redis.up", Unit.FLAG, "1 when it answers a PING in time; unknown while it loads its data")
    yield _SEEN.put("redis.message", Unit.WORD, "why it is not up, or what it refuses and why; empty when all is well")
    yield _SEEN.put("redis.generation", Unit.WORD, "its run id: another word is another start; empty is none")
    yield _SEEN.put("redis.latency", Unit.SECONDS, "until a PING was answered")
    yield _SEEN.put("redis.version", Unit.WORD, "as it writes it")
    yield _SEEN.put("redis.uptime", Unit.SECONDS, "since it started")
    yield _SEEN.put("redis.role", Unit.WORD, "what it is to others", words=ROLES)
    yield _SEEN.put("redis.loading", Unit.FLAG, "1 while it reads its data from disk")


def _memory() -> Iterator[Metric]:
    yield _SEEN.put("redis.memory", Unit.BYTES, "memory its data and buffers take")
    yield _SEEN.put("redis.memory_limit", Unit.BYTES, "maxmemory; unknown where it has none")
    yield _SEEN.put("redis.memory_use", Unit.RATIO, "memory, of maxmemory; unknown where it has none")
    yield _SEEN.put("redis.policy", Unit.WORD, "what it does when memory is short: noeviction, allkeys-lru ...")
    yield _SEEN.put("redis.fragmentation", Unit.NUMBER, "memory it holds, of what it needs: below 1 it is swapped out")
    yield _SEEN.put("redis.keys", Unit.COUNT, "keys in a database", "db")
    yield _SEEN.put("redis.evicted_rate", Unit.PER_SECOND, "keys thrown away because memory was short")
    yield _SEEN.put("redis.expired_rate", Unit.PER_SECOND, "keys that ran out")
    yield Metric(
        name="redis.hits", unit=Unit.RATIO, doc="reads that found their key, since the last look; unknown without any",
        labels=("target",), max_age=60.0, maximum=1.0, falls=True,
    )  # fmt: skip


def _clients() -> Iterator[Metric]:
    yield _SEEN.put("redis.clients", Unit.COUNT, "clients connected, ours too")
    yield _SEEN.put("redis.client_use", Unit.RATIO, "clients, of maxclients")
    yield _SEEN.put("redis.blocked", Unit.COUNT, "clients that wait in a blocking command")
    yield _SEEN.put("redis.rejected_rate", Unit.PER_SECOND, "clients turned away because there were too many")
    yield _SEEN.put("redis.commands_rate", Unit.PER_SECOND, "commands")


def _replication() -> Iterator[Metric]:
    yield _SEEN.put("redis.link_up", Unit.FLAG, "on a replica: 1 while it hears from its master")
    yield _SEEN.put("redis.syncing", Unit.FLAG, "on a replica: 1 while it takes over a whole copy")
    yield _SEEN.put("redis.lag", Unit.SECONDS, "on a replica: since it last heard from its master, or lost it")
    yield _SEEN.put("redis.lag_bytes", Unit.BYTES, "on a replica: what it has received and not yet applied")
    yield _SEEN.put("redis.replicas", Unit.COUNT, "replicas connected to it")
    yield _SEEN.put("redis.replica_online", Unit.FLAG, "on a master: 1 when a replica follows the stream", "replica")
    yield _SEEN.put("redis.replica_lag", Unit.SECONDS, "on a master: since a replica last confirmed", "replica")
    yield _SEEN.put("redis.replica_lag_bytes", Unit.BYTES, "on a master: what a replica has not confirmed", "replica")


def _persistence() -> Iterator[Metric]:
    yield _SEEN.put("redis.save_ok", Unit.FLAG, "1 when its last snapshot could be written")
    yield _SEEN.put("redis.save_age", Unit.SECONDS, "since its last snapshot (or its start)")
    yield _SEEN.put("redis.unsaved", Unit.COUNT, "changes since its last snapshot")
    yield _SEEN.put("redis.aof", Unit.FLAG, "1 when it keeps an append-only file")
    yield _SEEN.put(
        "redis.aof_ok", Unit.FLAG, "1 when that could be written the last time; unknown where there is none"
    )


KIND = Kind(
    name="redis",
    organ="stomach",
    up="redis.up",
    metrics=(*_itself(), *_memory(), *_clients(), *_replication(), *_persistence()),
)
