"""What looking after fifty idle programs costs, each and the host sampled every second: CPU of a core, and memory.

Beside it supervisord with the same fifty, which samples nothing; and as a floor the least that could look: kept-open
descriptors of fifty /proc/PID/stat read once a second, and an interpreter that has imported the libraries given.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.agent import healer, running, said, until
from bench.figures import at_most, quick, told

PROGRAMS = 50
SETTLE = 15.0
TARGET_CPU, TARGET_RSS = 0.6, 75.0
FOREVER = str(100_000 + os.getpid())
"""Seconds they sleep: a number by which our own fifty are known."""
TICKS = os.sysconf("SC_CLK_TCK")
LIBRARIES = (
    "asyncio",
    "psutil",
    "apscheduler.schedulers.asyncio",
    "yaml",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "sqlalchemy",
    "orjson",
    "starlette.applications",
    "starlette.routing",
    "uvicorn",
)
_LOOKER = """
import os, sys, time
files = [os.open(f"/proc/{pid}/stat", os.O_RDONLY) for pid in sys.argv[1:]]
files += [os.open(f"/proc/{name}", os.O_RDONLY) for name in ("stat", "loadavg", "meminfo", "vmstat", "net/dev")]
while True:
    time.sleep(1)
    for one in files:
        os.pread(one, 8192, 0).split()
"""
_IMPORTER = "import importlib, sys, time\nfor name in sys.argv[1:]: importlib.import_module(name)\ntime.sleep(1000)"


def config() -> str:
    programs = "\n".join(
        f"  - {{name: p{index:02}, organ: heart, command: [sleep, '{FOREVER}'], every: 1s, on_stop: stop}}"
        for index in range(PROGRAMS)
    )
    head = "version: 1\nnode: bench\nsensors: {host: {every: 1s}}\nprograms:\n"
    return head + programs + "\n"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of the children it has reaped, such as the verifier of the log."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(word) for word in fields[11:15]) / TICKS


def memory(pid: int) -> dict[str, float]:
    status = Path(f"/proc/{pid}/status").read_text()
    fields = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Vm")}
    return {"rss_mb": int(fields["VmRSS"]) / 1024, "peak_mb": int(fields["VmHWM"]) / 1024}


def sleepers() -> int:
    """How many of the fifty run, wherever they hang in the tree."""
    wanted, found = b"sleep\0" + FOREVER.encode() + b"\0", 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                found += (entry / "cmdline").read_bytes() == wanted
            except OSError:
                continue
    return found


def watched(pid: int, seconds: float, *, settle: float = SETTLE) -> dict[str, float]:
    time.sleep(settle)
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    share = (cpu_seconds(pid) - before) / took
    return {"cpu_percent": round(share * 100, 3), "seconds": round(took, 1), **memory(pid)}


def ours(folder: Path, seconds: float) -> dict[str, float]:
    with healer(folder, config()) as pid:
        until(lambda: sleepers() == PROGRAMS, 60.0, f"{PROGRAMS} programs up\n{said(folder)}")
        return watched(pid, seconds)


def supervisord(folder: Path, seconds: float) -> dict[str, float]:
    programs = "".join(f"[program:p{index:02}]\ncommand=sleep {FOREVER}\n" for index in range(PROGRAMS))
    (folder / "s.conf").write_text(
        f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={folder}/pid\n{programs}"
    )
    with running(["supervisord", "-c", str(folder / "s.conf")], folder) as pid:
        until(lambda: sleepers() == PROGRAMS, 60.0, "fifty programs up")
        return watched(pid, min(seconds, 30.0), settle=5.0)


def floor(folder: Path, seconds: float) -> dict[str, float]:
    own = [subprocess.Popen(["sleep", FOREVER]) for _ in range(PROGRAMS)]
    try:
        pids = [str(one.pid) for one in own]
        with running([sys.executable, "-I", "-S", "-c", _LOOKER, *pids], folder) as looker:
            looked = watched(looker, min(seconds, 30.0), settle=2.0)
    finally:
        for one in own:
            one.kill()
            one.wait()
    with running([sys.executable, "-c", _IMPORTER, *LIBRARIES], folder) as importer:
        time.sleep(3.0)
        return {"cpu_percent": looked["cpu_percent"], "libraries_rss_mb": round(memory(importer)["rss_mb"], 1)}


def measure() -> dict[str, object]:
    seconds = 30.0 if quick() else 60.0
    report: dict[str, object] = {"what": f"{PROGRAMS} idle programs and the host, sampled every second"}
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        base = floor(Path(name), seconds)
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        found = ours(Path(name), seconds)
    report["cpu_percent_of_a_core"] = at_most(found["cpu_percent"], TARGET_CPU, base["cpu_percent"])
    # Memory is no matter of speed: its floor is shown, and lowers nothing.
    rss = at_most(found["rss_mb"], TARGET_RSS)
    report["rss_mb"] = {**rss, "peak": round(found["peak_mb"], 1), "libraries_alone": base["libraries_rss_mb"]}
    report["seconds"] = found["seconds"]
    if shutil.which("supervisord"):
        with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
            report["supervisord"] = supervisord(Path(name), seconds)
    else:
        report["supervisord"] = "not installed"
    return report


if __name__ == "__main__":
    told(measure)
