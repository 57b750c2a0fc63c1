"""How many checkpoints a second one witness cosigns over HTTP, each on the disk before its answer: one JSON object.

The witness is a process of one thread; its clients are another, with several logs and one kept-alive connection each,
and what they send was written before the clock starts. The floor is what no witness can do without: one Ed25519 check
and one signature for each, and its share of the flush that those who ask together wait for.
"""

import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from hashlib import sha256
from pathlib import Path

from audit.ed25519 import Secret, verify
from audit.merkle import consistency_proof, node_hash, tree_root
from audit.note import Note, Signer
from audit.treehead import TreeHead
from audit.witness import keyfile
from audit.witness.protocol import submission
from bench.agent import ENVIRONMENT
from bench.figures import at_least, percentile, quick, told
from bench.floors import commit, timed

LOGS = 16
TARGET_RATE = 1000.0


class Grown:
    """A tree in memory, all of its complete subtrees kept."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]

    def append(self, leaf: bytes) -> None:
        self._levels[0].append(sha256(b"\x00" + leaf).digest())
        level = 0
        while len(self._levels[level]) % 2 == 0:
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(node_hash(*self._levels[level][-2:]))
            level += 1

    def node(self, level: int, index: int) -> bytes:
        return self._levels[level][index]


def requests(signer: Signer, times: int) -> deque[bytes]:
    """Whole HTTP requests for a log that grows by three leaves each time."""
    tree, made, old = Grown(), deque[bytes](), 0
    for size in range(3, 3 * times + 3, 3):
        for leaf in range(old, size):
            tree.append(leaf.to_bytes(8, "big"))
        head = TreeHead(origin=signer.verifier.name, size=size, root=tree_root(tree, size))
        note = Note(text=head.text(), signatures=(signer.sign(head.text()),)).octets()
        body = submission(old, tuple(consistency_proof(tree, old, size)) if old else (), note)
        made.append(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        old = size
    return made


def drive(port: int, waiting: list[deque[bytes]]) -> dict[str, object]:
    """Send every log's requests, each as soon as the one before it is answered; returns rate and latencies."""
    selector, took, refused = selectors.DefaultSelector(), list[float](), 0
    sent = {}
    start = time.perf_counter()
    for queue in waiting:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ, queue)
        sent[connection] = time.perf_counter()
        connection.sendall(queue.popleft())
    while sent:
        for key, _ in selector.select(10):
            connection, queue = key.fileobj, key.data
            answer = connection.recv(65536)
            refused += not answer.startswith(b"HTTP/1.1 200 ")
            took.append((time.perf_counter() - sent.pop(connection)) * 1e3)
            if queue and answer:
                sent[connection] = time.perf_counter()
                connection.sendall(queue.popleft())
            else:
                selector.unregister(connection)
                connection.close()
    return {"seconds": time.perf_counter() - start, "took": took, "refused": refused}


def floor(folder: Path, together: int) -> float:
    """Checkpoints per second of signatures and flushes alone."""
    secret = Secret.generate()
    signature = secret.sign(b"x" * 100)
    each = timed(lambda: (verify(secret.public, signature, b"x" * 100), secret.sign(b"x" * 120)), 300)
    return 1e3 / (percentile(each, 0.5) + percentile(commit(folder, 300), 0.5) / together)


def measure(*, logs: int = LOGS, times: int = 400) -> dict[str, object]:
    signers = [Signer(f"log.example/{at}", Secret.generate()) for at in range(logs)]
    waiting = [requests(signer, times) for signer in signers]
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        folder = Path(name)
        keyfile.make(folder / "key", "witness.example/bench")
        config = [f"log {signer.verifier.vkey()}" for signer in signers]
        config += [f"key {folder / 'key'}", f"state {folder / 'state'}", "listen 127.0.0.1:0"]
        (folder / "config").write_text("\n".join(config) + "\n")
        argv = [sys.executable, "-m", "audit", "witness", "serve", "--config", str(folder / "config")]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        try:
            port = int(process.stdout.readline().split()[2].rpartition(":")[2])
            found = drive(port, waiting)
            ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        finally:
            process.terminate()
            process.wait(20)
        bound = floor(folder, logs)
    took = found["took"]
    rate = len(took) / found["seconds"]
    more = {
        "logs": logs,
        "refused": found["refused"],
        "p50_ms": round(percentile(took, 0.5), 2),
        "p99_ms": round(percentile(took, 0.99), 2),
        "cpu_us_each": round(cpu / len(took) * 1e6),
    }
    return {"add_checkpoint_per_s": at_least(rate, TARGET_RATE, bound, **more)}


if __name__ == "__main__":
    told(lambda: measure(times=100 if quick() else 400))
