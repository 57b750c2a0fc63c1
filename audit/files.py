"""Small files, read without being fooled and written without being torn."""

import os
import pwd
import stat
from pathlib import Path

from audit.errors import Unreadable


def read_small(path: Path, limit: int) -> bytes:
    """Read a regular file of at most ``limit`` bytes.

    Raises ``FileNotFoundError`` where nothing is there and ``Unreadable`` for anything but a small regular file: a
    FIFO would block the reader for ever, a device would feed it for ever.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise Unreadable(f"cannot read {path}: {exc.strerror}") from exc
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Unreadable(f"{path} is not a regular file")
    try:
        with os.fdopen(fd, "rb") as file:
            data = file.read(limit + 1)
    except OSError as exc:
        raise Unreadable(f"cannot read {path}: {exc.strerror}") from exc
    if len(data) > limit:
        raise Unreadable(f"{path} is larger than {limit} bytes")
    return data


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace ``path`` so that a crash leaves the old file or the new one, never half of either."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
        temporary.replace(path)
    except OSError as exc:
        temporary.unlink(missing_ok=True)
        exc.filename = exc.filename or str(path)  # a full disk does not say what there was no room for
        raise
    sync_folder(path.parent)


def check_owner(folder: Path, command: str) -> None:
    """Refuse to write as anybody but the agent's user: what root makes here, an agent that is not root cannot read.

    Raises ``Unreadable``, with ``command`` as the user who may.
    """
    try:
        found = folder.stat()
    except OSError as exc:
        raise Unreadable(f"there is no state folder at {folder}: {exc.strerror}") from exc
    if not stat.S_ISDIR(found.st_mode):
        raise Unreadable(f"{folder} is no state folder", hint="give the folder that the log and its keys lie in")
    owner = found.st_uid
    if owner != os.geteuid():
        name = _name(owner)
        raise Unreadable(
            f"{folder} belongs to {name}, and so must what is written there",
            hint=f"run: runuser -u {name} -- {command}",
        )


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def sync_folder(folder: Path) -> None:
    """Make names created in ``folder`` survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
