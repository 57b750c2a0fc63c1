"""A Redis server: whether it answers, what it has room for, whom it turns away, how far its replicas are behind."""

from collections.abc import Sequence

from healer.clock import Clock
from healer.drivers.interface import DriverError
from healer.drivers.redis import Redis, Seen
from healer.drivers.redis_info import Info
from healer.errors import SensorError
from healer.model.kinds.redis import KIND
from healer.model.observation import Reading, labels
from healer.model.target import Target
from healer.sensors.down import tell_down
from healer.sensors.interface import TargetSensor
from healer.sensors.rates import Rates
from healer.sensors.sane import Sieve, ratio

_MOST_DATABASES = 64
_MOST_REPLICAS = 32
_UNSAID = "it does not say"
_RATES = (
    ("redis.evicted_rate", "evicted_keys"),
    ("redis.expired_rate", "expired_keys"),
    ("redis.rejected_rate", "rejected_connections"),
    ("redis.commands_rate", "total_commands_processed"),
)
_PLAINLY = (
    ("redis.uptime", "uptime_in_seconds"),
    ("redis.loading", "loading"),
    ("redis.memory", "used_memory"),
    ("redis.fragmentation", "mem_fragmentation_ratio"),
    ("redis.clients", "connected_clients"),
    ("redis.blocked", "blocked_clients"),
    ("redis.replicas", "connected_slaves"),
    ("redis.unsaved", "rdb_changes_since_last_save"),
    ("redis.aof", "aof_enabled"),
)
_OF_REPLICA = ("redis.link_up", "redis.syncing", "redis.lag", "redis.lag_bytes")


class RedisSensor(TargetSensor):
    """Keys of the target: ``host``, ``port``, ``socket``, ``username``, ``password``, ``tls``, ``db``.

    A server that refuses connections, hangs, is busy with a script, full of clients, or no Redis at all is down
    (``redis.up`` 0). That it does not let *us* in, that a name cannot be looked up or a certificate is not trusted,
    makes all unknown. One that loads its data is neither up nor down.
    """

    def __init__(self, target: Target, redis: Redis, clock: Clock) -> None:
        super().__init__(target)
        self.timeout = 4 * self.patience + 0.5  # a connection that turns out to be gone, a new one, a PING, its figures
        self._redis, self._clock = redis, clock
        self._rates = Rates()
        self._hits: tuple[float, float] | None = None
        self._generation = ""
        self._databases = {str(target.spec.get("db") or 0)}

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask once."""
        sieve = Sieve(now, self.marks)
        try:
            seen = await self._redis.look()
        except DriverError as exc:
            if not exc.fact:
                raise SensorError(exc.message, hint=exc.hint) from exc
            tell_down(sieve, KIND, exc.message)
        else:
            self._tell(sieve, seen)
        self.garbage += sieve.garbage
        return sieve.readings

    def _tell(self, sieve: Sieve, seen: Seen) -> None:
        info = seen.info
        if seen.code == "LOADING" or info.number("loading") == 1.0:
            sieve.unknown("redis.up", "it loads its data")
        else:
            sieve.number("redis.up", 1)
        sieve.word("redis.message", seen.refusal)
        sieve.word("redis.generation", info.generation)
        sieve.number("redis.latency", seen.latency)
        sieve.word("redis.version", info.version)
        sieve.word("redis.role", info.role)
        for metric, line in _PLAINLY:
            _tell_line(sieve, metric, info, line)
        _tell_memory(sieve, info)
        _tell_clients(sieve, info)
        self._tell_rates(sieve, info)
        _tell_replication(sieve, info, self.target)
        self._tell_persistence(sieve, info)
        self._tell_keys(sieve, info)

    def _tell_keys(self, sieve: Sieve, info: Info) -> None:
        """Of the databases that hold any, of those that did, and of the target's own: Redis leaves out empty ones."""
        found: dict[str, float | None] = {**dict.fromkeys(self._databases, 0.0), **info.databases}
        for name, keys in list(found.items())[:_MOST_DATABASES]:
            self._databases.add(name)
            sieve.number("redis.keys", keys, labels(target=self.target, db=name))

    def _tell_rates(self, sieve: Sieve, info: Info) -> None:
        if info.generation != self._generation:  # counters of another start begin anew
            self._generation, self._rates, self._hits = info.generation, Rates(), None
        for metric, line in _RATES:
            value = info.number(line)
            rate = _unsaid(line) if value is None else self._rates.step(line, value, sieve.at)
            if isinstance(rate, str):
                sieve.unknown(metric, rate)
            else:
                sieve.number(metric, rate)
        self._tell_hits(sieve, info)

    def _tell_hits(self, sieve: Sieve, info: Info) -> None:
        found, missed = info.number("keyspace_hits"), info.number("keyspace_misses")
        if found is None or missed is None:
            sieve.unknown("redis.hits", _unsaid("keyspace_hits"))
            return
        before, self._hits = self._hits, (found, missed)
        hits, misses = (found - before[0], missed - before[1]) if before is not None else (0.0, 0.0)
        share = ratio(hits, hits + misses) if hits >= 0 and misses >= 0 else None
        if share is None:
            sieve.unknown("redis.hits", "a share needs two looks, and reads between them")
        else:
            sieve.number("redis.hits", share)

    def _tell_persistence(self, sieve: Sieve, info: Info) -> None:
        sieve.maybe("redis.save_ok", info.flag("rdb_last_bgsave_status", "ok"), _UNSAID)
        saved, theirs = info.number("rdb_last_save_time"), info.number("server_time_usec")
        if saved is None:
            sieve.unknown("redis.save_age", _unsaid("rdb_last_save_time"))
        else:
            # By its own clock where it tells the time (since version 6.2): ours may differ from it.
            sieve.number("redis.save_age", max(0.0, (self._clock.wall() if theirs is None else theirs / 1e6) - saved))
        if info.number("aof_enabled") != 1.0:
            sieve.unknown("redis.aof_ok", "it keeps no append-only file")
            return
        wrote, rewrote = info.flag("aof_last_write_status", "ok"), info.flag("aof_last_bgrewrite_status", "ok")
        both = None if wrote is None or rewrote is None else min(wrote, rewrote)
        sieve.maybe("redis.aof_ok", both, _UNSAID)


def _tell_memory(sieve: Sieve, info: Info) -> None:
    if policy := info.word("maxmemory_policy"):
        sieve.word("redis.policy", policy)
    else:
        sieve.unknown("redis.policy", _unsaid("maxmemory_policy"))
    used, limit = info.number("used_memory"), info.number("maxmemory")
    if not limit or used is None:
        because = "it has no maxmemory" if limit == 0 else _unsaid("maxmemory")
        sieve.all_unknown(("redis.memory_limit", "redis.memory_use"), because)
        return
    sieve.number("redis.memory_limit", limit)
    sieve.number("redis.memory_use", ratio(used, limit))


def _tell_clients(sieve: Sieve, info: Info) -> None:
    clients, most = info.number("connected_clients"), info.number("maxclients")
    if clients is None or not most:
        sieve.unknown("redis.client_use", _unsaid("maxclients"))
    else:
        sieve.number("redis.client_use", ratio(clients, most))


def _tell_replication(sieve: Sieve, info: Info, target: str) -> None:
    if info.role == "replica":
        _tell_replica(sieve, info)
    else:
        sieve.all_unknown(_OF_REPLICA, "it is no replica")
    if info.role != "master":
        return
    sent = info.number("master_repl_offset")
    for replica in info.replicas[:_MOST_REPLICAS]:
        marks = labels(target=target, replica=replica.name)
        sieve.number("redis.replica_online", replica.online, marks)
        sieve.maybe("redis.replica_lag", replica.lag, _unsaid("lag"), marks)
        if sent is None or replica.offset is None or not replica.online:
            sieve.unknown("redis.replica_lag_bytes", "it does not follow the stream yet", marks)
        else:
            sieve.number("redis.replica_lag_bytes", max(0.0, sent - replica.offset), marks)


def _tell_replica(sieve: Sieve, info: Info) -> None:
    link = info.flag("master_link_status", "up")
    sieve.maybe("redis.link_up", link, _UNSAID)
    _tell_line(sieve, "redis.syncing", info, "master_sync_in_progress")
    lag = info.number("master_last_io_seconds_ago" if link else "master_link_down_since_seconds")
    if lag is None or lag < 0:  # -1: it has never heard from it
        sieve.unknown("redis.lag", "it does not say, or has never heard from its master")
    else:
        sieve.number("redis.lag", lag)
    got, applied = info.number("slave_read_repl_offset"), info.number("slave_repl_offset")
    if got is None or applied is None:  # told apart since version 7
        sieve.unknown("redis.lag_bytes", _unsaid("slave_read_repl_offset"))
    else:
        sieve.number("redis.lag_bytes", max(0.0, got - applied))


def _tell_line(sieve: Sieve, metric: str, info: Info, line: str) -> None:
    if line not in info.lines:
        sieve.unknown(metric, _unsaid(line))
    else:
        value = info.number(line)
        sieve.number(metric, info.word(line) if value is None else value)  # a word is garbage there, and counted so


def _unsaid(line: str) -> str:
    return f"its INFO has no figure {line}"
