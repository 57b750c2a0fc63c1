"""What a monitoring plugin prints: a sentence, and figures behind a bar (the Monitoring Plugins' guidelines)."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MOST_FIGURES = 64
LONGEST_LABEL = 128
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)([^\d;\s]{0,8})", re.ASCII)
_LABEL = re.compile(r"\s*(?:'((?:[^']|''){0,128})'|([^'=\s]{1,128}))=(\S*)")
SCALES: Mapping[str, float] = {
    "": 1.0, "c": 1.0, "%": 0.01,
    "s": 1.0, "ms": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "ns": 1e-9,
    "B": 1.0, "KB": 2.0**10, "MB": 2.0**20, "GB": 2.0**30, "TB": 2.0**40, "PB": 2.0**50,
    "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40, "PiB": 2.0**50,
}  # fmt: skip
"""What one of a unit is in seconds, bytes or as a ratio; plugins count in 1024s whatever they call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure. Its thresholds are the plugin's own business: what it makes of them is its state."""

    label: str
    value: float | None
    """In base units; None where the plugin could not tell (``U``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a plugin printed."""

    message: str
    """Its first line, without figures."""
    figures: tuple[Figure, ...] = ()
    garbage: int = 0
    """Pieces behind a bar that are no figures."""


def read(text: str) -> Said:
    """Read all it printed; nothing in it is an error, only garbage that is counted."""
    lines = text.split("\n")
    first, _, perf = lines[0].partition("|")
    parts, behind = [perf], False
    for line in lines[1:]:
        if behind:
            parts.append(line)
        elif "|" in line:
            parts.append(line.partition("|")[2])
            behind = True
    found: dict[str, Figure] = {}
    garbage = 0
    for one in _figures(" ".join(parts)):
        if one is None or (len(found) >= MOST_FIGURES and one.label not in found):
            garbage += 1
        else:
            found[one.label] = one
    return Said(message=first.strip(), figures=tuple(found.values()), garbage=garbage)


def _figures(text: str) -> Iterator[Figure | None]:
    """The figures in order; None for each piece that is none."""
    at = 0
    while at < len(text) and text[at:].strip():
        match = _LABEL.match(text, at)
        if match is None:
            yield None
            after = text.find(" ", at + 1)
            at = len(text) if after < 0 else after
            continue
        at = match.end()
        yield _figure(match)


def _figure(match: re.Match[str]) -> Figure | None:
    label = (match[1].replace("''", "'") if match[1] is not None else match[2]).strip()
    value = match[3].partition(";")[0]
    if not label or len(label) > LONGEST_LABEL or not label.isprintable():
        return None
    if value == "U":
        return Figure(label=label, value=None)
    number = _NUMBER.fullmatch(value)
    if number is None:
        return None
    scaled = float(number[1]) * SCALES.get(number[2], 1.0)
    return Figure(label=label, value=scaled) if math.isfinite(scaled) else None
