"""What was gathered as YAML for people: where each piece came from stands above it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from healer.importing.harvest import Harvest, Made, Said

_WIDTH = 100
_SAFE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*\Z")
_QUANTITY = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?(?:ms|s|m|h|d|w|%|B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)\Z")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_EXACT = 2**53 - 1
_LONGEST_NUMBER = 20


Spans = list[tuple[int, Made]]
"""The line at which each piece begins, in their order."""


def rules(harvest: Harvest, source: str) -> tuple[str, Spans]:
    """The file of rules, and where each stands in it; what is incomplete stands in it as comments."""
    spans: Spans = []
    lines = [
        f"# Imported from {_comment(source)}. Every rule is in mode {harvest.mode} until you say otherwise.",
        "# `healer rules import` tells what could not be carried over; what stands here as a comment is incomplete.",
        "version: 1",
    ]
    lines += (
        ["rules:"] if any(not made.missing for made in harvest.rules) else ["# no rule could be carried over whole"]
    )
    for made in harvest.rules:
        spans.append((len(lines) + 1, made))
        lines += _entry(made)
    return "\n".join(lines) + "\n", spans


def organism(harvest: Harvest, source: str, files: Sequence[str]) -> tuple[str, Spans]:
    """The proposed organism.yaml, or the part of it to be copied into the one there is, and where each piece stands."""
    spans: Spans = []
    lines = [
        f"# Imported from {_comment(source)}: a proposal. Copy what you want into your own organism.yaml.",
        "version: 1",
        "mode: auto",
        f"rules: {flow({'files': list(files), 'default_mode': 'observe'})}",
    ]
    for key, found in (("programs", harvest.programs), ("targets", harvest.targets)):
        if found:
            lines.append(f"{key}:" if any(not made.missing for made in found) else f"# {key}:")
        for made in found:
            spans.append((len(lines) + 1, made))
            lines += _entry(made)
    return "\n".join(lines) + "\n", spans


def _entry(made: Made) -> list[str]:
    lines = [f"# from {_comment(str(made.mark))}", *(f"# {_comment(text)}" for text in made.says)]
    lines += [f"# not switched on: {_comment(text)}" for text in made.missing]
    lines += _item(made.body, 0)
    return [f"  {'# ' if made.missing and not line.startswith('#') else ''}{line}" for line in lines]


def _item(value: Any, depth: int) -> list[str]:  # noqa: ANN401 - whatever YAML can hold
    """One item of a list, its dash included."""
    before: list[str] = []
    if isinstance(value, Said):
        before, value = [f"{_pad(depth)}# {_comment(value.comment)}"], value.value
    if isinstance(value, Mapping) and value:
        lines = list(_pairs(value, depth + 1))
        return [*before, f"{_pad(depth)}- {lines[0].lstrip()}", *lines[1:]]
    return [*before, f"{_pad(depth)}- {flow(value)}"]


def _pairs(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    for key, held in value.items():
        if isinstance(held, Said):
            yield f"{_pad(depth)}# {_comment(held.comment)}"
        yield from _pair(key, held.value if isinstance(held, Said) else held, depth)


def _pair(key: str, held: Any, depth: int) -> Iterator[str]:  # noqa: ANN401 - whatever YAML can hold
    short = flow(held)
    nested = isinstance(held, list | Mapping) and held
    # A ladder is read step by step, even where it would fit on one line.
    if not nested or (key != "then" and not _noted(held) and len(short) + 2 * depth + len(key) <= _WIDTH):
        yield f"{_pad(depth)}{scalar(key)}: {short}"
        return
    yield f"{_pad(depth)}{scalar(key)}:"
    if isinstance(held, Mapping):
        yield from _pairs(held, depth + 1)
    else:
        for item in held:
            yield from _item(item, depth + 1)


def _noted(value: Any) -> bool:  # noqa: ANN401 - whatever YAML can hold
    """Whether a comment is somewhere in it."""
    held: Iterable[Any] = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return isinstance(value, Said) or any(_noted(one) for one in held)


def flow(value: Any) -> str:  # noqa: ANN401 - whatever YAML can hold
    """A value on one line."""
    if isinstance(value, Said):
        return flow(value.value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(held) for held in value) + "]"
    return scalar(value)


def scalar(value: Any) -> str:  # noqa: ANN401 - whatever YAML can hold
    """One scalar, quoted wherever some reader could take it for something else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) <= _EXACT else f'"{value}"'
    if isinstance(value, float):
        return _number(value)
    text = str(value)
    plain = (_SAFE.match(text) and text.lower() not in _WORDS) or _QUANTITY.match(text)
    return text if plain else '"' + "".join(map(_escaped, text)) + '"'


def _number(value: float) -> str:
    text = repr(value)
    if "e" in text:
        text = f"{value:.9f}".rstrip("0").rstrip(".")
    # YAML readers differ about longer ones, and about those with an exponent.
    return text if len(text) <= _LONGEST_NUMBER else f'"{value!r}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char == " " or char.isprintable():
        return char
    code = ord(char)
    if 0xD800 <= code < 0xE000:
        return "\N{REPLACEMENT CHARACTER}"  # half a character, which no encoding can write
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _comment(text: str) -> str:
    """What somebody else wrote, kept within its line."""
    return "".join(char if char.isprintable() else " " for char in text)[:400]


def _pad(depth: int) -> str:
    return "  " * depth
