"""How fast intents are sealed: one JSON object with the latency of one, and the rate of many.

Each figure stands beside this run's own floors: one RSA-3072 signature, one durable SQLite commit.
"""

import json
import sqlite3
import tempfile
import time
from collections import deque
from hashlib import sha256
from pathlib import Path

import orjson

from audit.ed25519 import Secret
from audit.keys import SealingKey
from audit.reader import Log
from audit.writer import Writer
from bench.figures import at_least, at_most, quick, spread
from bench.floors import commit, timed

WINDOW = 12
"""Batches in flight: one being committed while the next is encoded and others are made."""
BATCH = 4096
BURST = 32
"""Blocks in a row that are acknowledged before RSA: half of what may wait."""
TARGET_P50, TARGET_P99, TARGET_RATE = 1.3, 5.0, 150_000.0
TARGET_RATCHET, TARGET_FOLLOWED = 0.4, 100.0
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
DATA = {"service": "payments-api", "answer_ms": 12, "code": 200, "text": "x" * 80}
EVENT = {"kind": "event", "type": "service.check.done", "data": DATA, "who": "sensor:http"}


def _one_floor(folder: Path, key: SealingKey | Secret, times: int) -> list[float]:
    """A signature and a durable row of a block's size, one after the other: what an intent cannot do without."""
    database = sqlite3.connect(folder / f"floor-{type(key).__name__}.db", isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (h INTEGER PRIMARY KEY, b)"
    )
    row = bytes(1100)
    try:
        return timed(lambda: database.execute("INSERT INTO t (b) VALUES (?)", (row + key.sign(row),)), times)
    finally:
        database.close()


def _batch_floor(folder: Path, key: SealingKey, batches: int) -> float:
    """Entries per second that are only encoded, hashed, signed by the block and committed, on one thread."""
    database = sqlite3.connect(folder / "batch.db", isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (h INTEGER PRIMARY KEY, b, s)"
    )
    start = time.perf_counter()
    for _ in range(batches):
        body = b"".join(orjson.dumps(EVENT, option=orjson.OPT_SORT_KEYS) for _ in range(BATCH))
        for at in range(0, len(body), len(body) // BATCH):
            sha256(body[at : at + len(body) // BATCH]).digest()
        database.execute("INSERT INTO t (b, s) VALUES (?, ?)", (body, key.sign(sha256(body).digest())))
    database.close()
    return batches * BATCH / (time.perf_counter() - start)


def batched(writer: Writer, batches: int) -> float:
    """Entries per second in full blocks, signed and durable, from one thread."""
    many = [EVENT] * BATCH
    start = time.perf_counter()
    waiting = deque(writer.submit(many) for _ in range(WINDOW))
    for _ in range(batches - WINDOW):
        waiting.popleft().result()
        waiting.append(writer.submit(many))
    for future in waiting:
        future.result()
    return batches * BATCH / (time.perf_counter() - start)


def _ratchet_first(folder: Path, key: SealingKey, singles: int) -> dict[str, object]:
    """Acknowledged with the Ed25519 signature; RSA's follows. In bursts, each after a pause, without end, and paced."""
    floor = spread(_one_floor(folder, Secret.generate(), 300))
    with Writer.open(folder / "later", node="bench", signer=key, rsa_later=True) as writer:
        bursts, paced, followed = [], [], []
        for _ in range(singles // BURST):
            bursts += timed(lambda: writer.append(INTENT), BURST)
            time.sleep(0.05)
        endless = spread(timed(lambda: writer.append(INTENT), singles))
        for _ in range(singles // 10):
            time.sleep(0.01)
            paced += timed(lambda: writer.append(INTENT), 1)
        for _ in range(10):
            writer.append(INTENT)
            start = time.perf_counter()
            while _unsigned(folder / "later"):
                time.sleep(0.001)
            followed.append((time.perf_counter() - start) * 1e3)
    one = spread(bursts)
    more = {"p99_ms": one["p99_ms"], "endless": endless, "every_10_ms_p50_ms": spread(paced)["p50_ms"]}
    return {
        "ratchet_first_p50_ms": at_most(one["p50_ms"], TARGET_RATCHET, floor["p50_ms"], **more),
        "rsa_followed_within_ms": at_most(max(followed), TARGET_FOLLOWED),
    }


def _unsigned(folder: Path) -> bool:
    with Log.open(folder) as log:
        top = log.top()
        row = None if top is None else log.row(top)
    return row is not None and not any(row.sig)


def measure(folder: Path, *, singles: int = 2000, batches: int = 60) -> dict[str, object]:
    """Seal into ``folder`` and return the figures."""
    key = SealingKey.generate()
    floor = spread(_one_floor(folder, key, 300))
    result: dict[str, object] = {"floor_sign": spread(timed(lambda: key.sign(b"x" * 700), 300))}
    result["floor_commit"] = spread(commit(folder, 300))
    with Writer.open(folder / "state", node="bench", signer=key) as writer:
        one = spread(timed(lambda: writer.append(INTENT), singles))
        result["sealed_intent_p50_ms"] = at_most(one["p50_ms"], TARGET_P50, floor["p50_ms"])
        result["sealed_intent_p99_ms"] = at_most(one["p99_ms"], TARGET_P99, floor["p99_ms"])
        rate = batched(writer, batches)
    result |= _ratchet_first(folder, key, singles)
    result["batched_entries_per_s"] = at_least(rate, TARGET_RATE, _batch_floor(folder, key, batches // 2))
    return result


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as temporary:
        print(json.dumps(measure(Path(temporary), singles=500 if quick() else 2000), indent=2))
