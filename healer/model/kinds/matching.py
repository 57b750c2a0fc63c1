"""What is known of a named pattern, wherever its lines come from."""

from collections.abc import Iterator

from healer.model.metric import Metric, Shelf
from healer.model.unit import Unit

SEEN = Shelf(labels=("target",), max_age=60.0)
PATTERN_NAME = r"[a-z][a-z0-9_-]{0,63}"
MATCHED_IN = ("log", "journal")
"""Kinds whose patterns `matched` asks for by name."""


def matching(kind: str) -> Iterator[Metric]:
    """How often a pattern matched, when, and what its named groups took."""
    yield SEEN.put(f"{kind}.count", Unit.COUNT, "times a pattern matched since the target is followed", "pattern")
    yield SEEN.put(f"{kind}.rate", Unit.PER_SECOND, "matches of a pattern, between the last two looks", "pattern")
    yield SEEN.put(f"{kind}.match_age", Unit.SECONDS, "since a pattern last matched; unknown before that", "pattern")
    yield SEEN.put(f"{kind}.line", Unit.WORD, "what a pattern last matched, its first 200 characters", "pattern")
    yield SEEN.put(f"{kind}.capture", Unit.WORD, "what a named group of a pattern last took", "pattern", "name")
