"""Opening a log for reading wherever it is kept: a file, a state folder, or PostgreSQL."""

import os
from pathlib import Path
from typing import Final

from audit import canonical
from audit.errors import Unreadable
from audit.files import read_small
from audit.postgres import POINTER, PostgresLog, dsn_of, is_dsn_file
from audit.reader import FILE_NAME, Blocks, Log

_MAX_PATH: Final = 4096
_BUNDLE: Final = b"c2sp.org/tlog-proof@"


def open_log(path: Path) -> Blocks:
    """Open a log file, a state folder's log, or the one a file with a connection string names; read-only.

    Raises ``Unreadable`` where there is none, where it is empty, or where it is something else.
    """
    elsewhere = postgres_of(path)
    if elsewhere is not None:
        return PostgresLog.open(dsn_of(elsewhere))
    if is_dsn_file(path):
        return PostgresLog.open(dsn_of(path))
    return Log.open(path)


def postgres_of(folder: Path) -> Path | None:
    """Return the file that names the PostgreSQL of a state folder's log; None where the log is kept here."""
    pointer = folder / POINTER
    return Path(_named(pointer)) if pointer.is_file() and not (folder / FILE_NAME).exists() else None


def node_of(state: Path) -> str:
    """Return the host's name as the log has it; raises ``Unreadable`` for an empty log."""
    with open_log(state) as log:
        for sealed in log.entries_of(log.top() or 0):
            return str(canonical.decode(sealed.octets).get("node", ""))
    raise Unreadable(f"the log in {state} is empty", hint="has its agent ever run?")


def has_log(folder: Path) -> bool:
    """Tell whether a state folder has a log, here or in PostgreSQL; no where one may not look."""
    names = (FILE_NAME, POINTER)
    return any(os.path.exists(folder / name) for name in names)  # noqa: PTH110 - pathlib's raises where all is closed


def is_bundle(path: Path) -> bool:
    """Tell whether a file begins like a bundle (``audit.bundle``), of whatever version."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_BUNDLE)) == _BUNDLE
    except OSError:
        return False


def _named(pointer: Path) -> str:
    try:
        return read_small(pointer, _MAX_PATH).decode().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise Unreadable(f"{pointer} cannot be read: {exc}") from exc
