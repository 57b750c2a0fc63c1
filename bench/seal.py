"""How fast intents are sealed: one JSON object with the latency of one, and the rate of many.

Each figure stands beside this run's own floors: one RSA-3072 signature, one durable SQLite commit.
"""

import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from audit.keys import SealingKey
from audit.writer import Writer

WINDOW = 12
"""Batches in flight: one being committed while the next is encoded and others are made."""
INTENT = {
    "kind": "intent",
    "id": "01JD3Z8M4Q",
    "corr": "web-stops@program:api/7",
    "action": "restart",
    "target": "program:api",
    "generation": "2201:98213345",
    "params": {"grace_ms": 15000},
    "rule": "web-stops",
    "rules_hash": "5f" * 8,
    "step": 0,
    "attempt": 1,
    "actor": "rule:web-stops",
    "because": "http.ok == 0 for 20s",
    "evidence": [],
    "deadline_us": 2**52,
    "mode": "auto",
}
EVENT = {
    "kind": "event",
    "type": "service.check.done",
    "data": {"service": "payments-api", "answer_ms": 12, "code": 200, "text": "x" * 80},
    "who": "sensor:http",
}


def _times(count: int, work: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)


def _spread(times: list[float]) -> dict[str, float]:
    return {"p50_ms": round(statistics.median(times), 3), "p99_ms": round(times[int(len(times) * 0.99)], 3)}


def _commit_floor(folder: Path, count: int) -> dict[str, float]:
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL").fetchall()
    connection.execute("CREATE TABLE t (h INTEGER PRIMARY KEY, b BLOB)")
    body = bytes(1500)
    times = _times(count, lambda: connection.execute("INSERT INTO t (b) VALUES (?)", (body,)))
    connection.close()
    return _spread(times)


def measure(folder: Path, *, singles: int = 2000, batches: int = 60) -> dict[str, object]:
    """Seal into ``folder`` and return the figures."""
    key = SealingKey.generate()
    result: dict[str, object] = {
        "floor_sign": _spread(_times(300, lambda: key.sign(b"x" * 700))),
        "floor_commit": _commit_floor(folder, 500),
    }
    with Writer.open(folder / "state", node="bench", signer=key) as writer:
        result["sealed_intent"] = _spread(_times(singles, lambda: writer.append(INTENT)))
        many = [EVENT] * 4096
        start = time.perf_counter()
        waiting = deque(writer.submit(many) for _ in range(WINDOW))
        for _ in range(batches - WINDOW):
            waiting.popleft().result()
            waiting.append(writer.submit(many))
        for future in waiting:
            future.result()
        result["batched_entries_per_s"] = round(batches * 4096 / (time.perf_counter() - start))
        result["entry_octets"] = len(json.dumps(EVENT)) + 150
    return result


if __name__ == "__main__":
    place = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=place) as temporary:
        print(json.dumps({"bench": "seal", **measure(Path(temporary))}))
