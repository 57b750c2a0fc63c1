"""kill -9 of a unit's main process until its replacement's first instruction: restarted by us; by systemd itself.

All in one system, in turns: our agent, with a signed durable intent in between; the least that could do the same (a
signal, a signature, a commit, a call); and systemd's own Restart=always, at once and after its usual 100 ms. Whoever
leaves it to systemd has no record of why, no limit but StartLimitBurst=, and no proof afterwards.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from audit.keys import SealingKey
from audit.reader import Log
from audit.verifier import Ask, verify
from bench.agent import ENVIRONMENT, UNHELD, at_once, healer, said, until
from bench.figures import at_most, quick, spread, told
from bench.machine import Machine, booted
from bench.victim import Victim
from healer.drivers.systemd.bus import Bus, Signal
from healer.drivers.systemd.unit import path
from healer.drivers.systemd.watch import MANAGER, NAME, ROOT

PAUSE = 0.3
"""Seconds between two kills, of one victim after the other."""
TARGET_P50 = 20.0
OURS, FLOOR, AT_ONCE, USUAL = "healer", "floor", "restart-sec-0", "restart-sec-100ms"
POLICY = {OURS: "", FLOOR: "", AT_ONCE: "Restart=always\nRestartSec=0\n", USUAL: "Restart=always\n"}
UNIT = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart={program}\n{policy}"
RULES = at_once("unit", "unit.failed{target} == 1")
CONFIG = (
    UNHELD
    + """\
targets:
  - {kind: unit, name: bench-healer.service, organ: heart, bus: "BUS", startup_grace: 0s, every: 1s}
"""
)


@contextlib.contextmanager
def floor(machine: Machine, folder: Path) -> Iterator[None]:
    """The floor: hear that it died, sign, commit, ask systemd to restart it; nothing decides, nothing checks."""
    ready, ended = threading.Event(), threading.Event()

    async def main() -> None:
        key = SealingKey.generate()
        database = sqlite3.connect(folder / "floor.db", isolation_level=None)
        database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(x BLOB)")
        name, died = f"bench-{FLOOR}.service", asyncio.Event()

        def hear(signal: Signal) -> None:
            changed = signal.body[1] if signal.member == "PropertiesChanged" else {}
            if changed.get("ActiveState") == "failed" and not changed["Job"][0]:
                died.set()

        bus = Bus(NAME, hear, lambda _: None)
        await bus.open(machine.bus)
        await bus.match(f"type='signal',path='{path(name)}'")
        await bus.call(ROOT, MANAGER, "Subscribe")
        ready.set()
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(died.wait(), 0.2)
                died.clear()
                database.execute("INSERT INTO t VALUES (?)", (key.sign(b"x" * 300),))
                await bus.call(ROOT, MANAGER, "RestartUnit", "ss", name, "replace")
        bus.close()
        database.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait(10)
    try:
        yield
    finally:
        ended.set()
        thread.join()


def turns(machine: Machine, victims: dict[str, Victim], kills: int) -> dict[str, list[float]]:
    """Kill each in its turn; milliseconds from each kill to the replacement's first instruction."""
    took: dict[str, list[float]] = {name: [] for name in victims}
    born = {name: victim.born() for name, victim in victims.items()}
    for _ in range(kills):
        for name, victim in victims.items():
            time.sleep(PAUSE)
            pid = machine.outside(born[name].pid)
            killed = time.monotonic_ns()
            os.kill(pid, signal.SIGKILL)
            born[name] = victim.born()
            took[name].append((born[name].at - killed) / 1e6)
    return took


def runs(folder: Path) -> bool:
    """Whether our agent has seen its victim run."""
    where = ["--config", str(folder / "organism.yaml"), "--state-dir", str(folder / "state")]
    asked = [sys.executable, "-m", "healer", *where, "--json", "state", "unit:bench-healer.service"]
    told = subprocess.run(asked, check=False, capture_output=True, text=True, env=ENVIRONMENT)
    return told.returncode == 0 and json.loads(told.stdout)["state"] == "running"


def audited(state: Path, kills: int) -> dict[str, object]:
    """Whether the log verifies, and holds an intent and an outcome of its own for each replacement."""
    report = verify(Ask(log=state, key=state / "keys" / "seal.pub", deep=True))
    blocks, runs, results = set(), set(), []
    with Log.open(state) as log:
        for entry in log.entries():
            what = json.loads(entry.octets)
            if what["kind"] == "intent" and what["target"] == "unit:bench-healer.service":
                blocks.add(entry.height)
            elif what["kind"] == "outcome" and what.get("generation"):
                runs.add(what["generation"])
            elif what["kind"] == "verdict":
                results.append(what["result"])
    return {
        "verified": report.exit_code == 0,
        "replacements": kills,
        "intents_in_blocks_of_their_own": len(blocks),
        "each_is_another_invocation": len(runs) == kills,
        "verdicts_verified": results.count("verified"),
    }


def compared(folder: Path, kills: int) -> dict[str, object]:
    with booted(folder) as machine:
        victims: dict[str, Victim] = {}
        for name, policy in POLICY.items():
            (folder / name).mkdir()
            victims[name] = Victim(folder / name)
            text = UNIT.format(program=victims[name].program, policy=policy)
            (machine.root / f"run/systemd/system/bench-{name}.service").write_text(text)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", *(f"bench-{name}.service" for name in POLICY))
        (folder / "rules.yaml").write_text(RULES)
        with floor(machine, folder), healer(folder, CONFIG.replace("BUS", machine.bus)):
            until(lambda: runs(folder), 30.0, "the agent looks at the unit")
            took = turns(machine, victims, kills)
            time.sleep(0.7)  # the last verdict
    spreads = {name: spread(times) for name, times in took.items()}
    ours, least = spreads.pop(OURS), spreads.pop(FLOOR)
    return {
        "healer": {
            "p50": at_most(ours["p50_ms"], TARGET_P50, least["p50_ms"]),
            "p99_ms": ours["p99_ms"],
            "kills": kills,
            "victim": victims[OURS].kind,
            "audit": audited(folder / "state", kills),
        },
        "floor": dict(least),
        **{f"systemd_{name}": dict(found) for name, found in spreads.items()},
    }


def measure() -> dict[str, object]:
    kills = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 20 if quick() else 100)
    what = "kill -9 of a unit -> first instruction of the replacement, ms; ours with a signed durable intent in between"
    missing = [name for name in ("systemd-nspawn", "debootstrap", "nsenter") if shutil.which(name) is None]
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
