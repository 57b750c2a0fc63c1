"""Copies of the last accepted rule files: what an agent falls back to when the present ones do not load."""

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

FOLDER = "accepted-rules"


def keep(state_dir: Path, files: Sequence[Path], digest: str) -> None:
    """Replace the kept copies by ``files``; raises OSError. The switch is one rename, so a crash leaves a whole set."""
    made = state_dir / f"{FOLDER}.{digest[:16]}"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(mode=0o700)
    for number, path in enumerate(files):
        # The name is part of the set's hash; the folder keeps the order in which they were loaded.
        folder = made / f"{number:04}"
        folder.mkdir(mode=0o700)
        shutil.copyfile(path, folder / path.name)
    current = state_dir / FOLDER
    old = current.resolve() if current.is_symlink() else None
    fresh = state_dir / f"{FOLDER}.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(made.name)
    fresh.replace(current)
    if old is not None and old != made.resolve():
        with contextlib.suppress(OSError):
            shutil.rmtree(old)


def kept(state_dir: Path) -> tuple[Path, ...]:
    """The kept files in load order; empty when none were ever accepted."""
    return tuple(sorted((state_dir / FOLDER).glob("[0-9][0-9][0-9][0-9]/*")))
