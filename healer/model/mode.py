"""How far the agent may go by itself."""

import enum
from collections.abc import Iterable


class Mode(enum.IntEnum):
    """Ordered: the strictest (smallest) of all that apply wins."""

    OFF = 0
    OBSERVE = 1
    SUGGEST = 2
    APPROVE = 3
    AUTO = 4

    @classmethod
    def parse(cls, word: str) -> "Mode":
        """Read the word used in YAML; raises KeyError."""
        return cls[word.upper()]

    @property
    def word(self) -> str:
        """The word used in YAML."""
        return self.name.lower()


def strictest(modes: Iterable[Mode]) -> Mode:
    """The mode that wins where several apply; AUTO where none does."""
    return min(modes, default=Mode.AUTO)


class Profile(enum.Enum):
    """What the agent runs of itself."""

    FULL = "full"
    CORE = "core"
    """Sense, rules, heal: no reflection, no history, no notifications but the log's own."""
    ECONOMY = "economy"
    """Longer intervals, critical rules only."""
    MAINTENANCE = "maintenance"
    """Look and record, act on nothing."""
