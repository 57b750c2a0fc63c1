"""kill -9 of a supervised program until its replacement runs: ours with a sealed intent in between, floors and peers.

The victim is a shell that writes its pid into a FIFO as its first act; the clock runs from the kill to that line.
Prints one JSON object; milliseconds. `python bench/restart.py [KILLS]`; runit and supervisord are measured where they
are installed (as root, `--install` asks apt for them).
"""

import asyncio
import contextlib
import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from audit.keys import SealingKey
from healer.clock import SystemClock
from healer.drivers.programs import Programs
from healer.model.target import Target

PAUSE = 1.3
"""Seconds between kills: runit waits a second before it restarts what lived for less than one."""
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
  - {name: victim, organ: heart, command: [/bin/sh, SCRIPT], startup_grace: 0s, every: 1s}
"""


class Victim:
    """What is killed, and the FIFO on which each incarnation announces itself."""

    def __init__(self, folder: Path) -> None:
        self.fifo = folder / "born"
        os.mkfifo(self.fifo)
        self._fd = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        self.script = folder / "victim.sh"
        self.script.write_text(f"#!/bin/sh\necho $$ > {self.fifo}\nexec sleep 100000\n")
        self.script.chmod(0o755)

    def born(self, within: float = 15.0) -> int:
        """The pid of the next incarnation."""
        if not select.select([self._fd], [], [], within)[0]:
            raise TimeoutError("no replacement came")
        return int(os.read(self._fd, 64).split()[0])

    def rounds(self, kills: int, pause: float = PAUSE) -> list[float]:
        """Kill it again and again; milliseconds from each kill to the replacement."""
        pid, took = self.born(), []
        for _ in range(kills):
            time.sleep(pause)
            started = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            pid = self.born()
            took.append((time.perf_counter() - started) * 1e3)
        return took


def figures(took: list[float]) -> dict[str, float]:
    took = sorted(took)
    return {
        "p50": round(took[len(took) // 2], 3),
        "p99": round(took[min(len(took) - 1, int(len(took) * 0.99))], 3),
        "kills": len(took),
    }


# ------------------------------------------------------------------------------------------------ floors


def bare(folder: Path, kills: int, *, sealed: bool) -> list[float]:
    """A loop that only waits, (signs and commits,) and spawns: nothing can be faster."""
    victim = Victim(folder)
    key = SealingKey.generate()
    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(x BLOB)")
    argv = ["/bin/sh", str(victim.script)]
    pid = os.posix_spawn(argv[0], argv, os.environ, setsid=True)
    victim.born()
    took = []
    for _ in range(kills):
        time.sleep(0.02)
        fd = os.pidfd_open(pid)
        started = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        select.select([fd], [], [])
        os.waitpid(pid, 0)
        if sealed:
            database.execute("INSERT INTO t VALUES (?)", (key.sign(b"x" * 300),))
        pid = os.posix_spawn(argv[0], argv, os.environ, setsid=True)
        victim.born()
        took.append((time.perf_counter() - started) * 1e3)
        os.close(fd)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    database.close()
    return took


def driver(folder: Path, kills: int) -> list[float]:
    """Our driver alone: exit seen, pushed, restarted; nothing judged and nothing sealed."""
    victim = Victim(folder)

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            programs = Programs(SystemClock(), folder / "state")
            dead = asyncio.Event()
            programs.push = lambda readings: dead.set() if readings[0].value == 0 else None
            spec = {"command": ["/bin/sh", str(victim.script)]}
            programs.declare([Target(kind="program", name="victim", organ="heart", spec=spec)])
            await programs.open(tasks)
            await programs.start("victim")
            await loop.run_in_executor(None, victim.born)
            took = []
            for _ in range(kills):
                await asyncio.sleep(0.05)
                dead.clear()
                started = time.perf_counter()
                os.kill(programs.snapshot("victim").pid or 0, signal.SIGKILL)
                await dead.wait()
                await programs.restart("victim", "f" * 64, generation="")
                victim.born()
                took.append((time.perf_counter() - started) * 1e3)
            await programs.close("stop", force=True)
            return await _leave(took)

    return asyncio.run(main())


async def _leave(took: list[float]) -> list[float]:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    return took


# --------------------------------------------------------------------------------------- ours and peers


@contextlib.contextmanager
def running(argv: list[str], folder: Path, env: dict[str, str] | None = None) -> Iterator[None]:
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, cwd=folder, env=env, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def healer(folder: Path, kills: int) -> list[float]:
    victim = Victim(folder)
    (folder / "rules.yaml").write_text(RULES)
    config = folder / "organism.yaml"
    config.write_text(CONFIG.replace("SCRIPT", str(victim.script)))
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    argv = [sys.executable, "-m", "healer", "run", "--config", str(config), "--state-dir", str(folder / "state")]
    with running(argv, folder, env):
        return victim.rounds(kills)


def runit(folder: Path, kills: int) -> list[float]:
    victim = Victim(folder)
    service = folder / "service"
    service.mkdir()
    shutil.copy(victim.script, service / "run")
    with running(["runsv", str(service)], folder):
        return victim.rounds(kills)


def supervisord(folder: Path, kills: int) -> list[float]:
    victim = Victim(folder)
    (folder / "s.conf").write_text(
        f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={folder}/pid\n"
        f"[program:victim]\ncommand=/bin/sh {victim.script}\nautorestart=true\nstartsecs=0\n"
    )
    with running(["supervisord", "-c", str(folder / "s.conf")], folder):
        return victim.rounds(kills)


def measured(name: str, work: Callable[[Path], list[float]]) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as folder:
        try:
            return figures(work(Path(folder)))
        except Exception as exc:  # noqa: BLE001 - a peer that fails is a line of the report, not its end
            out = Path(folder) / "out"
            said = out.read_text(errors="replace")[-600:] if out.exists() else ""
            return {"failed": f"{type(exc).__name__}: {exc}", "said": said, "who": name}


def main() -> None:
    kills = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 30)
    if "--install" in sys.argv:
        missing = [p for p, binary in (("runit", "runsv"), ("supervisor", "supervisord")) if not shutil.which(binary)]
        if missing:
            subprocess.run(["apt-get", "install", "-y", "-q", *missing], check=False, stdout=sys.stderr)
    report: dict[str, object] = {
        "what": "kill -9 -> replacement running, milliseconds",
        "target": {"p50": 3.0, "p99": 10.0},
        "floor_spawn": measured("floor", lambda folder: bare(folder, 200, sealed=False)),
        "floor_sealed": measured("floor", lambda folder: bare(folder, 200, sealed=True)),
        "driver": measured("driver", lambda folder: driver(folder, 200)),
        "healer_sealed": measured("healer", lambda folder: healer(folder, kills)),
    }
    for name, work, binary in (("runit", runit, "runsv"), ("supervisord", supervisord, "supervisord")):
        report[name] = measured(name, partial(work, kills=kills)) if shutil.which(binary) else "not installed"
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
