"""PostgreSQL servers."""

from collections.abc import Iterator

from healer.model.kinds.kind import Kind
from healer.model.metric import Metric, Shelf
from healer.model.unit import Unit

CONNECTION_STATES: tuple[str, ...] = (
    "active", "idle", "idle-in-transaction", "idle-in-transaction-aborted", "other",
)  # fmt: skip
CHECKPOINT_CAUSES: tuple[str, ...] = ("timed", "requested")
_LOOK = Shelf(labels=("target",), max_age=60.0)
_SLOW = Shelf(labels=("target",), max_age=300.0)
"""Asked about once a minute, whatever the interval: the answer is dear, and moves slowly."""


def _itself() -> Iterator[Metric]:
    yield _LOOK.put("postgres.up", Unit.FLAG, "1 when it takes a connection and answers a query in time")
    yield _LOOK.put("postgres.message", Unit.WORD, "why it is not up; empty when it is")
    yield _LOOK.put("postgres.latency", Unit.SECONDS, "until a first query was answered")
    yield _LOOK.put("postgres.version", Unit.WORD, "as the server writes it")
    yield _LOOK.put("postgres.in_recovery", Unit.FLAG, "1 on a standby, and while it replays after a crash")
    yield _LOOK.put("postgres.uptime", Unit.SECONDS, "since the server started")
    yield _LOOK.put(
        "postgres.generation", Unit.WORD, "its incarnation: system identifier and start; empty when it is down"
    )


def _sessions() -> Iterator[Metric]:
    yield _LOOK.put("postgres.connections", Unit.COUNT, "client connections by state, ours left out", "state")
    yield _LOOK.share(
        "postgres.connections_used", "client connections of those that ordinary roles can have (without the reserved)"
    )
    yield _LOOK.put("postgres.longest_transaction", Unit.SECONDS, "age of the oldest open transaction; 0 without one")
    yield _LOOK.put(
        "postgres.longest_idle_in_transaction", Unit.SECONDS,
        "how long a session has sat idle in an open transaction, the worst; 0 without one",
    )  # fmt: skip
    yield _LOOK.put("postgres.longest_query", Unit.SECONDS, "age of the oldest running query; 0 without one")
    yield _LOOK.put("postgres.blocked", Unit.COUNT, "sessions that wait for a lock")
    yield _LOOK.put("postgres.longest_wait", Unit.SECONDS, "longest wait for a lock (version 14 and later)")


def _replication() -> Iterator[Metric]:
    yield _LOOK.put("postgres.standbys", Unit.COUNT, "standbys connected to it")
    yield _LOOK.put("postgres.standby_lag_bytes", Unit.BYTES, "WAL a standby has not replayed", "standby")
    yield _LOOK.put(
        "postgres.standby_lag_seconds", Unit.SECONDS, "how late a standby replays; 0 when it has all", "standby"
    )
    yield _LOOK.put("postgres.receiving", Unit.FLAG, "on a standby: 1 while WAL streams in from its primary")
    yield _LOOK.put("postgres.lag_bytes", Unit.BYTES, "on a standby: WAL received and not yet replayed")
    yield _LOOK.put(
        "postgres.lag_seconds", Unit.SECONDS,
        "on a standby: age of what was replayed last; 0 when it has replayed all; unknown while nothing streams in",
    )  # fmt: skip
    yield _LOOK.put("postgres.slot_bytes", Unit.BYTES, "WAL kept for a replication slot", "slot")
    yield _LOOK.put("postgres.slot_active", Unit.FLAG, "1 when somebody reads from the slot", "slot")


def _work() -> Iterator[Metric]:
    yield _LOOK.put("postgres.commits_rate", Unit.PER_SECOND, "transactions committed, all databases")
    yield _LOOK.put("postgres.rollbacks_rate", Unit.PER_SECOND, "transactions rolled back, all databases")
    yield _LOOK.put("postgres.deadlocks_rate", Unit.PER_SECOND, "deadlocks detected, all databases")
    yield _LOOK.put("postgres.temp_rate", Unit.BYTES_PER_SECOND, "written to temporary files, all databases")
    yield _LOOK.share("postgres.cache_hit", "blocks found in shared buffers since the last look, of all asked for")


def _slow() -> Iterator[Metric]:
    yield _SLOW.put("postgres.size", Unit.BYTES, "size of the database it is looked at through")
    yield _SLOW.share("postgres.dead_ratio", "dead rows of all rows, in the tables with most of them", "table")
    yield _SLOW.put("postgres.xid_age", Unit.COUNT, "age of the oldest unfrozen transaction id, all databases")
    yield _SLOW.share("postgres.wraparound", "the same, of the 2^31 at which the server stops taking writes")
    yield _SLOW.put("postgres.checkpoints_rate", Unit.PER_SECOND, "checkpoints by what asked for them", "cause")
    yield _SLOW.put("postgres.archive_failing", Unit.FLAG, "1 when the last try to archive WAL failed")
    yield _SLOW.put("postgres.archive_failures_rate", Unit.PER_SECOND, "failed tries to archive WAL")


def _pooler() -> Iterator[Metric]:
    yield _LOOK.put("postgres.pooler_up", Unit.FLAG, "1 when the console of the pooler in front of it answers")
    yield _LOOK.put("postgres.pool_active", Unit.COUNT, "clients that have a connection of a pool", "pool")
    yield _LOOK.put("postgres.pool_waiting", Unit.COUNT, "clients that wait for one", "pool")
    yield _LOOK.put("postgres.pool_wait", Unit.SECONDS, "how long the first of them has waited", "pool")
    yield _LOOK.put("postgres.pool_servers", Unit.COUNT, "connections of a pool to the server", "pool")


KIND = Kind(
    name="postgres",
    organ="stomach",
    up="postgres.up",
    metrics=(*_itself(), *_sessions(), *_replication(), *_work(), *_slow(), *_pooler()),
)
