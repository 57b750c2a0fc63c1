"""Where the sealing key comes from, and the files of a change of keys, right again after a crash at any step.

A new key is written to ``next.pem`` before the block that names it is sealed. Once that block is durable, ``seal.pub``
and then ``seal.pem`` are replaced. Whoever opens the log in between sees from its head which of the two is in force.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from audit import keys, places
from audit.errors import KeyRefused
from audit.files import sync_folder, write_atomically
from audit.keys import SealingKey, Signer
from audit.signature import PublicKey

CREDENTIAL: Final = "healer-seal.pem"
CREDENTIAL_PASSPHRASE: Final = "healer-seal-passphrase"  # noqa: S105 - the name of a file
NEXT: Final = "next.pem"
_SHORT: Final = 16
_MAX_RETIRED: Final = 1000


def lent_passphrase(folder: Path | None) -> bytes | None:
    """Return the passphrase that systemd handed over in ``folder``; None where there is none. Raises ``KeyRefused``."""
    path = folder / CREDENTIAL_PASSPHRASE if folder else None
    return None if path is None or not os.path.lexists(path) else keys.load_passphrase(path)


def load(folder: Path, passphrase: bytes | None = None, credentials: Path | None = None) -> SealingKey | None:
    """Load the key of a log whose key folder is ``folder``; None where there is none. Raises ``KeyRefused``.

    A key that systemd handed over in ``credentials`` comes first.
    """
    if credentials is None or not os.path.lexists(credentials / CREDENTIAL):
        return keys.load(folder, passphrase) if keys.exists(folder) else None
    return keys.load_credential(credentials / CREDENTIAL, passphrase)


def settle(folder: Path, public: PublicKey) -> None:
    """Keep the public half of the key in force in ``folder``, where people look for it, wherever the private one is.

    Only once the log's end was seen to be signed by it: what belongs to the key before it goes. Raises ``KeyRefused``
    where ``seal.pub`` is of a key that was never in force.
    """
    keys.make_folder(folder)
    path = folder / places.SEAL_PUB
    if os.path.lexists(path) and keys.load_public(path) != public and keys.load_public(path) in set(retired(folder)):
        (folder / NEXT).unlink(missing_ok=True)
        promote(folder, public)
    else:
        keys.publish(folder, public)


def stage(folder: Path, old: PublicKey, new: Signer, passphrase: bytes | None = None) -> None:
    """Write down, durably, what a change from ``old`` to ``new`` needs, before it is sealed."""
    keys.make_folder(folder)
    if not os.path.lexists(folder / places.FIRST_PUB):
        write_atomically(folder / places.FIRST_PUB, old.pem)
    write_atomically(_retired_path(folder, old), old.pem)
    if isinstance(new, SealingKey):
        write_atomically(folder / NEXT, new.pem(passphrase), mode=0o600)
    else:
        (folder / NEXT).unlink(missing_ok=True)  # of a change that was given up


def promote(folder: Path, new: PublicKey) -> None:
    """Put the staged key in force: only after its block is durable. May be done again after a crash."""
    # seal.pub first: while next.pem is there, a seal.pub that does not fit seal.pem is a change under way.
    write_atomically(folder / places.SEAL_PUB, new.pem)
    if os.path.lexists(folder / NEXT):
        (folder / NEXT).replace(folder / keys.PRIVATE)
    else:
        # The new key lives elsewhere; the old one must not stay here.
        (folder / keys.PRIVATE).unlink(missing_ok=True)
    sync_folder(folder)


def finish(folder: Path, passphrase: bytes | None, head: tuple[str, bytes, bytes] | None = None) -> None:
    """Finish or undo a change of keys that a crash cut short; raises ``KeyRefused``.

    ``head`` is the newest block's last key, signed octets and signature. The old key goes only when these are the
    work of the new one.
    """
    if not os.path.lexists(folder / NEXT):
        return
    try:
        new = keys.load_private(folder / NEXT, passphrase).public
    except KeyRefused as exc:
        raise KeyRefused(exc.message, hint=f"{exc.hint}; it is the new key of a change that did not end") from exc
    if head is not None:
        fingerprint, signed, signature = head
        if fingerprint == new.fingerprint and new.verify(signature[-new.size :], signed):
            promote(folder, new)
            return
    (folder / NEXT).unlink()
    sync_folder(folder)


def retired(folder: Path) -> Iterator[PublicKey]:
    """Yield the keys that were in force before, of which nobody needs more than the last."""
    for path in sorted(folder.glob("old-*.pub"))[:_MAX_RETIRED]:
        # A file damaged long ago must not keep the agent from starting; one that is needed is missed by the tail.
        with contextlib.suppress(KeyRefused):
            yield keys.load_public(path)


def _retired_path(folder: Path, old: PublicKey) -> Path:
    return folder / f"old-{old.fingerprint[:_SHORT]}.pub"
