"""Redis, the real one: a master and its replica, looked at and acted on with no more rights than the page says."""

import asyncio
import contextlib
import datetime as dt
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from audit import canonical
from audit.reader import Log
from healer.actions.hands import redis as module
from healer.actions.hands.catalog import Services
from healer.actions.interface import Order
from healer.app import Agent
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.errors import ActionError, SensorError
from healer.model.kinds.redis import KIND
from healer.model.observation import Observation, Unknown
from healer.model.target import Target
from healer.sensors import catalog as sensors
from healer.yamldoc.secret import Secret

pytestmark = pytest.mark.real
PAGE = Path(__file__).parents[2] / "docs" / "kinds" / "redis.md"
RIGHTS = re.search(r"^ACL SETUSER healer (.*)$", PAGE.read_text(), re.MULTILINE)[1].replace("PASSWORD", "secret")


class Server:
    """A redis-server of the test's own."""

    def __init__(self, folder, name, *more):
        self.folder, self.name, self.more = folder / name, name, more
        self.folder.mkdir()
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        self.process = None

    def start(self, *more, ready="PONG"):
        lines = (
            f"port {self.port}", "bind 127.0.0.1", f"dir {self.folder}", f"logfile {self.folder}/log", 'save ""',
            "repl-diskless-sync-delay 0", f"user healer {RIGHTS}", *self.more, *more,
        )  # fmt: skip
        (self.folder / "conf").write_text("\n".join(lines))
        self.process = subprocess.Popen(["redis-server", str(self.folder / "conf")])
        end = time.monotonic() + 10
        while not self.say("PING").startswith(ready):
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < end
            time.sleep(0.02)

    def end(self, number=signal.SIGKILL):
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            self.process.wait(10)
            self.process = None

    def say(self, *words, timeout=5):
        """As an operator would, by redis-cli."""
        told = subprocess.run(
            ["redis-cli", "-p", str(self.port), *words], check=False, capture_output=True, text=True, timeout=timeout
        )
        return told.stdout.strip()

    def connect(self):
        """A client that says nothing unless it is told to."""
        sock = socket.create_connection(("127.0.0.1", self.port), 5)
        sock.settimeout(5)
        return sock


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("redis")


@pytest.fixture(scope="module")
def secret(folder):
    path = folder / "password"
    path.write_text("secret\n")
    path.chmod(0o600)
    return Secret(file=str(path))


@pytest.fixture(scope="module")
def master(real, folder):
    real("redis-server", "redis-cli")
    made = Server(folder, "master", "maxmemory 100mb", "appendonly yes")
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def replica(master, folder):
    made = Server(folder, "replica", f"replicaof 127.0.0.1 {master.port}")
    made.start()
    yield made
    made.end()


@pytest.fixture
async def drivers():
    made = Drivers(SystemClock())
    yield made
    await made.close()


@pytest.fixture
def hands(drivers):
    return module.hands(Services(drivers=drivers, programs=None, clock=drivers.clock))


@pytest.fixture
def target(secret):
    def make(server, **spec):
        spec = {"port": server.port, "username": "healer", "password": secret, "timeout": 1.0, **spec}
        return Target(kind="redis", name=server.name, organ="stomach", spec=spec)

    return make


@pytest.fixture
def look(drivers):
    kept = {}

    async def once(target):
        key = (target.id, repr(target.spec))
        if key not in kept:
            services = sensors.Services(clock=drivers.clock, http=None, docker=None, drivers=drivers)
            kept[key] = sensors.build(target, services)
        readings = await kept[key].look(drivers.clock.now())
        return {
            (one.metric, dict(one.labels).get("db", "") or dict(one.labels).get("replica", "")): one for one in readings
        }

    return once


def value(seen, metric, label=""):
    reading = seen[metric, label]
    assert isinstance(reading, Observation), reading
    return reading.value


async def until(ask, good, within=10.0):
    end = time.monotonic() + within
    while not good(found := await ask()):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.05)
    return found


def order(target, generation, **params):
    return Order(intent="aa", target=target, params=params, timeout=10.0, generation=generation)


async def synced(look, target):
    return await until(lambda: look(target), lambda seen: getattr(seen["redis.link_up", ""], "value", 0) == 1)


async def test_everything_about_a_master_and_its_replica_is_seen(master, replica, target, look):
    master.say("SET", "a", "1")
    await synced(look, target(replica))
    await look(target(master))
    master.say("GET", "a")
    master.say("GET", "b")
    one = f"127.0.0.1:{replica.port}"
    seen = await until(
        lambda: look(target(master)),
        lambda seen: isinstance(seen.get(("redis.replica_lag_bytes", one)), Observation) and ("redis.hits", "") in seen,
    )
    of_replicas = {"redis.link_up", "redis.syncing", "redis.lag", "redis.lag_bytes"}
    plain = {metric.name for metric in KIND.metrics if metric.labels == ("target",)} - of_replicas - {"redis.hits"}
    assert {name for name in plain if isinstance(seen[name, ""], Unknown)} == set()
    assert value(seen, "redis.up") == 1
    assert value(seen, "redis.role") == "master"
    assert value(seen, "redis.memory_limit") == 100 << 20
    assert 0 < value(seen, "redis.memory_use") < 0.5
    assert value(seen, "redis.keys", "0") == 1
    assert value(seen, "redis.replicas") == 1
    assert value(seen, "redis.replica_online", one) == 1
    assert value(seen, "redis.replica_lag", one) < 5
    assert value(seen, "redis.replica_lag_bytes", one) < 1000
    assert value(seen, "redis.save_ok") == value(seen, "redis.aof_ok") == 1
    assert 0 < value(seen, "redis.latency") < 1
    seen = await look(target(replica))
    assert {name for name in of_replicas if isinstance(seen[name, ""], Unknown)} == set()
    assert value(seen, "redis.role") == "replica"
    assert value(seen, "redis.lag") < 15
    assert value(seen, "redis.aof") == 0
    assert isinstance(seen["redis.aof_ok", ""], Unknown)


async def test_reads_that_found_nothing_show_in_the_hits(master, target, look):
    await look(target(master))
    master.say("SET", "there", "1")
    for key in ("there", "gone", "gone too", "gone as well"):
        master.say("GET", key)
    assert value(await look(target(master)), "redis.hits") == 0.25
    assert isinstance((await look(target(master)))["redis.hits", ""], Unknown)


async def test_killed_is_down_and_started_again_is_another(folder, secret, target, look):
    server = Server(folder, "mortal")
    server.start()
    try:
        before = value(await look(target(server)), "redis.generation")
        server.end()
        seen = await look(target(server))
        assert value(seen, "redis.up") == 0
        assert "refused" in value(seen, "redis.message")
        assert value(seen, "redis.generation") == ""
        server.start()
        seen = await look(target(server))
        assert value(seen, "redis.up") == 1
        assert value(seen, "redis.generation") not in ("", before)
        server.process.send_signal(signal.SIGSTOP)
        seen = await look(target(server, timeout=0.3))
        assert value(seen, "redis.up") == 0
        assert "within" in value(seen, "redis.message")
        server.process.send_signal(signal.SIGCONT)
        assert value(await look(target(server)), "redis.up") == 1
    finally:
        server.end()


async def test_a_server_full_of_clients_is_down_for_all_but_who_is_in(folder, drivers, hands, target, look):
    server = Server(folder, "full", "maxclients 6")
    server.start()
    aim = target(server)
    crowd = []
    try:
        seen = await look(aim)
        crowd = [server.connect() for _ in range(5)]
        for sock in crowd:
            sock.sendall(b"PING\r\n")
            assert sock.recv(20) == b"+PONG\r\n"
        assert server.say("PING") != "PONG"
        assert value(await look(aim), "redis.client_use") == 1
        other = Target(kind="redis", name="late", organ="stomach", spec=aim.spec)
        full = await look(other)
        assert value(full, "redis.up") == 0
        assert "max number of clients" in value(full, "redis.message")
        # The one connection that was kept can still send them away.
        await asyncio.sleep(1.1)
        crowd[0].sendall(b"PING\r\n")
        assert crowd[0].recv(20) == b"+PONG\r\n"
        do = hands["reconnect"]
        done = await do.act(order(aim, value(seen, "redis.generation"), older=1.0, at_most=3))
        assert done.facts["connections"] == 3
        assert server.say("PING") == "PONG"
        crowd[0].sendall(b"PING\r\n")
        assert crowd[0].recv(20) == b"+PONG\r\n"
        assert value(await look(aim), "redis.rejected_rate") > 0
    finally:
        for sock in crowd:
            sock.close()
        server.end()


async def test_one_that_loads_is_neither_up_nor_down(folder, hands, target, look):
    server = Server(folder, "slow", "enable-debug-command yes")
    server.start()
    try:
        server.say("DEBUG", "POPULATE", "2000", "key", "2000")
        assert server.say("SAVE") == "OK"
        server.end()
        server.start("key-load-delay 20000", "loading-process-events-interval-bytes 1024", ready="LOADING")
        seen = await look(target(server))
        assert (value(seen, "redis.loading"), value(seen, "redis.role")) == (1, "master")
        assert isinstance(seen["redis.up", ""], Unknown)
        assert "LOADING" in value(seen, "redis.message")
        with pytest.raises(ActionError, match="loads its data"):
            await hands["adjust"].act(order(target(server), value(seen, "redis.generation"), memory="1GiB"))
        server.say("CONFIG", "SET", "key-load-delay", "0")
        seen = await until(lambda: look(target(server)), lambda seen: seen["redis.loading", ""].value == 0)
        assert value(seen, "redis.up") == 1
        assert value(seen, "redis.keys", "0") == 2000
    finally:
        server.end()


async def test_one_that_is_busy_with_a_script_is_down(folder, target, look):
    server = Server(folder, "busy", "busy-reply-threshold 50")
    server.start()
    sock = server.connect()
    try:
        assert value(await look(target(server)), "redis.up") == 1
        sock.sendall(b'EVAL "while true do end" 0\r\n')
        await asyncio.sleep(0.2)
        seen = await look(target(server))
        assert value(seen, "redis.up") == 0
        assert "BUSY" in value(seen, "redis.message")
        assert server.say("SCRIPT", "KILL") == "OK"
        assert value(await look(target(server)), "redis.up") == 1
    finally:
        sock.close()
        server.end()


async def test_who_waits_by_nature_is_not_idle(master, replica, hands, target, look):
    aim = target(master)
    generation = value(await look(aim), "redis.generation")
    await synced(look, target(replica))
    await until(
        lambda: look(aim),
        lambda seen: any(name == "redis.replica_online" and one.value for (name, _), one in seen.items()),
    )
    waits, hears, idles = master.connect(), master.connect(), master.connect()
    try:
        waits.sendall(b"CLIENT SETNAME app\r\nBLPOP nothing 0\r\n")
        hears.sendall(b"CLIENT SETNAME app\r\nSUBSCRIBE news\r\n")
        idles.sendall(b"CLIENT SETNAME app\r\n")
        for sock in (waits, hears, idles):
            assert sock.recv(10).startswith(b"+OK")
        done = await hands["reconnect"].act(order(aim, generation, older=0.0, at_most=9, client="ap?"))
        assert [each["name"] for each in done.facts["ended"]] == ["app"]
        assert idles.recv(10) == b""
        assert master.say("INFO", "replication").count("state=online") == 1
        waits.settimeout(0.05)
        with pytest.raises(TimeoutError):
            waits.recv(10)
    finally:
        for sock in (waits, hears, idles):
            sock.close()


async def test_what_we_may_not_see_is_unknown_not_down(master, target, look, folder):
    wrong = folder / "wrong"
    wrong.write_text("wrong")
    wrong.chmod(0o600)
    with pytest.raises(SensorError, match="WRONGPASS"):
        await look(target(master, password=Secret(file=str(wrong))))
    master.say("ACL", "SETUSER", "blind", "on", ">secret", "+ping")
    with pytest.raises(SensorError, match="NOPERM") as caught:
        await look(target(master, username="blind"))
    assert "docs/kinds/redis.md" in caught.value.hint


@pytest.fixture(scope="module")
def certificates(folder):
    """A certificate for localhost, made by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(7).not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    (folder / "tls.crt").write_bytes(made.public_bytes(pem))
    (folder / "tls.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "tls.crt"), str(folder / "tls.key")


async def test_tls_with_certificates_on_both_sides_and_nobody_else(folder, certificates, target, look):
    cert, key = certificates
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    server = Server(folder, "secretive", f"tls-port {port}", f"tls-cert-file {cert}", f"tls-key-file {key}",
                    f"tls-ca-cert-file {cert}", "tls-auth-clients yes")  # fmt: skip
    server.start()
    tls = {"ca": cert, "cert": cert, "key": key, "server_name": "localhost"}
    try:
        assert value(await look(target(server, port=port, tls=tls)), "redis.up") == 1
        for wrong, because in (
            ({**tls, "server_name": "elsewhere"}, "TLS failed: .*elsewhere"),
            ({**tls, "ca": None}, "TLS failed: self-signed"),
            ({"ca": cert, "server_name": "localhost"}, "(?i)TLS failed: .*certificate|hung up"),
        ):
            with pytest.raises(SensorError, match=because):
                await look(target(server, port=port, tls=wrong))
    finally:
        server.end()


async def test_its_socket_will_do(folder, target, look):
    server = Server(folder, "near", f"unixsocket {folder}/near.sock")
    server.start()
    try:
        assert value(await look(target(server, socket=f"{folder}/near.sock", port=1)), "redis.up") == 1
    finally:
        server.end()


async def test_cached_keys_go_within_the_budget_and_no_others(master, hands, target, look):
    master.say("FLUSHALL")
    master.say("EVAL", "for i=1,20 do redis.call('SET','page:'..i,string.rep('x',100)) end", "0")
    master.say("EVAL", "for i=1,680 do redis.call('SET','page:m'..i,string.rep('x',100)) end", "0")
    master.say("SET", "pagex", "1")
    master.say("SET", "session:1", "1")
    aim = target(master, caches=["page:"])
    generation = value(await look(aim), "redis.generation")
    do = hands["clear_cache"]
    done = await do.act(order(aim, generation, most=50))
    assert done.facts["keys"] == 50
    assert master.say("DBSIZE") == "652"
    done = await do.act(order(aim, generation, prefix="page:m", most_bytes=10_000))
    assert 0 < done.facts["bytes"] <= 10_000
    assert done.facts["end"] == "all were seen" or done.facts["keys"] < 680
    done = await do.act(order(aim, generation, prefix="page:"))
    assert done.facts["end"] == "all were seen"
    assert sorted(master.say("KEYS", "*").split()) == ["pagex", "session:1"]
    for params in ({"prefix": "session:"}, {"prefix": ""}, {"flush": "db"}):
        with pytest.raises(ActionError):
            await do.act(order(aim, generation, **params))
    with pytest.raises(ActionError, match="another incarnation"):
        await do.act(order(aim, "0" * 40))
    assert master.say("DBSIZE") == "2"
    whole = await do.act(order(target(master, disposable=True), generation, flush="db"))
    assert whole.facts == {"keys": 2, "left": 0}


async def test_signs_of_a_pattern_are_letters_in_a_prefix(master, hands, target, look):
    master.say("FLUSHALL")
    for key in ("a*c:1", "abc:1"):
        master.say("SET", key, "1")
    aim = target(master, caches=["a*c:"])
    await hands["clear_cache"].act(order(aim, value(await look(aim), "redis.generation")))
    assert master.say("KEYS", "*") == "abc:1"


async def test_memory_is_raised_in_bounds_and_put_back(master, hands, target, look):
    aim = target(master)
    generation = value(await look(aim), "redis.generation")
    do = hands["adjust"]
    done = await do.act(order(aim, generation, memory="+20%"))
    assert master.say("CONFIG", "GET", "maxmemory").split()[1] == str(120 << 20)
    far = await do.act(order(aim, generation, memory="+500%"))
    assert far.facts["after"] == 180 << 20
    kept = await do.act(order(aim, generation, **done.undo))
    assert "already" in kept.because  # somebody changed it since: it is left so
    await do.act(order(aim, generation, **far.undo))
    await do.act(order(aim, generation, **done.undo))
    assert master.say("CONFIG", "GET", "maxmemory").split()[1] == str(100 << 20)


async def test_a_replica_is_promoted_only_when_its_master_is_gone(folder, hands, target, look):
    master, replica = Server(folder, "old"), Server(folder, "heir")
    master.start()
    master.say("SET", "kept", "1")
    replica.start(f"replicaof 127.0.0.1 {master.port}")
    aim = target(replica)
    do = hands["failover"]
    try:
        seen = await synced(look, aim)
        generation = value(seen, "redis.generation")
        with pytest.raises(ActionError, match="that one lives"):
            await do.act(order(aim, generation, max_lag=1 << 24))
        with pytest.raises(ActionError, match="no replica"):
            await do.act(order(target(master), value(await look(target(master)), "redis.generation")))
        # The link is down, and the master lives: it has locked the replica out.
        master.say("ACL", "SETUSER", "default", "resetpass", ">other")
        replica.say("CONFIG", "SET", "masterauth", "wrong")
        replica.say("CLIENT", "KILL", "TYPE", "master")
        await until(lambda: look(aim), lambda seen: getattr(seen["redis.link_up", ""], "value", 1) == 0)
        with pytest.raises(ActionError, match="answers"):
            await do.act(order(aim, generation, max_lag=1 << 24))
        master.end()
        done = await do.act(order(aim, generation, max_lag=1 << 24))
        assert done.facts["master"] == f"127.0.0.1:{master.port}"
        seen = await look(aim)
        assert value(seen, "redis.role") == "master"
        assert value(seen, "redis.generation") == generation == done.generation
        assert replica.say("GET", "kept") == "1"
        assert replica.say("SET", "new", "1") == "OK"
    finally:
        master.end()
        replica.end()


async def test_a_replica_that_never_had_a_copy_is_no_heir(folder, hands, target, look):
    empty = Server(folder, "empty", "replicaof 127.0.0.1 1")
    empty.start()
    try:
        seen = await look(target(empty))
        assert value(seen, "redis.link_up") == 0
        assert isinstance(seen["redis.lag", ""], Unknown)
        with pytest.raises(ActionError, match="never had a copy"):
            await hands["failover"].act(order(target(empty), value(seen, "redis.generation"), split_brain=True))
    finally:
        empty.end()


RULES = """\
version: 1
rules:
  - id: heir
    why: writes need a master
    target: redis:heir
    when: redis.role{target} == "replica" and redis.link_up{target} == 0
    for: 1s
    mode: auto
    cooldown: 1s
    then: [{failover: {}, verify: {when: 'redis.role{target} == "master"', within: 10s}}]
  - id: tight
    why: at its limit every write fails
    target: redis:tight
    when: redis.memory_use{target} > 75%
    clear: redis.keys{target, db="0"} < 10
    mode: auto
    cooldown: 1s
    then: [{adjust: {memory: +30%}, verify: {when: "redis.memory_use{target} < 75%", within: 10s}}]
"""


def entries(folder, kind):
    with Log.open(folder) as log:
        found = [canonical.decode(sealed.octets) for sealed in log.entries(0)]
    return [entry for entry in found if entry["kind"] == kind]


def settled(check, what, within=20.0):
    end = time.monotonic() + within
    while not (found := check()):
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.05)
    return found


def limit(server):
    return int(server.say("CONFIG", "GET", "maxmemory").split()[1])


def test_an_agent_promotes_the_heir_and_gives_room_for_as_long_as_it_takes(folder, secret, tmp_path):
    master, heir, tight = Server(folder, "king"), Server(folder, "prince"), Server(folder, "tight", "maxmemory 4mb")
    (tmp_path / "rules.yaml").write_text(RULES)
    common = {"kind": "redis", "username": "healer", "password": {"file": secret.file}, "every": "0.3s",
              "startup_grace": "100ms", "mode": "auto"}  # fmt: skip
    config = {
        "node": "here", "mode": "auto", "rules": {"files": [str(tmp_path / "rules.yaml")]},
        "targets": [common | {"name": "heir", "port": heir.port}, common | {"name": "tight", "port": tight.port}],
        "limits": {"saturation_psi": 1.0},
    }  # fmt: skip
    master.start()
    try:
        heir.start(f"replicaof 127.0.0.1 {master.port}")
        tight.start()
        settled(lambda: "master_link_status:up" in heir.say("INFO", "replication"), "the first copy")
        with Agent(config, state_dir=tmp_path / "s", environ={"PATH": "/usr/bin:/bin"}) as agent:
            settled(lambda: {one["state"] for one in agent.status()["drivers"]} == {"connected"}, "a connection")
            killed = time.monotonic()
            master.end()
            settled(lambda: "role:master" in heir.say("INFO", "replication"), "the promotion")
            print(f"master killed -> replica promoted in {time.monotonic() - killed:.1f} s")
            tight.say("EVAL", "for i=1,50 do redis.call('SET','k'..i,string.rep('x',50000)) end", "0")
            settled(lambda: limit(tight) == round((4 << 20) * 1.3), "the room")
            settled(lambda: len(entries(tmp_path / "s", "verdict")) == 2, "the verdicts")
            assert {entry["result"] for entry in entries(tmp_path / "s", "verdict")} == {"verified"}
            tight.say("FLUSHALL")
            settled(lambda: limit(tight) == 4 << 20, "putting back")
            done = [(entry["action"], entry["target"]) for entry in entries(tmp_path / "s", "intent")]
            assert done == [("failover", "redis:heir"), ("adjust", "redis:tight"), ("adjust", "redis:tight")]
    finally:
        for server in (master, heir, tight):
            server.end()
