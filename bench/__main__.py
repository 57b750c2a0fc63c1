"""``python -m bench [NAME ...] [--quick]``: each bench in a process of its own, one JSON object for all of them.

Peers that are missing are installed in this run where that can be done (root and apt for runit and supervisord, a
temporary environment for simpleeval, auditchain and pymerkle); what could not be had is said. Everybody runs under one
pid 1 that reaps at once, where that can be made: some supervisors wait for theirs.
"""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.agent import CHECKOUT, ENVIRONMENT

BENCHES: Mapping[str, float] = {
    "floors": 120,
    "start": 300,
    "rules": 300,
    "check": 120,
    "reload": 120,
    "replay": 1800,
    "seal": 300,
    "verify": 600,
    "browser": 300,
    "peers": 600,
    "proof": 300,
    "witness": 300,
    "idle": 420,
    "history": 2400,
    "restart": 1800,
    "units": 900,
    "containers": 900,
    "crowd": 420,
}
"""Name, and the seconds after which it is given up."""
DEBIAN: Mapping[str, str] = {
    "runsv": "runit",
    "supervisord": "supervisor",
    "tini": "tini",
    "cc": "gcc",
    "monit": "monit",
}
"""Command to package."""
PYPI: Mapping[str, tuple[str, ...]] = {"rules": ("simpleeval",), "peers": ("auditchain", "pymerkle", "cachetools")}
"""Bench to the packages it compares with; cachetools is what pymerkle needs."""
REAPING = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "tini", "-s", "--")


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def silently(argv: list[str], within: float) -> None:
    """Run what may fail: what it was to bring is then missing, and said to be."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    nowhere = subprocess.DEVNULL
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(argv, check=False, stdout=nowhere, stderr=nowhere, env=environment, timeout=within)


def install() -> list[str]:
    """Get the peers that are missing; returns what is still missing."""
    wanted = [package for command, package in DEBIAN.items() if shutil.which(command) is None]
    if wanted and os.geteuid() == 0 and shutil.which("apt-get"):
        note(f"installing {' '.join(wanted)} ...")
        for words in (["update"], ["install", "-y", "--no-install-recommends", *wanted]):
            silently(["apt-get", "-q", *words], 600)
    return [package for command, package in DEBIAN.items() if shutil.which(command) is None]


@contextlib.contextmanager
def fetched(packages: Iterable[str]) -> Iterator[str]:
    """A folder with those peers in it that could be had."""
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-deps"]
        for package in packages:
            silently([*pip, "--target", folder, package], 60)
        yield folder


def reaping() -> list[str]:
    """What to put before a command so that its orphans are reaped at once; empty where that cannot be had."""
    if shutil.which("unshare") is None or shutil.which("tini") is None:
        return []
    tried = subprocess.run([*REAPING, "true"], check=False, capture_output=True)
    return [] if tried.returncode else list(REAPING)


def run(name: str, before: list[str], options: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    note(f"{name} ...")
    argv = [*before, sys.executable, "-m", f"bench.{name}", *options]
    load, start = os.getloadavg()[0], time.monotonic()
    try:
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, cwd=CHECKOUT, env=environment, timeout=BENCHES[name]
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        found = {"failed": f"not within {BENCHES[name]:g} s", "reached": False}
    except ValueError:
        found = {"failed": done.stderr.strip()[-600:] or f"ended with {done.returncode}", "reached": False}
    found["load_average"] = [round(load, 2), round(os.getloadavg()[0], 2)]
    found["took_s"] = round(time.monotonic() - start, 1)
    return found


def verdicts(found: object, path: str = "") -> Iterator[tuple[str, bool]]:
    """Every figure that has a target, by its dotted path, and whether it was reached."""
    if not isinstance(found, dict):
        return
    if isinstance(found.get("reached"), bool):
        yield path, found["reached"]
    for key, value in found.items():
        yield from verdicts(value, f"{path}.{key}" if path else key)


def machine() -> dict[str, object]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_mb": memory,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def main(words: list[str]) -> int:
    names = [word for word in words if not word.startswith("-")] or list(BENCHES)
    options = [word for word in words if word.startswith("-")]
    if unknown := [name for name in names if name not in BENCHES]:
        note(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
        return 2
    report: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "machine": machine(),
        "missing": install() if {"restart", "idle", "hung"} & set(names) else [],
    }
    before = reaping()
    report["pid_1_reaps_at_once"] = bool(before)
    with fetched(package for name in names for package in PYPI.get(name, ())) as folder:
        environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, (ENVIRONMENT["PYTHONPATH"], folder)))}
        benches = {name: run(name, before, options, environment) for name in names}
    found = dict(verdicts(benches))
    report |= {"benches": benches, "reached": found, "missed": [path for path, reached in found.items() if not reached]}
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
