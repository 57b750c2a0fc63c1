"""Files made to hurt the verifier: each must cost it little time and memory, and end in a sentence."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from audit.attack.case import LOOSE, Case
from audit.attack.catalog import Family, Power

FAMILY: Final = Family("hostile", "files made to hurt the verifier; time and memory are measured", "unreadable header")
_NO_LOG: Final = "what is no log proves nothing"
_HUGE: Final = 10 * 1024**3
_MANY: Final = 20_000


def _file(make: Callable[[Path], None]) -> Callable[[Case], None]:
    """Put something else in the place of the log."""

    def put(case: Case) -> None:
        case.log.unlink()
        make(case.log)
        case.bounded = True

    return put


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, _HUGE)


def _sparse_behind_a_header(path: Path) -> None:
    """Begin like a database of many pages."""
    header = bytearray(100)
    header[:24] = b"SQLite format 3\x00\x10\x00\x01\x01\x00\x40\x20\x20"
    header[28:32] = (_HUGE // 4096).to_bytes(4, "big")
    path.write_bytes(header)
    os.truncate(path, _HUGE)


for _name, _what, _make in (
    ("zeros", "The file is a megabyte of zeros", lambda path: path.write_bytes(bytes(1 << 20))),
    ("sparse-10-gb", "The file has 10 GB of nothing", _sparse),
    ("sparse-10-gb-database", "The file has 10 GB of nothing, and begins like a database", _sparse_behind_a_header),
    ("fifo", "The file is a pipe that nobody writes to", os.mkfifo),
    ("folder", "The file is a folder", lambda path: path.mkdir()),
    ("device", "The file is a link to a device without end", lambda path: path.symlink_to("/dev/zero")),
    ("text", "The file is a text", lambda path: path.write_text("all is well\n" * 1000)),
):
    FAMILY.add(_name, _what, Power.FILE, "nnnn", _file(_make), because=_NO_LOG)


@FAMILY.attack(Power.FILE, "nnnn", "what is damaged proves nothing")
def _sparse_10_gb_with_a_write_ahead_file(case: Case) -> None:
    """The file has 10 GB of nothing, and a write-ahead file beside it that would have it copied."""
    case.log.unlink()
    _sparse_behind_a_header(case.log)
    case.log.with_name(case.log.name + "-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))
    case.bounded = True


def _filled(rows: Callable[[Case], list[tuple[object, ...]]]) -> Callable[[Case], None]:
    """Fill the log with rows."""

    def make(case: Case) -> None:
        case.write_any(rows(case), LOOSE)
        case.bounded = True

    return make


def _deep(_case: Case) -> list[tuple[object, ...]]:
    header = b'{"v":' + b"[" * 4000 + b"]" * 4000 + b"}"
    return [(height, height, 1, header, b"", b"", b"\x00") for height in range(100)]


def _garbage(_case: Case) -> list[tuple[object, ...]]:
    return [(height, 0, 0, b'{"v":1}', b"", b"", b"") for height in range(_MANY)]


def _large(_case: Case) -> list[tuple[object, ...]]:
    return [(height, height, 1, bytes(8 << 20), b"", b"", b"\x00") for height in range(4)]


def _too_large(_case: Case) -> list[tuple[object, ...]]:
    return [(0, 0, 1, bytes(40 << 20), b"", b"", b"\x00")]


for _name, _what, _must, _rows in (
    ("deep-json", "Headers are 4,000 arrays in each other", "ssss", _deep),
    ("many-rows", "Twenty thousand rows are no blocks", "ssss", _garbage),
    ("large-headers", "Headers of 8 MiB", "ssss", _large),
    ("header-of-40-mib", "A header of 40 MiB", "nnnn", _too_large),
):
    FAMILY.add(_name, _what, Power.FILE, _must, _filled(_rows), because=_NO_LOG if _must == "nnnn" else "")
