"""What the tests of real systems share: saying what is missing, and where big things are kept between runs."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def absent(programs: tuple[str, ...], *, root: bool) -> str:
    """One sentence about what is not here; empty when everything is."""
    missing = [
        program for program in programs if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None
    ]
    if missing:
        return f"not installed: {', '.join(missing)} (.ci/run installs what integration tests need)"
    if root and os.geteuid() != 0:
        return "needs root"
    return ""


@pytest.fixture(scope="session")
def real() -> Callable[..., None]:
    """Ask for real parts: ``real("dockerd", root=True)`` skips with a sentence where they are not.

    With HEALER_REQUIRE_REAL=1 it fails instead: there, a skipped test would be a check nobody made.
    """

    def require(*programs: str, root: bool = False) -> None:
        if because := absent(programs, root=root):
            if os.environ.get("HEALER_REQUIRE_REAL") == "1":
                pytest.fail(because)
            pytest.skip(because)

    return require


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where downloads and system trees outlive a run: $HEALER_CACHE, else the XDG cache folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("HEALER_CACHE") or home / "healer-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
