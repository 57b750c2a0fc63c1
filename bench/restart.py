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
from bench.agent import ENVIRONMENT, UNHELD, at_once, healer, running, said
from bench.figures import at_most, quick, spread, told
from bench.victim import Victim

PAUSE = 1.1
"""Seconds between kills: runit waits a second before it restarts what lived for less than one."""
TARGET_P50, TARGET_P99 = 3.0, 10.0
RULES = at_once("program", "program.up{target} == 0")
CONFIG = (
    UNHELD
    + """\
programs:
  - {name: victim, organ: heart, command: [PROGRAM], startup_grace: 0s, every: 1s}
"""
)


class Bare:
    """The floor: only wait for the pidfd, (sign and commit,) and spawn. Nothing can be faster."""

    def __init__(self, folder: Path, *, sealed: bool, shell: bool = False) -> None:
        folder.mkdir(exist_ok=True)
        self._victim = Victim(folder, shell=shell)
        self._key = SealingKey.generate() if sealed else None
        self._database = sqlite3.connect(folder / "floor.db", isolation_level=None)
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(x BLOB)")
        self._spawn()

    def _spawn(self) -> None:
        argv = [str(self._victim.program)]
        self._pid = os.posix_spawn(argv[0], argv, ENVIRONMENT, setsid=True)
        self._born = self._victim.born()

    def round(self) -> float:
        """Kill once; milliseconds until the first instruction of the next."""
        fd = os.pidfd_open(self._pid)
        killed = time.monotonic_ns()
        os.kill(self._pid, signal.SIGKILL)
        select.select([fd], [], [])
        os.waitpid(self._pid, 0)
        if self._key is not None:
            self._database.execute("INSERT INTO t VALUES (?)", (self._key.sign(b"x" * 300),))
        self._spawn()
        os.close(fd)
        return (self._born.at - killed) / 1e6

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._database.close()
        self._victim.close()


def rounds(victim: Victim, kills: int, between: Callable[[], object] = lambda: None) -> list[float]:
    """Kill it again and again; milliseconds from each kill to the replacement's first instruction."""
    born, took = victim.born(), []
    for _ in range(kills):
        time.sleep(PAUSE / 2)
        between()
        time.sleep(PAUSE / 2)
        killed = time.monotonic_ns()
        os.kill(born.pid, signal.SIGKILL)
        born = victim.born()
        took.append((born.at - killed) / 1e6)
    return took


def ours(folder: Path, kills: int, *, shell: bool = False) -> dict[str, object]:
    """Our agent and the floor take turns: on a busy machine both are slowed alike."""
    victim, floor = Victim(folder, shell=shell), Bare(folder / "floor", sealed=True, shell=shell)
    (folder / "rules.yaml").write_text(RULES)
    floored: list[float] = []
    with healer(folder, CONFIG.replace("PROGRAM", str(victim.program))):
        took = rounds(victim, kills, lambda: floored.append(floor.round()))
        time.sleep(0.5)  # the last verdict
    floor.close()
    found, under = spread(took), spread(floored)
    return {
        "p50": at_most(found["p50_ms"], TARGET_P50, under["p50_ms"]),
        "p99": at_most(found["p99_ms"], TARGET_P99, under["p99_ms"]),
        "kills": kills,
        "victim": victim.kind,
        "audit": audited(folder / "state", victim),
    }


def spawned(folder: Path, kills: int) -> dict[str, object]:
    floor = Bare(folder, sealed=False)
    try:
        return dict(spread([(time.sleep(0.05), floor.round())[1] for _ in range(kills)]))
    finally:
        floor.close()


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
            return {"failed": f"{type(exc).__name__}: {exc}", "said": said(folder), "reached": False}


def measure() -> dict[str, object]:
    kills = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 30 if quick() else 200)
    report: dict[str, object] = {
        "what": "kill -9 -> first instruction of the replacement, ms; ours with a signed durable intent in between",
        "spawned_only": measured(partial(spawned, kills=100)),
        "healer": measured(partial(ours, kills=kills)),
        "healer_shell_victim": measured(partial(ours, kills=min(kills, 60), shell=True)),
    }
    peers = (("runit", runit, "runsv", kills), ("supervisord", supervisord, "supervisord", min(kills, 60)))
    for name, work, binary, times in peers:
        report[name] = measured(partial(work, kills=times)) if shutil.which(binary) else "not installed"
    return report


if __name__ == "__main__":
    told(measure)
