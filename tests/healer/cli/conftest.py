"""A running agent (a double) for the command line to talk to, and a way to run a command."""

import asyncio
import threading
from dataclasses import dataclass

import pytest

from healer.api.serve import serving
from healer.cli.main import main


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No agent, configuration or state of this machine is found."""
    for name in (
        "HEALER_CONFIG",
        "HEALER_STATE_DIR",
        "STATE_DIRECTORY",
        "RUNTIME_DIRECTORY",
        "XDG_STATE_HOME",
        "NO_COLOR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("healer.api.where.SERVICE", tmp_path / "run" / "healer.sock")
    for module in ("settings", "brakes"):
        monkeypatch.setattr(f"healer.cli.{module}.SERVICE_STATES", (tmp_path / "var",))


@pytest.fixture
def healer(capsys, tmp_path):
    """Run a command on the state folder of this test: ``healer("status", "--json")``."""

    def run(*args: str, state: bool = True) -> Said:
        before = ("--state-dir", str(tmp_path)) if state else ()
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([*before, *args])
        said = capsys.readouterr()
        return Said(int(end.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def agent(fake, tmp_path):
    """The double, listening in a thread of its own."""
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with serving(fake, tmp_path / "healer.sock"):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield fake
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()
