"""Printing: data as a table for people or as JSON for programs, on stdout; everything else on stderr."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import click

from healer.cli.settings import Settings

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What could drive the reader's terminal; a target's own words end up on it."""
_COLORS = {
    "healthy": "green", "degraded": "yellow", "failed": "red", "running": "green", "stopped": "red", "fault": "red",
    "pass": "green", "warn": "yellow", "fail": "red", "ok": "green", "verified": "green", "unverified": "red",
    "given-up": "red", "firing": "yellow", "true": "red",
}  # fmt: skip


def as_json(data: object) -> None:
    """One JSON document."""
    click.echo(json.dumps(data, ensure_ascii=False))


def line(text: str = "") -> None:
    """One line of data."""
    click.echo(clean(text))


def note(text: str) -> None:
    """One line for the person, beside the data."""
    click.echo(clean(text), err=True)


def count(number: int, noun: str) -> str:
    """``1 rule``, ``2 rules``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def clean(text: str) -> str:
    """Without control characters, whatever somebody wrote into a name."""
    return _CONTROL.sub("?", text)


def table(settings: Settings, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "") -> None:
    """Rows under their headings: drawn on a terminal, plainly aligned elsewhere."""
    said = [[_cell(value) for value in row] for row in rows]
    if not said:
        if empty:
            note(empty)
        return
    if settings.color:
        _drawn(columns, said)
        return
    widths = [max(len(column), *(len(row[index]) for row in said)) for index, column in enumerate(columns)]
    for row in (list(columns), *said):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _drawn(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        drawn.add_row(*(Text(cell, style=_COLORS.get(cell, "")) for cell in row))
    Console().print(drawn)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return clean(", ".join(map(str, value)))
    return clean(str(value))


def ago(seconds: float | None) -> str:
    """A span for people: 4 s, 12 min, 3 h, 5 d."""
    if seconds is None:
        return "-"
    for size, unit in ((172_800, "d"), (7200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / {'d': 86400, 'h': 3600, 'min': 60}[unit]:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def left(seconds: float) -> str:
    """A span still to wait; a dash where there is none."""
    return ago(seconds) if seconds > 0 else "-"


def whole(value: Any) -> str:  # noqa: ANN401 - a number or nothing
    """A score for people."""
    return "unknown" if value is None else f"{value:.0f}"
