"""What a kind of target adds to the keys that all targets have."""

from collections.abc import Callable
from dataclasses import dataclass

from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Field, Values

Check = Callable[[Values, Problems], None]
"""Notes what does not go together, and raises `healer.yamldoc.shape.Bad`."""


def nothing_to_check(_values: Values, _problems: Problems) -> None:
    """Every key stands for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The keys of one kind."""

    fields: tuple[Field, ...]
    every: float = 10.0
    """Seconds between two looks where nobody says otherwise."""
    shown: str = "10s"
    """The same, as a person would write it."""
    check: Check = nothing_to_check
