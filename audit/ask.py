"""What an auditor asks to be proved, and against what."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audit.memory import Memory
from audit.reader import Sealed

Sink = Callable[[Sealed], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What to prove, against what."""

    log: Path
    """A log file or a state folder."""
    key: Path | None = None
    """The pinned public key; in a state folder ``keys/seal.pub`` serves, but proves less."""
    anchors: tuple[Path, ...] = ()
    """Heads kept elsewhere, as anchors or as checkpoints; in a state folder ``anchor`` serves, but proves less."""
    checkpoints: tuple[Path, ...] = ()
    """Cosigned checkpoints besides those of the state folder; worth what their signatures are worth."""
    policy: Path | None = None
    """Whose signatures count, and how many of them: a policy file (c2sp.org/tlog-policy)."""
    tokens: tuple[Path, ...] = ()
    """RFC 3161 tokens besides those of the state folder."""
    tsa: Path | None = None
    """Certificates of the time-stamp authorities that count, PEM."""
    archives: tuple[Path, ...] = ()
    """Archive files that hold what was pruned."""
    tail_s: float = 60.0
    """How much before the head, in the log's own time, a witness may not have seen yet."""
    memory: Memory | None = None
    min_level: str = "L1"
    flat: bool = False
    """Skip the Merkle roots; four times faster."""
    deep: bool = False
    """Read every entry: form, kinds, intents and outcomes."""
    since: int = 0
    """First height wanted."""
    since_head: Path | None = None
    """An anchor file to start from: what lies before it has been proved already."""
    incremental: bool = False
    """Start from the remembered head, where there is one."""
    max_age_s: float | None = None
    expect_origin: str | None = None
