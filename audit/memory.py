"""The verifier's own memory: the last head it proved of each log, so that it notices a rollback by itself."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from audit import checkpoint
from audit.checkpoint import Anchor
from audit.files import write_atomically


class Memory:
    """One anchor file per log, in a folder of the verifier's."""

    def __init__(self, folder: Path) -> None:
        """Remember in ``folder``, which is made when there is something to remember."""
        self.folder: Final = folder

    @classmethod
    def default(cls) -> "Memory":
        """Return the memory of the user who runs this: ``$XDG_STATE_HOME/healer-audit``."""
        state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        return cls(Path(state) / "healer-audit")

    def path(self, origin: str) -> Path:
        """Return the file for one log; an origin may hold slashes, so its hash names the file."""
        return self.folder / f"{sha256(origin.encode()).hexdigest()[:32]}.head"

    def recall(self, origin: str) -> Anchor | None:
        """Return the head proved last, None if none; raises ``Malformed`` or ``Unreadable``."""
        return checkpoint.read(self.path(origin))

    def remember(self, head: Anchor) -> None:
        """Keep a head that has been proved; raises ``OSError``."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self.path(head.origin), head.encode())
