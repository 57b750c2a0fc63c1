"""A real HAProxy with two backends: what is seen of it and done to it, and a bad server drained and put back."""

import asyncio
import contextlib
import http.server
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from audit import canonical
from audit.reader import Log
from healer.actions.hands.catalog import Services
from healer.actions.hands.haproxy import hands
from healer.actions.interface import Order
from healer.app import Agent
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.errors import ActionError, SensorError
from healer.model.target import Target
from healer.sensors.haproxy import HaproxySensor
from healer.sensors.prometheus import PrometheusSensor

pytestmark = pytest.mark.real
RULES = Path(__file__).resolve().parents[2] / "rules" / "haproxy.yaml"
CONFIG = """
global
    stats socket {folder}/s level admin
    stats socket {folder}/operator level operator
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    timeout queue 1s
frontend front
    bind 127.0.0.1:{port}
    http-request use-service prometheus-exporter if {{ path /metrics }}
    default_backend web
backend web
    balance roundrobin
    option httpchk GET /check
    default-server inter 100ms fastinter 50ms fall 2 rise 2 maxconn 20
    server a 127.0.0.1:{a} check weight 100
    server b 127.0.0.1:{b} check weight 100
backend unchecked
    server c 127.0.0.1:{a}
"""


class Web:
    """A web server whose answers can be spoiled."""

    def __init__(self):
        self.status, self.check = 200, 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(outer.check if self.path == "/check" else outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Proxy:
    """A HAProxy of the test's own."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="hap", dir="/tmp"))  # a socket's path must stay short
        self.webs = {"a": Web(), "b": Web()}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        ports = {name: web.port for name, web in self.webs.items()}
        (self.folder / "cfg").write_text(CONFIG.format(folder=self.folder, port=self.port, **ports))
        self.process = None

    @property
    def socket(self):
        return str(self.folder / "s")

    def start(self):
        binary = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([binary, "-db", "-f", str(self.folder / "cfg")], stdout=log, stderr=log)
        self.until(lambda: "web,a" in self.say("show stat") and ",UP," in self.say("show stat web 4 -1"))
        time.sleep(0.3)  # both are checked

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(10)

    def say(self, line):
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.settimeout(5)
            sock.connect(self.socket)
            sock.sendall(line.encode() + b"\n")
            return b"".join(iter(lambda: sock.recv(65536), b"")).decode()
        return ""

    def until(self, true, patience=10.0):
        end = time.monotonic() + patience
        while not true():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < end, self.say("show stat web 6 -1")
            time.sleep(0.02)

    def ask(self, count=1):
        """Ask the front; the statuses that came."""
        found = []
        for _ in range(count):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as reply:
                    found.append(reply.status)
            except urllib.error.HTTPError as exc:
                found.append(exc.code)
        return found

    def ordered(self):
        """What was ordered of a and b."""
        words = {"0": "ready", "8": "drain", "1": "maint"}
        return [words[line.split()[6]] for line in self.say("show servers state web").splitlines()[2:4]]

    def well(self):
        """As at the start."""
        for web in self.webs.values():
            web.status = web.check = 200
        if self.process.poll() is not None:
            self.start()
        for name in self.webs:
            self.say(f"set server web/{name} state ready")
            self.say(f"set server web/{name} weight 100")
        self.until(lambda: self.say("show stat web 4 -1").count(",UP,") == 2)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for web in self.webs.values():
            web.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def shared(real):
    real("haproxy")
    made = Proxy()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def proxy(shared):
    shared.well()
    return shared


@pytest.fixture
async def drivers():
    made = Drivers(SystemClock())
    yield made
    await made.close()


def target(proxy, backend="", server="", **more):
    names = {name: value for name, value in (("backend", backend), ("server", server)) if value}
    spec = {"socket": proxy.socket, "timeout": 2.0, **names, **more}
    return Target(kind="haproxy", name=f"{backend or 'self'}-{server}", organ="lungs", spec=spec)


def sense(drivers, about):
    return HaproxySensor(about, drivers.of(about))


async def look(sensor):
    readings = await sensor.look(SystemClock().now())
    return {reading.metric.removeprefix("haproxy."): getattr(reading, "value", None) for reading in readings}


async def order(drivers, about, **params):
    seen = await look(sense(drivers, about))
    return Order(intent="aa", target=about, params=params, timeout=10.0, generation=seen["generation"])


@pytest.fixture
def hand(drivers):
    made = hands(Services(drivers=drivers, programs=None, clock=SystemClock()))
    return lambda verb: made[verb]


# -------------------------------------------------------------------------------------------------- seen


async def test_a_server_that_serves_is_seen_with_all_its_figures(proxy, drivers):
    sensor = sense(drivers, target(proxy, "web", "a"))
    await look(sensor)
    assert set(proxy.ask(20)) == {200}
    seen = await look(sensor)
    assert (seen["up"], seen["status"], seen["admin"], seen["weight"], seen["others"]) == (1, "up", "ready", 100, 1)
    assert (seen["check"], seen["queue"], seen["errors"], seen["errors_rate"]) == ("L7OK", 0, 0, 0)
    assert seen["requests_rate"] > 0
    assert 0 <= seen["latency"] < 1
    assert 0 <= seen["session_use"] <= 1
    assert 0 <= seen["check_duration"] < 1
    assert None not in (seen["last_change"], seen["downtime"], seen["downs"], seen["sessions"])
    assert str(proxy.process.pid) in seen["generation"]


async def test_a_backend_and_the_process_are_seen(proxy, drivers):
    backend = await look(sense(drivers, target(proxy, "web")))
    assert (backend["up"], backend["servers"], backend["servers_up"], backend["status"]) == (1, 2, 2, "up")
    itself = await look(sense(drivers, target(proxy)))
    assert (itself["up"], itself["message"]) == (1, "")
    assert 0 <= itself["idle"] <= 1
    assert 0 <= itself["session_use"] < 0.5
    assert itself["uptime"] is not None
    assert itself["generation"] != backend["generation"]


async def test_a_server_that_answers_with_errors_shows_it_and_so_does_its_check(proxy, drivers):
    sensor = sense(drivers, target(proxy, "web", "a"))
    await look(sensor)
    proxy.webs["a"].status = 500
    assert 500 in proxy.ask(10)
    seen = await look(sensor)
    assert (seen["up"], seen["errors"]) == (1, 1.0)
    assert seen["errors_rate"] > 0
    proxy.webs["a"].check = 500
    proxy.until(lambda: ",DOWN," in proxy.say("show stat web 4 -1"))
    seen = await look(sensor)
    assert (seen["up"], seen["status"], seen["check"]) == (0, "down", "L7STS")
    assert "500" in seen["message"] or "Internal" in seen["message"] or "check" in seen["message"].lower()
    assert (await look(sense(drivers, target(proxy, "web"))))["servers_up"] == 1


async def test_of_a_server_nobody_checks_nobody_can_tell(proxy, drivers):
    seen = await look(sense(drivers, target(proxy, "unchecked", "c")))
    assert (seen["up"], seen["status"], seen["check"]) == (None, "no check", None)


async def test_what_haproxy_does_not_know_is_absent(proxy, drivers):
    for about in (target(proxy, "web", "z"), target(proxy, "nope", "a"), target(proxy, "nope")):
        seen = await look(sense(drivers, about))
        assert (seen["up"], seen["generation"], seen["weight"]) == (0, "", None)


async def test_a_haproxy_that_is_gone_is_down_and_of_its_servers_nothing_is_known(proxy, drivers):
    sensor, itself = sense(drivers, target(proxy, "web", "a")), sense(drivers, target(proxy))
    before = (await look(sensor))["generation"]
    proxy.stop(signal.SIGKILL)
    seen = await look(itself)
    assert (seen["up"], "refused" in seen["message"]) == (0, True)
    with pytest.raises(SensorError, match="refused"):
        await look(sensor)
    proxy.start()
    assert (await look(sensor))["generation"] != before
    assert drivers.of(target(proxy, "web", "a")).status().reconnects == 1


async def test_a_hung_haproxy_is_down_within_the_timeout(proxy, drivers):
    proxy.process.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        seen = await look(sense(drivers, target(proxy, timeout=0.3)))
        assert (seen["up"], time.monotonic() - started < 2) == (0, True)
        with pytest.raises(SensorError, match="no whole answer"):
            await look(sense(drivers, target(proxy, "web", "b", timeout=0.3)))
    finally:
        proxy.process.send_signal(signal.SIGCONT)


async def test_its_own_exporter_tells_the_same(proxy, drivers):
    proxy.say("set server web/b state drain")
    url = f"http://127.0.0.1:{proxy.port}/metrics"
    series = {
        "servers": 'haproxy_backend_active_servers{proxy="web"}',
        "weight": 'haproxy_server_weight{proxy="web",server="a"}',
        "up": 'sum(haproxy_server_status{state="UP"})',
        "several": "haproxy_server_weight",
    }
    about = Target(kind="prometheus", name="x", organ="nervous", spec={"url": url, "series": series, "timeout": 3.0})
    sensor = PrometheusSensor(about, drivers.http, SystemClock())
    await sensor.open(lambda _: None)
    readings = await sensor.look(SystemClock().now())
    seen = {dict(one.labels).get("name", one.metric): getattr(one, "value", None) for one in readings}
    assert (seen["prometheus.ok"], seen["prometheus.message"], seen["weight"]) == (1, "", 100)
    assert (seen["servers"], seen["several"]) == (1, None)
    assert 0 < seen["prometheus.latency"] < 3
    assert seen["prometheus.size"] > 10_000


# -------------------------------------------------------------------------------------------------- done


async def test_a_server_is_drained_and_put_back(proxy, drivers, hand):
    about = target(proxy, "web", "a")
    done = await hand("failover").act(await order(drivers, about))
    seen = await look(sense(drivers, about))
    assert (seen["admin"], seen["status"], seen["up"]) == ("drain", "drain", 1)
    assert dict(done.undo) == {"back": {"state": "ready", "from": "drain"}}
    proxy.webs["a"].status = 500
    assert set(proxy.ask(10)) == {200}  # nothing is sent to it any more
    again = await hand("failover").act(await order(drivers, about))
    assert not again.undo, "it was drained before: nothing of ours to put back"
    await hand("failover").act(await order(drivers, about, **done.undo))
    assert (await look(sense(drivers, about)))["admin"] == "ready"


async def test_the_last_server_that_serves_is_never_taken_away(proxy, drivers, hand):
    await hand("failover").act(await order(drivers, target(proxy, "web", "a")))
    for verb in ("failover", "quarantine"):
        with pytest.raises(ActionError, match="the last server of web") as caught:
            await hand(verb).act(await order(drivers, target(proxy, "web", "b")))
        assert caught.value.transient
    assert set(proxy.ask(4)) == {200}


async def test_two_that_are_drained_at_once_leave_one(proxy, drivers, hand):
    orders = [await order(drivers, target(proxy, "web", name)) for name in ("a", "b")]
    found = await asyncio.gather(*(hand("failover").act(one) for one in orders), return_exceptions=True)
    assert sorted(isinstance(one, ActionError) for one in found) == [False, True]
    assert set(proxy.ask(4)) == {200}


async def test_a_server_in_quarantine_is_not_checked_and_comes_back_as_it_was(proxy, drivers, hand):
    about = target(proxy, "web", "b")
    done = await hand("quarantine").act(await order(drivers, about))
    seen = await look(sense(drivers, about))
    assert (seen["admin"], seen["status"], seen["up"]) == ("maint", "maint", None)
    with pytest.raises(ActionError, match="somebody works on it"):
        await hand("failover").act(await order(drivers, about))
    await hand("quarantine").act(await order(drivers, about, **done.undo))
    assert (await look(sense(drivers, about)))["admin"] == "ready"


async def test_what_somebody_ordered_since_is_left_alone(proxy, drivers, hand):
    about = target(proxy, "web", "a")
    done = await hand("failover").act(await order(drivers, about))
    proxy.say("set server web/a state maint")
    assert "left so" in (await hand("failover").act(await order(drivers, about, **done.undo))).because
    assert (await look(sense(drivers, about)))["admin"] == "maint"


@pytest.mark.parametrize(
    ("text", "weight"), [("-50%", 50), ("30%", 30), ("+20", 120), ("7", 7), ("0", 1), ("900", 256)]
)
async def test_a_weight_is_adjusted_within_its_bounds_and_put_back(proxy, drivers, hand, text, weight):
    about = target(proxy, "web", "a")
    done = await hand("adjust").act(await order(drivers, about, weight=text))
    assert (await look(sense(drivers, about)))["weight"] == weight
    await hand("adjust").act(await order(drivers, about, **done.undo))
    assert (await look(sense(drivers, about)))["weight"] == 100


async def test_another_incarnation_is_left_alone(proxy, drivers, hand):
    judged = await order(drivers, target(proxy, "web", "a"))
    proxy.stop(signal.SIGKILL)
    proxy.start()
    with pytest.raises(ActionError, match="another incarnation"):
        await hand("failover").act(judged)
    assert (await look(sense(drivers, target(proxy, "web", "a"))))["admin"] == "ready"


async def test_a_right_that_is_missing_is_told_with_what_to_do(proxy, drivers, hand):
    about = target(proxy, "web", "a", socket=str(proxy.folder / "operator"))
    with pytest.raises(ActionError, match="Permission denied") as caught:
        await hand("failover").act(await order(drivers, about))
    assert (caught.value.transient, "level admin" in caught.value.hint) == (False, True)


async def test_what_would_be_done_is_said_and_not_done(proxy, drivers, hand):
    about = target(proxy, "web", "a")
    for verb, said in (("failover", "drain"), ("quarantine", "maint"), ("adjust", "weight")):
        assert said in hand(verb).would(await order(drivers, about, weight="50%"))
    with pytest.raises(ActionError, match="no single server"):
        await hand("failover").act(await order(drivers, target(proxy, "web")))
    seen = await look(sense(drivers, about))
    assert (seen["admin"], seen["weight"]) == ("ready", 100)


# -------------------------------------------------------------------------------------------------- story


FAST = {"mode": "auto", "clear_for": "1s", "cooldown": "0s"}


def configured(proxy, folder, rule, **more):
    """The shipped rules, one of them acting, with the patience of a test; each target is looked at often."""
    rules = yaml.safe_load(RULES.read_text())
    for each in rules["rules"]:
        if each["id"] == rule:
            each.update(FAST | more)
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    common = {"kind": "haproxy", "socket": proxy.socket, "every": "200ms", "startup_grace": "0s"}
    return {
        "version": 1,
        "mode": "auto",
        "rules": {"files": [str(folder / "rules.yaml")]},
        "targets": [
            {"name": "web-a", "backend": "web", "server": "a", **common},
            {"name": "web-b", "backend": "web", "server": "b", **common},
            {"name": "web", "backend": "web", **common},
        ],
        "limits": {"saturation_psi": 1.0},
    }


def sealed(folder):
    """What was meant, done and proved, in order."""
    with Log.open(folder / "s") as log:
        entries = [canonical.decode(sealed.octets) for sealed in log.entries(0)]
    intents = [one for one in entries if one["kind"] == "intent" and one["action"] != "notify"]
    wanted = {one["id"] for one in intents}
    told = [(one["kind"], one.get("result")) for one in entries if one.get("id") in wanted]
    return intents, [one for one in told if one[0] in ("intent", "outcome", "verdict")]


@contextlib.contextmanager
def visited(proxy):
    """Somebody asks the front all the time."""
    over = threading.Event()

    def visit():
        while not over.wait(0.02):
            proxy.ask()

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield
    finally:
        over.set()
        visitor.join()


def test_a_server_that_goes_bad_is_drained_by_an_agent_and_put_back_when_it_is_well(proxy, tmp_path):
    config = configured(proxy, tmp_path, "haproxy-server-down", **{"for": "300ms"})
    with Agent(config, state_dir=tmp_path / "s"):
        time.sleep(1.0)
        assert proxy.ordered() == ["ready", "ready"], "nobody is bad, and nobody was touched"
        proxy.webs["a"].check = proxy.webs["a"].status = 500
        began = time.monotonic()
        proxy.until(lambda: proxy.ordered() == ["drain", "ready"])
        print(f"bad -> drained in {time.monotonic() - began:.2f} s")
        assert set(proxy.ask(6)) == {200}
        proxy.webs["a"].check = proxy.webs["a"].status = 200
        proxy.until(lambda: proxy.ordered() == ["ready", "ready"], patience=15)
        assert set(proxy.ask(6)) == {200}
        time.sleep(0.5)  # the last outcome is sealed
    (first, second), told = sealed(tmp_path)
    assert told[:3] == [("intent", None), ("outcome", "done"), ("verdict", "verified")]
    assert (first["action"], first["target"], second["action"]) == ("failover", "haproxy:web-a", "failover")
    assert second["params"] == {"back": {"from": "drain", "state": "ready"}}


def test_a_server_whose_checks_pass_and_whose_answers_fail_is_drained_and_tried_again(proxy, tmp_path):
    config = configured(proxy, tmp_path, "haproxy-server-errors")
    with visited(proxy), Agent(config, state_dir=tmp_path / "s"):
        time.sleep(0.6)
        proxy.webs["b"].status = 500
        proxy.until(lambda: proxy.ordered() == ["ready", "drain"])
        time.sleep(0.1)  # what it was sent before it ends
        assert set(proxy.ask(6)) == {200}
        proxy.webs["b"].status = 200
        proxy.until(lambda: proxy.ordered() == ["ready", "ready"], patience=15)
        time.sleep(0.5)
    (first, *_), told = sealed(tmp_path)
    assert (first["target"], told[:3]) == (
        "haproxy:web-b", [("intent", None), ("outcome", "done"), ("verdict", "verified")],
    )  # fmt: skip


def test_a_haproxy_that_dies_and_comes_back_is_no_reason_to_touch_its_servers(proxy, tmp_path):
    config = configured(proxy, tmp_path, "haproxy-server-down", **{"for": "0s"})
    config["targets"].append({"kind": "haproxy", "name": "self", "socket": proxy.socket, "every": "200ms"})
    with Agent(config, state_dir=tmp_path / "s") as agent:
        time.sleep(0.5)
        proxy.stop(signal.SIGKILL)
        time.sleep(1.0)
        seen = {one["id"]: one["health"] for one in agent.status()["targets"]}
        proxy.start()
        time.sleep(0.5)
        assert proxy.ordered() == ["ready", "ready"]
    assert (seen["haproxy:self"], seen["haproxy:web-a"]) == ("failed", "unknown")
    assert sealed(tmp_path) == ([], [])


def test_the_last_server_is_told_of_and_left_in_peace(proxy, tmp_path):
    config = configured(proxy, tmp_path, "haproxy-server-down", **{"for": "300ms"})
    proxy.say("set server web/b state maint")
    with Agent(config, state_dir=tmp_path / "s"):
        time.sleep(0.5)
        proxy.webs["a"].check = 500
        proxy.until(lambda: ",DOWN," in proxy.say("show stat web 4 -1"))
        time.sleep(1.5)
        assert proxy.ordered() == ["ready", "maint"]
    assert sealed(tmp_path) == ([], [])
