"""What lies in a state folder: each name once, so that who writes a log and who reads it cannot disagree."""

from typing import Final

ANCHOR: Final = "anchor"
"""The head, as the writer last wrote it down."""
CHECKPOINT: Final = "checkpoint"
"""The tree's head, signed by the log itself."""
LOCK: Final = "audit.lock"
TREE: Final = "tree.db"
"""The tree over the headers, which can be made again."""
WITNESSED: Final = "witnessed"
"""Folder of checkpoints that witnesses cosigned, and of their time stamps."""

KEYS: Final = "keys"
"""Folder of keys; the names below lie in it."""
SEAL_PUB: Final = "seal.pub"
"""The sealing key in force."""
FIRST_PUB: Final = "first.pub"
"""The key the log began with; only where it was handed over to another one."""
NOTE_PUB: Final = "note.pub"
"""The key that signs checkpoints, as policies name it."""
