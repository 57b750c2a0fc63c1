"""Regular expressions that cannot hang: RE2's, whose time is linear in the text whatever the pattern."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from healer.errors import HealerError

LONGEST = 512
"""Characters of a pattern."""
LONGEST_TEXT = 2048
"""Characters of a text that are looked at."""
LONGEST_CAPTURE = 256
"""Characters of a capture; a longer one is left out, and a step that needs it is refused."""
_MEMORY = 1 << 20
"""Octets a compiled pattern may take."""
_LARGEST = 1500
"""Instructions of a compiled pattern: time is at worst these times the octets of the text, some 25 ms together."""
_NAMED = re.compile(r"(?<!\\[pPx])\{([a-z_][a-z0-9_]{0,31})\}")
_OF_THE_WHOLE = re.compile(r"\\[Az]|\(\?[a-zA-Z]*-")
"""Ends of a text that are no ends of its lines, and flags taken back: such a pattern says nothing of a block."""
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class PatternError(HealerError):
    """Text that is no pattern; ``offset`` is the 0-based character where that was noticed."""

    def __init__(self, message: str, *, hint: str = "", offset: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset


def check(pattern: str) -> None:
    """Raise PatternError where RE2 would refuse it."""
    if not pattern:
        raise PatternError("an empty pattern matches everything", hint='such as "out of memory"')
    if len(pattern) > LONGEST:
        raise PatternError(f"a pattern of more than {LONGEST} characters", offset=LONGEST)
    for at, letter in enumerate(pattern):
        if letter in "\0\n\r" or "\ud800" <= letter <= "\udfff":
            raise PatternError(f"a pattern cannot hold {letter!r}", hint=r"write \n for the end of a line", offset=at)
    made = _compiled(pattern)
    if isinstance(made, str):
        hint = "RE2's syntax: no backreferences, no look-around, repeats up to 1000"
        raise PatternError(f"not a pattern: {made}", hint=hint)
    if made.programsize > _LARGEST:
        raise PatternError("a pattern too large to be quick", hint="RE2 writes repeats such as {1,500} out")
    if made.match(""):
        raise PatternError("a pattern that an empty text matches is true of everything", hint="demand a character")


def found(text: str, pattern: str, *, most: int = LONGEST_TEXT) -> bool:
    """Whether the pattern is anywhere in the first ``most`` characters of the text."""
    made = _compiled(pattern)
    return not isinstance(made, str) and made.search(_clean(text, most)) is not None


def captures(text: str, pattern: str, *, most: int = LONGEST_TEXT) -> Mapping[str, str] | None:
    """What the named groups took of the first ``most`` characters of the text; None where they do not match.

    They may become arguments of a command: what is empty, too long, has control characters or begins with ``-`` (and
    would be read as an option) is left out.
    """
    made = _compiled(pattern)
    match = None if isinstance(made, str) else made.search(_clean(text, most))
    if match is None:
        return None
    return {name: value for name, value in match.groupdict().items() if value is not None and _fits(value)}


def names(pattern: str) -> tuple[str, ...]:
    """The names a pattern can bind."""
    made = _compiled(pattern)
    return () if isinstance(made, str) else tuple(sorted(made.groupindex))


def possible(block: str, pattern: str) -> bool:
    """Whether a line of these may hold the pattern: False is certain, and costs a fiftieth of asking every line.

    Lines end with a line feed.
    """
    if _OF_THE_WHOLE.search(pattern):
        return True
    made = _compiled(f"(?m:{pattern})")
    return isinstance(made, str) or made.search(block) is not None


def _clean(text: str, most: int = LONGEST_TEXT) -> str:
    """The text as far as it is looked at; halves of characters, which UTF-8 has no octets for, become ``?``."""
    return text[:most].encode(errors="replace").decode()


def _fits(value: str) -> bool:
    return 0 < len(value) <= LONGEST_CAPTURE and value[0] != "-" and not _UNFIT.search(value)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:  # noqa: ANN401 - the library has no types
    r"""The compiled pattern, or why it is none. ``{name}`` is short for ``(?P<name>\S+)``."""
    try:
        import re2  # 5 ms and 2 MB, for those whose rules have patterns
    except ImportError:
        return "this needs the package google-re2"
    options = re2.Options()
    options.max_mem, options.log_errors = _MEMORY, False
    try:
        return re2.compile(_NAMED.sub(r"(?P<\1>\\S+)", pattern), options)
    except re2.error as exc:
        why = exc.args[0] if exc.args else ""
        return (why.decode(errors="replace") if isinstance(why, bytes) else str(why))[:200] or "it is refused"
