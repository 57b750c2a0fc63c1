"""A log that grows in memory, a witness for it, and the two brought together over a real socket."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest

from audit.clock import SystemClock
from audit.ed25519 import Secret
from audit.errors import Poisoned
from audit.merkle import consistency_proof, node_hash, tree_root
from audit.note import Kind, Note, Signer
from audit.treehead import TreeHead
from audit.witness.judge import Witness
from audit.witness.protocol import Submission
from audit.witness.serve import Limits, Server
from audit.witness.state import State


class Log:
    """A log with its key, every complete subtree kept."""

    def __init__(self, origin: str = "log.example/a", secret: Secret | None = None) -> None:
        self.signer = Signer(origin, secret or Secret.generate())
        self._levels: list[list[bytes]] = [[]]

    @property
    def size(self) -> int:
        return len(self._levels[0])

    def grow(self, count: int, what: bytes = b"") -> "Log":
        for _ in range(count):
            self._levels[0].append(sha256(b"\x00" + what + self.size.to_bytes(8, "big")).digest())
            level = 0
            while len(self._levels[level]) % 2 == 0:
                if level + 1 == len(self._levels):
                    self._levels.append([])
                self._levels[level + 1].append(node_hash(*self._levels[level][-2:]))
                level += 1
        return self

    def twin(self, size: int) -> "Log":
        """What a copy restored from that size is: the same key, the same beginning."""
        twin = Log(self.signer.verifier.name)
        twin.signer = self.signer
        twin._levels = [[*level[: size >> height]] for height, level in enumerate(self._levels)]
        return twin

    def node(self, level: int, index: int) -> bytes:
        return self._levels[level][index]

    def head(self, size: int | None = None) -> TreeHead:
        size = self.size if size is None else size
        return TreeHead(origin=self.signer.verifier.name, size=size, root=tree_root(self, size))

    def note(self, size: int | None = None) -> Note:
        text = self.head(size).text()
        return Note(text=text, signatures=(self.signer.sign(text),))

    def prove(self, old: int, size: int | None = None) -> list[bytes]:
        return consistency_proof(self, old, self.size if size is None else size) if old else []

    def submission(self, old: int, size: int | None = None) -> Submission:
        return Submission(old=old, proof=tuple(self.prove(old, size)), note=self.note(size))


@pytest.fixture
def log() -> Log:
    return Log().grow(3)


@pytest.fixture
def another() -> Callable[..., Log]:
    return Log


@pytest.fixture
def cosigner() -> Signer:
    return Signer("witness.example/w", Secret.generate(), Kind.COSIGNATURE)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State.open(tmp_path / "state")
    yield state
    state.close()


@pytest.fixture
def witness(log: Log, cosigner: Signer, state: State) -> Witness:
    return Witness(logs=[log.signer.verifier], cosigners=[cosigner], state=state, clock=SystemClock())


@contextmanager
def _serving(witness: Witness, listen: str, limits: Limits) -> Iterator[str]:
    """Run a server in a thread; yields its URL."""
    ready, where, loops = threading.Event(), list[str](), list[asyncio.AbstractEventLoop]()
    server = Server(witness, limits)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler = lambda *_: None  # signals belong to the main thread
        loops.append(loop)
        await server.run(listen, lambda place: (where.append(place), ready.set()))

    def run() -> None:
        try:
            asyncio.run(main())
        except Poisoned as exc:
            witness.died = exc

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield where[0] if where[0].startswith("unix:") else f"http://{where[0]}"
    finally:
        with suppress(RuntimeError):  # it has ended by itself
            loops[0].call_soon_threadsafe(server._stop)
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def serving() -> Callable[..., object]:
    def serve(witness: Witness, listen: str = "127.0.0.1:0", **limits: float):
        return _serving(witness, listen, Limits(**limits))

    return serve
