"""Which incarnations are in quarantine: nothing wakes them by the way, also after a restart of the agent."""

import json
import logging
import os
from pathlib import Path

_log = logging.getLogger(__name__)
_CAP = 65536
_MOST = 1000


class Holds:
    """A small note on disk, read once. What is damaged counts as empty: then a stray CONT wakes a process too many."""

    def __init__(self, state_dir: Path | None) -> None:
        self._path = state_dir / "holds" if state_dir else None
        self._held = self._recalled()

    def has(self, generation: str) -> bool:
        """Whether this incarnation (``pid.starttime``) is held."""
        return generation in self._held

    def add(self, generation: str) -> None:
        """It is in quarantine from now on."""
        self._held = [*self._held, generation][-_MOST:]
        self._save()

    def drop(self, generation: str) -> None:
        """It is not any more."""
        if self.has(generation):
            self._held = [one for one in self._held if one != generation]
            self._save()

    def _recalled(self) -> list[str]:
        if self._path is None:
            return []
        try:
            with self._path.open("rb") as file:
                found = json.loads(file.read(_CAP))
        except (OSError, ValueError, RecursionError):
            return []
        return [one for one in found if isinstance(one, str)][:_MOST] if isinstance(found, list) else []

    def _save(self) -> None:
        if self._path is None:
            return
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="ascii") as file:
                json.dump(self._held, file)
            fresh.replace(self._path)
        except OSError as exc:
            # It stands still all the same; only a restart of the agent forgets why.
            _log.warning("holds.unsaved", extra={"because": str(exc)})
