"""kill -9 at each step of a change of keys, in a process of its own: one log, one key in force, nothing lost."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from audit import keys
from audit.keys import SealingKey
from audit.verifier import Ask, verify
from audit.writer import Writer

# Every call through which a rotation touches the disk; the process dies right before, or right after, the Nth one.
ROTATES = """
import os, signal, sys
from pathlib import Path
from audit import files, keyring, keys, storage
from audit.writer import Writer

state, new, when, nth = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
count = 0

def wrap(owner, name):
    real = getattr(owner, name)
    def counted(*args, **more):
        global count
        count += 1
        if count == nth and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        made = real(*args, **more)
        if count == nth and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return made
    setattr(owner, name, counted)

writer = Writer.open(state, node="n", reserve_bytes=0)
other = keys.load_private(new)
wrap(storage.Store, "append")
for name in ("write_atomically", "sync_folder"):
    wrap(keyring, name)
wrap(Path, "replace")
wrap(Path, "unlink")
writer.rotate(other, because="yearly")
print(count, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def both() -> list[SealingKey]:
    return [SealingKey.generate(), SealingKey.generate()]


def begin(folder: Path, both: list[SealingKey]) -> tuple[Path, Path, Path]:
    """A log with its own key, another key beside it, and the pinned public one."""
    state, vault, pin = folder / "s", folder / "vault", folder / "pinned.pub"
    with Writer.open(state, node="n", signer=both[0], reserve_bytes=0) as writer:
        for _ in range(3):
            writer.append({"kind": "event", "type": "test.happened", "data": {}})
    vault.mkdir(mode=0o700)
    for place, key in ((state / "keys", both[0]), (vault, both[1])):
        (place / "seal.pem").write_bytes(key.pem())
        (place / "seal.pem").chmod(0o600)
        (place / "seal.pub").write_bytes(key.public.pem)
    pin.write_bytes(both[0].public.pem)
    return state, vault / "seal.pem", pin


def run(state: Path, new: Path, when: str, nth: int) -> str:
    argv = [sys.executable, "-c", ROTATES, str(state), str(new), when, str(nth)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout


def test_a_change_of_keys_survives_a_kill_at_every_step(tmp_path, both):
    steps = int(run(*begin(tmp_path / "whole", both)[:2], "never", 0))
    assert steps >= 8
    seen = set()
    # Right after one step is right before the next.
    for when, nth in [*(("before", nth) for nth in range(1, steps + 1)), ("after", steps)]:
        folder = tmp_path / f"{when}-{nth}"
        state, new, pin = begin(folder, both)
        run(state, new, when, nth)
        report = verify(Ask(log=state, key=pin, deep=True))
        assert report.exit_code == 0, (when, nth, report.text())
        with Writer.open(state, node="n", reserve_bytes=0) as writer:
            public = writer.public
            writer.append({"kind": "event", "type": "test.happened", "data": {}})
        assert keys.load(state / "keys").public == public, (when, nth)
        assert not (state / "keys" / "next.pem").exists(), (when, nth)
        for key in (pin, None):
            report = verify(Ask(log=state, key=key, deep=True))
            assert report.exit_code == 0, (when, nth, report.text())
        seen.add(public.fingerprint)
    assert seen == {key.public.fingerprint for key in both}, "some kills undo the change, some let it be finished"
