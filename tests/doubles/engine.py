"""A container engine in this process, on a Unix socket: enough of Docker's API for our driver, and ways to misbehave.

What it says is held to the real one's word by the contract test (tests/integration/test_container_contract.py).
"""

import contextlib
import json
import re
import secrets
import shutil
import socket
import socketserver
import tempfile
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

NEVER = "0001-01-01T00:00:00Z"
ROUTES = []


def route(verb, pattern):
    def keep(method):
        ROUTES.append((verb, re.compile(pattern), method))
        return method

    return keep


def rfc3339(nanoseconds):
    whole = datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{nanoseconds % 10**9:09d}Z"


class Refused(Exception):
    """The engine says no: a status and why."""


class Box(dict):
    """A container, as the engine describes it."""

    @property
    def state(self):
        return self["State"]


class FakeEngine:
    """``url`` is where it answers; `trouble` makes it hang, answer garbage, break off, or answer 500."""

    def __init__(self, folder=None, *, ident="FAKE:ENGINE"):
        self._folder = tempfile.mkdtemp(prefix="healer-engine-") if folder is None else str(folder)
        self.path = f"{self._folder}/engine.sock"
        self.url = f"unix://{self.path}"
        self.ident = ident
        self.trouble = ""
        self.asked = []
        self.boxes = {}
        self.events = []
        self._turn = threading.Condition()
        self._server = None
        self._open = set()
        self._last = 0

    # ------------------------------------------------------------------------------------ its own life

    def start(self):
        engine = self

        class Handler(_Handler):
            world = engine

        self._server = _Server(self.path, Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        """Gone, with every connection; what ran is left alone, as by one that is killed."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        self.cut()
        with contextlib.suppress(FileNotFoundError):
            Path(self.path).unlink()

    def cut(self):
        """Break every connection off, in the middle of whatever it says."""
        with self._turn:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            self._open.clear()
            self._turn.notify_all()

    def forget(self):
        """What a restarted engine has: no events of before."""
        self.events.clear()

    # ---------------------------------------------------------------------------------- what happens to boxes

    def now(self):
        self._last = max(time.time_ns(), self._last + 1)
        return self._last

    def make(
        self, name, *, labels=None, policy="no", memory=0, pids=0, nano_cpus=0, networks=("none",), health="", **_more
    ):
        box = Box(
            Id=secrets.token_hex(32), Name=f"/{name}", RestartCount=0,
            State={
                "Status": "created", "Running": False, "Paused": False, "OOMKilled": False, "Pid": 0, "ExitCode": 0,
                "StartedAt": NEVER,
            },
            Config={"Image": "box:1", "Labels": labels or {}},
            HostConfig={
                "RestartPolicy": {"Name": policy}, "Memory": memory, "MemorySwap": 2 * memory, "NanoCpus": nano_cpus,
                "CpuQuota": 0, "CpuPeriod": 0, "CpuShares": 0, "PidsLimit": pids or None,
            },
            NetworkSettings={"Networks": {network: {"Aliases": None} for network in networks}},
        )  # fmt: skip
        if health:
            box.state["Health"] = {"Status": health}
        self.boxes[box["Id"]] = box
        self.tell(box, "create")
        self.run(box)
        return box

    def run(self, box):
        box.state.update(Status="running", Running=True, Paused=False, OOMKilled=False, Pid=2**22 + 1, ExitCode=0)
        box.state["StartedAt"] = rfc3339(self.now())
        self.tell(box, "start")

    def die(self, name, code=137):
        """It ends by itself."""
        box = self.find(name)
        box.state.update(Status="exited", Running=False, Paused=False, Pid=0, ExitCode=code)
        self.tell(box, "die", exitCode=str(code))

    def remove(self, name):
        box = self.find(name)
        if box.state["Running"]:
            self.die(name)
        del self.boxes[box["Id"]]
        self.tell(box, "destroy")

    def ask_to_stop(self, name):
        self.stopped(name)

    def revive(self, name):
        self.run(self.find(name))

    def close(self):
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def empty(self):
        self.boxes.clear()

    def ill(self, name, status):
        box = self.find(name)
        box.state["Health"] = {"Status": status}
        self.tell(box, f"health_status: {status}")

    def find(self, name):
        for box in self.boxes.values():
            if name in (box["Id"], box["Name"][1:]) or (len(name) >= 12 and box["Id"].startswith(name)):
                return box
        raise Refused(404, f"No such container: {name}")

    def tell(self, box, action, **about):
        event = {
            "status": action, "id": box["Id"], "Type": "container", "Action": action, "timeNano": self.now(),
            "Actor": {"ID": box["Id"], "Attributes": {"name": box["Name"][1:], **about}},
        }  # fmt: skip
        with self._turn:
            self.events.append(event)
            self._turn.notify_all()

    # ---------------------------------------------------------------------------------------- what is asked

    @route("GET", r"/_ping")
    def ping(self):
        return "OK"

    @route("GET", r"/version")
    def version(self):
        return {"ApiVersion": "1.41", "Version": "20.10.0"}

    @route("GET", r"/info")
    def info(self):
        return {
            "ID": self.ident,
            "ServerVersion": "20.10.0",
            "SystemTime": rfc3339(self.now()),
            "NCPU": 4,
            "MemTotal": 8 << 30,
        }

    @route("GET", r"/containers/json")
    def listed(self, filters="{}", all="0", **_):  # noqa: A002 - the API's own word
        wanted = dict(label.split("=", 1) for label in json.loads(filters).get("label", []))
        return [
            {"Id": box["Id"], "Names": [box["Name"]], "Labels": box["Config"]["Labels"]}
            for box in self.boxes.values()
            if wanted.items() <= box["Config"]["Labels"].items() and (all == "1" or box.state["Running"])
        ]

    @route("GET", r"/containers/([^/]+)/json")
    def inspected(self, name):
        return self.find(name)

    @route("GET", r"/containers/([^/]+)/stats")
    def stats(self, name, **_):
        box = self.find(name)
        if not box.state["Running"]:
            return {"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}
        return {
            "cpu_stats": {
                "cpu_usage": {"total_usage": 5 * 10**8}, "throttling_data": {"periods": 10, "throttled_periods": 5},
            },
            "memory_stats": {"usage": 1 << 20, "stats": {"inactive_file": 0}}, "pids_stats": {"current": 1},
        }  # fmt: skip

    @route("POST", r"/containers/([^/]+)/start")
    def started(self, name):
        box = self.find(name)
        if box.state["Running"]:
            return 304
        self.run(box)
        return 204

    @route("POST", r"/containers/([^/]+)/stop")
    def stopped(self, name, **_):
        box = self.find(name)
        if not box.state["Running"]:
            return 304
        self.tell(box, "kill", signal="15")
        self.die(name, 143)
        self.tell(box, "stop")
        return 204

    @route("POST", r"/containers/([^/]+)/restart")
    def restarted(self, name, **_):
        self.stopped(name)
        self.run(self.find(name))
        return 204

    @route("POST", r"/containers/([^/]+)/kill")
    def killed(self, name, signal="SIGKILL"):
        box = self.find(name)
        if not box.state["Running"]:
            raise Refused(409, f"Cannot kill container: {name}: Container {name} is not running")
        self.tell(box, "kill", signal=signal)
        if signal in ("SIGKILL", "SIGTERM"):
            self.die(name)
        return 204

    @route("POST", r"/containers/([^/]+)/pause")
    def paused(self, name):
        box = self.find(name)
        if box.state["Status"] != "running":
            raise Refused(409, f"Container {name} is not running")
        box.state.update(Status="paused", Paused=True)
        self.tell(box, "pause")
        return 204

    @route("POST", r"/containers/([^/]+)/unpause")
    def unpaused(self, name):
        box = self.find(name)
        if box.state["Status"] != "paused":
            raise Refused(500, f"Container {name} is not paused")
        box.state.update(Status="running", Paused=False)
        self.tell(box, "unpause")
        return 204

    @route("POST", r"/containers/([^/]+)/update")
    def updated(self, name, *, body):
        box = self.find(name)
        host = box["HostConfig"]
        swap, memory = body.get("MemorySwap", host["MemorySwap"]), body.get("Memory", host["Memory"])
        if memory and swap != -1 and memory > swap:
            raise Refused(409, "Memory limit should be smaller than already set memoryswap limit")
        host.update(body)
        self.tell(box, "update")
        return {"Warnings": None}

    @route("POST", r"/networks/([^/]+)/disconnect")
    def disconnected(self, network, *, body):
        box = self.find(body["Container"])
        if network not in box["NetworkSettings"]["Networks"]:
            raise Refused(403, f"container is not connected to network {network}")
        del box["NetworkSettings"]["Networks"][network]
        return 200

    @route("POST", r"/networks/([^/]+)/connect")
    def connected(self, network, *, body):
        box = self.find(body["Container"])
        asked = body.get("EndpointConfig") or {}
        box["NetworkSettings"]["Networks"][network] = {"Aliases": asked.get("Aliases")}
        return 200

    def follow(self, since, write):
        """Events from a moment on, until the connection breaks or the engine stops."""
        told, server = 0, self._server
        while server is not None and self._server is server:
            with self._turn:
                fresh = self.events[told:]
                told += len(fresh)
                if not fresh:
                    self._turn.wait(0.5)
            for event in fresh:
                if event["timeNano"] >= since:
                    write(json.dumps(event).encode() + b"\n")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Whoever went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world = None

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        """Nobody reads it."""

    def setup(self):
        self.world._open.add(self.request)
        super().setup()

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        parts = urlsplit(self.path)
        path = re.sub(r"^/v[0-9.]+", "", parts.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.world.asked.append(f"{self.command} {path}")
        if self.trouble(self.world.trouble, path):
            return
        if path == "/events":
            self.stream(query)
            return
        for verb, pattern, method in ROUTES:
            if verb == self.command and (found := pattern.fullmatch(path)):
                self.reply(method, found.groups(), query, body)
                return
        self.send(404, {"message": f"page not found: {path}"})

    def reply(self, method, given, query, body):
        if method.__code__.co_kwonlyargcount:
            query["body"] = json.loads(body)
        try:
            said = method(self.world, *given, **query)
        except Refused as exc:
            self.send(exc.args[0], {"message": exc.args[1]})
            return
        if isinstance(said, int):
            self.send(said, None)
        else:
            self.send(200, said)

    def send(self, status, said):
        content = b"" if said is None else said.encode() if isinstance(said, str) else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status not in (204, 304):
            self.wfile.write(content)

    def stream(self, query):
        seconds, _, fraction = query.get("since", "0").partition(".")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

        def write(data):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        self.world.follow(int(seconds) * 10**9 + int(fraction.ljust(9, "0") or 0), write)
        self.close_connection = True

    def trouble(self, what, path):
        """Misbehave; whether that was all there is to say."""
        if what == "hang":
            end = time.monotonic() + 30
            while self.world.trouble == "hang" and time.monotonic() < end:
                time.sleep(0.01)
            self.close_connection = True
        elif what == "reset":
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"Id": "')
            self.wfile.flush()
            self.request.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif what == "garbage":
            self.send(200, "<html>" + path)
        elif what == "odd":
            self.send(200, [1, 2, 3])
        elif what == "500":
            self.send(500, {"message": "layer does not exist"})
        elif what == "old":
            self.send(400, {"message": "client version 1.41 is too new. Maximum supported API version is 1.12"})
        else:
            return False
        return True
