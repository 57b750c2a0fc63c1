"""Evidence as files: each under the SHA-256 of its content, so that a hash in the sealed log says what it must be."""

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from healer.errors import HealerError

FOLDER = "evidence"
TOTAL = 256 * 1024 * 1024
"""Bytes of evidence kept in all; the oldest goes first."""
_NAME = re.compile(r"([0-9a-f]{64})\.json")
_MOST = 64 * 1024 * 1024
"""Bytes of one file that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capsule:
    """One piece of evidence as it lies in the folder."""

    sha256: str
    size: int
    kept: float
    """Wall-clock second at which it was written."""


def keep(state_dir: Path, content: bytes, *, total: int = TOTAL) -> str:
    """Write it under its SHA-256, making room for it first; returns the hash. Raises OSError. Blocks."""
    folder, name = state_dir / FOLDER, hashlib.sha256(content).hexdigest()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_room(folder, total - len(content))
    fresh = folder / f".{name}.new"
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()  # of a write that was cut short: O_EXCL follows no link, and there is none left
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(fd)
        fresh.replace(folder / f"{name}.json")
    except OSError:  # a full disk, as a rule: what was begun must not make it fuller
        fresh.unlink(missing_ok=True)
        raise
    return name


def every(state_dir: Path) -> list[Capsule]:
    """What is kept, the oldest first; files that are named otherwise are not ours. Raises OSError."""
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(state_dir / FOLDER) as entries:
        for entry in entries:
            if (name := _NAME.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
                seen = entry.stat(follow_symlinks=False)
                found.append(Capsule(sha256=name[1], size=seen.st_size, kept=seen.st_mtime))
    return sorted(found, key=lambda one: (one.kept, one.sha256))


def read(state_dir: Path, sha256: str) -> bytes:
    """The content of that hash; raises HealerError where it is missing, or is not what its name says."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise HealerError(f"{sha256[:80]!r} is no hash", hint="64 hex digits: `healer evidence list`")
    path = state_dir / FOLDER / f"{sha256}.json"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            content = file.read(_MOST)
    except OSError as exc:
        raise HealerError(f"cannot read evidence {sha256[:12]}: {exc.strerror}") from exc
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise HealerError(
            f"evidence {sha256[:12]} was changed: its content hashes to {found}", hint="do not trust it; keep a copy"
        )
    return content


def _make_room(folder: Path, room: int) -> None:
    kept = every(folder.parent)
    total = sum(one.size for one in kept)
    for one in kept:
        if total <= room:
            return
        (folder / f"{one.sha256}.json").unlink(missing_ok=True)
        total -= one.size
