"""Our agent as a process of its own, as a user runs it; and anybody else's."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("HEALER_")},
    "PYTHONPATH": str(CHECKOUT),
}


@contextlib.contextmanager
def running(argv: list[str], folder: Path) -> Iterator[int]:
    """Start a process with its output in ``folder/out``, give its pid, and end it in order."""
    with (folder / "out").open("ab") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, cwd=folder, env=ENVIRONMENT, start_new_session=True)
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def healer(folder: Path, config: str) -> Iterator[int]:
    """The agent on a configuration, its state in ``folder/state``."""
    path = folder / "organism.yaml"
    path.write_text(config)
    state = str(folder / "state")
    argv = [
        sys.executable,
        "-m",
        "healer",
        "run",
        "--config",
        str(path),
        "--state-dir",
        state,
        "--log-level",
        "warning",
    ]
    with running(argv, folder) as pid:
        yield pid


def until(holds: object, within: float, what: str) -> None:
    """Wait for something to become true; raises TimeoutError."""
    assert callable(holds)
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {within:g} s")
        time.sleep(0.005)


def said(folder: Path) -> str:
    """The end of what a process printed, for the report of a failure."""
    out = folder / "out"
    return out.read_text(errors="replace")[-600:] if out.exists() else ""
