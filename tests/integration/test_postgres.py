"""PostgreSQL with a streaming standby, both the test's own: seen, held up, hung, healed, promoted."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import yaml

from healer.actions.hands.catalog import HandsOf, Services
from healer.actions.interface import Order
from healer.app import Agent
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.drivers.interface import DriverError
from healer.drivers.link import LinkState
from healer.errors import ActionError, SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.postgres import PostgresSensor
from healer.sensors.sql import SqlSensor
from healer.yamldoc.secret import Secret

pytestmark = pytest.mark.real
RULES = Path(__file__).parents[2] / "rules" / "postgres.yaml"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "max_connections": "20",
    "wal_receiver_timeout": "2s",
    "wal_retrieve_retry_interval": "200ms",
    "deadlock_timeout": "20ms",
    "archive_mode": "on",
    "archive_command": "false",
}
LISTEN = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
SETUP = """
CREATE ROLE healer LOGIN; GRANT pg_monitor, pg_signal_backend TO healer;
GRANT EXECUTE ON FUNCTION pg_promote TO healer;
SET password_encryption = 'scram-sha-256'; CREATE ROLE secure LOGIN PASSWORD 'hunter2 ''x'; GRANT pg_monitor TO secure;
CREATE ROLE app LOGIN; CREATE ROLE spared LOGIN; CREATE ROLE nosy LOGIN;
CREATE TABLE public.jobs (id int PRIMARY KEY, state text, tries int); GRANT ALL ON public.jobs TO app, spared, healer;
INSERT INTO public.jobs SELECT n, 'new', 0 FROM generate_series(1, 1500) AS n;
"""


HBA = """\
hostssl all secure 127.0.0.1/32 scram-sha-256
host all secure all reject
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def program(name):
    return max(Path("/usr/lib/postgresql").glob("*/bin")) / name


class Server:
    """One server on a Unix socket in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        folder.mkdir()
        folder.chmod(0o755)
        shutil.chown(folder, "postgres")
        self.process = None

    def make(self):
        data = self.folder / "data"
        self.run("initdb", "-D", data, "-A", "trust", "-N", "-U", "postgres", "--no-instructions")
        made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=pg"]
        certificate = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "server.key", "-out", "server.crt"]
        subprocess.run(
            ["openssl", "req", "-x509", *made, *certificate],
            cwd=data,
            user="postgres",
            check=True,
            capture_output=True,
        )
        (data / "server.key").chmod(0o600)
        (data / "pg_hba.conf").write_text(HBA + (data / "pg_hba.conf").read_text())
        with (data / "postgresql.conf").open("a") as settings:
            settings.write("ssl = on\n")
        return self

    def copy(self, primary):
        """Become a standby of another one, which knows it as ``second``."""
        where = f"host={primary.folder} port={primary.port} user=postgres application_name=second"
        self.run("pg_basebackup", "-D", self.folder / "data", "-R", "-N", "-X", "stream", "-c", "fast", "-d", where)
        return self

    def run(self, name, *args):
        done = subprocess.run(
            [program(name), *map(str, args)], user="postgres", cwd=self.folder, capture_output=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    def start(self):
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program("postgres"), "-D", self.folder / "data", "-k", self.folder, "-p", str(self.port), *LISTEN],
                user="postgres", stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 20
        while subprocess.run(
            [program("pg_isready"), "-q", "-h", self.folder, "-p", str(self.port)], check=False, timeout=10
        ).returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < end, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.03)
        return self

    def stop(self, how=signal.SIGQUIT):
        if self.process is not None and self.process.poll() is None:
            self.hold(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait(30)
        self.process = None

    def hold(self, number=signal.SIGSTOP):
        """Stop, or continue, the server and every process of it."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in (self.process.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def client(self, user="postgres", **options):
        """A session that is closed by its `with`; options are psycopg's."""
        return psycopg.connect(host=str(self.folder), port=self.port, user=user, dbname="postgres", **options)

    def ask(self, query, user="postgres"):
        with self.client(user, autocommit=True) as client:
            return client.execute(query).fetchall()


@pytest.fixture(scope="module")
def pair(real):
    real("pg_ctlcluster", root=True)
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    folder.chmod(0o755)
    first, second = Server(folder / "a"), Server(folder / "b")
    try:
        first.make().start()
        with first.client(autocommit=True) as client:
            client.execute(SETUP)
        second.copy(first).start()
        yield first, second
    finally:
        second.stop()
        first.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def first(pair):
    return pair[0]


@pytest.fixture
async def drivers():
    made = Drivers(SystemClock())
    yield made
    await made.close()


def target(server, name="main", **spec):
    host = {"host": str(server.folder), "port": server.port, "user": "healer", "timeout": 2.0}
    return Target(kind="postgres", name=name, organ="stomach", spec={**host, **spec})


def sensor(drivers, one):
    return PostgresSensor(one, drivers.of(one), SystemClock())


async def look(one):
    """What was seen, by metric and its further label; why, where nothing was."""
    seen = {}
    for reading in await one.look(SystemClock().now()):
        further = [value for key, value in reading.labels if key != "target"]
        said = reading.because if isinstance(reading, Unknown) else reading.value
        seen["/".join([reading.metric.removeprefix("postgres."), *further])] = said
    return seen


def unknown(said):
    return isinstance(said, str)


async def eventually(true, patience=10.0):
    end = time.monotonic() + patience
    while not (found := await true()):
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.05)
    return found


@contextlib.contextmanager
def forgotten(server, user="app", waiters=1):
    """A client that sits in a transaction with a lock, and others that wait for it."""
    with contextlib.ExitStack() as stack:
        holder = stack.enter_context(contextlib.closing(server.client(user)))
        holder.execute("UPDATE public.jobs SET tries = tries + 1 WHERE id = 1")
        others = [
            stack.enter_context(contextlib.closing(server.client("app", autocommit=True))) for _ in range(waiters)
        ]
        for other in others:
            other.pgconn.send_query(b"UPDATE public.jobs SET state = 'seen' WHERE id = 1")
        yield holder, others
        for other in others:
            other.pgconn.finish()
        holder.pgconn.finish()


def order(one, generation, **params):
    return Order(intent="aa", target=one, params=params, timeout=10.0, generation=generation)


def hands(drivers, kind="postgres"):
    return HandsOf(Services(drivers=drivers, programs=None, clock=SystemClock()))(kind)


STUCK = {"at_most": 5, "older": 0.0, "active": False, "cancel": False}

# -------------------------------------------------------------------------------------------------- looks


async def test_a_primary_says_what_its_users_know_of_it(pair, drivers):
    first, _ = pair
    with first.client(autocommit=True) as client:
        client.execute("SELECT pg_create_physical_replication_slot('kept', true)")
        one = sensor(drivers, target(first))
        await eventually(lambda: _followed(one))
        client.execute("DELETE FROM public.jobs WHERE id > 1000")
        client.execute("SELECT pg_stat_force_next_flush()")
    one._slow_at = -1e9
    seen = await look(one)
    print({key: value for key, value in seen.items() if unknown(value)})
    assert seen["up"] == 1
    assert seen["message"] == ""
    assert seen["version"].startswith("15.")
    assert seen["in_recovery"] == 0
    assert 0 < seen["uptime"] < 600
    assert 0 < seen["latency"] < 2
    assert seen["connections/idle"] == seen["connections/active"] == 0
    assert 0 < seen["connections_used"] < 0.5
    assert seen["longest_transaction"] == seen["longest_query"] == seen["longest_idle_in_transaction"] == 0
    assert seen["blocked"] == seen["longest_wait"] == 0
    assert seen["standbys"] == 1
    assert seen["standby_lag_bytes/second"] < 1e6
    assert seen["slot_active/kept"] == 0
    assert seen["slot_bytes/kept"] >= 0
    assert seen["commits_rate"] > 0
    assert seen["deadlocks_rate"] == seen["temp_rate"] == seen["rollbacks_rate"] == 0
    assert 0 <= seen["cache_hit"] <= 1
    assert seen["size"] > 1e6
    assert seen["xid_age"] > 0
    assert 0 < seen["wraparound"] < 0.01
    assert 0.2 < seen["dead_ratio/public.jobs"] < 0.5
    assert seen["checkpoints_rate/requested"] >= 0
    assert seen["archive_failing"] in {0, 1}
    assert not [key for key, value in seen.items() if unknown(value) and "generation" not in key
                and key not in {"version", "message"}]  # fmt: skip


async def test_what_goes_wrong_in_it_is_counted(first, drivers):
    one = sensor(drivers, target(first))
    await look(one)
    with contextlib.closing(first.client("app")) as left, contextlib.closing(first.client("app")) as right:
        left.execute(
            "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT generate_series(1, 50000) AS n ORDER BY n) AS x"
        )
        left.execute("UPDATE public.jobs SET tries = 1 WHERE id = 30")
        right.execute("UPDATE public.jobs SET tries = 1 WHERE id = 31")
        left.pgconn.send_query(b"UPDATE public.jobs SET tries = 1 WHERE id = 31")
        with contextlib.suppress(psycopg.errors.DeadlockDetected):  # or the other one is told
            right.execute("UPDATE public.jobs SET tries = 1 WHERE id = 30")
    with first.client(autocommit=True) as client:
        client.execute("SELECT pg_switch_wal()")

    async def failed():
        return first.ask("SELECT failed_count FROM pg_stat_archiver")[0][0]

    async def counted():
        one._slow_at = -1e9
        seen = await look(one)
        return seen if seen["deadlocks_rate"] > 0 else None

    await eventually(failed)
    seen = await eventually(counted)
    assert seen["temp_rate"] > 0
    assert seen["rollbacks_rate"] > 0
    assert seen["archive_failing"] == 1


async def _followed(one):
    return not unknown((await look(one)).get("standby_lag_bytes/second", "not there yet"))


async def test_an_idle_primarys_standby_that_has_it_all_is_not_late(pair, drivers):
    _, second = pair
    one = sensor(drivers, target(second))
    seen = await eventually(lambda: _caught_up(one))
    assert seen["in_recovery"] == 1
    assert seen["receiving"] == 1
    assert seen["lag_seconds"] == 0
    assert seen["standbys"] == 0
    assert "dead_ratio/public.jobs" not in seen


async def _caught_up(one):
    seen = await look(one)
    return seen if seen.get("lag_bytes") == 0 else None


async def test_a_standby_that_does_not_replay_is_late_in_bytes_and_seconds(pair, drivers):
    first, second = pair
    far, near = sensor(drivers, target(first)), sensor(drivers, target(second, name="second"))
    second.ask("SELECT pg_wal_replay_pause()")
    try:
        with first.client("app", autocommit=True) as client:
            client.execute("UPDATE public.jobs SET tries = tries + 1")

        async def late(sensing, *metrics):
            seen = await look(sensing)
            # Unknown, in words, until WAL streams in and the primary has heard of it.
            return all(isinstance(seen[one], int | float) and seen[one] > 0 for one in metrics)

        assert await eventually(lambda: late(near, "lag_bytes", "lag_seconds"))
        assert await eventually(lambda: late(far, "standby_lag_bytes/second"))
    finally:
        second.ask("SELECT pg_wal_replay_resume()")


async def test_what_a_role_may_not_see_is_unknown_and_the_grant_is_named(first, drivers):
    seen = await look(sensor(drivers, target(first, user="nosy")))
    assert seen["up"] == 1
    assert seen["blocked"] == 0
    assert "GRANT pg_monitor TO nosy" in seen["longest_idle_in_transaction"]
    assert "GRANT pg_monitor TO nosy" in seen["connections_used"]


async def test_a_role_that_may_not_come_in_makes_all_unknown_and_not_down(first, drivers):
    for wrong in ({"user": "nobody"}, {"dbname": "nowhere"}):
        with pytest.raises(SensorError, match="does not exist"):
            await look(sensor(drivers, target(first, name=str(wrong), **wrong)))


async def test_over_the_network_it_proves_who_it_is_and_we_say_the_password(first, drivers, tmp_path):
    secret, ca = tmp_path / "secret", tmp_path / "ca.pem"
    secret.write_text("hunter2 'x\n")
    secret.chmod(0o600)
    shutil.copy(first.folder / "data" / "server.crt", ca)
    keys = {"host": "127.0.0.1", "user": "secure", "password": Secret(file=str(secret)), "sslmode": "verify-full",
            "sslrootcert": str(ca)}  # fmt: skip
    assert (await look(sensor(drivers, target(first, name="tls", **keys))))["up"] == 1
    for name, wrong, said in (
        ("plain", {"sslmode": "disable"}, "reject"),
        ("stranger", {"sslrootcert": "/etc/ssl/certs/ca-certificates.crt"}, "certificate"),
        ("nobody", {"password": None}, "password"),
    ):
        with pytest.raises(SensorError, match=said):
            await look(sensor(drivers, target(first, name=name, **keys | wrong)))
    secret.write_text("hunter3")
    with pytest.raises(SensorError, match="password authentication failed") as caught:
        await look(sensor(drivers, target(first, name="wrong", **keys)))
    assert "hunter" not in str(caught.value)


async def test_a_full_server_is_down_for_whoever_comes_next(first, drivers):
    one = sensor(drivers, target(first))
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                stack.enter_context(contextlib.closing(first.client()))
        seen = await look(one)
        assert seen["up"] == 0
        assert "too many clients" in seen["message"]


async def test_a_server_that_hangs_is_down_within_its_time_and_is_seen_again_when_it_goes_on(first, drivers):
    one = sensor(drivers, target(first, timeout=0.5))
    before = await look(one)
    first.hold()
    try:
        began = time.monotonic()
        seen = await look(one)
        assert time.monotonic() - began < 1.5
        assert seen["up"] == 0
        assert "did not answer within 0.5 s" in seen["message"]
        assert seen["generation"] == ""
    finally:
        first.hold(signal.SIGCONT)
    again = await look(one)
    assert again["up"] == 1
    assert again["generation"] == before["generation"]


async def test_a_session_that_was_ended_is_made_anew_within_the_look(first, drivers):
    one = target(first)
    watch = sensor(drivers, one)
    await look(watch)
    first.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'healer'")
    assert (await look(watch))["up"] == 1
    assert drivers.of(one).status().reconnects == 1
    assert drivers.of(one).status().state is LinkState.CONNECTED


async def test_what_looks_cannot_write_and_is_ended_by_the_server_in_time(first, drivers):
    driver = drivers.of(target(first, timeout=0.5))
    for query, said in (
        ("UPDATE public.jobs SET tries = 0", "syntax error"),
        ("SELECT 1; DELETE FROM public.jobs", "multiple commands"),
        ("WITH gone AS (DELETE FROM public.jobs RETURNING id) SELECT id FROM gone", "must not contain"),
        ("SELECT pg_sleep(5)", "statement timeout"),
    ):
        with pytest.raises(DriverError, match=said):
            await driver.select(query, most=10)
    assert len(await driver.select("SELECT id FROM public.jobs", most=7)) == 7


@pytest.fixture
def bouncer(real, first, tmp_path):
    real("pgbouncer")
    folder = first.folder / "bouncer"
    folder.mkdir()
    port = free_port()
    (folder / "users").write_text('"app" ""\n"stats" ""\n')
    (folder / "ini").write_text(
        f"[databases]\nshop = host={first.folder} port={first.port} dbname=postgres\n[pgbouncer]\n"
        f"listen_addr=\nlisten_port={port}\nunix_socket_dir={folder}\nauth_type=trust\nauth_file={folder}/users\n"
        "stats_users=stats\ndefault_pool_size=1\n"
    )
    shutil.chown(folder, "postgres")
    command = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([command, folder / "ini"], user="postgres", stdout=log, stderr=log)
    end = time.monotonic() + 10
    while not (folder / f".s.PGSQL.{port}").exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < end
        time.sleep(0.02)
    yield folder, port
    process.terminate()
    process.wait(10)


async def test_who_waits_at_the_pooler_is_seen(first, drivers, bouncer):
    folder, port = bouncer
    keys = {"host": str(folder), "port": port}
    watch = sensor(drivers, target(first, pooler={**keys, "user": "stats"}))
    where = {"host": str(folder), "port": port, "user": "app", "dbname": "shop"}
    with contextlib.closing(psycopg.connect(**where)) as busy:
        busy.execute("SELECT 1")
        waiter = psycopg.pq.PGconn.connect(psycopg.conninfo.make_conninfo(**where).encode())
        waiter.send_query(b"SELECT 1")
        await asyncio.sleep(0.05)
        seen = await look(watch)
        waiter.finish()
    assert seen["pooler_up"] == 1
    assert (seen["pool_active/shop/app"], seen["pool_waiting/shop/app"], seen["pool_servers/shop/app"]) == (1, 1, 1)
    assert seen["pool_wait/shop/app"] > 0
    stranger = await look(sensor(drivers, target(first, name="stranger", pooler={**keys, "user": "nobody"})))
    assert unknown(stranger["pooler_up"])
    assert stranger["up"] == 1
    gone = await look(sensor(drivers, target(first, name="gone", pooler={"host": "/nonexistent", "port": 1})))
    assert (gone["up"], gone["pooler_up"]) == (1, 0)


# ------------------------------------------------------------------------------------------------ reconnect


async def test_who_sits_idle_with_a_lock_is_ended_and_who_waited_goes_on(first, drivers):
    one = target(first)
    watch = sensor(drivers, one)
    with forgotten(first, waiters=2) as (holder, _):

        async def held_up():
            seen = await look(watch)
            return seen if seen["blocked"] == 2 and seen["longest_wait"] > 0 else None

        seen = await eventually(held_up)
        assert seen["connections/idle-in-transaction"] == 1
        assert seen["longest_idle_in_transaction"] > 0
        assert seen["longest_transaction"] >= seen["longest_idle_in_transaction"]
        done = await hands(drivers)["reconnect"].act(order(one, seen["generation"], **STUCK))
        assert [ended["pid"] for ended in done.facts["ended"]] == [holder.info.backend_pid]
        assert done.facts["ended"][0]["holds"] == 1
        await eventually(lambda: _free(watch))


async def _free(watch):
    return (await look(watch))["blocked"] == 0


async def test_spared_roles_superusers_and_the_young_are_left_alone(first, drivers):
    one = target(first, spare=("spared",))
    generation = (await look(sensor(drivers, one)))["generation"]
    reconnect = hands(drivers)["reconnect"]
    for user, params in (("spared", STUCK), ("postgres", STUCK), ("app", STUCK | {"older": 60.0})):
        with forgotten(first, user) as (holder, _):
            done = await reconnect.act(order(one, generation, **params))
            assert done.facts["ended"] == []
            holder.execute("SELECT 1")


async def test_who_woke_up_or_changed_hands_since_it_was_judged_is_left_alone(first, drivers):
    one = target(first)
    reconnect, given = hands(drivers)["reconnect"], order(one, "", **STUCK)
    with forgotten(first, waiters=0) as (holder, _):
        async with drivers.of(one).hands(timeout=5.0) as session:
            (judged,) = await reconnect._find(session, given)
            for stale in (
                replace(judged, born="2020-01-01 00:00:00+00"),
                replace(judged, began="2020-01-01 00:00:00+00"),
            ):
                assert not await reconnect._end(session, stale, given)
            holder.execute("SELECT 1")
            assert not await reconnect._end(session, judged, given)
            holder.execute("SELECT 1")
            (again,) = await reconnect._find(session, given)
            assert await reconnect._end(session, again, given)


async def test_a_running_statement_is_ended_only_when_asked_and_cancelled_first(first, drivers):
    one = target(first)
    generation = (await look(sensor(drivers, one)))["generation"]
    reconnect = hands(drivers)["reconnect"]
    with contextlib.closing(first.client("app", autocommit=True)) as busy, \
            contextlib.closing(first.client("app", autocommit=True)) as waiter:  # fmt: skip
        busy.pgconn.send_query(b"BEGIN; LOCK public.jobs; SELECT pg_sleep(60)")
        await eventually(lambda: _locked(first))
        waiter.pgconn.send_query(b"UPDATE public.jobs SET state = 'seen' WHERE id = 2")
        await eventually(lambda: _waits(first))
        assert (await reconnect.act(order(one, generation, **STUCK))).facts["ended"] == []
        done = await reconnect.act(order(one, generation, **STUCK | {"active": True, "cancel": True}))
        assert [ended["pid"] for ended in done.facts["ended"]] == [busy.info.backend_pid]
        busy.pgconn.finish()
        waiter.pgconn.finish()


async def _locked(server):
    return server.ask("SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'public.jobs'::regclass")


async def _waits(server):
    return server.ask("SELECT FROM pg_locks WHERE NOT granted")


async def test_another_incarnation_is_left_alone(first, drivers):
    one = target(first)
    with forgotten(first) as (holder, _):
        with pytest.raises(ActionError, match="another incarnation") as caught:
            await hands(drivers)["reconnect"].act(order(one, "123.456", **STUCK))
        assert not caught.value.transient
        holder.execute("SELECT 1")


async def test_who_may_not_end_sessions_is_told_the_grant(first, drivers):
    one = target(first, user="nosy")
    generation = (await look(sensor(drivers, one)))["generation"]
    with first.client(autocommit=True) as client:
        client.execute("GRANT pg_monitor TO nosy")
    with forgotten(first), pytest.raises(ActionError, match="pg_signal_backend") as caught:
        await hands(drivers)["reconnect"].act(order(one, generation, **STUCK))
    assert not caught.value.transient


# ------------------------------------------------------------------------------------------- sql, update


async def test_statements_are_one_transaction_with_values_beside_them_and_a_bound(first, drivers):
    one = target(first)
    generation = (await look(sensor(drivers, one)))["generation"]
    sql = hands(drivers)["sql"]
    hostile = "x'; DROP TABLE public.jobs; --"
    statements = [
        "UPDATE public.jobs SET state = %(word)s WHERE id = %(id)s",
        "UPDATE public.jobs SET tries = 7 WHERE id = 5",
    ]
    values = {"word": hostile, "id": 5}
    done = await sql.act(order(one, generation, statements=statements, values=values, at_most=2))
    assert done.facts == {"rows": 2}
    assert first.ask("SELECT state, tries FROM public.jobs WHERE id = 5") == [(hostile, 7)]
    for refused in (
        {"statements": ["UPDATE public.jobs SET tries = 9"], "at_most": 10},
        {"statements": ["UPDATE public.jobs SET tries = 9 WHERE id = 5; DROP TABLE public.jobs"], "at_most": 10},
        {"statements": ["UPDATE public.jobs SET tries = 9 WHERE id = 5", "SELECT nothing"], "at_most": 10},
        {"statements": ["UPDATE public.jobs SET tries = 9 WHERE id = 5", "COMMIT"], "at_most": 10},
    ):
        with pytest.raises(ActionError) as caught:
            await sql.act(order(one, generation, **refused))
        assert not caught.value.transient
    assert first.ask("SELECT count(*) FROM public.jobs WHERE tries = 9") == [(0,)]


async def test_a_lock_that_is_not_had_in_time_may_be_tried_again(first, drivers):
    one = target(first)
    generation = (await look(sensor(drivers, one)))["generation"]
    late = Order(intent="aa", target=one, timeout=0.5, generation=generation,
                 params={"statements": ["UPDATE public.jobs SET tries = 9 WHERE id = 1"], "at_most": 1})  # fmt: skip
    with forgotten(first, waiters=0), pytest.raises(ActionError, match="timeout") as caught:
        await hands(drivers)["sql"].act(late)
    assert caught.value.transient


async def test_only_declared_columns_are_updated(first, drivers):
    one = target(first, updates={"public.jobs": ("state",)})
    generation = (await look(sensor(drivers, one)))["generation"]
    update = hands(drivers)["update"]
    params = {"table": "public.jobs", "set": {"state": "done"}, "where": {"id": 6}, "at_most": 1}
    assert (await update.act(order(one, generation, **params))).facts == {"rows": 1}
    assert first.ask("SELECT state FROM public.jobs WHERE id = 6") == [("done",)]
    for wrong, said in (
        ({"set": {"tries": 1}}, "not declared"),
        ({"table": "pg_class"}, "not declared"),
        ({"where": {}}, "columns that tell the rows"),
        ({"where": {"id": -1}}, "no row fits"),
        ({"where": {"state": "new"}}, "of at most 1"),
        ({"where": {'id" = 1 OR "id': 6}}, "does not exist"),
    ):
        with pytest.raises(ActionError, match=said):
            await update.act(order(one, generation, **params | wrong))
    assert first.ask("SELECT count(*) FROM public.jobs WHERE state = 'done'") == [(1,)]


async def test_a_setting_is_changed_within_its_bounds_seen_in_force_and_put_back(first, drivers):
    bound = {"work_mem": {"least": 1024.0, "most": 8192.0}, "statement_timeout": {"least": 0.0, "most": 60000.0},
             "max_connections": {"least": 1.0, "most": 9.0}, "nonsense": {"least": 0.0, "most": 1.0}}  # fmt: skip
    one = target(first, settings=bound)
    generation = (await look(sensor(drivers, one)))["generation"]
    adjust = hands(drivers)["adjust"]
    with pytest.raises(ActionError, match="ALTER SYSTEM ON PARAMETER") as caught:
        await adjust.act(order(one, generation, setting="work_mem", value="+50%"))
    assert not caught.value.transient
    with first.client(autocommit=True) as client:
        client.execute("GRANT ALTER SYSTEM ON PARAMETER work_mem, statement_timeout TO healer")
        client.execute("GRANT EXECUTE ON FUNCTION pg_reload_conf TO healer")

    def value(name="work_mem"):
        return first.ask(f"SELECT setting, sourcefile LIKE '%auto.conf' FROM pg_settings WHERE name = '{name}'")[0]

    assert value() == ("4096", None)
    done = await adjust.act(order(one, generation, setting="work_mem", value="+50%"))
    assert value() == ("6144", True)
    assert done.facts == {"setting": "work_mem", "before": "4096", "after": "6144"}
    again = await adjust.act(order(one, generation, setting="work_mem", value="64MiB"))
    assert value() == ("8192", True)
    assert "already" in (await adjust.act(order(one, generation, setting="work_mem", value="+1"))).because
    assert "somebody else" in (await adjust.act(order(one, generation, **done.undo))).because
    await adjust.act(order(one, generation, **again.undo))
    assert value() == ("6144", True)
    await adjust.act(order(one, generation, **done.undo))
    assert value() == ("4096", None)
    done = await adjust.act(order(one, generation, setting="statement_timeout", value="30000"))
    assert value("statement_timeout") == ("30000", True)
    await adjust.act(order(one, generation, **done.undo))
    for wrong, said in (
        ({"setting": "fsync", "value": "0"}, "not declared"),
        ({"setting": "max_connections", "value": "5"}, "restart"),
        ({"setting": "nonsense", "value": "1"}, "no setting"),
        ({"setting": "statement_timeout", "value": "+20%"}, "no part of that"),
        ({"setting": "statement_timeout", "value": "1MiB"}, "no size"),
        ({"setting": "work_mem", "value": "50%"}, "a share of what"),
    ):
        with pytest.raises(ActionError, match=said):
            await adjust.act(order(one, generation, **wrong))


async def test_queries_of_ones_own_give_numbers_by_row(first, drivers):
    queries = {
        "one": "SELECT 42",
        "several": "SELECT state, count(*) FROM public.jobs WHERE id BETWEEN 10 AND 20 GROUP BY state",
        "many": "SELECT id FROM public.jobs",
        "nothing": "SELECT NULL::int",
        "word": "SELECT 'twelve'",
        "wrong": "SELECT nope",
        "cut": "SELECT 1.5::numeric % 1",
    }
    spec = {"host": str(first.folder), "port": first.port, "user": "healer", "timeout": 2.0, "queries": queries,
            "rows": 20}  # fmt: skip
    with first.client(autocommit=True) as client:
        client.execute("GRANT SELECT ON public.jobs TO healer")
    one = Target(kind="sql", name="jobs", organ="stomach", spec=spec)
    readings = await SqlSensor(one, drivers.of(one), SystemClock()).look(1.0)
    seen = {(reading.metric, dict(reading.labels).get("name"), dict(reading.labels).get("row")): reading
            for reading in readings}  # fmt: skip
    assert seen["sql.up", None, None].value == 1
    assert seen["sql.value", "one", ""].value == 42
    assert seen["sql.value", "several", "new"].value == 11
    assert seen["sql.value", "cut", ""].value == 0.5
    assert seen["sql.rows", "several", None].value == 1
    assert "more than 20 rows" in seen["sql.value", "many", ""].because
    assert "NULL" in seen["sql.value", "nothing", ""].because
    assert "garbage" in seen["sql.value", "word", ""].because
    assert "does not exist" in seen["sql.value", "wrong", ""].because


# ---------------------------------------------------------------------------------------------------- story


def shipped(folder):
    """The shipped rules, acting, and with the patience of a test."""
    rules = yaml.safe_load(RULES.read_text().replace("> 1m", "> 1s").replace("< 1m", "< 1s"))
    for rule in rules["rules"]:
        if rule["id"] == "postgres-sessions-held-up":
            rule |= {"mode": "auto", "clear_for": "300ms", "cooldown": "0s"}
            rule["then"][0]["reconnect"]["older"] = "1s"
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))


def test_an_agent_sees_who_is_held_up_ends_who_holds_and_proves_it(first, tmp_path):
    shipped(tmp_path)
    config = {
        "version": 1,
        "mode": "auto",
        "rules": {"files": [str(tmp_path / "rules.yaml")]},
        "targets": [
            {
                "kind": "postgres",
                "name": "main",
                "host": str(first.folder),
                "port": first.port,
                "user": "healer",
                "every": "200ms",
                "startup_grace": "0s",
            }
        ],
        "limits": {"saturation_psi": 1.0},
    }  # fmt: skip
    verdicts = []
    with Agent(config, state_dir=tmp_path / "s") as agent:
        agent.on("action.verdict", lambda _, data: verdicts.append(data))
        time.sleep(0.5)
        with forgotten(first) as (holder, _):
            began = time.monotonic()
            while not verdicts:
                assert time.monotonic() - began < 15, agent.status()
                time.sleep(0.05)
            print(f"held up -> healed and verified in {time.monotonic() - began:.2f} s")
            with pytest.raises(psycopg.OperationalError):
                holder.execute("SELECT 1")
        status = [driver for driver in agent.status()["drivers"] if driver["name"] == "postgres:main"]
        assert status[0]["state"] == "connected"
    assert verdicts[0]["result"] == "verified", verdicts


async def test_a_standby_is_promoted_only_when_its_primary_is_gone(pair, drivers):
    first, second = pair
    blind = target(second, name="blind")
    seeing = target(second, name="second", primary={"host": str(first.folder), "port": first.port})
    watch = sensor(drivers, seeing)
    generation = (await look(watch))["generation"]
    failover = hands(drivers)["failover"]
    with pytest.raises(ActionError, match="nobody knows where"):
        await failover.act(order(blind, generation, max_lag=2**24))
    with pytest.raises(ActionError, match="answers"):
        await failover.act(order(seeing, generation, max_lag=2**24))
    there = target(first, primary={"host": "/nonexistent", "port": 1})
    itself = (await look(sensor(drivers, there)))["generation"]
    with pytest.raises(ActionError, match="is no standby"):
        await failover.act(order(there, itself, max_lag=2**24))
    first.stop()

    async def cut_off():
        seen = await look(watch)
        return seen if seen["receiving"] == 0 else None

    seen = await eventually(cut_off)
    assert "nobody can tell" in seen["lag_seconds"]
    done = await failover.act(order(seeing, generation, max_lag=2**24))
    assert "is a primary now" in done.because
    seen = await look(watch)
    assert seen["in_recovery"] == 0
    assert seen["receiving"] == seen["lag_seconds"] == "it is no standby any more"
    assert "receiving" not in await look(watch)
    assert second.ask("UPDATE public.jobs SET tries = 1 WHERE id = 1 RETURNING id") == [(1,)]
    with pytest.raises(ActionError, match="is no standby"):
        await failover.act(order(seeing, generation, max_lag=2**24))


async def test_a_server_that_is_gone_is_down_and_one_that_comes_back_is_another_incarnation(pair, drivers):
    _, second = pair
    one = sensor(drivers, target(second))
    before = (await look(one))["generation"]
    second.stop()
    seen = await look(one)
    assert seen["up"] == 0
    assert unknown(seen["latency"])
    second.start()
    again = await look(one)
    assert again["up"] == 1
    assert again["generation"] not in {before, ""}
