"""What can go wrong with the log, each with the way out."""


class AuditError(Exception):
    """The root of every error of this package: what happened, and what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the sentence for the reader and the hint for the operator."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Show both sentences on one line."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class Malformed(AuditError):
    """Octets or values that do not follow the format."""


class UnknownVersion(Malformed):
    """A well-formed thing of a version (or kind) this code does not know: never skipped, never trusted."""


class Forged(AuditError):
    """A signature that claims a key known here, and is not that key's."""


class Unsigned(AuditError):
    """No key that is known here has signed this."""


class Unreadable(AuditError):
    """There is no log to read at this place, or it cannot be opened."""


class NothingThere(Unreadable):
    """A log file of no bytes: not a log, and where an anchor remembers one, proof that it was emptied."""


class KeyRefused(AuditError):
    """A sealing or pinned key that must not be used as it is."""


class Busy(AuditError):
    """Another writer owns this log."""


class Damaged(AuditError):
    """The log on disk is not the one that was written; it is never recreated silently."""


class RolledBack(AuditError):
    """The log is older than its own anchor remembers."""


class DiskFull(AuditError):
    """No room is left for this entry; what frees space may still be sealed from the reserve."""


class Poisoned(AuditError):
    """A commit failed, so what is on the disk is unknown; only a new writer may go on."""


class Undated(AuditError):
    """A well-formed time-stamp token that does not prove the time it names."""


class Unreachable(AuditError):
    """A service elsewhere gave no usable answer; it may later."""
