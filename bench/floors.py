"""What this machine's parts need today: fsync, a durable commit, a signature, a spawn, an interpreter."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from audit.keys import SealingKey
from bench.figures import quick, spread, told


def timed(work: Callable[[], object], times: int) -> list[float]:
    """Milliseconds of each of so many calls."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append((time.perf_counter() - start) * 1e3)
    return took


def fsync(folder: Path, times: int) -> list[float]:
    fd = os.open(folder / "fsync", os.O_WRONLY | os.O_CREAT)
    try:
        return timed(lambda: (os.write(fd, bytes(4096)), os.fsync(fd)), times)
    finally:
        os.close(fd)


def commit(folder: Path, times: int) -> list[float]:
    """One row of a block's size, WAL and synchronous=FULL."""
    database = sqlite3.connect(folder / "commit.db", isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (b BLOB)")
    try:
        return timed(lambda: database.execute("INSERT INTO t VALUES (?)", (bytes(1500),)), times)
    finally:
        database.close()


def sign(times: int) -> list[float]:
    key = SealingKey.generate()
    return timed(lambda: key.sign(b"x" * 700), times)


def _spawn() -> None:
    os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], os.environ), 0)


def measure() -> dict[str, object]:
    times = 100 if quick() else 500
    bare = [sys.executable, "-I", "-S", "-c", "pass"]
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        folder = Path(name)
        return {
            "fsync_4k": spread(fsync(folder, times)),
            "commit": spread(commit(folder, times)),
            "sign_rsa3072": spread(sign(times)),
            "spawn_to_exit": spread(timed(_spawn, times)),
            "interpreter_start_to_exit": spread(timed(lambda: subprocess.run(bare, check=True), times // 5)),
        }


if __name__ == "__main__":
    told(measure)
