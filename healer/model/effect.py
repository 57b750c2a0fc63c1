"""Everything the core can want."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from healer.model.decision import Decision, Withheld
from healer.model.target import EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Seal this intent, then do it."""

    decision: Decision
    entry: Mapping[str, Any]
    """The intent's entry, already folded into the core's own memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Look at this target now instead of at its next turn."""

    target: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withhold:
    """An action that a gate stopped: sealed once per reason per incident."""

    withheld: Withheld


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An entry for the log (already folded into the core's own memory) and a word on the bus."""

    kind: str
    fields: Mapping[str, Any]
    topic: str = ""
    """Dotted bus topic; empty where nobody needs to hear of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """A word on the bus that is not worth an entry."""

    topic: str
    data: Mapping[str, Any] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """This intent must not be done (any more)."""

    id: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Keep a snapshot of the core's state when convenient."""


Effect = Act | Look | Withhold | Note | Publish | Cancel | Snapshot
