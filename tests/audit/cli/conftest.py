"""Commands run as from a shell, and what an auditor gives them."""

from collections.abc import Callable

import pytest

from audit.cli import main


@pytest.fixture
def run(capsys, monkeypatch, tmp_path) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))

    def run_it(*arguments: object, **more: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments], **more)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run_it


@pytest.fixture
def given() -> Callable[..., list[object]]:
    """What an auditor who kept a key and an anchor elsewhere gives to a command."""
    return lambda built: [built.db, "--key", built.key, "--anchor", built.anchor]
