"""Which entries are meant: the filters of ``show``, ``tail``, ``stats`` and ``export``."""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, NamedTuple

from audit.cli.options import seconds

if TYPE_CHECKING:
    from audit.ask import Sink
    from audit.reader import Sealed
    from audit.report import Report

_GLOBS: Final = ("rule", "target", "corr", "type", "id", "actor", "result")


class Found(NamedTuple):
    """An entry, and what its octets say: nothing where they are no entry, as the verdict will say under ``--deep``."""

    sealed: "Sealed"
    fields: dict[str, object]


def add(sub: argparse.ArgumentParser) -> None:
    """Add the filters; an entry must pass all that are given."""
    sub.add_argument("--kind", metavar="GLOB", action="append", help="only this kind; may repeat")
    for name in _GLOBS:
        sub.add_argument(f"--{name}", metavar="GLOB", help=f"only where {name} matches: * and ? stand for anything")
    sub.add_argument("--seq", type=_numbers, metavar="N[-M]", help="only the entries with these numbers")
    what = "2h (ago), 2026-11-20 or 2026-11-20T14:00, in UTC unless it says +01:00; by the host's own clock"
    sub.add_argument("--after", type=_moment, metavar="TIME", help=f"only what happened at or after: {what}")
    sub.add_argument("--before", type=_moment, metavar="TIME", help="only what happened before")
    sub.add_argument("--grep", metavar="TEXT", help="only where some text holds this, in capitals or not")


def everything(then: Callable[[Found], None]) -> "Sink":
    """Return what a verifier hands its entries to, and hand them on, read."""
    from audit import canonical
    from audit.errors import Malformed

    def sink(sealed: "Sealed") -> None:
        try:
            fields = canonical.decode(sealed.octets)
        except Malformed:
            fields = {}
        then(Found(sealed, fields))

    return sink


class Select:
    """The filters of one call."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Take them from the command line."""
        self._kinds: list[str] = args.kind or []
        self._globs = [(name, glob) for name in _GLOBS if (glob := getattr(args, name)) is not None]
        self._numbers: tuple[int, int] | None = args.seq
        self._after, self._before = args.after, args.before
        self._grep = args.grep.casefold() if args.grep is not None else None

    def sink(self, then: Callable[[Found], None]) -> "Sink":
        """Return what a verifier hands its entries to, and hand on those that are meant."""
        return everything(lambda found: then(found) if self.wants(found.sealed.seq, found.fields) else None)

    def wants(self, seq: int, fields: dict[str, object]) -> bool:
        """Tell whether an entry is meant."""
        if self._numbers is not None and not self._numbers[0] <= seq <= self._numbers[1]:
            return False
        kind = str(fields.get("kind", ""))
        if self._kinds and not any(fnmatchcase(kind, glob) for glob in self._kinds):
            return False
        if not all(fnmatchcase(str(fields.get(name, "")), glob) for name, glob in self._globs):
            return False
        return self._in_time(fields.get("ts")) and (self._grep is None or _holds(fields, self._grep))

    def _in_time(self, ts: object) -> bool:
        if self._after is None and self._before is None:
            return True
        if not isinstance(ts, int):
            return False
        return (self._after is None or ts >= self._after) and (self._before is None or ts < self._before)


def of(args: argparse.Namespace) -> Select:
    """Return the filters that the options give."""
    return Select(args)


def closing(report: "Report") -> int:
    """Print the verdict beside the data, so that nobody takes lines for proof."""
    print(report.headline(), file=sys.stderr)
    return report.exit_code


def _holds(fields: dict[str, object], text: str) -> bool:
    return any(text in one.casefold() for one in _texts(fields))


def _texts(value: object) -> Iterator[str]:
    """Yield all names and values in an entry; it is at most 16 levels deep, or would not have been decoded."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    else:
        yield str(value)


def _numbers(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,15})(?:-(\d{1,15}))?", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no number of an entry: write 812 or 812-820")
    return int(match[1]), int(match[2] or match[1])


def _moment(text: str) -> int:
    """Read a moment as µs since 1970."""
    from datetime import UTC, datetime

    from audit.clock import SystemClock

    if re.fullmatch(r"\d{1,9}[smhdw]", text, re.ASCII):
        return SystemClock().wall_us() - round(seconds(text) * 1e6)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        because = f"{text[:30]!r} is no time: write 2h (ago), 2026-11-20 or 2026-11-20T14:00"
        raise argparse.ArgumentTypeError(because) from exc
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6)
