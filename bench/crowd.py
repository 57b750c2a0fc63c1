"""What looking after a whole host costs: 50 programs, 30 units, 20 containers and 20 web probes, and nothing happens.

Looks at programs and the host come every second, at units and containers every five (what happens to them is told at
once), at the probes every ten: the intervals that nobody has to write.
"""

import contextlib
import http.server
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from bench import idle
from bench.agent import ENVIRONMENT, healer, said, until
from bench.containers import engine
from bench.figures import at_most, quick, told
from bench.machine import booted

UNITS, CONTAINERS, PROBES = 30, 20, 20
TARGET_CPU, TARGET_RSS = 1.0, 90.0
_UNIT = "[Service]\nExecStart=/bin/sleep 100000\n"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def website() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def config(bus: str, port: int) -> str:
    lines = [f"  - {{kind: unit, name: u{one}.service, organ: heart, bus: '{bus}'}}" for one in range(UNITS)]
    lines += [f"  - {{kind: container, name: c{one}, organ: heart}}" for one in range(CONTAINERS)]
    lines += [f"  - {{kind: http, name: h{one}, url: 'http://127.0.0.1:{port}/{one}'}}" for one in range(PROBES)]
    return idle.config() + "targets:\n" + "\n".join(lines) + "\n"


def measure() -> dict[str, object]:
    seconds = 30.0 if quick() else 60.0
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="healer-bench-"))) for _ in range(3)]
        machine = stack.enter_context(booted(folders[0]))
        client = stack.enter_context(engine(folders[1]))
        port = stack.enter_context(website())
        names = [f"u{one}.service" for one in range(UNITS)]
        for name in names:
            (machine.root / "run/systemd/system" / name).write_text(_UNIT)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", *names)
        for one in range(CONTAINERS):
            host = client.create_host_config(network_mode="none")
            client.create_container("box:1", ["/bin/busybox", "sleep", "100000"], name=f"c{one}", host_config=host)
            client.start(f"c{one}")
        ENVIRONMENT["DOCKER_HOST"] = f"unix://{folders[1]}/docker.sock"
        pid = stack.enter_context(healer(folders[2], config(machine.bus, port)))
        until(lambda: idle.sleepers() == idle.PROGRAMS, 60.0, f"{idle.PROGRAMS} programs up\n{said(folders[2])}")
        found = idle.watched(pid, seconds, settle=20.0)
    return {
        "what": f"{idle.PROGRAMS} programs, {UNITS} units, {CONTAINERS} containers, {PROBES} web probes, all idle",
        "cpu_percent_of_a_core": at_most(found["cpu_percent"], TARGET_CPU),
        "rss_mb": {**at_most(found["rss_mb"], TARGET_RSS), "peak": round(found["peak_mb"], 1)},
        "seconds": found["seconds"],
    }


if __name__ == "__main__":
    told(measure)
