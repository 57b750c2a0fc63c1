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

AT_ONCE = """
version: 1
rules:
  - id: died
    priority: critical  # when this machine is starved by others the agent saves effort: not here
    each: {kind: KIND}
    when: DEAD
    clear: WELL
    mode: auto
    cooldown: 0s
    limits: [{max: 10000, per: 1h}]
    backoff: {initial: 1ms, factor: 1, max: 1ms, jitter: 0%, reset_after: 1s}
    then:
      - restart: {}
        verify: {when: "WELL", within: 1s}
"""
UNHELD = """
version: 1
node: bench
mode: auto
rules: {files: [rules.yaml], default_mode: auto}
# Pressure: what else runs on this machine is no reason to withhold here.
limits: {actions_per_hour: 10000, saturation_psi: 100%}
"""
"""A configuration to which the targets are added: nothing holds the rules back."""


def at_once(kind: str, dead: str) -> str:
    """Rules that restart everything of a kind the moment it is dead, as often as that is."""
    return AT_ONCE.replace("KIND", kind).replace("DEAD", dead).replace("WELL", f"{kind}.up{{target}} == 1")


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
