"""What a PostgreSQL server is asked, in SQL, piece by piece: what one piece may not see costs that piece only."""

from dataclasses import dataclass

_HEAD = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One question, and the series that are unknown where it has no answer."""

    name: str
    sql: str
    series: tuple[str, ...]
    """Metrics it always gives; those with labels that only the answer knows are left out."""
    monitor: bool = False
    """It needs the role pg_monitor: without, the server shows nothing of other roles."""
    on: str = ""
    """``primary`` or ``standby``; empty: on both."""
    slow: bool = False
    """About once a minute is enough."""
    since: int = 0
    until: int = 10**9
    """Versions it is meant for, this one left out."""

    def fits(self, version: int, *, in_recovery: bool) -> bool:
        """Whether this server is asked."""
        return self.since <= version < self.until and self.on in ("", "standby" if in_recovery else "primary")


SESSIONS = Piece(
    name="sessions",
    monitor=True,
    series=(
        "postgres.connections_used", "postgres.longest_transaction", "postgres.longest_idle_in_transaction",
        "postgres.longest_query",
    ),
    # A wait of ours for the clock is not a transaction of theirs: our own session is left out of all but the share.
    sql="""
SELECT state, count(*) FILTER (WHERE NOT own), count(*), max(xact), max(query), max(idle),
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0)
FROM (
  SELECT CASE state WHEN 'idle in transaction' THEN 'idle-in-transaction'
                    WHEN 'idle in transaction (aborted)' THEN 'idle-in-transaction-aborted'
                    WHEN 'active' THEN 'active' WHEN 'idle' THEN 'idle' ELSE 'other' END AS state,
         pid = pg_backend_pid() AS own,
         CASE WHEN pid <> pg_backend_pid() THEN extract(epoch FROM clock_timestamp() - xact_start) END::float8 AS xact,
         CASE WHEN pid <> pg_backend_pid() AND state = 'active'
              THEN extract(epoch FROM clock_timestamp() - query_start) END::float8 AS query,
         CASE WHEN state LIKE 'idle in transaction%'
              THEN extract(epoch FROM clock_timestamp() - state_change) END::float8 AS idle
  FROM pg_stat_activity WHERE backend_type = 'client backend'
) AS sessions GROUP BY state
""",
)  # fmt: skip
LOCKS = Piece(
    name="locks",
    series=("postgres.blocked", "postgres.longest_wait"),
    since=140000,
    sql="""
SELECT count(DISTINCT pid), coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8
FROM pg_locks WHERE NOT granted
""",
)
LOCKS_BEFORE_14 = Piece(
    name="locks",
    series=("postgres.blocked",),
    until=140000,
    sql="SELECT count(DISTINCT pid), NULL FROM pg_locks WHERE NOT granted",
)
STANDBYS = Piece(
    name="standbys",
    monitor=True,
    series=("postgres.standbys",),
    sql=f"""
SELECT application_name, count(*), max(bytes)::float8,
       max(CASE WHEN bytes <= 0 THEN 0 ELSE extract(epoch FROM replay_lag) END)::float8
FROM (SELECT *, pg_wal_lsn_diff({_HEAD}, replay_lsn) AS bytes FROM pg_stat_replication) AS senders
WHERE state IN ('startup', 'catchup', 'streaming') GROUP BY application_name ORDER BY 3 DESC NULLS FIRST LIMIT 100
""",  # noqa: S608 - constants only
)
STANDBY = Piece(
    name="standby",
    on="standby",
    monitor=True,
    series=("postgres.receiving", "postgres.lag_bytes", "postgres.lag_seconds"),
    sql="""
SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),
       pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::float8,
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8
""",
)
SLOTS = Piece(
    name="slots",
    series=(),
    sql=f"""
SELECT slot_name, active, pg_wal_lsn_diff({_HEAD}, restart_lsn)::float8 FROM pg_replication_slots
ORDER BY restart_lsn LIMIT 100
""",  # noqa: S608 - constants only
)
WORK = Piece(
    name="work",
    series=(
        "postgres.commits_rate", "postgres.rollbacks_rate", "postgres.deadlocks_rate", "postgres.temp_rate",
        "postgres.cache_hit",
    ),
    sql="""
SELECT sum(xact_commit)::float8, sum(xact_rollback)::float8, sum(deadlocks)::float8, sum(temp_bytes)::float8,
       sum(blks_hit)::float8, sum(blks_read)::float8
FROM pg_stat_database
""",
)  # fmt: skip
SIZE = Piece(
    name="size", slow=True, series=("postgres.size",), sql="SELECT pg_database_size(current_database())::float8"
)
AGE = Piece(
    name="age",
    slow=True,
    series=("postgres.xid_age", "postgres.wraparound"),
    sql="SELECT max(age(datfrozenxid))::float8, max(mxid_age(datminmxid))::float8 FROM pg_database",
)
DEAD = Piece(
    name="dead",
    slow=True,
    on="primary",
    series=(),
    sql="""
SELECT schemaname || '.' || relname, n_dead_tup::float8 / (n_live_tup + n_dead_tup)
FROM pg_stat_user_tables WHERE n_live_tup + n_dead_tup >= 1000 ORDER BY n_dead_tup DESC LIMIT 5
""",
)
CHECKPOINTS = Piece(
    name="checkpoints",
    slow=True,
    since=170000,
    series=(),
    sql="SELECT num_timed::float8, num_requested::float8 FROM pg_stat_checkpointer",
)
CHECKPOINTS_BEFORE_17 = Piece(
    name="checkpoints",
    slow=True,
    until=170000,
    series=(),
    sql="SELECT checkpoints_timed::float8, checkpoints_req::float8 FROM pg_stat_bgwriter",
)
ARCHIVER = Piece(
    name="archiver",
    slow=True,
    series=("postgres.archive_failing", "postgres.archive_failures_rate"),
    sql="""
SELECT current_setting('archive_mode') <> 'off' AND last_failed_time IS NOT NULL
         AND (last_archived_time IS NULL OR last_failed_time > last_archived_time),
       failed_count::float8
FROM pg_stat_archiver
""",
)
PIECES: tuple[Piece, ...] = (
    SESSIONS, LOCKS, LOCKS_BEFORE_14, STANDBYS, STANDBY, SLOTS, WORK,
    SIZE, AGE, DEAD, CHECKPOINTS, CHECKPOINTS_BEFORE_17, ARCHIVER,
)  # fmt: skip
"""In the order they are asked: what matters most first, for a server so slow that time runs out."""
