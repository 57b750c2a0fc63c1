"""The examples in docs/examples do what they say, as somebody who copies them would run them."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"
SAYS = {
    "watch_a_program.py": ("worker:   running healthy", "killed:   the cure was verified", "another incarnation: True"),
    "own_events.py": ("heard user.login", "[redacted]", "verified: True"),
    "reflect_and_rebalance.py": ("harmony ", "nervous ", "reflection: score ", "rebalanced: balancing rules evaluated"),
}


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == SAYS.keys()


@pytest.fixture
def near():
    """A folder whose name is short: a socket's path has 107 octets, and pytest's folders are deep."""
    with tempfile.TemporaryDirectory(prefix="e", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", SAYS)
def test_the_example_does_what_it_says(name, near):
    environ = {word: value for word, value in os.environ.items() if not word.startswith("HEALER_")}
    environ["TMPDIR"] = str(near)
    command = [sys.executable, str(EXAMPLES / name)]
    done = subprocess.run(command, cwd=near, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert [said for said in SAYS[name] if said not in done.stdout] == []
    assert "never written down" not in done.stdout
    assert list(near.iterdir()) == [], "it leaves nothing behind"
