"""kill -9 of a supervised program until its replacement's first instruction: ours, sealed in between; floors; peers.

Everybody runs the same victim, is killed at the same pace, and shares one pid 1. Afterwards our log is verified, and
asked for the intent that each replacement says it was started by.
"""

import json
import os
import select
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from audit.keys import SealingKey
from audit.reader import Log
from audit.verifier import Ask, verify
from bench.agent import ENVIRONMENT, healer, running, said
from bench.figures import at_most, quick, spread, told
from bench.victim import Victim

PAUSE = 1.1
"""Seconds between kills: runit waits a second before it restarts what lived for less than one."""
TARGET_P50, TARGET_P99 = 3.0, 10.0
RULES = """
version: 1
rules:
  - id: died
    each: {kind: program}
    when: program.up{target} == 0
    clear: program.up{target} == 1
    mode: auto
    cooldown: 0s
    limits: [{max: 10000, per: 1h}]
    backoff: {initial: 1ms, factor: 1, max: 1ms, jitter: 0%, reset_after: 1s}
    then:
      - restart: {}
        verify: {when: "program.up{target} == 1", within: 1s}
"""
CONFIG = """
version: 1
node: bench
mode: auto
rules: {files: [rules.yaml], default_mode: auto}
limits: {actions_per_hour: 10000}
programs:
  - {name: victim, organ: heart, command: [PROGRAM], startup_grace: 0s, every: 1s}
"""


def rounds(victim: Victim, kills: int, pause: float = PAUSE) -> list[float]:
    """Kill it again and again; milliseconds from each kill to the replacement's first instruction."""
    born, took = victim.born(), []
    for _ in range(kills):
        time.sleep(pause)
        killed = time.monotonic_ns()
        os.kill(born.pid, signal.SIGKILL)
        born = victim.born()
        took.append((born.at - killed) / 1e6)
    return took


def bare(folder: Path, kills: int, *, sealed: bool, shell: bool = False) -> dict[str, object]:
    """The floor: a loop that only waits for the pidfd, (signs and commits,) and spawns. Nothing can be faster."""
    victim = Victim(folder, shell=shell)
    key = SealingKey.generate()
    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(x BLOB)")
    argv = [str(victim.program)]
    pid = os.posix_spawn(argv[0], argv, ENVIRONMENT, setsid=True)
    victim.born()
    took = []
    for _ in range(kills):
        time.sleep(0.05)
        fd = os.pidfd_open(pid)
        killed = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        select.select([fd], [], [])
        os.waitpid(pid, 0)
        if sealed:
            database.execute("INSERT INTO t VALUES (?)", (key.sign(b"x" * 300),))
        pid = os.posix_spawn(argv[0], argv, ENVIRONMENT, setsid=True)
        took.append((victim.born().at - killed) / 1e6)
        os.close(fd)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    database.close()
    return dict(spread(took))


def ours(folder: Path, kills: int, *, shell: bool = False) -> dict[str, object]:
    victim = Victim(folder, shell=shell)
    (folder / "rules.yaml").write_text(RULES)
    with healer(folder, CONFIG.replace("PROGRAM", str(victim.program))):
        took = rounds(victim, kills)
        time.sleep(0.5)  # the last verdict
    return {**spread(took), "victim": victim.kind, "audit": audited(folder / "state", victim)}


def audited(state: Path, victim: Victim) -> dict[str, object]:
    """Whether the log verifies, and holds an intent of its own for each incarnation, by the leaf hash it was given."""
    report = verify(Ask(log=state, key=state / "keys" / "seal.pub", deep=True))
    intents: set[str] = set()
    blocks: set[int] = set()
    with Log.open(state) as log:
        for entry in log.entries():
            said = json.loads(entry.octets)
            if said["kind"] == "intent" and said["target"] == "program:victim":
                intents.add(entry.leaf)
                blocks.add(entry.height)
    asked = [born.intent for born in victim.births]
    return {
        "verified": report.exit_code == 0,
        "replacements": len(asked),
        "sealed_intents": len(intents),
        "in_blocks_of_their_own": len(blocks),
        "each_had_its_own_sealed_intent": len(set(asked)) == len(asked) and set(asked) <= intents,
    }


def runit(folder: Path, kills: int) -> dict[str, object]:
    victim = Victim(folder)
    service = folder / "service"
    service.mkdir()
    (service / "run").symlink_to(victim.program)
    with running(["runsv", str(service)], folder):
        return dict(spread(rounds(victim, kills)))


def supervisord(folder: Path, kills: int) -> dict[str, object]:
    victim = Victim(folder)
    (folder / "s.conf").write_text(
        f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={folder}/pid\n"
        f"[program:victim]\ncommand={victim.program}\nautorestart=true\nstartsecs=0\n"
    )
    with running(["supervisord", "-c", str(folder / "s.conf")], folder):
        return dict(spread(rounds(victim, kills)))


def measured(work: Callable[[Path], dict[str, object]]) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        folder = Path(name)
        try:
            return work(folder)
        except Exception as exc:  # noqa: BLE001 - a peer that fails is a line of the report, not its end
            return {"failed": f"{type(exc).__name__}: {exc}", "said": said(folder)}


def judged(found: dict[str, object], floor: dict[str, object]) -> dict[str, object]:
    """The figures of a run beside the floor of the same victim."""
    if "failed" in found or "failed" in floor:
        return {"reached": False, **found}
    return {
        "p50": at_most(found["p50_ms"], TARGET_P50, floor["p50_ms"]),
        "p99": at_most(found["p99_ms"], TARGET_P99, floor["p99_ms"]),
        **{name: value for name, value in found.items() if not name.endswith("_ms")},
    }


def measure() -> dict[str, object]:
    kills = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 30 if quick() else 200)
    floors = {
        "spawn": measured(partial(bare, kills=200, sealed=False)),
        "sealed": measured(partial(bare, kills=200, sealed=True)),
        "sealed_shell": measured(partial(bare, kills=200, sealed=True, shell=True)),
    }
    report: dict[str, object] = {
        "what": "kill -9 -> first instruction of the replacement, ms; ours with a signed durable intent in between",
        "floors": floors,
        "healer": judged(measured(partial(ours, kills=kills)), floors["sealed"]),
        "healer_shell_victim": judged(
            measured(partial(ours, kills=min(kills, 60), shell=True)), floors["sealed_shell"]
        ),
    }
    peers = (("runit", runit, "runsv", kills), ("supervisord", supervisord, "supervisord", min(kills, 60)))
    for name, work, binary, times in peers:
        report[name] = measured(partial(work, kills=times)) if shutil.which(binary) else "not installed"
    return report


if __name__ == "__main__":
    told(measure)
