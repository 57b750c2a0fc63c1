"""Entries as lines: columns for people, JSON for programs; nothing in them drives the reader's terminal."""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Self

from audit.cli import options
from audit.visible import cut, visible

if TYPE_CHECKING:
    from pathlib import Path

    from audit.cli.select import Found

_COMMON: Final = frozenset({"v", "kind", "seq", "ts", "mono", "boot", "node"})
_FIRST: Final = (
    "action", "target", "type", "verb", "subject", "from", "to", "decision", "phase", "gate", "op", "scope", "result",
    "rule", "because", "id", "mode",
)  # fmt: skip
"""What a reader looks for first, in this order; the rest follows as it was sealed."""
_BARE: Final = re.compile(r"[^\s\"'=\[\]{},\\]+")
"""Texts that need no quotation marks."""
_HEADING: Final = f"{'seq':>8} {'when':<25} {'kind':<11} what"


def add(sub: argparse.ArgumentParser) -> None:
    """Add the options on how entries are shown."""
    options.as_json(sub, "print one JSON object a line")
    sub.add_argument("--reveal", action="store_true", help="with what concealed texts stand for, where it is kept")


_LEAST: Final = 76
"""Lines are not cut shorter: number, time and kind alone take 47 columns, and a narrow terminal wraps."""


class Page:
    """Where lines go: a terminal gets a heading, and lines that fit; a pipe gets them whole."""

    def __init__(self, *, log: "Path", as_json: bool, reveal: bool, width: int | None) -> None:
        """Make lines of at most ``width`` characters, of any length where it is None."""
        self._log, self._json, self._reveal = log, as_json, reveal
        self._width = None if width is None else max(width, _LEAST)
        self._begun = width is None or as_json

    @classmethod
    def of(cls, args: argparse.Namespace) -> Self:
        """Return the page that the options, and what stdout is, ask for."""
        width = options.columns() if sys.stdout.isatty() else None
        return cls(log=args.log, as_json=args.json, reveal=args.reveal, width=width)

    def line(self, found: "Found") -> str:
        """Return an entry's line."""
        sealed, fields = found
        if self._reveal:
            from audit import upkeep

            fields = upkeep.reveal(self._log, fields)
        if self._json:
            return json.dumps({"seq": sealed.seq, "height": sealed.height, "leaf": sealed.leaf, "entry": fields})
        from audit.report import when

        kind = str(fields.get("kind", "?"))
        text = visible(f"{sealed.seq:>8} {when(fields.get('ts')):<25} {kind:<11} {' '.join(_what(fields))}")
        return text if self._width is None else cut(text, self._width)

    def put(self, line: str) -> None:
        """Print a line, after the heading where it is the first."""
        if not self._begun:
            self._begun = True
            print(_HEADING)
        print(line)


def _what(fields: dict[str, object]) -> Iterator[str]:
    names: list[str] = [name for name in _FIRST if name in fields]
    names += [name for name in fields if name not in _COMMON and name not in names]
    for name in names:
        value = fields[name]
        if isinstance(value, str):
            yield f"{name}={value if _BARE.fullmatch(value) and value.isprintable() else _quoted(value)}"
        else:
            yield f"{name}={_quoted(value)}"


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
