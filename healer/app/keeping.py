"""The log's retention: what the written policy lets go is archived, ordered under seal, and only then dropped."""

import functools
import logging
from collections.abc import Callable
from pathlib import Path

from audit.errors import AuditError
from audit.prune import Pruned
from audit.writer import Writer
from healer import blocking
from healer.config.values import Retention
from healer.record import ARCHIVE
from healer.store.store import Snapshot

_log = logging.getLogger("healer.keeping")


class Keeping:
    """Called by the calendar."""

    def __init__(
        self,
        *,
        writer: Writer,
        state_dir: Path,
        policy: Retention | None,
        latest_snapshot: Callable[[], Snapshot | None],
        witnessed: Callable[[int], bool] | None = None,
    ) -> None:
        self.policy = policy
        """None: nothing is ever pruned."""
        self.trouble = ""
        """Why the last pruning failed; empty when it did not."""
        self._writer, self._state_dir = writer, state_dir
        self._latest_snapshot, self._witnessed = latest_snapshot, witnessed

    def archive(self) -> Path:
        """The folder archives go to."""
        named = self.policy.archive if self.policy else ""
        return Path(named) if named else self._state_dir / ARCHIVE

    async def prune(self) -> None:
        """Prune what may go now; a failure is told and tried again next time."""
        if self.policy is None:
            return
        try:
            done = await blocking.call(functools.partial(self._prune, self.policy))
        except (AuditError, OSError) as exc:
            self.trouble = f"the log is not pruned: {exc}"
            _log.warning("log.not-pruned", extra={"because": self.trouble})
            return
        self.trouble = ""
        if done is not None:
            order = done.order
            told = {"first": order.first, "last": order.last, "archive": str(done.path), "dropped": done.dropped}
            _log.info("log.pruned", extra=told)

    def _prune(self, policy: Retention) -> Pruned | None:
        """In a thread of its own. What no snapshot covers stays: a start must not need an archive."""
        snapshot = self._latest_snapshot()
        if snapshot is None:
            return None
        folder = self.archive()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._writer.prune(
            round(policy.keep * 1e6),
            folder,
            because=policy.because or f"the configuration keeps {policy.keep / 86400:g} days",
            witnessed=self._witnessed,
            ceiling=snapshot.height + 1,
        )
