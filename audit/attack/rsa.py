"""RSA by hand: signatures that no honest library makes, with keys that none accepts."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import lcm
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from audit import block, der
from audit.keys import SealingKey
from audit.signature import PublicKey

# Two primes that anybody may know: what they seal is worth nothing, which is the point.
_SMALL: Final = (
    0xDB6FDD86004987B6C57A3C362249C9B86AAA2618CE753EC26328BDDACD7C9D7F,
    0xD651A250C665D6CDD5C086F6B8CA21C5ADDD71CE3A386518516869282F17CF83,
)


@dataclass(frozen=True)
class Weak:
    """A key that must be refused: too short, or with an exponent that is not 65537."""

    p: int
    q: int
    exponent: int

    @classmethod
    def of(cls, bits: int, exponent: int) -> "Weak":
        """Make one."""
        if bits < 1024:
            return cls(*_SMALL, exponent)
        made = rsa.generate_private_key(public_exponent=3 if exponent == 3 else 65_537, key_size=bits)
        numbers = made.private_numbers()
        return cls(numbers.p, numbers.q, exponent)

    @property
    def modulus(self) -> int:
        """The product of the primes."""
        return self.p * self.q

    @cached_property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo, strict DER."""
        algorithm = der.encode(der.SEQUENCE, der.oid("1.2.840.113549.1.1.1"), der.NULL)
        key = der.encode(der.SEQUENCE, der.integer(self.modulus), der.integer(self.exponent))
        return der.encode(der.SEQUENCE, algorithm, der.encode(der.BIT_STRING, b"\x00" + key))

    @property
    def pem(self) -> bytes:
        """The public key file."""
        text = base64.encodebytes(self.spki)
        return b"-----BEGIN PUBLIC KEY-----\n" + text + b"-----END PUBLIC KEY-----\n"

    @property
    def public(self) -> "Weak":
        """The key that checks what this one makes: itself."""
        return self

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo."""
        return sha256(self.spki).hexdigest()

    def sign(self, message: bytes) -> bytes:
        """Return a PSS signature as good as the key's size allows; with the exponent 1 it needs no secret at all."""
        bits = self.modulus.bit_length() - 1
        secret = pow(self.exponent, -1, lcm(self.p - 1, self.q - 1))
        encoded = int.from_bytes(_encoded(sha256(message).digest(), bits), "big")
        return pow(encoded, secret, self.modulus).to_bytes((bits + 8) // 8, "big")


def _encoded(digest: bytes, bits: int) -> bytes:
    """EMSA-PSS-ENCODE, RFC 8017 section 9.1.1, with a salt of 32 zeros, or as many as there is room for."""
    size = (bits + 7) // 8
    salt = bytes(min(32, size - 34))
    hashed = sha256(bytes(8) + digest + salt).digest()
    data = bytes(size - len(salt) - 34) + b"\x01" + salt
    mask = b"".join(sha256(hashed + number.to_bytes(4, "big")).digest() for number in range(size // 32 + 1))
    masked = bytearray(one ^ two for one, two in zip(data, mask, strict=False))
    masked[0] &= 0xFF >> (8 * size - bits)
    return bytes(masked) + hashed + b"\xbc"


@dataclass(frozen=True)
class Odd:
    """A good key, used in another way than the format says."""

    key: SealingKey
    how: Callable[[rsa.RSAPrivateKey, bytes], bytes]

    @property
    def public(self) -> PublicKey:
        """The key that checks what it makes properly."""
        return self.key.public

    @cached_property
    def _private(self) -> rsa.RSAPrivateKey:
        found = serialization.load_pem_private_key(self.key.pem(), None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(found, rsa.RSAPrivateKey):
            raise TypeError
        return found

    def sign(self, message: bytes) -> bytes:
        """Return an odd signature."""
        return self.how(self._private, message)


def pkcs1(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256."""
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def salted(size: int) -> Callable[[rsa.RSAPrivateKey, bytes], bytes]:
    """PSS with a salt of another size."""
    return lambda key, message: key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), size), hashes.SHA256())


def hashed(algorithm: hashes.HashAlgorithm) -> Callable[[rsa.RSAPrivateKey, bytes], bytes]:
    """PSS with another hash."""
    return lambda key, message: key.sign(message, padding.PSS(padding.MGF1(algorithm), 32), algorithm)


def bare(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    """PSS as it should be, over the header without the words that say what is signed."""
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return key.sign(message.removeprefix(block.SIGNED_PREFIX), pss, hashes.SHA256())
