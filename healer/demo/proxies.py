"""A HAProxy with three servers, one of which begins to answer with errors while its check still passes."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healer.demo.patients import Patient, System, end, patiently, program, tail

_CONFIG = """
global
    stats socket {folder}/s level admin mode 600
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend front
    bind 127.0.0.1:{front}
    default_backend web
backend web
    balance roundrobin
    default-server check inter 200ms
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
    server c 127.0.0.1:{c}
"""
_SERVER = """
import http.server, signal, sys
status = [200]
signal.signal(signal.SIGUSR1, lambda *_: status.__setitem__(0, 500))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(status[0])
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class ProxySystem(System):
    """Everything listens on loopback; a thread of ours is the crowd that asks."""

    name = "haproxy"

    def __init__(self, folder: Path, token: str) -> None:
        super().__init__(folder, token)
        self._proxy: subprocess.Popen[bytes] | None = None
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._over = threading.Event()
        self._crowd: threading.Thread | None = None
        self._front = 0

    @classmethod
    def missing(cls) -> str:
        """Whether it is installed."""
        return "" if program("haproxy") else "HAProxy is not installed (apt install haproxy)"

    @property
    def patient(self) -> Patient:
        """One of its servers."""
        return Patient(
            name="haproxy",
            fault="bad",
            rule="demo-haproxy",
            target="haproxy:demo-b",
            watched=("haproxy:demo-b", "http:demo-front"),
            words="one of three servers behind HAProxy answers 500 to everybody, and its check passes",
        )

    def start(self) -> Sequence[Mapping[str, Any]]:
        """Three servers, a proxy before them, and somebody who asks."""
        ports = _free(4)
        self._front = ports.pop()
        for name, port in zip("abc", ports, strict=True):
            argv = [sys.executable, "-I", "-S", "-c", _SERVER, str(port)]
            self._servers[name] = _quietly(argv, self.folder / name)
        text = _CONFIG.format(folder=self.folder, front=self._front, **dict(zip("abc", ports, strict=True)))
        (self.folder / "cfg").write_text(text, encoding="ascii")
        self._proxy = _quietly([program("haproxy"), "-db", "-f", str(self.folder / "cfg")], self.folder / "log")
        log = self.folder / "log"
        patiently(self._answers, self._lives, lambda: f"HAProxy did not start: {tail(log)}")
        self._crowd = threading.Thread(target=self._ask, name="healer-demo-crowd", daemon=True)
        self._crowd.start()
        fast = {"every": "500ms", "startup_grace": "0s", "organ": "lungs"}
        where = {"socket": f"{self.folder}/s", "backend": "web"}
        front = {"url": f"http://127.0.0.1:{self._front}/", "timeout": "1s"}
        return [
            {"kind": "haproxy", "name": "demo-b", "server": "b", **where, **fast},
            {"kind": "http", "name": "demo-front", **front, **fast},
        ]

    def strike(self) -> None:
        """Spoil its answers."""
        self._servers["b"].send_signal(signal.SIGUSR1)

    def close(self) -> None:
        """End all of it."""
        self._over.set()
        if self._crowd is not None:
            self._crowd.join(5)
        for process in (self._proxy, *self._servers.values()):
            end(process)

    def _ask(self) -> None:
        while not self._over.wait(0.05):
            with contextlib.suppress(OSError):  # an answer of 500 is an HTTPError, which is an OSError
                self._once()

    def _once(self) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._front}/", timeout=2):
            pass

    def _answers(self) -> bool:
        """Whether each of the three does, twice."""
        try:
            for _ in range(6):
                self._once()
        except OSError:
            return False
        return True

    def _lives(self) -> bool:
        return self._proxy is not None and self._proxy.poll() is None


def _quietly(argv: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as said:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)


def _free(count: int) -> list[int]:
    """Ports that nobody has now."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in held]
