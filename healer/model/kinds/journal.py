"""Entries of systemd's journal."""

from healer.model.kinds.kind import Kind
from healer.model.kinds.matching import SEEN, matching
from healer.model.unit import Unit

PRIORITIES: tuple[str, ...] = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
KIND = Kind(
    name="journal",
    organ="nervous",
    up="journal.up",
    metrics=(
        SEEN.put("journal.up", Unit.FLAG, "1 while the journal is followed"),
        SEEN.put("journal.entries", Unit.COUNT, "entries that pass its filters, since it is followed", "priority"),
        SEEN.put("journal.entry_rate", Unit.PER_SECOND, "the same, between the last two looks", "priority"),
        SEEN.put("journal.silence", Unit.SECONDS, "since the last entry that passed; unknown before that"),
        SEEN.put("journal.lag", Unit.SECONDS, "how old the entry is that was read last, while more are waiting"),
        SEEN.put("journal.lagging", Unit.FLAG, "1 while more is written than is read"),
        SEEN.put("journal.cut", Unit.COUNT, "entries passed over since they were too large"),
        SEEN.put("journal.gaps", Unit.COUNT, "times entries were passed over unread, or may have been lost"),
        *matching("journal"),
    ),
    serves=False,
    pushed=True,
)
