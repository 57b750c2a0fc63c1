"""A witness's private key on disk: made once, refused when anybody else may read it."""

import os
import stat
from pathlib import Path
from typing import Final

from audit.ed25519 import Secret
from audit.errors import KeyRefused, Unreadable
from audit.files import read_small, write_atomically
from audit.note import Kind, PostQuantumSigner, Signer, parse_signer

_MAX_FILE: Final = 4096


def make(path: Path, name: str, *, post_quantum: bool = False) -> Signer | PostQuantumSigner:
    """Make a cosigning key under ``name`` in a new file; raises ``KeyRefused`` where a file is there already."""
    if os.path.lexists(path):
        raise KeyRefused(f"{path} exists already", hint="a key is never replaced; choose another file")
    signer = PostQuantumSigner.generate(name) if post_quantum else Signer(name, Secret.generate(), Kind.COSIGNATURE)
    write_atomically(path, signer.skey().encode() + b"\n", mode=0o600)
    return signer


def load(path: Path) -> Signer | PostQuantumSigner:
    """Load a cosigning key; raises ``KeyRefused`` with the command that repairs what is wrong."""
    try:
        _check(path, path.lstat())
        signer = parse_signer(_read(path).decode("utf-8").removesuffix("\n"))
    except FileNotFoundError as exc:
        raise KeyRefused(f"there is no key at {path}", hint="make one: healer-audit witness key FILE NAME") from exc
    except UnicodeDecodeError as exc:
        raise KeyRefused(f"{path} does not hold a key") from exc
    if signer.verifier.kind is Kind.ED25519:
        raise KeyRefused(
            f"{path} holds a log's key, which must not cosign", hint="make one: healer-audit witness key FILE NAME"
        )
    return signer


def _read(path: Path) -> bytes:
    try:
        return read_small(path, _MAX_FILE)
    except Unreadable as exc:
        raise KeyRefused(exc.message) from exc


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyRefused(f"{path} is not a regular file (a symbolic link is not followed)")
    if found.st_uid not in (os.geteuid(), 0):
        raise KeyRefused(f"{path} belongs to user {found.st_uid}", hint=f"run: chown {os.geteuid()} {path}")
    # systemd hands credentials out as root's, readable by the service's group or an ACL that looks like one.
    others = 0o037 if found.st_uid == 0 and os.geteuid() != 0 else 0o077
    if stat.S_IMODE(found.st_mode) & others:
        raise KeyRefused(
            f"{path} is open to others (mode {stat.S_IMODE(found.st_mode):04o})", hint=f"run: chmod 600 {path}"
        )
