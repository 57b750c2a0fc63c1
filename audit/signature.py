"""RSA-PSS signatures, checked with the standard library alone (RFC 8017, section 8.1.2).

SHA-256, MGF1-SHA-256, a salt of 32 octets, keys of at least 3072 bits with exponent 65537. The ``cryptography``
package is used for speed where it is installed; the pure path says yes and no to the same signatures.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

from audit.errors import KeyRefused

MIN_BITS: Final = 3072
MAX_BITS: Final = 16_384
EXPONENT: Final = 65_537
SALT: Final = 32
_HASH: Final = 32
_AGAIN: Final = "copy keys/seal.pub from the state folder again, and compare its fingerprint"
MAKE: Final = f"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{MIN_BITS} makes one that is accepted"
_PEM: Final = re.compile(rb"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")
# AlgorithmIdentifier { rsaEncryption, NULL }
_RSA_ENCRYPTION: Final = bytes.fromhex("300d06092a864886f70d0101010500")

_Check = Callable[[bytes, bytes], bool]


@dataclass(frozen=True)
class PublicKey:
    """An RSA public key fit to check the log's blocks."""

    modulus: int

    def __post_init__(self) -> None:
        """Refuse a size that is too weak to trust or too large to be anything but an attack."""
        bits = self.modulus.bit_length()
        if not MIN_BITS <= bits <= MAX_BITS:
            raise KeyRefused(f"an RSA key of {bits} bits is refused: {MIN_BITS} to {MAX_BITS} are accepted", hint=MAKE)

    @classmethod
    def from_pem(cls, pem: bytes) -> "PublicKey":
        """Read exactly one ``PUBLIC KEY`` (SubjectPublicKeyInfo, RFC 7468); raises ``KeyRefused``."""
        if b"PRIVATE KEY" in pem:
            raise KeyRefused("this is a private key", hint="give the public one, seal.pub")
        match = _PEM.fullmatch(pem)
        if b"BEGIN CERTIFICATE" in pem:
            raise KeyRefused("this is a certificate", hint="take the key out: openssl x509 -in FILE -pubkey -noout")
        if match is None:
            raise KeyRefused("not exactly one PEM block of the type PUBLIC KEY", hint=_AGAIN)
        try:
            der = base64.b64decode(b"".join(match[1].split()), validate=True)
        except binascii.Error as exc:
            raise KeyRefused("the PEM block is not base64", hint=_AGAIN) from exc
        return cls.from_der(der)

    @classmethod
    def from_der(cls, der: bytes) -> "PublicKey":
        """Read a SubjectPublicKeyInfo; raises ``KeyRefused`` unless it is RSA, strict DER, and exponent 65537."""
        modulus, exponent = _numbers(der)
        if exponent != EXPONENT:
            raise KeyRefused(
                f"an RSA key with exponent {str(exponent)[:20]} is refused: only {EXPONENT} is accepted", hint=MAKE
            )
        key = cls(modulus)
        if key.der != der:
            raise KeyRefused("the key is not written in strict DER", hint=_AGAIN)
        return key

    @cached_property
    def der(self) -> bytes:
        """The SubjectPublicKeyInfo."""
        key = _tlv(0x30, _integer(self.modulus) + _integer(EXPONENT))
        return _tlv(0x30, _RSA_ENCRYPTION + _tlv(0x03, b"\x00" + key))

    @cached_property
    def pem(self) -> bytes:
        """The same, as in ``seal.pub``."""
        text = base64.b64encode(self.der)
        lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
        return b"-----BEGIN PUBLIC KEY-----\n" + lines + b"\n-----END PUBLIC KEY-----\n"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo, 64 hex digits: what people compare and headers name."""
        return sha256(self.der).hexdigest()

    @property
    def size(self) -> int:
        """How many octets a signature has."""
        return (self.modulus.bit_length() + 7) // 8

    @cached_property
    def fast(self) -> bool:
        """Whether signatures are checked by ``cryptography`` rather than in pure Python."""
        return _fast_check(self.der) is not None

    @cached_property
    def _check(self) -> _Check:
        return _fast_check(self.der) or self.verify_pure

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` is this key's over ``message``."""
        return len(signature) == self.size and self._check(signature, message)

    def verify_pure(self, signature: bytes, message: bytes) -> bool:
        """Check with the standard library alone."""
        number = int.from_bytes(signature, "big")
        if len(signature) != self.size or number >= self.modulus:
            return False
        bits = self.modulus.bit_length() - 1
        encoded = pow(number, EXPONENT, self.modulus)
        if encoded.bit_length() > bits:
            return False
        return _pss_matches(encoded.to_bytes((bits + 7) // 8, "big"), bits, sha256(message).digest())


def _pss_matches(encoded: bytes, bits: int, digest: bytes) -> bool:
    """EMSA-PSS-VERIFY, RFC 8017 section 9.1.2; the numbers in comments are its steps."""
    masked, hashed, trailer = encoded[: -_HASH - 1], encoded[-_HASH - 1 : -1], encoded[-1]
    spare = 8 * len(encoded) - bits
    if trailer != 0xBC:  # 4; step 6, the spare bits, is what the caller's bit_length() has checked
        return False
    mask = _mgf1(hashed, len(masked))  # 7
    data = bytearray(a ^ b for a, b in zip(masked, mask, strict=True))  # 8
    data[0] &= 0xFF >> spare  # 9
    padding, salt = data[:-SALT], data[-SALT:]
    if any(padding[:-1]) or padding[-1] != 1:  # 10
        return False
    return hmac.compare_digest(hashed, sha256(bytes(8) + digest + salt).digest())  # 12-14


def _mgf1(seed: bytes, size: int) -> bytes:
    blocks = (sha256(seed + counter.to_bytes(4, "big")).digest() for counter in range(-(-size // _HASH)))
    return b"".join(blocks)[:size]


def _fast_check(der: bytes) -> _Check | None:
    """Return a check done by ``cryptography``, or None where that package is not installed."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_der_public_key
    except ImportError:
        return None
    key = load_der_public_key(der)
    if not isinstance(key, rsa.RSAPublicKey):  # the caller has parsed it as RSA already
        return None
    pss, algorithm = padding.PSS(padding.MGF1(SHA256()), SALT), SHA256()

    def check(signature: bytes, message: bytes) -> bool:
        try:
            key.verify(signature, message, pss, algorithm)
        except InvalidSignature:
            return False
        return True

    return check


def _numbers(der: bytes) -> tuple[int, int]:
    """Return modulus and exponent; lenient about spelling, because ``from_der`` compares the octets afterwards."""
    try:
        outer = _content(der, 0, 0x30)[0]
        if not outer.startswith(_RSA_ENCRYPTION):
            raise KeyRefused("not an RSA key", hint=_AGAIN)
        bits = _content(outer, len(_RSA_ENCRYPTION), 0x03)[0]
        pair = _content(bits, 1, 0x30)[0]
        modulus, at = _content(pair, 0, 0x02)
        exponent, _ = _content(pair, at, 0x02)
    except IndexError as exc:
        raise KeyRefused("the key ends in the middle", hint=_AGAIN) from exc
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def _content(der: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """Return the content of the element at ``at`` and where the next one begins."""
    if der[at] != tag:
        raise KeyRefused("not a public key in DER", hint=_AGAIN)
    length, start = der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        start, length = start + count, int.from_bytes(der[start : start + count], "big")
    if start + length > len(der):
        raise KeyRefused("the key ends in the middle", hint=_AGAIN)
    return der[start : start + length], start + length


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))
