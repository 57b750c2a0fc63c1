"""kill -9 of a container's first process until its replacement's first instruction: by us; by Docker's own policy.

All on one dockerd, started here and ended here, in turns: our agent, with a signed durable intent in between; the least
that could do the same (the engine's event, a signature, a commit, a start); and ``--restart always``. The engine waits
100 ms before it restarts what has lived for ten seconds, and twice as long each time for what has not: it has time.
"""

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker

from audit.keys import SealingKey
from audit.reader import Log
from audit.verifier import Ask, verify
from bench.agent import ENVIRONMENT, UNHELD, at_once, healer, said, until
from bench.figures import at_most, quick, spread, told
from bench.victim import Victim

PAUSE = 0.3
"""Seconds between two kills, of one victim after the other."""
LIVED = 10.2
"""Seconds after which the engine's policy is at its shortest delay again."""
TARGET_P50 = 115.0
OURS, FLOOR, POLICY = "bench-ours", "floor", "docker-policy"
OPTIONS = ("--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", "--bridge=none")
RULES = at_once("container", "container.up{target} == 0")
CONFIG = (
    UNHELD
    + """\
targets:
  - {kind: container, name: bench-ours, organ: heart, startup_grace: 0s, every: 1s}
"""
)


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[docker.APIClient]:
    """A dockerd with one image: busybox, as a shell too."""
    url = f"unix://{folder}/docker.sock"
    places = [f"--data-root={folder}/root", f"--exec-root={folder}/exec", f"--pidfile={folder}/docker.pid", "-H", url]
    binary = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin") or "dockerd"
    with (folder / "dockerd.log").open("ab") as log:
        daemon = subprocess.Popen([binary, *places, *OPTIONS], stdout=log, stderr=log, start_new_session=True)
    try:
        until(lambda: answers(folder), 30.0, "dockerd answers")
        client = docker.APIClient(base_url=url, version="auto", timeout=60)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add("/bin/busybox", "bin/busybox")
            link = tarfile.TarInfo("bin/sh")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        client.import_image_from_data(archive.getvalue(), repository="box", tag="1")
        yield client
        for each in client.containers(all=True):
            client.remove_container(each["Id"], force=True)
        client.close()
    finally:
        daemon.terminate()
        daemon.wait(60)


def answers(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
        sock.settimeout(5)
        sock.connect(f"{folder}/docker.sock")
        sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b"200 OK" in sock.recv(100)
    return False


@contextlib.contextmanager
def floor(url: str, folder: Path) -> Iterator[None]:
    """The floor: hear that it died, sign, commit, ask the engine to start it; nothing decides, nothing checks."""
    client = docker.APIClient(base_url=url, version="auto", timeout=60)
    events = client.events(decode=True, filters={"type": "container", "event": "die", "container": FLOOR})

    def work() -> None:
        key = SealingKey.generate()
        database = sqlite3.connect(folder / "floor.db", isolation_level=None)
        database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(x BLOB)")
        for event in events:
            database.execute("INSERT INTO t VALUES (?)", (key.sign(b"x" * 300),))
            client.start(event["id"])
        database.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        events.close()
        thread.join(10)
        client.close()


def kill(client: docker.APIClient, name: str, victim: Victim) -> float:
    """Milliseconds from the kill to the replacement's first instruction."""
    pid = client.inspect_container(name)["State"]["Pid"]
    killed = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    return (victim.born().at - killed) / 1e6


def turns(client: docker.APIClient, victims: dict[str, Victim], kills: int) -> dict[str, list[float]]:
    """Kill each in its turn; the engine's own as often as it takes it for well."""
    took: dict[str, list[float]] = {name: [] for name in victims}
    since = time.monotonic()
    for _ in range(kills):
        for name in (OURS, FLOOR):
            time.sleep(PAUSE)
            took[name].append(kill(client, name, victims[name]))
        if time.monotonic() - since > LIVED:
            took[POLICY].append(kill(client, POLICY, victims[POLICY]))
            since = time.monotonic()
    if not took[POLICY]:
        time.sleep(max(0.0, LIVED - (time.monotonic() - since)))
        took[POLICY].append(kill(client, POLICY, victims[POLICY]))
    return took


def audited(state: Path, kills: int) -> dict[str, object]:
    """Whether the log verifies, and holds an intent of its own for each replacement."""
    report = verify(Ask(log=state, key=state / "keys" / "seal.pub", deep=True))
    blocks, runs, results = set(), set(), []
    with Log.open(state) as log:
        for entry in log.entries():
            what = json.loads(entry.octets)
            if what["kind"] == "intent" and what["target"] == f"container:{OURS}":
                blocks.add(entry.height)
            elif what["kind"] == "outcome" and what.get("generation"):
                runs.add(what["generation"])
            elif what["kind"] == "verdict":
                results.append(what["result"])
    return {
        "verified": report.exit_code == 0,
        "replacements": kills,
        "intents_in_blocks_of_their_own": len(blocks),
        "each_is_another_run": len(runs) == kills,
        "verdicts_verified": results.count("verified"),
    }


def compared(folder: Path, kills: int) -> dict[str, object]:
    with engine(folder) as client:
        url = f"unix://{folder}/docker.sock"
        ENVIRONMENT["DOCKER_HOST"] = url
        victims: dict[str, Victim] = {}
        for name in (OURS, FLOOR, POLICY):
            (folder / name).mkdir()
            victims[name] = Victim(folder / name)
            make(client, folder / name, name, victims[name])
            victims[name].born()
        (folder / "rules.yaml").write_text(RULES)
        with floor(url, folder), healer(folder, CONFIG):
            time.sleep(4.0)  # its first looks
            took = turns(client, victims, kills)
            time.sleep(1.5)  # the last verdict
    spreads = {name: spread(times) for name, times in took.items()}
    ours, least = spreads[OURS], spreads[FLOOR]
    return {
        "healer": {
            "p50": at_most(ours["p50_ms"], TARGET_P50, least["p50_ms"]),
            "p99_ms": ours["p99_ms"],
            "kills": kills,
            "victim": victims[OURS].kind,
            "audit": audited(folder / "state", kills),
        },
        "floor": dict(least),
        "docker_restart_always": dict(spreads[POLICY]),
    }


def make(client: docker.APIClient, folder: Path, name: str, victim: Victim) -> None:
    more: dict[str, Any] = {"restart_policy": {"Name": "always"}} if name == POLICY else {}
    host = client.create_host_config(network_mode="none", binds={str(folder): {"bind": str(folder)}}, **more)
    volumes = [str(folder)]
    client.create_container("box:1", [str(victim.program)], name=name, host_config=host, volumes=volumes)
    client.start(name)


def measure() -> dict[str, object]:
    kills = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 20 if quick() else 100)
    what = "kill -9 of a container -> first instruction of the replacement, ms; ours with a signed durable intent"
    missing = [
        name for name in ("dockerd", "busybox") if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None
    ]
    if missing or os.geteuid() != 0:
        return {"what": what, "failed": f"needs root and {', '.join(missing) or 'nothing else'}"}
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            return {"what": what, **compared(folder, kills)}
        except Exception as exc:  # noqa: BLE001 - what failed is a line of the report
            return {"what": what, "failed": f"{type(exc).__name__}: {exc}", "said": said(folder), "reached": False}


if __name__ == "__main__":
    told(measure)
