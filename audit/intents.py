"""Which intents still wait for their outcome: kept by the writer, checked again by the verifier."""

from collections.abc import Mapping
from typing import NamedTuple

from audit.errors import Malformed


class OpenIntent(NamedTuple):
    """An intent without an outcome."""

    seq: int
    id: str
    boot: str
    deadline_us: int


class Ledger:
    """The open intents by leaf hash (hex)."""

    def __init__(self, waiting: Mapping[str, OpenIntent] | None = None) -> None:
        """Start from the intents known to be open."""
        self.waiting: dict[str, OpenIntent] = dict(waiting or {})

    def copy(self) -> "Ledger":
        """Return a ledger to try entries on before they are sealed."""
        return Ledger(self.waiting)

    def take(self, entry: Mapping[str, object], leaf: str) -> str:
        """Account for one entry; return the leaf hash of the intent it closes, or nothing.

        Raises ``Malformed`` for an outcome whose intent is not open: none was sealed, or it has an outcome already.
        """
        kind = entry["kind"]
        if kind == "intent":
            self.waiting[leaf] = open_intent(entry)
        elif kind == "outcome":
            of = str(entry["of"])
            if self.waiting.pop(of, None) is None:
                raise Malformed(f"an outcome of {of[:16]}… which is not an open intent")
            return of
        return ""


def open_intent(entry: Mapping[str, object]) -> OpenIntent:
    """Return what is remembered of an intent (an entry that has passed ``entry.check``)."""
    deadline = entry["deadline_us"]
    seq = entry["seq"]
    return OpenIntent(
        seq=seq if isinstance(seq, int) else 0,
        id=str(entry["id"]),
        boot=str(entry["boot"]),
        deadline_us=deadline if isinstance(deadline, int) else 0,
    )
