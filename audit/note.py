"""Signed notes: a text, and lines that say who signed it (c2sp.org/signed-note, c2sp.org/tlog-cosignature).

Ed25519 signatures over the text (0x01), timestamped Ed25519 cosignatures of a tree head (0x04) and, where
``cryptography`` has the algorithm, ML-DSA-44 cosignatures (0x06). Signatures of other kinds are
carried, never believed.
"""

import base64
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from audit import ed25519
from audit.errors import Forged, KeyRefused, Malformed, UnknownVersion, Unsigned
from audit.treehead import TreeHead, decode_base64, parse_base64

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

MAX_NOTE: Final = 1_000_000
MAX_SIGNATURES: Final = 100
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")
_NO_NAME: Final = re.compile("[\x00-\x1f+\ud800-\udfff]")
"""What is no text in UTF-8 is no name either: a policy's lines come here as they are."""
_HEX_ID: Final = re.compile("[0-9a-f]{8}", re.ASCII)
_PRIVATE: Final = "PRIVATE+KEY+"
_DASH: Final = "\u2014 "
_TIMED: Final = 8
"""Octets of the time before a cosignature proper."""


class Kind(IntEnum):
    """The signature types this code can check."""

    ED25519 = 0x01
    COSIGNATURE = 0x04
    MLDSA44 = 0x06


_PUBLIC_SIZE: Final = {Kind.ED25519: 32, Kind.COSIGNATURE: 32, Kind.MLDSA44: 1312}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line, believed or not."""

    name: str
    key_id: bytes
    """Four octets that, with the name, tell which key and which algorithm."""
    octets: bytes
    """What follows the key id; for cosignatures eight octets of time come first."""

    def line(self) -> str:
        """Return the line, its newline included."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.octets).decode()}\n"

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """Read a line without its newline; raises ``Malformed``."""
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not _is_name(name):
            raise Malformed(f"{line[:80]!r} is not a signature line")
        # Stray bits are let pass as everybody else does: a witness must answer 403 to such a signature, not 400.
        octets = decode_base64(encoded)
        if len(octets) < 5:
            raise Malformed(f"the signature of {name[:80]!r} is too short")
        return cls(name=name, key_id=octets[:4], octets=octets[4:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text and its signature lines, in the order they came; nothing is believed yet."""

    text: str
    """Ends in a newline."""
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, octets: bytes) -> "Note":
        """Read a note of at most 1 MB and 100 signatures; raises ``Malformed``."""
        if len(octets) > MAX_NOTE:
            raise Malformed(f"a note of more than {MAX_NOTE} bytes is refused")
        try:
            whole = octets.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise Malformed("the note is not UTF-8") from exc
        if _CONTROL.search(whole):
            raise Malformed("the note holds a control character")
        text, separator, rest = whole.rpartition("\n\n")
        if not separator or not rest.endswith("\n"):
            raise Malformed("the note has no signature lines after a blank line")
        return cls(text=text + "\n", signatures=parse_lines(rest))

    def octets(self) -> bytes:
        """Return the note as it is sent and kept."""
        return "".join([self.text, "\n", *(signature.line() for signature in self.signatures)]).encode()

    def plus(self, more: Iterable[Signature]) -> "Note":
        """Return the note with further signatures; a later one of the same key takes the place of the earlier."""
        by_key = {(one.name, one.key_id): one for one in (*self.signatures, *more)}
        return Note(text=self.text, signatures=tuple(by_key.values()))


def parse_lines(text: str) -> tuple[Signature, ...]:
    """Read signature lines, one or more, each ended by a newline; raises ``Malformed``."""
    lines = text.split("\n")
    if lines.pop() or not lines:
        raise Malformed("signature lines end in a newline")
    if len(lines) > MAX_SIGNATURES:
        raise Malformed(f"more than {MAX_SIGNATURES} signatures are refused")
    return tuple(Signature.parse(line) for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A public key with the name it signs under."""

    name: str
    kind: Kind
    public: bytes

    def __post_init__(self) -> None:
        """Refuse what cannot be a key; raises ``Malformed``."""
        if not _is_name(self.name):
            raise Malformed(f"{self.name[:80]!r} cannot name a key: no spaces, no plus, not empty")
        if len(self.public) != _PUBLIC_SIZE[self.kind]:
            raise Malformed(f"the key {self.name!r} has {len(self.public)} octets, not {_PUBLIC_SIZE[self.kind]}")

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Read ``name+id+base64(kind, key)``; raises ``Malformed``, ``UnknownVersion`` for kinds not known here."""
        name, key_id, kind, public = _parse_key(vkey)
        verifier = cls(name=name, kind=kind, public=public)
        if verifier.key_id.hex() != key_id:
            raise Malformed(f"the id {key_id} is not that of the key {name!r}", hint="was the key mistyped?")
        return verifier

    def vkey(self) -> str:
        """Return the text ``parse`` reads."""
        encoded = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @property
    def key_id(self) -> bytes:
        """The first four octets of SHA-256(name, newline, kind, key)."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    @property
    def usable(self) -> bool:
        """Whether this host can check this key's signatures: ML-DSA-44 needs a recent ``cryptography``."""
        return self.kind is not Kind.MLDSA44 or _has_mldsa()

    def verify(self, text: str, signature: bytes) -> bool:
        """Tell whether ``signature`` (without its key id) is this key's over ``text``."""
        if self.kind is Kind.ED25519:
            return len(signature) == 64 and ed25519.verify(self.public, signature, text.encode())
        time = time_of(signature)
        try:
            message = _cosigned(self.kind, self.name, time, text)
        except Malformed:
            return False
        if self.kind is Kind.COSIGNATURE:
            return len(signature) == _TIMED + 64 and ed25519.verify(self.public, signature[_TIMED:], message)
        return _verify_mldsa(self.public, signature[_TIMED:], message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A note somebody known has signed."""

    text: str
    by: tuple[tuple[Verifier, Signature], ...]
    """Who signed it, in the order of the lines; each key once."""
    unknown: tuple[Signature, ...]
    """Signatures of keys nobody vouched for: ignored."""


def open_note(note: Note, verifiers: Iterable[Verifier]) -> Opened:
    """Check the signatures of known keys.

    Raises ``Forged`` where a known key's signature does not verify or two known keys answer to one signature, and
    ``Unsigned`` where no known key has signed. A key's second signature is not looked at.
    """
    known: dict[tuple[str, bytes], list[Verifier]] = {}
    for verifier in filter(lambda verifier: verifier.usable, verifiers):
        known.setdefault((verifier.name, verifier.key_id), []).append(verifier)
    by: dict[tuple[str, bytes], tuple[Verifier, Signature]] = {}
    unknown: dict[Signature, None] = {}
    for signature in note.signatures:
        key = (signature.name, signature.key_id)
        if key not in known:
            unknown[signature] = None
        elif key not in by:
            by[key] = (_checked(note.text, signature, known[key]), signature)
    if not by:
        raise Unsigned("no key that is known here has signed this note")
    return Opened(text=note.text, by=tuple(by.values()), unknown=tuple(unknown))


def _checked(text: str, signature: Signature, answering: list[Verifier]) -> Verifier:
    if len(answering) > 1:
        raise Forged(f"two known keys answer to the signature of {signature.name!r}")
    if not answering[0].verify(text, signature.octets):
        raise Forged(f"the signature of {signature.name!r} does not verify")
    return answering[0]


def time_of(signature: bytes) -> int:
    """Return a cosignature's time in seconds since 1970, believable only once it has been verified."""
    return int.from_bytes(signature[:_TIMED], "big")


class Signer:
    """A private key with the name it signs under; its seed is the whole secret, 32 octets."""

    def __init__(self, name: str, secret: ed25519.Secret, kind: Kind = Kind.ED25519) -> None:
        """Sign under ``name``; raises ``Malformed`` for a name or kind that cannot be."""
        if kind is Kind.MLDSA44:
            raise Malformed("an Ed25519 key makes no ML-DSA signatures")
        self.verifier = Verifier(name=name, kind=kind, public=secret.public)
        self._secret = secret

    def sign(self, text: str, time: int = 0) -> Signature:
        """Sign ``text``; ``time`` (seconds since 1970) goes into cosignatures only.

        Raises ``Malformed`` where a cosignature is asked for of what is no tree head.
        """
        name, kind = self.verifier.name, self.verifier.kind
        if kind is Kind.ED25519:
            octets = self._secret.sign(text.encode())
        else:
            message = _cosigned(kind, name, time, text)
            octets = time.to_bytes(_TIMED, "big") + self._secret.sign(message)
        return Signature(name=name, key_id=self.verifier.key_id, octets=octets)

    def skey(self) -> str:
        """Return the private key's text, as ``parse_signer`` reads it: keep it secret."""
        return _skey(self.verifier, self._secret.seed())


class PostQuantumSigner:
    """An ML-DSA-44 cosigner (FIPS 204), which needs a ``cryptography`` that has the algorithm."""

    def __init__(self, name: str, private: "MLDSA44PrivateKey") -> None:
        """Sign under ``name``; raises ``Malformed`` for a name that cannot be."""
        public = private.public_key().public_bytes_raw()
        self.verifier = Verifier(name=name, kind=Kind.MLDSA44, public=public)
        self._private = private

    @classmethod
    def generate(cls, name: str) -> "PostQuantumSigner":
        """Make a new key; raises ``UnknownVersion`` where ``cryptography`` has no ML-DSA."""
        private, _ = _mldsa()
        return cls(name, private.generate())

    def sign(self, text: str, time: int = 0) -> Signature:
        """Cosign a tree head at ``time`` (seconds since 1970); raises ``Malformed`` for any other text."""
        message = _cosigned(Kind.MLDSA44, self.verifier.name, time, text)
        octets = time.to_bytes(_TIMED, "big") + self._private.sign(message)
        return Signature(name=self.verifier.name, key_id=self.verifier.key_id, octets=octets)

    def skey(self) -> str:
        """Return the private key's text, as ``parse_signer`` reads it: keep it secret."""
        return _skey(self.verifier, self._private.private_bytes_raw())


def parse_signer(skey: str) -> Signer | PostQuantumSigner:
    """Read ``PRIVATE+KEY+name+id+base64(kind, seed)``; raises ``KeyRefused`` without ever showing the secret."""
    try:
        signer, key_id = _parse_skey(skey)
    except UnknownVersion as exc:
        raise KeyRefused(exc.message, hint=exc.hint) from exc
    except Malformed:
        raise KeyRefused("not exactly one private key of the form PRIVATE+KEY+name+id+base64") from None
    if signer.verifier.key_id.hex() != key_id:
        raise KeyRefused(f"the id {key_id} is not that of this private key", hint="restore it from your backup")
    return signer


def _parse_skey(skey: str) -> tuple[Signer | PostQuantumSigner, str]:
    if not skey.startswith(_PRIVATE):
        raise Malformed("not a private key")
    name, key_id, kind, seed = _parse_key(skey.removeprefix(_PRIVATE))
    if len(seed) != 32:
        raise Malformed("a seed has 32 octets")
    if kind is not Kind.MLDSA44:
        return Signer(name, ed25519.Secret.from_seed(seed), kind), key_id
    private, _ = _mldsa()
    return PostQuantumSigner(name, private.from_seed_bytes(seed)), key_id


def _skey(verifier: Verifier, seed: bytes) -> str:
    encoded = base64.b64encode(bytes([verifier.kind]) + seed).decode()
    return f"{_PRIVATE}{verifier.name}+{verifier.key_id.hex()}+{encoded}"


def _parse_key(text: str) -> tuple[str, str, Kind, bytes]:
    """Take ``name+id+base64(kind, key)`` apart."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    if not _is_name(name) or not _HEX_ID.fullmatch(key_id):
        raise Malformed("a key is written name+id+base64, its id as 8 hex digits")
    octets = parse_base64(encoded)
    if not octets:
        raise Malformed(f"the key {name!r} is empty")
    try:
        kind = Kind(octets[0])
    except ValueError as exc:
        raise UnknownVersion(f"the key {name!r} is of the unknown kind 0x{octets[0]:02x}") from exc
    return name, key_id, kind, octets[1:]


def _is_name(name: str) -> bool:
    return bool(name) and not _NO_NAME.search(name) and not any(map(str.isspace, name))


def _cosigned(kind: Kind, name: str, time: int, text: str) -> bytes:
    """Return what a cosigner signs; raises ``Malformed`` where ``text`` is no tree head or the time is beyond 2^63."""
    if not 0 <= time < 2**63:
        raise Malformed(f"{str(time)[:25]} is not a time")
    head = TreeHead.parse(text)
    if kind is Kind.COSIGNATURE:
        return f"cosignature/v1\ntime {time}\n{text}".encode()
    numbers = (0).to_bytes(8, "big") + head.size.to_bytes(8, "big")
    return b"subtree/v1\n\0" + _opaque(name) + time.to_bytes(8, "big") + _opaque(head.origin) + numbers + head.root


def _opaque(text: str) -> bytes:
    """Return 1 to 255 octets behind their length (RFC 8446, section 3.4)."""
    octets = text.encode()
    if not 1 <= len(octets) <= 255:
        raise Malformed(f"{text[:80]!r} is too long for a cosignature")
    return bytes([len(octets)]) + octets


def _verify_mldsa(public: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    _, key = _mldsa()
    try:
        key.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _mldsa() -> tuple[type["MLDSA44PrivateKey"], type["MLDSA44PublicKey"]]:
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
    except ImportError as exc:
        raise UnknownVersion(
            "ML-DSA-44 is not available here", hint="install cryptography 48 or newer: pip install cryptography"
        ) from exc
    return MLDSA44PrivateKey, MLDSA44PublicKey


@functools.cache
def _has_mldsa() -> bool:
    """Whether this host can check ML-DSA-44: the module may be there without the algorithm behind it."""
    try:
        private, _ = _mldsa()
    except UnknownVersion:
        return False
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        private.generate()
    except UnsupportedAlgorithm:
        return False
    return True
