"""A web server that is stopped (SIGSTOP: its port takes connections, nobody answers) until its replacement listens.

Looked at each second, with a second to answer: ours, where two questions of one look must have gone without an answer
before it is believed, sealed in between; Monit, likewise each second, which believes the first; and the floor, a bare
loop that does nothing but ask and, after one silent second, kill and spawn. The moment it is stopped is chance.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.agent import ENVIRONMENT, healer, running, said
from bench.figures import at_most, quick, spread, told
from bench.restart import audited
from bench.victim import Victim

TARGET = 1500.0
INTERVAL = TIMEOUT = 1.0
ROUNDS = 6
_C = r"""
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, listening = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listening, (struct sockaddr *)&at, sizeof at) || listen(listening, 64)) return 1;
    signal(SIGPIPE, SIG_IGN);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const char *intent = getenv("HEALER_INTENT");
    char line[160], asked[4096];
    int size = snprintf(line, sizeof line, "%d %lld %.64s\n", (int)getpid(),
                        now.tv_sec * 1000000000LL + now.tv_nsec, intent ? intent : "-");
    int fifo = open(FIFO, O_WRONLY);
    if (fifo < 0 || write(fifo, line, size) != size) return 2;
    close(fifo);
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    for (;;) {
        int each = accept(listening, 0, 0);
        if (each < 0) continue;
        if (read(each, asked, sizeof asked) > 0) (void)!write(each, reply, sizeof reply - 1);
        close(each);
    }
}
"""
RULES = """
version: 1
rules:
  - id: hung
    priority: critical  # when this machine is starved by others the agent saves effort: not here
    target: program:victim
    when: http.ok{target="http:front"} == 0 and program.up{target} == 1
    clear: http.ok{target="http:front"} == 1
    mode: auto
    cooldown: 0s
    limits: [{max: 10000, per: 1h}]
    backoff: {initial: 1ms, factor: 1, max: 1ms, jitter: 0%, reset_after: 1s}
    then:
      - restart: {grace: 1s}
        verify: {when: 'http.ok{target="http:front"} == 1', within: 5s}
"""
CONFIG = """
version: 1
node: bench
mode: auto
rules: {files: [rules.yaml], default_mode: auto}
limits: {actions_per_hour: 10000, saturation_psi: 100%}
programs:
  - {name: victim, organ: heart, command: [PROGRAM], startup_grace: 0s, every: 1s}
targets:
  - {kind: http, name: front, organ: lungs, url: "http://127.0.0.1:PORT/", every: 1s, timeout: 1s, startup_grace: 0s}
"""
# While a program is young Monit asks it nothing: for half a minute, unless its start may take but a second.
MONIT = """
set daemon 1
set log FOLDER/log
set pidfile FOLDER/monit.pid
set idfile FOLDER/monit.id
set statefile FOLDER/monit.state
check process victim with pidfile FOLDER/victim.pid
    start program = "FOLDER/start" with timeout 1 seconds
    stop program = "FOLDER/stop"
    if failed host 127.0.0.1 port PORT protocol http with timeout 1 seconds then restart
"""


def free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Web(Victim):
    """The victim, as a web server on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free()
        super().__init__(folder)
        if self.kind != "C":
            raise RuntimeError("no C compiler here")

    def _compiled(self, folder: Path) -> bool:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return False
        (folder / "web.c").write_text(_C)
        words = [f'-DFIFO="{self.fifo}"', f"-DPORT={self.port}", "-o", str(self.program), str(folder / "web.c")]
        return subprocess.run([compiler, "-O2", *words], check=False, capture_output=True).returncode == 0


def rounds(victim: Web, times: int) -> list[float]:
    """Stop it again and again; milliseconds from each stop until its replacement listens."""
    born, took = victim.born(), []
    for _ in range(times):
        time.sleep(2.5 + random.random())
        stopped = time.monotonic_ns()
        os.kill(born.pid, signal.SIGSTOP)
        born = victim.born()
        took.append((born.at - stopped) / 1e6)
    return took


def ours(folder: Path, times: int) -> dict[str, object]:
    """Agent after agent: one that sees its server come and go for minutes would rightly call it flapping, and wait."""
    took: list[float] = []
    audits: list[dict[str, object]] = []
    while len(took) < times:
        home = folder / f"agent-{len(took)}"
        home.mkdir()
        victim = Web(home)
        (home / "rules.yaml").write_text(RULES)
        config = CONFIG.replace("PROGRAM", str(victim.program)).replace("PORT", str(victim.port))
        with healer(home, config):
            took += rounds(victim, min(ROUNDS, times - len(took)))
            time.sleep(1.5)  # the last verdict
        audits.append(audited(home / "state", victim))
        victim.close()
    proved = ("verified", "each_had_its_own_sealed_intent")
    return {**spread(took), "audit": {name: all(audit[name] for audit in audits) for name in proved}}


def monit(folder: Path, times: int) -> dict[str, object]:
    if shutil.which("monit") is None:
        return {"missing": "monit is not installed"}
    victim = Web(folder)
    start = f"#!/bin/sh\nsetsid {victim.program} >/dev/null 2>&1 </dev/null &\necho $! > {folder}/victim.pid\n"
    stop = f"#!/bin/sh\nkill -9 $(cat {folder}/victim.pid)\nrm -f {folder}/victim.pid\n"
    for name, text in (("start", start), ("stop", stop), ("rc", MONIT)):
        (folder / name).write_text(text.replace("FOLDER", str(folder)).replace("PORT", str(victim.port)))
        (folder / name).chmod(0o700)
    subprocess.run([str(folder / "start")], check=True)
    try:
        with running(["monit", "-I", "-c", str(folder / "rc")], folder):
            return dict(spread(rounds(victim, times)))
    finally:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((folder / "victim.pid").read_text()), signal.SIGKILL)


class Bare(threading.Thread):
    """The floor: ask each second, and after one silent second kill and spawn."""

    def __init__(self, victim: Web) -> None:
        super().__init__(daemon=True)
        self._victim, self._over = victim, threading.Event()
        self._spawn()

    def _spawn(self) -> None:
        argv = [str(self._victim.program)]
        self._pid = os.posix_spawn(argv[0], argv, ENVIRONMENT, setsid=True)

    def _answers(self) -> bool:
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.settimeout(TIMEOUT)
            sock.connect(("127.0.0.1", self._victim.port))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return sock.recv(100).startswith(b"HTTP/1.1 200")
        return False

    def _end(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def run(self) -> None:
        due = time.monotonic() + INTERVAL
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due = max(due + INTERVAL, time.monotonic())
            if not self._answers():
                self._end()
                self._spawn()

    def close(self) -> None:
        self._over.set()
        self.join()
        self._end()


def bare(folder: Path, times: int) -> dict[str, object]:
    victim = Web(folder)
    loop = Bare(victim)
    loop.start()
    try:
        return dict(spread(rounds(victim, times)))
    finally:
        loop.close()


def measured(work: Callable[[Path], dict[str, object]]) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        folder = Path(name)
        try:
            return work(folder)
        except (TimeoutError, RuntimeError, OSError) as exc:
            last = max([folder, *folder.glob("agent-*")], key=lambda one: one.stat().st_mtime)
            return {"failed": f"{exc}: {said(last)}", "reached": False}


def measure() -> dict[str, object]:
    """All three side by side: each waits most of the time, and none is in another's way."""
    times = 6 if quick() else 40
    found: dict[str, dict[str, object]] = {}
    work = {"ours": ours, "monit": monit, "bare": bare}
    threads = [
        threading.Thread(target=lambda name=name, each=each: found.update({name: measured(partial(each, times=times))}))
        for name, each in work.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own, floor = found["ours"].get("p50_ms"), found["bare"].get("p50_ms")
    reached = {} if own is None else {"p50": at_most(float(str(own)), TARGET, float(str(floor)) if floor else None)}
    return {"interval_s": INTERVAL, "timeout_s": TIMEOUT, **reached, **found}


if __name__ == "__main__":
    told(measure)
