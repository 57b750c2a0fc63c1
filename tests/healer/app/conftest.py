"""A place for a real agent: a short folder, a log that was begun, rules, and a look into what was sealed."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from audit import canonical
from audit.reader import Log
from audit.writer import Writer
from healer.app import Agent

HEALS = """\
version: 1
rules:
  - id: p-down
    why: it should run
    target: program:p
    when: program.up{target} == 0
    cooldown: 1s
    then: [{restart: {}, verify: {when: "program.up{target} == 1", within: 5s}}]
    mode: auto
"""
QUICK = {"host": {"every": "1s", "slow_every": "60s"}, "self": {"every": "1s"}}
SLEEPER = {"name": "p", "organ": "heart", "command": ["sleep", "1000"], "startup_grace": "100ms"}


def until(true: Callable[[], Any], patience: float = 10.0, what: str = "it") -> Any:
    """Wait for something the agent does by itself; returns it."""
    end = time.monotonic() + patience
    while not (found := true()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {patience} s")
        time.sleep(0.02)
    return found


class Place:
    """A folder with rules and a state folder for agents."""

    def __init__(self, folder: Path, begun: Path | None) -> None:
        self.folder, self.state = folder, folder / "s"
        if begun is not None:
            shutil.copytree(begun, self.state)
        self.rules(HEALS)

    def rules(self, text: str) -> None:
        (self.folder / "r.yaml").write_text(text, encoding="utf-8")

    def config(self, **more: Any) -> dict[str, Any]:
        return {
            "node": "here",
            "rules": {"files": [str(self.folder / "r.yaml")]},
            "programs": [SLEEPER],
            "sensors": QUICK,
            # However busy the machine that runs the tests is, a restart is not held back for it.
            "limits": {"saturation_psi": 1.0},
            **more,
        }

    def agent(self, environ: dict[str, str] | None = None, **more: Any) -> Agent:
        return Agent(self.config(**more), state_dir=self.state, environ=environ or {"PATH": "/usr/bin:/bin"})

    def headers(self) -> list[bytes]:
        """The headers sealed by now."""
        with Log.open(self.state) as log:
            return [stub.hdr for stub in log.stubs(0)]

    def entries(self, *kinds: str) -> list[dict[str, Any]]:
        """What is sealed by now, of these kinds (or all)."""
        with Log.open(self.state) as log:
            found = [canonical.decode(sealed.octets) for sealed in log.entries(0)]
        return [entry for entry in found if not kinds or entry["kind"] in kinds]


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a key and an empty log: making a key takes longer than most tests."""
    folder = tmp_path_factory.mktemp("begun")
    Writer.open(folder, node="here").close()
    return folder


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose name leaves room for a socket's."""
    folder = Path(tempfile.mkdtemp(prefix="h", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def place(short: Path, begun: Path) -> Place:
    return Place(short, begun)


@pytest.fixture
def fresh(short: Path) -> Place:
    """One where no agent ever was."""
    return Place(short, None)
