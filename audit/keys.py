"""The sealing key: made once, kept in a closed folder, refused when anything about it is odd."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from audit.errors import AuditError, KeyRefused
from audit.files import read_small, sync_folder, write_atomically
from audit.signature import EXPONENT, MIN_BITS, SALT, PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PRIVATE: Final = "seal.pem"
PUBLIC: Final = "seal.pub"
_MAX_FILE: Final = 65_536


class Signer(Protocol):
    """Whatever can seal a block."""

    @property
    def public(self) -> PublicKey:
        """The key that checks what ``sign`` makes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return an RSA-PSS signature (SHA-256, salt of 32 octets); may take long, may be called from any thread."""
        ...


class SealingKey:
    """An RSA private key held in this process."""

    def __init__(self, private: "RSAPrivateKey") -> None:
        """Take a key that has been checked; raises ``KeyRefused`` for a weak one."""
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.hashes import SHA256

        numbers = private.public_key().public_numbers()
        if numbers.e != EXPONENT:
            raise KeyRefused(f"an RSA key with exponent {numbers.e} is refused: only {EXPONENT} is accepted")
        self.public = PublicKey(numbers.n)
        self._private = private
        self._padding = padding.PSS(padding.MGF1(SHA256()), SALT)
        self._algorithm = SHA256()

    @classmethod
    def generate(cls, bits: int = MIN_BITS) -> "SealingKey":
        """Make a new key (about 0.1 s for 3072 bits)."""
        from cryptography.hazmat.primitives.asymmetric import rsa

        return cls(rsa.generate_private_key(public_exponent=EXPONENT, key_size=bits))

    def sign(self, message: bytes) -> bytes:
        """Return the signature; about 0.7 ms for 3072 bits, the interpreter's lock released meanwhile."""
        return self._private.sign(message, self._padding, self._algorithm)

    def pem(self) -> bytes:
        """Return the private key as unencrypted PKCS#8."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def exists(folder: Path) -> bool:
    """Tell whether anything, good or bad, lies where the private key belongs."""
    return os.path.lexists(folder / PRIVATE)


def make(folder: Path) -> SealingKey:
    """Make the key folder and a key in it, safe against a crash at any moment.

    Raises ``KeyRefused`` where there is a key already: a key is never replaced here.
    """
    if exists(folder):
        raise KeyRefused(f"{folder / PRIVATE} exists already")
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)
    _check_folder(folder)
    key = SealingKey.generate()
    write_atomically(folder / PRIVATE, key.pem(), mode=0o600)
    write_atomically(folder / PUBLIC, key.public.pem)
    return key


def load(folder: Path) -> SealingKey:
    """Load the key, checked (about 0.1 s); raises ``KeyRefused`` with the command that repairs what is wrong."""
    path = folder / PRIVATE
    _check_folder(folder)
    _check_file(path)
    key = SealingKey(_parse(path, _read(path)))
    _match_public(folder / PUBLIC, key.public)
    return key


def load_public(path: Path) -> PublicKey:
    """Load a pinned public key file; raises ``KeyRefused``."""
    try:
        return PublicKey.from_pem(_read(path))
    except KeyRefused as exc:
        raise KeyRefused(f"{path}: {exc.message}", hint=exc.hint) from exc


def _read(path: Path) -> bytes:
    try:
        return read_small(path, _MAX_FILE)
    except FileNotFoundError as exc:
        raise KeyRefused(f"the key {path} is missing", hint="restore it from your backup") from exc
    except AuditError as exc:
        raise KeyRefused(exc.message) from exc


def _check_folder(folder: Path) -> None:
    try:
        found = os.lstat(folder)
    except FileNotFoundError as exc:
        raise KeyRefused(f"the key folder {folder} is missing", hint="restore it from your backup") from exc
    if not stat.S_ISDIR(found.st_mode):
        raise KeyRefused(f"{folder} is not a folder (a symbolic link is not followed)")
    _check_closed(folder, found, 0o700)


def _check_file(path: Path) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError as exc:
        raise KeyRefused(f"the key {path} is missing", hint="restore it from your backup") from exc
    if not stat.S_ISREG(found.st_mode):
        raise KeyRefused(f"{path} is not a regular file (a symbolic link is not followed)")
    _check_closed(path, found, 0o600)


def _check_closed(path: Path, found: os.stat_result, mode: int) -> None:
    me = os.geteuid()
    if found.st_uid not in (me, 0):
        raise KeyRefused(f"{path} belongs to user {found.st_uid}", hint=f"run: chown {me} {path}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise KeyRefused(
            f"{path} is open to others (mode {stat.S_IMODE(found.st_mode):04o})", hint=f"run: chmod {mode:o} {path}"
        )


def _parse(path: Path, pem: bytes) -> "RSAPrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if pem.count(b"-----BEGIN ") != 1:
        raise KeyRefused(f"{path} must hold exactly one key, and nothing else")
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise KeyRefused(
            f"{path} does not hold an unencrypted private key", hint="restore it from your backup"
        ) from exc
    if not isinstance(private, rsa.RSAPrivateKey):
        raise KeyRefused(f"{path} holds a key that is not RSA")
    return private


def _match_public(path: Path, public: PublicKey) -> None:
    """Write ``seal.pub`` where a crash kept it from being written; refuse one of another key."""
    if not os.path.lexists(path):
        write_atomically(path, public.pem)
    elif load_public(path) != public:
        raise KeyRefused(f"{path} is not the public half of {path.with_name(PRIVATE)}", hint="one of them was replaced")
