"""The ratchet: each block names the Ed25519 key of the next one, and its secret is used once and let go.

Who takes the machine later, with every key on it, finds no secret that could re-sign what lies before. The idea is that
of forward-secure sealing (Bellare and Yee, *Forward Integrity for Secure Audit Logs*, 1997), with public keys.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from audit import ed25519
from audit.block import Header
from audit.ed25519 import Secret
from audit.errors import AuditError, KeyRefused
from audit.files import read_small, sync_folder, write_atomically

FILE_NAME: Final = "ratchet"
SIGNED_PREFIX: Final = b"sealed-log/ratchet/v1\n"


def signed_octets(header_octets: bytes) -> bytes:
    """Return what the ratchet signs: never what the RSA key signs, so that neither signature passes for the other."""
    return SIGNED_PREFIX + header_octets


def check(header: Header, header_octets: bytes, rsig: bytes, previous: Header | None) -> str:
    """Return, in words, how the ratchet's rules are broken; empty when they are kept (by a break, too)."""
    due = previous.next if previous else ""
    if not rsig:
        if due and header.why != "restart":
            return "its ratchet signature is missing, and it does not say that the ratchet was lost"
        if not due and header.why == "restart":
            return "it says that the ratchet was lost where there was none"
        return ""
    if not due:
        return "it carries a ratchet signature that no block before it announced"
    if header.why == "restart":
        return "it says that the ratchet was lost, and is signed by it"
    if not ed25519.verify(bytes.fromhex(due), rsig, signed_octets(header_octets)):
        return "its ratchet signature does not fit the key that the block before it named"
    return ""


def keep(folder: Path, secret: Secret) -> None:
    """Write the last secret down at a clean stop; raises ``OSError``."""
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)
    write_atomically(folder / FILE_NAME, secret.seed(), mode=0o600)


def take(folder: Path, announced: str) -> Secret | None:
    """Take back what a clean stop kept and remove it; None when it is lost, or is not the key that was announced.

    Removed before its first use: a secret that signs twice would let a copy of the folder go on beside us.
    """
    path = folder / FILE_NAME
    try:
        seed = read_small(path, 2 * ed25519.KEY)
    except (FileNotFoundError, AuditError):
        seed = b""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        sync_folder(folder)
    try:
        secret = Secret.from_seed(seed)
    except KeyRefused:
        return None
    return secret if announced and secret.public.hex() == announced else None
