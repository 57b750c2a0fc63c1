"""Placeholders: what comes from outside fills whole arguments of a command only, as plain names, and never code."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from healer.errors import RefusedError

BINDING = re.compile(r"\{((?:event|capture)\.[A-Za-z_][A-Za-z0-9_.-]{0,94})\}")
"""``{event.NAME}``: a field of the event that started the rule; ``{capture.NAME}``: what a pattern found."""
_PLAIN = re.compile(r"[A-Za-z0-9_.:\\][A-Za-z0-9@_.:\\-]{0,254}")
_CODE_FLAGS = frozenset({"-c", "-e", "-E", "--eval", "--command", "-exec", "-execdir"})
_INTERPRETERS = frozenset(
    {"sh", "bash", "dash", "zsh", "ksh", "python", "python3", "perl", "ruby", "node", "awk", "env"}
)


def plain(value: str) -> bool:
    """Whether a value can be an argument: not an option (``-o``), no file (``@file``), no path, nothing a shell reads.

    One ``@`` inside a name is fine (``web@1``), in front it is not.
    """
    return _PLAIN.fullmatch(value) is not None


def stands_for_code(words: Sequence[str], place: int) -> bool:
    """Whether the argument at that place is the command itself, or what an interpreter takes for code."""
    if place == 0 or words[place - 1] in _CODE_FLAGS:
        return True
    return place == 1 and PurePath(str(words[0])).name.rstrip("0123456789.") in _INTERPRETERS


def slotted(values: Mapping[str, object], bindings: Mapping[str, str]) -> dict[str, object]:
    """The values with each whole ``{event.NAME}`` or ``{capture.NAME}`` filled from ``bindings``, whatever it holds.

    For values that are sent beside a text and never become part of it. Raises RefusedError for a name not bound.
    """
    made: dict[str, object] = {}
    for key, value in values.items():
        found = BINDING.fullmatch(value) if isinstance(value, str) else None
        if found is not None and found[1] not in bindings:
            known = ", ".join(sorted(bindings)) or "nothing"
            raise RefusedError(f"{value} is not known here", hint=f"bound are: {known}")
        made[key] = value if found is None else bindings[found[1]]
    return made


def bound(words: Sequence[str], bindings: Mapping[str, str]) -> list[str]:
    """The words with each whole ``{event.NAME}`` or ``{capture.NAME}`` filled from ``bindings`` (``event.NAME``).

    Raises RefusedError for a name that is not bound, a value that is no plain name, and a place where code stands:
    an argument is never left empty, and never guessed.
    """
    made: list[str] = []
    for place, word in enumerate(words):
        found = BINDING.fullmatch(word)
        if found is None:
            made.append(word)
            continue
        name = found[1]
        if stands_for_code(words, place):
            raise RefusedError(f"{word} stands where code is expected", hint="write the command out")
        if name not in bindings:
            known = ", ".join(sorted(bindings)) or "nothing"
            raise RefusedError(f"{word} is not known here", hint=f"bound are: {known}")
        if not plain(bindings[name]):
            raise RefusedError(f"{word} is {bindings[name][:80]!r}: no plain name, so it cannot be an argument")
        made.append(bindings[name])
    return made
