"""Witnesses as processes of their own: killed between the disk and the answer, lied to, shouted at, restarted."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Self

import pytest

from audit.ed25519 import Secret
from audit.merkle import consistency_proof, tree_root
from audit.note import Note, Signer, Verifier, open_note
from audit.policy import parse as parse_policy
from audit.treehead import TreeHead
from audit.witness import keyfile
from audit.witness.client import Witnesses, newest, submit
from audit.witness.protocol import Conflict, OutOfReach, Refused
from bench.agent import CHECKOUT, ENVIRONMENT
from bench.witness import Grown

SEED = int(os.environ.get("HEALER_CRASH_SEED", "0")) or random.SystemRandom().getrandbits(32)
KILLS = int(os.environ.get("HEALER_CRASHES", "6"))


class Log(Grown):
    """A log with a key; ``mark`` makes its leaves differ from another's."""

    def __init__(self, origin: str, signer: Signer | None = None) -> None:
        super().__init__()
        self.signer = signer or Signer(origin, Secret.generate())
        self.origin = origin

    def grow(self, size: int, mark: str = "") -> "Log":
        for leaf in range(len(self._levels[0]), size):
            self.append(f"{mark}{leaf}".encode())
        return self

    @property
    def size(self) -> int:
        return len(self._levels[0])

    def head(self, size: int) -> TreeHead:
        return TreeHead(origin=self.origin, size=size, root=tree_root(self, size))

    def note(self, size: int | None = None) -> bytes:
        text = self.head(self.size if size is None else size).text()
        return Note(text=text, signatures=(self.signer.sign(text),)).octets()

    def prove(self, old: int, size: int | None = None) -> list[bytes]:
        return consistency_proof(self, old, self.size if size is None else size) if old else []


class Running:
    """One witness process on its own folder; ``url`` while it lives."""

    def __init__(self, folder: Path, name: str, logs: list[Log]) -> None:
        folder.mkdir()
        self.folder = folder
        self.verifier: Verifier = keyfile.make(folder / "key", name).verifier
        lines = [f"log {log.signer.verifier.vkey()}" for log in logs]
        lines += [f"key {folder / 'key'}", f"state {folder / 'state'}"]
        (folder / "config").write_text("# a witness\n\n" + "\n".join(lines) + "\n")
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self, *before: str) -> "Running":
        argv = [*before, sys.executable, "-m", "audit", "witness", "serve", "--config", str(self.folder / "config")]
        listen = f"unix:{self.folder}/sock"
        self.process = subprocess.Popen(
            [*argv, "--listen", listen], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=CHECKOUT
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith(f"listening on {listen}")
        self.url = listen
        return self

    def kill(self, how: int = signal.SIGKILL) -> int:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(how)
        code = self.process.wait(20)
        self.process.stdout.close()
        self.process = None
        return code

    def end(self) -> None:
        if self.process is not None:
            self.kill()


@pytest.fixture
def started(tmp_path):
    with ExitStack() as stack:

        def start(logs: list[Log], count: int = 1) -> list[Running]:
            made = [Running(tmp_path / f"w{at}", f"witness.example/{at}", logs) for at in range(count)]
            for one in made:
                stack.callback(one.end)
                one.start()
            return made

        yield start


def client(witnesses: list[Running], log: Log, folder: Path, quorum: int) -> Witnesses:
    lines = [f"log {log.signer.verifier.vkey()}"]
    lines += [f"witness w{at} {one.verifier.vkey()} {one.url}" for at, one in enumerate(witnesses)]
    names = " ".join(f"w{at}" for at in range(len(witnesses)))
    policy = parse_policy("\n".join([*lines, f"group g {quorum} {names}", "quorum g", ""]))
    return Witnesses(policy, folder, timeout_s=20)


def test_three_witnesses_and_four_logs_through_a_death_and_a_restart(started, tmp_path):
    logs = [Log(f"node.example/{at}").grow(1 + at) for at in range(4)]
    witnesses = started(logs, 3)
    asking = [client(witnesses, log, tmp_path / f"c{at}", 2) for at, log in enumerate(logs)]
    for log, ask in zip(logs, asking, strict=True):
        done = ask.cosign(log.note(), log.prove)
        assert (done.satisfied, len(done.times), done.problems) == (True, 3, ())
    witnesses[1].kill()
    for log, ask in zip(logs, asking, strict=True):
        log.grow(log.size + 5)
        done = ask.cosign(log.note(), log.prove)
        assert (done.satisfied, len(done.times)) == (True, 2)
    witnesses[1].start()
    for log, ask in zip(logs, asking, strict=True):
        log.grow(log.size + 5)
        done = ask.cosign(log.note(), log.prove)
        assert (done.satisfied, len(done.times), done.problems) == (True, 3, ())
    assert [one.kill(signal.SIGTERM) for one in witnesses] == [0, 0, 0]


def test_a_restored_node_learns_from_its_peers_that_it_was_restored(started, tmp_path):
    log = Log("node.example/a").grow(20)
    witnesses = started([log], 2)
    client(witnesses, log, tmp_path / "c", 2).cosign(log.note(), log.prove)
    restored = Log(log.origin, log.signer).grow(8)
    done = client(witnesses, restored, tmp_path / "c", 2).cosign(restored.note(), restored.prove)
    assert (done.satisfied, [one.size for one in done.conflicts]) == (False, [20, 20])
    restored.grow(30, "after the restore ")
    done = client(witnesses, restored, tmp_path / "c", 2).cosign(restored.note(), restored.prove)
    assert (done.satisfied, len(done.conflicts)) == (False, 2)
    for one in done.conflicts:
        head = TreeHead.parse(open_note(Note.parse(one.evidence), [log.signer.verifier]).text)
        assert head == log.head(20)


def test_killed_between_the_disk_and_the_answer_it_still_remembers(started, tmp_path, real):
    """The kill comes in the system call that would have sent the answer: the cosignature is lost, the memory is not."""
    real("strace")
    log = Log("node.example/a").grow(7)
    fork = Log(log.origin, log.signer).grow(3).grow(7, "other ")
    (witness,) = started([log])
    submit(witness.url, log.note(3), 0, [])
    witness.kill()
    # strace passes the death on: it kills itself with the signal its child died of.
    inject = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=sendto", "-e", "inject=sendto:signal=KILL:when=1")
    witness.start(*inject)
    with pytest.raises(OutOfReach):
        submit(witness.url, log.note(), 3, log.prove(3))
    assert witness.process is not None
    witness.process.wait(20)
    assert witness.kill() == -signal.SIGKILL
    witness.start()
    with pytest.raises(Conflict) as conflict:
        submit(witness.url, fork.note(), 3, fork.prove(3))
    assert conflict.value.size == 7
    with pytest.raises(Conflict):
        submit(witness.url, fork.note(), 7, [])
    assert submit(witness.url, log.note(), 7, [])
    head = TreeHead.parse(Note.parse(newest(witness.url, log.origin)).text)
    assert head == log.head(7)


class Pressing:
    """An owner of a log's key who offers two histories to one witness, over and over."""

    def __init__(self, witness: Running, sides: tuple[Log, Log]) -> None:
        self.witness = witness
        self.sides = sides
        self.cosigned: list[tuple[int, bytes]] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._press, args=(side,)) for side in (*sides, sides[0])]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _press(self, side: Log) -> None:
        old = 0
        while not self._over.is_set():
            new = min(old + 2, side.size)
            try:
                submit(self.witness.url, side.note(new), old, side.prove(old, new), timeout_s=2)
                self.cosigned.append((new, side.head(new).root))
            except Conflict as exc:
                old = exc.size
            except (Refused, OutOfReach):
                continue


def test_killed_at_any_moment_it_never_cosigns_two_histories(started):
    chance = random.Random(SEED)
    log = Log("node.example/a").grow(3000)
    fork = Log(log.origin, log.signer).grow(5).grow(3000, "other ")
    (witness,) = started([log])
    with Pressing(witness, (log, fork)) as pressing:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.3))
            witness.kill()
            witness.start()
    last = TreeHead.parse(Note.parse(newest(witness.url, log.origin)).text)
    told = [*pressing.cosigned, (last.size, last.root)]
    assert len(told) > KILLS, f"seed {SEED}"
    assert last.size == max(size for size, _ in told), f"seed {SEED}"
    assert any(all(side.head(size).root == root for size, root in told) for side in (log, fork)), f"seed {SEED}"


def test_while_strangers_shout_the_honest_are_served(started):
    log = Log("node.example/a").grow(60)
    (witness,) = started([log])
    over = threading.Event()

    def shout(seed: int) -> None:
        chance = random.Random(seed)
        garbage = [b"\x00" * 5000, b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100000\r\n\r\nold"]
        garbage += [b"GET " + b"/" * 9000, chance.randbytes(3000), log.note() * 3]
        while not over.is_set():
            with closing(socket.socket(socket.AF_UNIX)) as one, suppress(OSError):
                one.settimeout(0.2)
                one.connect(witness.url.removeprefix("unix:"))
                one.sendall(chance.choice(garbage))
                one.recv(100)

    shouting = [threading.Thread(target=shout, args=(seed,)) for seed in range(4)]
    for thread in shouting:
        thread.start()
    try:
        for old in range(60):
            assert submit(witness.url, log.note(old + 1), old, log.prove(old, old + 1), timeout_s=10)
    finally:
        over.set()
        for thread in shouting:
            thread.join()


def test_two_servers_do_not_share_a_state(started):
    (witness,) = started([Log("node.example/a")])
    argv = [sys.executable, "-m", "audit", "witness", "serve", "--config", str(witness.folder / "config")]
    argv += ["--listen", "127.0.0.1:0"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert (done.returncode, "another witness uses" in done.stderr) == (2, True)
