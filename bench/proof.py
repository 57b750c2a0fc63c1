"""How long it takes to prove that one of 10⁶ leaves is in the tree, and to check it: one JSON object, milliseconds.

Proofs come from tiles in an SQLite file, inner nodes remembered for the 1024 tiles asked for last (of 3907): leaves
are chosen all over the tree, and then among the newest 100 000, where operators look. Every proof is checked. The
floor of a check is its 20 hashes. The peer, pymerkle, keeps its leaves in SQLite too and proves the same leaves after
as many proofs to warm up; it is installed for this run into a folder of its own, and said when it is missing.
"""

import contextlib
import gc
import importlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from audit import merkle
from audit.tiles import Table, TileTree
from bench.figures import at_most, percentile, quick, told

LEAVES = 100_000 if quick() else 1_000_000
NEWEST = LEAVES // 10
WARM, TIMES = 3000, 500 if quick() else 5000
TARGET_PROVE, TARGET_VERIFY = 0.2, 0.015


def octets(index: int) -> bytes:
    return index.to_bytes(8, "big") * 37  # as large as an entry


def timed(work: Callable[..., Any], *arguments: object) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work(*arguments)
    return (time.perf_counter() - start) * 1e3, result


def rounded(milliseconds: Sequence[float]) -> dict[str, float]:
    return {"p50_ms": round(percentile(milliseconds, 0.5), 4), "p99_ms": round(percentile(milliseconds, 0.99), 4)}


def ours(tree: TileTree, leaves: Sequence[bytes], root: bytes, chosen: Sequence[int]) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {"prove": [], "verify": []}
    for index in chosen:
        made, proof = timed(merkle.inclusion_proof, tree, index, LEAVES)
        checked, _ = timed(merkle.verify_inclusion, index, LEAVES, leaves[index], root, proof)
        took["prove"].append(made)
        took["verify"].append(checked)
    return took


def theirs(
    tree: Any,  # noqa: ANN401 - the peer ships no types
    module: ModuleType,
    root: bytes,
    chosen: Sequence[int],
) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {"prove": [], "verify": []}
    for index in chosen:
        made, proof = timed(tree.prove_inclusion, index + 1, LEAVES)
        leaf = tree.get_leaf(index + 1)
        checked, _ = timed(module.verify_inclusion, leaf, root, proof)
        took["prove"].append(made)
        took["verify"].append(checked)
    return took


def hashes() -> float:
    """Milliseconds of the 20 hashes of one check."""
    data = bytes(65)

    def twenty() -> None:
        for _ in range(20):
            sha256(data).digest()

    return percentile([timed(twenty)[0] for _ in range(2000)], 0.5)


@contextlib.contextmanager
def pymerkle(folder: Path) -> Iterator[ModuleType | None]:
    """The peer, from where it is installed or else from PyPI; None where it cannot be had."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--target", str(folder)]
    try:
        importlib.import_module("pymerkle")
    except ImportError:
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):
            subprocess.run([*pip, "pymerkle"], check=False, capture_output=True, timeout=90)
    sys.path.append(str(folder))
    try:
        yield importlib.import_module("pymerkle")
    except ImportError:
        yield None
    finally:
        sys.path.remove(str(folder))


def peer(folder: Path, root: bytes, everywhere: Sequence[int], newest: Sequence[int]) -> dict[str, object] | str:
    with pymerkle(folder / "site") as module:
        if module is None:
            return "not installed"
        tree = module.SqliteTree(str(folder / "peer.db"))
        tree.append_entries([octets(index) for index in range(LEAVES)])
        if tree.get_root(LEAVES) != root:
            sys.exit("the peer's tree is another one: nothing can be compared")
        theirs(tree, module, root, everywhere[:WARM])
        found = {
            "version": module.__version__,
            "everywhere": {name: rounded(took) for name, took in theirs(tree, module, root, everywhere[WARM:]).items()},
            "newest": {name: rounded(took) for name, took in theirs(tree, module, root, newest).items()},
        }
        tree.close()
        return found


def measure() -> dict[str, object]:
    chance = random.Random(7)
    everywhere = [chance.randrange(LEAVES) for _ in range(WARM + TIMES)]
    newest = [chance.randrange(LEAVES - NEWEST, LEAVES) for _ in range(TIMES)]
    leaves = merkle.leaf_hashes(octets(index) for index in range(LEAVES))
    gc.freeze()  # a million leaves in memory are the bench's, and no part of a proof
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        folder = Path(name)
        with contextlib.closing(sqlite3.connect(folder / "tiles.db", isolation_level=None)) as database:
            table = Table(database)
            table.extend(leaves)
            tree = TileTree(table.tile)
            root = merkle.tree_root(tree, LEAVES)
            first, _ = timed(merkle.inclusion_proof, TileTree(table.tile), LEAVES // 2, LEAVES)
            ours(tree, leaves, root, everywhere[:WARM])
            far = ours(tree, leaves, root, everywhere[WARM:])
            ours(tree, leaves, root, newest)
            near = ours(tree, leaves, root, newest)
        beside = peer(folder, root, everywhere, newest)
    return {
        "what": f"inclusion proofs in a tree of {LEAVES} leaves, ms",
        "prove_p50": at_most(percentile(far["prove"], 0.5), TARGET_PROVE, p99=rounded(far["prove"])["p99_ms"]),
        "prove_newest": rounded(near["prove"]),
        "prove_first_of_all": round(first, 3),
        "verify_p50": at_most(percentile(far["verify"], 0.5), TARGET_VERIFY, hashes(), **rounded(far["verify"])),
        "pymerkle": beside,
    }


if __name__ == "__main__":
    told(measure)
