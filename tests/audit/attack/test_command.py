"""The command is offered without what forging needs, and says so where that is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from audit.cli import main

PACKAGE = Path(__file__).resolve().parents[3] / "audit"


def test_help_names_the_options(capsys):
    with pytest.raises(SystemExit):
        main(["attack", "--help"])
    said = capsys.readouterr().out
    assert all(option in said for option in ("--demo", "--key", "--only", "--json"))


def test_the_standard_library_alone_attacks_nothing_and_says_why():
    command = [sys.executable, "-I", "-S", str(PACKAGE), "attack", "--demo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "needs the agent's own environment" in done.stderr
    assert "Traceback" not in done.stderr
