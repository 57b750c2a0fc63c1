"""Read a text file that may be anything: huge, a pipe, half-written, not text."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from healer.yamldoc.mark import Mark, Problems

MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text of one file."""

    name: str
    """The path, as it is shown in messages."""
    text: str
    sha256: str
    """Hex digest of its octets."""


def read(path: Path, problems: Problems, name: str = "") -> Source | None:
    """Read a file of at most 1 MiB of UTF-8 text; None with a problem noted when that cannot be done.

    The file is read twice and must be the same both times: one that is being written is noticed instead of half-read.
    """
    mark = Mark(file=name or str(path), line=1, column=1)
    try:
        octets, again = _octets(path), _octets(path)
    except OSError as exc:
        problems.add(mark, f"cannot be read: {exc.strerror or exc}", _HINTS.get(type(exc), "check the path"))
        return None
    except ValueError as exc:
        problems.add(mark, str(exc))
        return None
    if octets != again:
        problems.add(mark, "changed while it was read", "try again; write it elsewhere and rename it into place")
        return None
    return _decoded(mark, octets, problems)


_HINTS: dict[type[OSError], str] = {
    FileNotFoundError: "check the path; relative ones start at the folder of the file that names them",
    PermissionError: "the agent's user may not read it",
    IsADirectoryError: "name a file, or a pattern such as rules/*.yaml",
}


def _octets(path: Path) -> bytes:
    # Not blocking: opening a named pipe for reading would otherwise wait for a writer for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            raise ValueError("is a folder, not a file (name a file, or a pattern such as rules/*.yaml)")
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is not a regular file (a pipe, device or socket is never read)")
        if found.st_size > MAX_BYTES:
            raise ValueError(f"is too large: {found.st_size} bytes (at most {MAX_BYTES}; split it)")
        octets = os.read(handle, MAX_BYTES + 1)
        while len(octets) <= MAX_BYTES and (more := os.read(handle, MAX_BYTES + 1)):
            octets += more
    finally:
        os.close(handle)
    if len(octets) > MAX_BYTES:
        raise ValueError(f"is too large (at most {MAX_BYTES} bytes; split it)")
    return octets


def _decoded(mark: Mark, octets: bytes, problems: Problems) -> Source | None:
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as exc:
        before = octets[: exc.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        where = Mark(file=mark.file, line=line, column=column)
        problems.add(where, f"octet 0x{octets[exc.start]:02x} is not UTF-8", "save the file as UTF-8")
        return None
    return Source(name=mark.file, text=text, sha256=hashlib.sha256(octets).hexdigest())
