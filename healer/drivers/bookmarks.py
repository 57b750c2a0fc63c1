"""Where readers of logs stopped, in small files that survive a restart."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MOST = 4 << 20
"""Octets: a larger file is not ours."""


def read(path: Path) -> dict[str, Any]:
    """What was kept; empty where nothing was, or where it cannot be read: then reading begins anew."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        with os.fdopen(fd, "rb") as file:
            found = json.loads(file.read(MOST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, kept: Mapping[str, Any]) -> None:
    """Put it there whole or not at all; raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        json.dump(kept, file, separators=(",", ":"))
    new.replace(path)
