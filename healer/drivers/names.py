"""Names of files: the paths a pattern stands for, and what lies beside a path, in bounded looks at folders."""

import errno
import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice

MOST_NAMES = 10_000
"""Names looked at in one go."""
PACKED = (".gz", ".xz", ".zst", ".bz2", ".lz4", ".lzma", ".Z")
_MAGIC = re.compile(r"[*?\[]")


def is_pattern(path: str) -> bool:
    """Whether it stands for many names."""
    return _MAGIC.search(path) is not None


def spelled_out(pattern: str, troubles: list[str]) -> Iterator[str]:
    """The paths an absolute pattern stands for, packed files left out; folders that cannot be read are ``troubles``."""
    left = [MOST_NAMES]
    found = _spelled("", pattern.strip("/").split("/"), left, troubles)
    yield from (path for path in found if not path.endswith(PACKED))


def beside(folder: str, stem: str) -> list[str]:
    """The names in a folder that begin so, in order; none where it cannot be read."""
    return [name for name in _names(folder, [MOST_NAMES], []) if name.startswith(stem)]


def _spelled(folder: str, parts: Sequence[str], left: list[int], troubles: list[str]) -> Iterator[str]:
    first, rest = parts[0], parts[1:]
    for name in _meant(folder, first, left, troubles) if is_pattern(first) else (first,):
        if rest:
            yield from _spelled(f"{folder}/{name}", rest, left, troubles)
        else:
            yield f"{folder}/{name}"


def _meant(folder: str, pattern: str, left: list[int], troubles: list[str]) -> Iterator[str]:
    for name in _names(folder, left, troubles):
        if fnmatch.fnmatchcase(name, pattern) and not (name[0] == "." != pattern[0]):
            yield name


def _names(folder: str, left: list[int], troubles: list[str]) -> list[str]:
    try:
        with os.scandir(folder or "/") as entries:
            found = sorted(entry.name for entry in islice(entries, max(0, left[0])))
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.ENOTDIR):
            troubles.append(f"cannot list {folder or '/'}: {exc.strerror}")
        return []
    left[0] -= len(found)
    return found
