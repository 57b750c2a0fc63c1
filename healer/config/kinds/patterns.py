"""Patterns by name: the key that logs and journals share."""

from healer import patterns
from healer.model.kinds.matching import PATTERN_NAME
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Text
from healer.yamldoc.shape import Bad, Field, MapOf, Mistake, Values

MOST = 32
MOST_NAMES = 8
"""Named groups of one pattern."""


def _pattern(text: str) -> str:
    try:
        patterns.check(text)
    except patterns.PatternError as exc:
        raise Mistake(exc.message, exc.hint, exc.offset) from exc
    if len(patterns.names(text)) > MOST_NAMES:
        raise Mistake(f"a pattern with more than {MOST_NAMES} names", "write (?:...) for what needs none")
    return text


PATTERNS = Field(
    name="patterns",
    shape=MapOf(
        Text(longest=patterns.LONGEST, called="a pattern", parse=_pattern),
        pattern=PATTERN_NAME,
        named="pattern",
    ),
    default={},
    doc='what is looked for in each line, by name; {word} takes a word: {failed: "Failed password for {user}"}',
)


def check_patterns(values: Values, problems: Problems) -> None:
    """Raise Bad for more patterns than one look can ask for."""
    if len(values["patterns"]) > MOST:
        problems.add(values.where("patterns"), f"more than {MOST} patterns", "join them with |, or use two targets")
        raise Bad
