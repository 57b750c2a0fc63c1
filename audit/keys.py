"""The sealing key: made once, kept in a closed folder, refused when anything about it is odd."""

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from audit import places
from audit.errors import AuditError, KeyRefused
from audit.files import read_small, sync_folder, write_atomically
from audit.signature import EXPONENT, MAKE, MIN_BITS, SALT, PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PRIVATE: Final = "seal.pem"
_MAX_FILE: Final = 65_536
_MAX_PASSPHRASE: Final = 1023
RESTORE: Final = "restore it from your backup"
_REPLACE: Final = (
    f"put the key there that this log is sealed with, or {RESTORE}; a log that has not begun may have a new one: "
    f"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{MIN_BITS} -out FILE"
)
_OPENS_WITH: Final = "give audit.passphrase: {file: PATH}, or the credential healer-seal-passphrase"
_LINES: Final = rb"\n(?:[A-Za-z0-9+/=]{1,76}\n)+"
_PEM: Final = re.compile(
    rb"-----BEGIN ((?:ENCRYPTED )?PRIVATE KEY)-----" + _LINES + rb"-----END \1-----\n?",
)
_BEGIN: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")


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

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the private key as PKCS#8, encrypted where there is a passphrase."""
        from cryptography.hazmat.primitives import serialization as form

        how = form.BestAvailableEncryption(passphrase) if passphrase else form.NoEncryption()
        return self._private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, how)


def exists(folder: Path) -> bool:
    """Tell whether anything, good or bad, lies where the private key belongs."""
    return os.path.lexists(folder / PRIVATE)


def make(folder: Path, passphrase: bytes | None = None) -> SealingKey:
    """Make the key folder and a key in it, safe against a crash at any moment.

    Raises ``KeyRefused`` where there is a key already: a key is never replaced here.
    """
    if exists(folder):
        raise KeyRefused(f"{folder / PRIVATE} exists already", hint="a new key comes by: healer-audit rotate")
    make_folder(folder)
    key = SealingKey.generate()
    write_atomically(folder / PRIVATE, key.pem(passphrase), mode=0o600)
    write_atomically(folder / places.SEAL_PUB, key.public.pem)
    return key


def make_folder(folder: Path) -> None:
    """Make the key folder where there is none; raises ``KeyRefused`` for one that is open to others."""
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)
    _check_folder(folder)


def load(folder: Path, passphrase: bytes | None = None) -> SealingKey:
    """Load the key, checked (about 0.1 s); raises ``KeyRefused`` with the command that repairs what is wrong."""
    _check_folder(folder)
    _check_file(folder / PRIVATE, 0o600)
    key = _parse(folder / PRIVATE, _read(folder / PRIVATE), passphrase)
    publish(folder, key.public)
    return key


def load_private(path: Path, passphrase: bytes | None = None) -> SealingKey:
    """Load a private key from a file that is ours alone, in a folder that is ours alone; raises ``KeyRefused``."""
    _check_file(path, 0o600)
    # Whose folder that is, nobody knows here: to close it may be the wrong advice, for /tmp it would be a bad one.
    _check_folder(path.parent, hint=f"put the key in a folder of its own: mkdir -m 700 DIR; mv {path} DIR/")
    return _parse(path, _read(path), passphrase)


def load_credential(path: Path, passphrase: bytes | None = None) -> SealingKey:
    """Load a private key that systemd handed over (``LoadCredential=``); raises ``KeyRefused``.

    Such files belong to root and are opened to the service by an access list, which shows as a group that may read.
    """
    found = _regular(path)
    if stat.S_IMODE(found.st_mode) & (0o337 if found.st_gid == 0 else 0o377):
        mode = stat.S_IMODE(found.st_mode)
        raise KeyRefused(f"{path} is open to others, or to writing (mode {mode:04o})", hint=f"run: chmod 400 {path}")
    _check_owner(path, found)
    return _parse(path, _read(path), passphrase)


def load_passphrase(path: Path) -> bytes:
    """Read a passphrase from a file closed to others, without its last newline; raises ``KeyRefused``."""
    found = _regular(path)
    _check_owner(path, found)
    if stat.S_IMODE(found.st_mode) & (0o037 if found.st_gid == 0 else 0o077):
        raise KeyRefused(f"the passphrase in {path} is open to others", hint=f"run: chmod 400 {path}")
    text = _read(path)
    passphrase = text.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase or len(passphrase) > _MAX_PASSPHRASE:
        raise KeyRefused(f"{path} holds no passphrase of 1 to {_MAX_PASSPHRASE} octets", hint="write it there")
    return passphrase


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
        raise KeyRefused(f"the key {path} is missing", hint=RESTORE) from exc
    except AuditError as exc:
        raise KeyRefused(exc.message, hint=f"it must be a small file that can be read: {RESTORE}") from exc


def _check_folder(folder: Path, hint: str = "") -> None:
    try:
        found = os.lstat(folder)
    except FileNotFoundError as exc:
        raise KeyRefused(f"the key folder {folder} is missing", hint=RESTORE) from exc
    if not stat.S_ISDIR(found.st_mode):
        raise KeyRefused(
            f"{folder} is not a folder (a symbolic link is not followed)", hint="move the folder itself there"
        )
    _check_closed(folder, found, hint or f"run: chmod 700 {folder}")


def _check_file(path: Path, mode: int) -> None:
    _check_closed(path, _regular(path), f"run: chmod {mode:o} {path}")


def _regular(path: Path) -> os.stat_result:
    try:
        found = os.lstat(path)
    except FileNotFoundError as exc:
        raise KeyRefused(f"the key {path} is missing", hint=RESTORE) from exc
    except OSError as exc:
        raise KeyRefused(f"the key {path} cannot be looked at: {exc.strerror}", hint=RESTORE) from exc
    if not stat.S_ISREG(found.st_mode):
        raise KeyRefused(
            f"{path} is not a regular file (a symbolic link is not followed)", hint=f"put the file itself at {path}"
        )
    return found


def _check_closed(path: Path, found: os.stat_result, hint: str) -> None:
    _check_owner(path, found)
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise KeyRefused(f"{path} is open to others (mode {stat.S_IMODE(found.st_mode):04o})", hint=hint)


def _check_owner(path: Path, found: os.stat_result) -> None:
    me = os.geteuid()
    if found.st_uid not in (me, 0):
        raise KeyRefused(f"{path} belongs to user {found.st_uid}", hint=f"run: chown {me} {path}")


def _parse(path: Path, pem: bytes, passphrase: bytes | None) -> SealingKey:
    """Read the one key that ``pem`` holds: its form first, then its strength, and only then its arithmetic (0.1 s)."""
    _check_form(path, pem)
    encrypted = b"ENCRYPTED" in pem
    if encrypted and not passphrase:
        raise KeyRefused(f"{path} is encrypted, and there is no passphrase", hint=_OPENS_WITH)
    password = passphrase if encrypted else None
    try:
        SealingKey(_load(path, pem, password, checked=False))
        return SealingKey(_load(path, pem, password, checked=True))
    except KeyRefused as exc:
        message = exc.message if str(path) in exc.message else f"{path}: {exc.message}"
        raise KeyRefused(message, hint=_REPLACE if exc.hint in {"", MAKE} else exc.hint) from exc


def _load(path: Path, pem: bytes, password: bytes | None, *, checked: bool) -> "RSAPrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(pem, password=password, unsafe_skip_rsa_key_validation=not checked)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        if password is not None:
            raise KeyRefused(
                f"the passphrase does not open {path}", hint=f"{_OPENS_WITH} that belongs to it; or the file is damaged"
            ) from exc
        raise KeyRefused(f"{path} is damaged: it holds no usable private key", hint=RESTORE) from exc
    if not isinstance(private, rsa.RSAPrivateKey):
        raise KeyRefused(f"{path} holds a key that is not RSA")
    return private


def _check_form(path: Path, pem: bytes) -> None:
    """Refuse what is not exactly one PKCS#8 PEM block, each mistake with its own way out."""
    kinds = _BEGIN.findall(pem)
    if not pem:
        raise KeyRefused(f"{path} is empty", hint=RESTORE)
    if not kinds:
        raise KeyRefused(f"{path} is not a PEM file", hint=RESTORE)
    if len(kinds) > 1:
        raise KeyRefused(
            f"{path} must hold exactly one key, not {len(kinds)} PEM blocks",
            hint="remove all but the one that this log is sealed with",
        )
    kind = kinds[0].decode()
    if kind in {"PUBLIC KEY", "CERTIFICATE", "RSA PUBLIC KEY"}:
        raise KeyRefused(f"{path} holds a {kind.lower()}, not a private key", hint=_REPLACE)
    if kind in {"EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY"}:
        raise KeyRefused(f"{path} holds a key that is not RSA in PKCS#8 ({kind})", hint=_REPLACE)
    if kind == "RSA PRIVATE KEY":
        raise KeyRefused(f"{path} is not PKCS#8", hint=f"run: openssl pkcs8 -topk8 -nocrypt -in {path} -out NEW")
    if b"\r" in pem:
        raise KeyRefused(f"{path} has the line ends of another system", hint=f"run: sed -i 's/\\r$//' {path}")
    if b"-----END " not in pem:
        raise KeyRefused(f"{path} ends in the middle", hint=RESTORE)
    if not _PEM.fullmatch(pem):
        raise KeyRefused(f"{path} holds something else around or in its key", hint=f"remove that, or {RESTORE}")


def publish(folder: Path, public: PublicKey) -> None:
    """Write ``seal.pub`` where there is none, as after a crash; raises ``KeyRefused`` for one of another key."""
    path = folder / places.SEAL_PUB
    if not os.path.lexists(path):
        write_atomically(path, public.pem)
    elif load_public(path) != public:
        raise KeyRefused(
            f"{path} is not the public half of the sealing key",
            hint=f"one of them was replaced: find out which, and {RESTORE}",
        )
