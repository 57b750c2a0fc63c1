"""How fast a log is verified: entries per second, flat and Merkle, with and without ``cryptography``.

Every signature is checked in each figure; logs of full blocks, one of single-entry blocks, and one of ten million
entries, whose verifiers must not need more memory than those of a short one.
"""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from hashlib import sha256
from pathlib import Path

from audit.keys import SealingKey
from audit.reader import FILE_NAME
from audit.verifier import Ask, verify
from audit.writer import Receipt, Writer
from bench.figures import at_least, at_most, quick
from bench.seal import EVENT

TARGET_FLAT, TARGET_MERKLE, TARGET_PURE = 2_000_000.0, 600_000.0, 1_000_000.0
TARGET_MB = 64.0
_APART = """
import sys, time
sys.path[:0] = sys.argv[1].split(":")
from pathlib import Path
from audit.verifier import Ask, verify
start = time.perf_counter()
report = verify(Ask(log=Path(sys.argv[2]), key=Path(sys.argv[3]), flat=sys.argv[4] == "flat"))
took = time.perf_counter() - start
# Not getrusage: its maximum is inherited from the process that started this one.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(report.entries / took, int(peak.split()[1]) / 1024, report.level, report.exit_code)
"""
"""The verifier in an interpreter of its own: what it says of rate and memory is nobody else's."""


def _fill(folder: Path, key: SealingKey, *, blocks: int, size: int, window: int = 1) -> None:
    entries = [EVENT] * size
    with Writer.open(folder, node="bench", signer=key) as writer:
        waiting: deque[Future[Sequence[Receipt]]] = deque()
        for _ in range(blocks):
            waiting.append(writer.submit(entries))
            if len(waiting) >= window:
                waiting.popleft().result()


def _rate(folder: Path, key: Path, *, flat: bool) -> int:
    start = time.perf_counter()
    report = verify(Ask(log=folder, key=key, flat=flat))
    took = time.perf_counter() - start
    if report.exit_code:
        sys.exit(f"the bench's own log does not verify: {report.text()}")
    return round(report.entries / took)


def _apart(log: Path, key: Path, *, flat: bool, libraries: bool) -> tuple[float, float]:
    """Entries per second and peak megabytes of a verifier on its own; without ``libraries`` on the standard one."""
    here = Path(__file__).resolve().parents[1]
    paths = [str(here), *(path for path in sys.path if libraries and path.endswith("-packages"))]
    argv = [sys.executable, "-I", "-S", "-c", _APART, ":".join(paths), str(log), str(key), "flat" if flat else "merkle"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    rate, peak, level, code = done.stdout.split()
    if code != "0":
        sys.exit(f"the bench's own log does not verify: {level}")
    return float(rate), float(peak)


def _long(folder: Path, key: SealingKey, public: Path, blocks: int) -> dict[str, object]:
    """What a long log costs: memory must be the same as for a short one."""
    log = folder / "long"
    _fill(log, key, blocks=blocks, size=4096, window=4)
    found: dict[str, object] = {"entries": blocks * 4096}
    for name, libraries in (("", True), ("_stdlib_only", False)):
        rate, peak = _apart(log, public, flat=libraries is False, libraries=libraries)
        found[f"peak_rss{name}_mb"] = at_most(peak, TARGET_MB)
        found["flat_stdlib_only_per_s" if name else "merkle_per_s"] = round(rate)
    shutil.rmtree(log)
    return found


def _floor(folder: Path) -> dict[str, float]:
    """Entries per second when bodies are only read and hashed: whole, and leaf by leaf into one root each."""
    rates = {}
    for name, work in (("flat", lambda body: sha256(body).digest()), ("merkle", _merkle)):
        start, entries = time.perf_counter(), 0
        with contextlib.closing(sqlite3.connect(folder / FILE_NAME)) as database:
            for count, body in database.execute("SELECT n, body FROM blocks ORDER BY height"):
                work(body)
                entries += count
        rates[name] = entries / (time.perf_counter() - start)
    return rates


def _merkle(body: bytes) -> bytes:
    """RFC 6962 for a full block, as plainly as it can be written."""
    level, at = [], 0
    while at < len(body):
        end = at + 4 + int.from_bytes(body[at : at + 4], "big")
        level.append(sha256(b"\0" + body[at + 4 : end]).digest())
        at = end
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\1" + one + two).digest() for one, two in pairs] + odd
    return level[0]


def measure(folder: Path, *, blocks: int = 250, singles: int = 2000, long: int = 2442) -> dict[str, object]:
    """Write logs into ``folder``, verify them, and return the figures."""
    key = SealingKey.generate()
    public = folder / "pinned.pub"
    public.write_bytes(key.public.pem)
    full, single = folder / "full", folder / "single"
    _fill(full, key, blocks=blocks, size=4096)
    _fill(single, key, blocks=singles, size=1)
    _rate(single, public, flat=True)  # imports, once
    pure, peak = _apart(full, public, flat=True, libraries=False)
    base = _floor(full)
    return {
        "flat_entries_per_s": at_least(_rate(full, public, flat=True), TARGET_FLAT, base["flat"]),
        "merkle_entries_per_s": at_least(_rate(full, public, flat=False), TARGET_MERKLE, base["merkle"]),
        "flat_stdlib_only_entries_per_s": at_least(pure, TARGET_PURE, base["flat"]),
        "single_entry_blocks_per_s": _rate(single, public, flat=False),
        "entries": blocks * 4096,
        "verifier_peak_rss_mb": round(peak),
        "long_log": _long(folder, key, public, long),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as temporary:
        print(json.dumps(measure(Path(temporary), **({"blocks": 100, "long": 245} if quick() else {})), indent=2))
