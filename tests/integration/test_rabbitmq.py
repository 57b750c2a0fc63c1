"""RabbitMQ, the real one: a node with its management, looked at and acted on with no more rights than the page says."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from healer.actions.hands import rabbitmq as module
from healer.actions.hands.catalog import Services
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.errors import ActionError, SensorError
from healer.model.kinds.rabbitmq import KIND
from healer.model.observation import Observation, Unknown
from healer.model.target import Target
from healer.sensors import catalog as sensors
from healer.yamldoc.secret import Secret

pytestmark = pytest.mark.real
CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Not the one on the path: that one becomes the user rabbitmq, and takes its folders."""


def ports(count):
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    found = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return found


class Broker:
    """A node of the test's own: its own home, name, ports and port mapper, all on the loopback."""

    def __init__(self, folder):
        self.folder = folder
        self.amqp, self.management, self.distribution, self.mapper = ports(4)
        self.name = f"healer{os.getpid()}@localhost"
        self.process = self.epmd = None

    def start(self):
        (self.folder / "plugins").write_text("[rabbitmq_management].")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.amqp}\nmanagement.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.management}\ncollect_statistics_interval = 500\n"
            + "".join(
                f"management.sample_retention_policies.{kind} = 1\n"  # it gathers once a second, not every five
                for kind in ("global.minute", "basic.minute", "detailed.10")
            )
        )
        self.environ = mine = {
            "HOME": str(self.folder), "RABBITMQ_NODENAME": self.name, "RABBITMQ_MNESIA_BASE": f"{self.folder}/data",
            "RABBITMQ_LOG_BASE": f"{self.folder}/log", "RABBITMQ_CONFIG_FILE": f"{self.folder}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/plugins", "RABBITMQ_DIST_PORT": str(self.distribution),
            "ERL_EPMD_PORT": str(self.mapper), "ERL_EPMD_ADDRESS": "127.0.0.1", "PATH": os.environ["PATH"],
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }  # fmt: skip
        # The port mapper stays in the foreground, to be ended by its pid; the node finds it and starts none.
        mapper = shutil.which("epmd") or str(next(Path("/usr/lib/erlang").glob("erts-*/bin/epmd")))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.epmd = subprocess.Popen([mapper, "-port", str(self.mapper), "-address", "127.0.0.1"], env=mine, **quiet)
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen([PROGRAM], env=mine, stdout=out, stderr=out, start_new_session=True)
        end = time.monotonic() + 60
        while not self.ready():
            assert self.process.poll() is None, (self.folder / "out").read_text()[-2000:]
            assert time.monotonic() < end
            time.sleep(0.1)

    def ready(self):
        """It answers, and has gathered its own figures once."""
        status, node = self.say("GET", f"nodes/{self.name}?columns=name,os_pid")
        return status == 200 and "os_pid" in node

    def control(self, *words):
        """As its operator on the host would, by rabbitmqctl."""
        told = subprocess.run(
            [CONTROL, "-n", self.name, *words],
            env=self.environ,
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert told.returncode == 0, told.stdout + told.stderr

    def beam(self):
        """The pid of the node itself: the start script stays its parent."""
        return int(self.say("GET", f"nodes/{self.name}?columns=os_pid")[1]["os_pid"])

    def end(self):
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGCONT)
                os.killpg(self.process.pid, signal.SIGKILL)  # its own session: the script and the node, nobody else
            self.process.wait(10)
        if self.epmd is not None:
            self.epmd.kill()
            self.epmd.wait(10)

    def say(self, method, path, body=None, user="guest:guest"):
        """As an operator would, by the management interface."""
        link = http.client.HTTPConnection("127.0.0.1", self.management, timeout=10)
        with contextlib.closing(link):
            try:
                headers = {"authorization": "Basic " + b64encode(user.encode()).decode()}
                link.request(method, f"/api/{path}", json.dumps(body) if body is not None else None, headers)
                reply = link.getresponse()
                text = reply.read()
            except OSError:
                return 0, None
            return reply.status, json.loads(text) if text else None

    def publish(self, queue, count):
        body = {"properties": {}, "routing_key": queue, "payload": "x", "payload_encoding": "string"}
        for _ in range(count):
            assert self.say("POST", "exchanges/%2F/amq.default/publish", body)[1] == {"routed": True}


def short(text):
    return bytes([len(text)]) + text.encode()


def long(octets):
    return struct.pack("!I", len(octets)) + octets


class Client:
    """Just enough of AMQP 0-9-1 to be connected, and to take messages without acknowledging them."""

    def __init__(self, broker, name):
        self.sock = socket.create_connection(("127.0.0.1", broker.amqp), 5)
        self.sock.sendall(b"AMQP\x00\x00\x09\x01")
        self.wait(10, 10)
        properties = short("connection_name") + b"S" + long(name.encode())
        self.method(0, 10, 11, long(properties) + short("PLAIN") + long(b"\0guest\0guest") + short("en_US"))
        self.wait(10, 30)
        self.method(0, 10, 31, struct.pack("!HIH", 100, 131072, 0))
        self.method(0, 10, 40, short("/") + short("") + b"\0")
        self.wait(10, 41)

    def consume(self, queue):
        self.method(1, 20, 10, short(""))
        self.wait(20, 11)
        self.method(1, 60, 20, struct.pack("!H", 0) + short(queue) + short("c") + b"\0" + long(b""))
        self.wait(60, 21)

    def method(self, channel, kind, number, arguments):
        body = struct.pack("!HH", kind, number) + arguments
        self.sock.sendall(struct.pack("!BHI", 1, channel, len(body)) + body + b"\xce")

    def wait(self, kind, number):
        while True:
            frame = self.sock.recv(7, socket.MSG_WAITALL)
            assert len(frame) == 7, "hung up"
            body = self.sock.recv(struct.unpack("!I", frame[3:])[0] + 1, socket.MSG_WAITALL)
            if frame[0] == 1 and struct.unpack("!HH", body[:4]) == (kind, number):
                return

    def ended(self):
        """Whether the server has said goodbye (connection.close), or hung up."""
        with contextlib.suppress(AssertionError):
            self.wait(10, 50)
        return True


@pytest.fixture(scope="module")
def broker(real, tmp_path_factory):
    real(PROGRAM)
    made = Broker(tmp_path_factory.mktemp("rabbitmq"))
    try:
        made.start()
        for queue in ("orders", "work.a", "work.b"):
            assert made.say("PUT", f"queues/%2F/{queue}", {"durable": True})[0] == 201
        # The rights as the page has them.
        page = (Path(__file__).parents[2] / "docs" / "kinds" / "rabbitmq.md").read_text()
        tags = re.search(r"set_user_tags healer (.*)$", page, re.MULTILINE)[1]
        rights = re.search(r"set_permissions -p / healer (.*)$", page, re.MULTILINE)[1].replace("'", "").split()
        made.say("PUT", "users/healer", {"password": "secret", "tags": tags.replace(" ", ",")})
        made.say("PUT", "permissions/%2F/healer", dict(zip(("configure", "write", "read"), rights, strict=True)))
        yield made
    finally:
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
def target(broker, tmp_path):
    path = tmp_path / "password"
    path.write_text("secret")
    path.chmod(0o600)

    def make(**spec):
        spec = {
            "url": f"http://127.0.0.1:{broker.management}", "username": "healer", "password": Secret(file=str(path)),
            "queues": ("orders", "work.*"), "timeout": 2.0, **spec,
        }  # fmt: skip
        return Target(kind="rabbitmq", name="broker", organ="stomach", spec=spec)

    return make


@pytest.fixture
def look(drivers):
    async def once(target):
        services = sensors.Services(clock=drivers.clock, http=None, docker=None, drivers=drivers)
        readings = await sensors.build(target, services).look(drivers.clock.now())
        return {(one.metric, dict(one.labels).get("queue", "")): one for one in readings}

    return once


def value(seen, metric, queue=""):
    reading = seen[metric, queue]
    assert isinstance(reading, Observation), reading
    return reading.value


async def until(look, target, good, within=10.0):
    end = time.monotonic() + within
    while not good(seen := await look(target)):
        assert time.monotonic() < end, seen
        await asyncio.sleep(0.1)
    return seen


def told(metric, wanted, queue=""):
    return lambda seen: getattr(seen[metric, queue], "value", None) == wanted


def order(target, generation, **params):
    return Order(intent="aa", target=target, params=params, timeout=10.0, generation=generation)


async def test_everything_about_a_node_and_its_queues_is_seen(broker, target, look):
    broker.publish("work.a", 3)
    seen = await until(look, target(), told("rabbitmq.queue_consumers", 0, "work.a"))
    plain = {metric.name for metric in KIND.metrics if metric.labels == ("target",)} - {"rabbitmq.unconsumed"}
    assert {name for name in plain if isinstance(seen[name, ""], Unknown)} == set()
    assert value(seen, "rabbitmq.up") == 1
    assert value(seen, "rabbitmq.generation").startswith(f"{broker.name}.")
    assert value(seen, "rabbitmq.memory_alarm") == value(seen, "rabbitmq.disk_alarm") == 0
    assert 0 < value(seen, "rabbitmq.memory_use") < 1
    assert value(seen, "rabbitmq.partitions") == 0
    assert value(seen, "rabbitmq.queue_ready", "work.a") == 3
    seen = await until(look, target(), told("rabbitmq.unconsumed", 1))
    assert {queue for metric, queue in seen if metric == "rabbitmq.queue_up"} == {"orders", "work.a", "work.b"}
    client = Client(broker, "worker")
    try:
        client.consume("work.a")
        seen = await until(look, target(), told("rabbitmq.queue_consumers", 1, "work.a"))
        assert value(seen, "rabbitmq.queue_unacked", "work.a") == 3
        assert value(seen, "rabbitmq.queue_ready", "work.a") == 0
        seen = await until(look, target(), told("rabbitmq.connections", 1))
        assert isinstance(value(seen, "rabbitmq.queue_deliver_rate", "work.a"), float)
    finally:
        client.sock.close()


async def test_a_generation_stays_the_same_from_look_to_look(target, look):
    found = set()
    for _ in range(5):
        found.add(value(await look(target()), "rabbitmq.generation"))
        await asyncio.sleep(0.11)
    assert len(found) == 1


async def test_a_declared_queue_that_is_missing_is_down(target, look):
    seen = await look(target(queues=("missing",)))
    assert value(seen, "rabbitmq.queue_up", "missing") == 0
    assert isinstance(seen["rabbitmq.queue_ready", "missing"], Unknown)


async def test_what_we_may_not_see_is_unknown_not_down(broker, target, look):
    with pytest.raises(SensorError, match=r"401.*Login failed"):
        await look(target(username="nobody"))
    broker.say("PUT", "users/outsider", {"password": "secret", "tags": "monitoring"})
    seen = await look(target(username="outsider"))
    assert value(seen, "rabbitmq.up") == 1
    assert isinstance(seen["rabbitmq.unconsumed", ""], Unknown)
    assert isinstance(seen["rabbitmq.queue_ready", "orders"], Unknown)
    with pytest.raises(SensorError, match="knows no node"):
        await look(target(node="rabbit@elsewhere"))


async def test_connections_of_one_client_are_ended_and_no_others(broker, hands, target, look):
    crowd = [Client(broker, name) for name in ("leaky-1", "leaky-2", "steady")]
    try:
        generation = value(await until(look, target(), told("rabbitmq.connections", 3)), "rabbitmq.generation")
        do = hands["reconnect"]
        with pytest.raises(ActionError, match="of whom"):
            await do.act(order(target(), generation, older=0.0, at_most=9))
        with pytest.raises(ActionError, match="another incarnation"):
            await do.act(order(target(), generation + "x", older=0.0, at_most=9, client="leaky-*"))
        done = await do.act(order(target(), generation, older=0.0, at_most=1, client="leaky-*"))
        assert [each["user_provided_name"] for each in done.facts["ended"]] == ["leaky-1"]
        done = await do.act(order(target(), generation, older=0.0, at_most=9, client="leaky-*", user="guest"))
        assert [each["user_provided_name"] for each in done.facts["ended"]] == ["leaky-2"]
        assert crowd[0].ended()
        assert crowd[1].ended()
        crowd[2].consume("orders")  # it still can
    finally:
        for client in crowd:
            client.sock.close()


async def test_a_declared_queue_is_emptied_within_its_bound(broker, hands, target, look):
    broker.publish("orders", 5)
    generation = value(await look(target()), "rabbitmq.generation")
    do = hands["clear_cache"]
    for params, because in (
        ({"queue": "orders", "most": 4}, "holds 5"),
        ({"queue": "work.a"}, "not declared"),
        ({"queue": "work.*"}, "not declared"),
        ({}, "which queue"),
    ):
        with pytest.raises(ActionError, match=because):
            await do.act(order(target(), generation, **params))
    assert value(await look(target()), "rabbitmq.queue_ready", "orders") == 5
    done = await do.act(order(target(), generation, queue="orders", most=5))
    assert done.facts == {"queue": "orders", "before": 5, "after": 0}
    assert value(await look(target()), "rabbitmq.queue_ready", "orders") == 0
    assert broker.say("GET", f"queues/%2F/{quote('orders')}/get")[0] in (404, 405)


def test_init_proposes_it_with_its_management_wherever_that_listens(broker):
    from healer.cli.proposing import everything
    from healer.cli.proposing.heard import listeners

    ports = {broker.amqp, broker.management, broker.distribution}
    found = everything.chosen(everything.listening(one for one in listeners() if one.port in ports))
    assert {one.id for one in found} == {"rabbitmq:rabbitmq", f"tcp:rabbitmq-{broker.amqp}"}
    (node,) = (one for one in found if one.kind == "rabbitmq")
    assert (node.organ, dict(node.keys)) == ("stomach", {"url": f"http://127.0.0.1:{broker.management}"})


async def test_an_alarm_is_seen(broker, target, look):
    """Nobody can publish from here on."""
    assert value(await look(target()), "rabbitmq.disk_alarm") == 0
    broker.control("set_disk_free_limit", "1000000GB")
    seen = await until(look, target(), told("rabbitmq.disk_alarm", 1))
    assert value(seen, "rabbitmq.up") == 1
    assert value(seen, "rabbitmq.disk_free") > 0


async def test_hung_is_down(broker, target, look):
    """Last: the node is stopped, and killed."""
    beam = broker.beam()
    os.kill(beam, signal.SIGSTOP)
    try:
        seen = await look(target(timeout=0.5))
    finally:
        os.kill(beam, signal.SIGCONT)
    assert value(seen, "rabbitmq.up") == 0
    assert "within" in value(seen, "rabbitmq.message")
    assert value(await look(target()), "rabbitmq.up") == 1
    os.kill(beam, signal.SIGKILL)
    broker.process.wait(10)
    seen = await look(target())
    assert value(seen, "rabbitmq.up") == 0
    assert "refused" in value(seen, "rabbitmq.message")
    assert value(seen, "rabbitmq.generation") == ""
