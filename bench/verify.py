"""How fast a log is verified: entries per second, flat and Merkle, with and without ``cryptography``.

Every signature is checked in each figure; logs of full blocks, and one of single-entry blocks.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seal import EVENT

from audit.keys import SealingKey
from audit.verifier import Ask, verify
from audit.writer import Writer

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
    return {
        "flat_entries_per_s": _rate(full, public, flat=True),
        "merkle_entries_per_s": _rate(full, public, flat=False),
        "flat_stdlib_only_entries_per_s": round(float(pure.stdout.split()[0])),
        "single_entry_blocks_per_s": _rate(single, public, flat=False),
        "entries": blocks * 4096,
        "verifier_peak_rss_mb": int(pure.stdout.split()[2]) // 1024,
    }


if __name__ == "__main__":
    place = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=place) as temporary:
        print(json.dumps({"bench": "verify", **measure(Path(temporary))}))
