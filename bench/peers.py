"""Other tamper-evident logs beside ours, at the same entry size: appended and durable one by one, in batches, verified.

auditchain signs every record (Ed25519), pymerkle signs nothing and keeps the tree, journald seals by the second and
is durable when it likes. What is missing is said. Each rate has its ratio to ours, and ours to this run's floors.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from audit.canonical import encode
from audit.keys import SealingKey
from audit.verifier import Ask, verify
from audit.writer import Writer
from bench import journald
from bench.figures import quick, told
from bench.floors import commit, sign
from bench.seal import BATCH, DATA, EVENT, batched

ENTRY = {**EVENT, "v": 1, "seq": 123456, "ts": 2**50, "mono": 2**40, "boot": "5f" * 18, "node": "bench"}
Row = dict[str, Any]


def rate(count: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def ours(folder: Path, singles: int, batches: int) -> Row:
    key = SealingKey.generate()
    public = folder / "pinned.pub"
    public.write_bytes(key.public.pem)
    log = folder / "ours"
    with Writer.open(log, node="bench", signer=key) as writer:
        one = rate(singles, lambda: [writer.append(EVENT) for _ in range(singles)])
    log = folder / "batched"
    with Writer.open(log, node="bench", signer=key) as writer:
        many = batched(writer, batches)
    report = verify(Ask(log=log, key=public, flat=True))
    assert report.exit_code == 0, report.text()
    return {
        "append_per_s": one,
        "batched_per_s": many,
        "verify_per_s": rate(report.entries, lambda: verify(Ask(log=log, key=public))),
        "verify_flat_per_s": rate(report.entries, lambda: verify(Ask(log=log, key=public, flat=True))),
        "durable": "each, before it is acknowledged",
        "signed": "RSA-3072 and Ed25519, each block",
    }


def floors(folder: Path, batches: int) -> Row:
    """What signing, committing and encoding alone allow."""
    signed = sign(200)
    committed = commit(folder, 200)
    pair = sum(sorted(signed)[100:101] + sorted(committed)[100:101])
    octets = encode(ENTRY)
    body = (len(octets).to_bytes(4, "big") + octets) * BATCH
    database = sqlite3.connect(folder / "rows.db", isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (b BLOB)")

    def bulk() -> None:
        for _ in range(batches):
            orjson.dumps([ENTRY] * BATCH, option=orjson.OPT_SORT_KEYS)
            database.execute("INSERT INTO t VALUES (?)", (body,))

    many = rate(batches * BATCH, bulk)
    database.close()
    return {"sign_and_commit_per_s": 1e3 / pair, "encode_and_commit_batched_per_s": many, "entry_octets": len(octets)}


def auditchain(folder: Path, singles: int, batches: int) -> Row:
    from auditchain import AuditLog, SqliteBackend, generate_keypair

    seed, public = generate_keypair()
    fields = {**DATA, "boot": "5f" * 18, "mono": 2**40, "node": "bench"}
    record = ("sensor:http", "service.check.done", "payments-api", fields)

    async def work() -> Row:
        found: Row = {}
        async with AuditLog(SqliteBackend(str(folder / "single.sqlite")), signing_key=seed) as log:
            start = time.perf_counter()
            for _ in range(singles):
                await log.append(*record[:3], metadata=record[3])
            found["append_per_s"] = singles / (time.perf_counter() - start)
        async with AuditLog(SqliteBackend(str(folder / "bulk.sqlite")), signing_key=seed) as log:
            start = time.perf_counter()
            for _ in range(batches):
                await log.append_many([record] * BATCH)
            found["batched_per_s"] = batches * BATCH / (time.perf_counter() - start)
            start = time.perf_counter()
            report = await log.verify(signers={"s0": public})
            found["verify_per_s"] = batches * BATCH / (time.perf_counter() - start)
            found["verified"] = bool(report.ok)
        return found

    return {**asyncio.run(work()), "durable": "each, before it is acknowledged", "signed": "Ed25519, each record"}


def pymerkle(folder: Path, singles: int, batches: int) -> Row:
    from pymerkle import SqliteTree

    octets = encode(ENTRY)
    with SqliteTree(str(folder / "single.db")) as tree:
        one = rate(singles, lambda: [tree.append_entry(octets) for _ in range(singles)])
    path = str(folder / "bulk.db")
    with SqliteTree(path) as tree:
        many = rate(batches * BATCH, lambda: [tree.append_entries([octets] * BATCH) for _ in range(batches)])
    with SqliteTree(path) as tree:
        # Its root is taken over the stored hashes: the entries themselves are not looked at.
        root = rate(batches * BATCH, tree.get_root)
    told_of = {"durable": "each, before it is acknowledged", "signed": "no", "verify": "its root over stored hashes"}
    return {"append_per_s": one, "batched_per_s": many, "verify_per_s": root, **told_of}


def beside(own: Mapping[str, Any], row: Row) -> Row:
    """The same row, each rate with how many times ours it is."""
    if "missing" in row:
        return row
    same = {"synced_at_once_per_s": "batched_per_s"}
    shown: Row = {}
    for name, value in row.items():
        shown[name] = round(value) if isinstance(value, float) else value
        mine = own.get(same.get(name, name))
        if name.endswith("_per_s") and mine:
            shown[name.replace("_per_s", "_ours_is_times")] = round(mine / value, 2)
    return shown


def attempt(name: str, work: Callable[[], Row]) -> Row:
    try:
        return {"version": metadata.version(name), **work()}
    except ImportError as exc:
        return {"missing": f"{name} could not be installed: {exc}"}


def measure() -> dict[str, object]:
    singles, batches = (200, 8) if quick() else (1000, 30)
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        folder = Path(name)
        least = floors(folder, batches)
        own = ours(folder, singles, max(batches, 40))
        found: dict[str, Row] = {}
        for peer, work in (("auditchain", auditchain), ("pymerkle", pymerkle)):
            place = folder / peer
            place.mkdir()
            found[peer] = beside(own, attempt(peer, partial(work, place, singles, batches)))
        found["journald"] = beside(own, journald.measured(str(folder / "journald"), 20_000 if quick() else 100_000))
    ratios = {
        "append_ratio_to_floor": round(own["append_per_s"] / least["sign_and_commit_per_s"], 2),
        "batched_ratio_to_floor": round(own["batched_per_s"] / least["encode_and_commit_batched_per_s"], 2),
    }
    return {"floors": beside({}, least), "ours": {**beside({}, own), **ratios}, **found}


if __name__ == "__main__":
    told(measure)
