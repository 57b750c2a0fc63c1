"""systemd's journal with its sealing (FSS), in a mount namespace of its own: ``python -m bench.journald FOLDER COUNT``.

Prints one JSON object: entries accepted per second through the native socket, on the disk per second (``journalctl
--sync``), and verified per second (``journalctl --verify`` with the key). Nothing of the host's journal is touched.
"""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

DAEMON = Path("/lib/systemd/systemd-journald")
NAMESPACE = ("unshare", "--mount", "--propagation", "private")
MACHINE = Path("/etc/machine-id")
SETTINGS = """[Journal]
Storage=persistent
Seal=yes
Audit=no
ReadKMsg=no
RateLimitIntervalSec=0
RateLimitBurst=0
SystemMaxFileSize=1G
"""
MESSAGE = b"MESSAGE=%s\nPRIORITY=6\nSYSLOG_IDENTIFIER=bench\nNUMBER=%d\n"
TEXT = b"service.check.done payments-api 12 ms 200 " + b"x" * 190


def measured(folder: str, count: int) -> dict[str, object]:
    """From outside: the figures, or why there are none."""
    if not DAEMON.exists() or not MACHINE.exists():
        return {"missing": "systemd-journald is not installed here"}
    argv = [*NAMESPACE, sys.executable, "-m", "bench.journald", folder, str(count)]
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)
        found: dict[str, object] = json.loads(done.stdout)
    except FileNotFoundError:
        return {"missing": "unshare is not installed here"}
    except subprocess.TimeoutExpired:
        return {"missing": "journald did not come to an end within 120 s"}
    except ValueError:
        return {"missing": f"journald does not run here: {done.stderr.strip()[-200:]}"}
    return found


def prepare(folder: Path) -> str:
    """Hide what belongs to the host, make a sealing key, and return what verifies."""
    logs = folder / "log"
    (logs / "journal" / MACHINE.read_text().strip()).mkdir(parents=True)
    subprocess.run(["mount", "--bind", str(logs), "/var/log"], check=True)
    for place in ("/run/systemd", "/run/log"):
        Path(place).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    Path("/run/systemd/journal").mkdir()
    Path("/run/systemd/journal/flushed").touch()
    Path("/run/systemd/journald.conf.d").mkdir()
    Path("/run/systemd/journald.conf.d/bench.conf").write_text(SETTINGS)
    made = subprocess.run(["journalctl", "--setup-keys", "--interval=10s"], check=True, capture_output=True, text=True)
    return made.stdout.split()[0]


def append(count: int) -> float:
    """Entries accepted per second."""
    start = time.perf_counter()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.connect("/run/systemd/journal/socket")
        for number in range(count):
            journal.send(MESSAGE % (TEXT, number))
    return count / (time.perf_counter() - start)


def held(key: str) -> dict[str, object]:
    """How many entries there are, and how fast they are verified."""
    listed = subprocess.run(["journalctl", "-o", "cat", "--output-fields=NUMBER"], check=True, capture_output=True)
    entries = listed.stdout.count(b"\n")
    start = time.perf_counter()
    done = subprocess.run(["journalctl", "--verify", f"--verify-key={key}"], check=False, capture_output=True)
    took = time.perf_counter() - start
    return {"entries": entries, "verify_per_s": round(entries / took), "verified": done.returncode == 0}


def measure(folder: Path, count: int) -> dict[str, object]:
    key = prepare(folder)
    with (folder / "journald").open("wb") as said:
        daemon = subprocess.Popen([DAEMON], stdout=said, stderr=said)
        try:
            listening = Path("/run/systemd/journal/socket")
            end = time.monotonic() + 10
            while not listening.exists():
                if time.monotonic() > end:
                    sys.exit("journald does not listen")
                time.sleep(0.01)
            start = time.perf_counter()
            accepted = append(count)
            subprocess.run(["journalctl", "--sync"], check=True)
            took = time.perf_counter() - start
        finally:
            daemon.terminate()
            daemon.wait(20)
    rates = {"accepted_per_s": round(accepted), "synced_at_once_per_s": round(count / took)}
    return {**rates, **held(key), "durable": "every 5 minutes, or when asked"}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
