"""How soon we answer: ``healer --version``, the single-file verifier, and from nothing to the first sealed block."""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from audit.errors import AuditError
from audit.reader import Log
from bench.agent import ENVIRONMENT, healer, said, until
from bench.figures import at_most, quick, told
from bench.floors import timed

TARGET_VERSION, TARGET_BLOCK, TARGET_VERIFIER = 120.0, 2000.0, 60.0
PACK = Path(__file__).parents[1] / "verifiers" / "pack.py"


def command() -> list[str]:
    """The installed command; the module where it is not."""
    beside = Path(sys.executable).with_name("healer")
    return [str(beside)] if beside.exists() else [shutil.which("healer") or sys.executable, "-m", "healer"]


def started(argv: list[str]) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)


def sealed(folder: Path) -> bool:
    try:
        with Log.open(folder / "state") as log:
            return log.top() is not None
    except AuditError:
        return False


def first_block() -> float:
    """Milliseconds from starting the process on an empty folder, key and all, to a block in the log."""
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        folder = Path(name)
        start = time.perf_counter()
        with healer(folder, "version: 1\nnode: bench\n"):
            until(lambda: sealed(folder), 30.0, f"first sealed block\n{said(folder)}")
            return (time.perf_counter() - start) * 1e3


def single_file(folder: Path) -> Path:
    """The verifier in one file, packed as ``make build`` packs it."""
    archive = folder / "audit-verify.pyz"
    subprocess.run([sys.executable, str(PACK), str(archive)], check=True)
    return archive


def verifier(times: int) -> float:
    """Milliseconds from nothing to the version of the single-file verifier, isolated as an auditor runs it."""
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        argv = [sys.executable, "-I", "-S", str(single_file(Path(name))), "--version"]
        return statistics.median(timed(lambda: started(argv), times))


def measure() -> dict[str, object]:
    times = 5 if quick() else 15
    argv = [*command(), "--version"]
    bare = [sys.executable, "-c", "pass"]
    clicked = [sys.executable, "-c", "import click"]
    started(argv)  # byte code, once
    interpreter = statistics.median(timed(lambda: started(bare), times))
    version = statistics.median(timed(lambda: started(argv), times))
    blocks = [first_block() for _ in range(3 if quick() else 7)]
    return {
        "what": "milliseconds, medians",
        "version": at_most(version, TARGET_VERSION, interpreter),
        "single_file_verifier": at_most(verifier(times), TARGET_VERIFIER, interpreter),
        "first_sealed_block": at_most(statistics.median(blocks), TARGET_BLOCK, interpreter, slowest=round(max(blocks))),
        "interpreter_and_click": round(statistics.median(timed(lambda: started(clicked), times)), 1),
    }


if __name__ == "__main__":
    told(measure)
