"""How fast a log is verified: entries per second, flat and Merkle, with and without ``cryptography``.

Every signature is checked in each figure; logs of full blocks, and one of single-entry blocks.
"""

import contextlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from audit.keys import SealingKey
from audit.reader import FILE_NAME
from audit.verifier import Ask, verify
from audit.writer import Writer
from bench.figures import at_least, quick
from bench.seal import EVENT

TARGET_FLAT, TARGET_MERKLE, TARGET_PURE = 2_000_000.0, 600_000.0, 1_000_000.0
_PURE = (
    "import sys, time; sys.path.insert(0, sys.argv[1]);"
    "from pathlib import Path; from audit.verifier import Ask, verify;"
    "start = time.perf_counter();"
    "report = verify(Ask(log=Path(sys.argv[2]), key=Path(sys.argv[3]), flat=True));"
    "took = time.perf_counter() - start;"
    # Not getrusage: its maximum is inherited from the process that started this one.
    "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'));"
    "print(report.entries / took, report.level, peak.split()[1])"
)


def _fill(folder: Path, key: SealingKey, *, blocks: int, size: int) -> None:
    with Writer.open(folder, node="bench", signer=key) as writer:
        for _ in range(blocks):
            writer.submit([EVENT] * size).result()


def _rate(folder: Path, key: Path, *, flat: bool) -> int:
    start = time.perf_counter()
    report = verify(Ask(log=folder, key=key, flat=flat))
    took = time.perf_counter() - start
    if report.exit_code:
        sys.exit(f"the bench's own log does not verify: {report.text()}")
    return round(report.entries / took)


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


def measure(folder: Path, *, blocks: int = 250, singles: int = 2000) -> dict[str, object]:
    """Write logs into ``folder``, verify them, and return the figures."""
    key = SealingKey.generate()
    public = folder / "pinned.pub"
    public.write_bytes(key.public.pem)
    full, single = folder / "full", folder / "single"
    _fill(full, key, blocks=blocks, size=4096)
    _fill(single, key, blocks=singles, size=1)
    _rate(single, public, flat=True)  # imports, once
    root = str(Path(__file__).resolve().parents[1])
    pure = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _PURE, root, str(full), str(public)],
        check=True,
        capture_output=True,
        text=True,
    )
    base = _floor(full)
    return {
        "flat_entries_per_s": at_least(_rate(full, public, flat=True), TARGET_FLAT, base["flat"]),
        "merkle_entries_per_s": at_least(_rate(full, public, flat=False), TARGET_MERKLE, base["merkle"]),
        "flat_stdlib_only_entries_per_s": at_least(float(pure.stdout.split()[0]), TARGET_PURE, base["flat"]),
        "single_entry_blocks_per_s": _rate(single, public, flat=False),
        "entries": blocks * 4096,
        "verifier_peak_rss_mb": int(pure.stdout.split()[2]) // 1024,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as temporary:
        print(json.dumps(measure(Path(temporary), blocks=100 if quick() else 250), indent=2))
