"""Ed25519 signatures (RFC 8032), checked with the standard library alone where ``cryptography`` is not installed.

Accepted is exactly this, on both paths: 32 octets of key, 64 of signature; both points written canonically (y < p, no
sign on x = 0); S < L; neither the key nor R of small order; and [S]B = R + [h]A as it stands, without the cofactor.
RFC 8032 leaves the last three open. With a key of small order one signature fits many messages, which is no proof of
any; with the cofactor, two verifiers could disagree about one signature. This is what ed25519-dalek calls strict.
"""

import functools
from collections.abc import Callable
from hashlib import sha512
from typing import TYPE_CHECKING, Final

from audit.errors import KeyRefused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY: Final = 32
"""Octets in a public key, and in a seed."""
SIGNATURE: Final = 64
"""Octets in a signature."""

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT: Final = pow(2, (_P - 1) // 4, _P)
_Y: Final = 2**255 - 1
_Y8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
# The y of the eight points whose order divides 8; the sign of x makes no difference to that.
_SMALL: Final = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})

_Point = tuple[int, int, int, int]
"""Extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z; RFC 8032 section 5.1.4."""
_NEUTRAL: Final[_Point] = (0, 1, 1, 0)
_Check = Callable[[bytes, bytes], bool]


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether ``signature`` (64 octets) is the one of ``public`` (32 octets) over ``message``; never raises."""
    if not _well_formed(public, signature):
        return False
    check = _fast_check(public)
    return check(signature, message) if check else _equation(public, signature, message)


def verify_pure(public: bytes, signature: bytes, message: bytes) -> bool:
    """Check with the standard library alone: the same answers, 20 times slower (2 ms)."""
    return _well_formed(public, signature) and _equation(public, signature, message)


def _well_formed(public: bytes, signature: bytes) -> bool:
    """Whether everything is in its range; what OpenSSL does not look at is settled here, for both paths."""
    if len(public) != KEY or len(signature) != SIGNATURE:
        return False
    if int.from_bytes(signature[32:], "little") >= _L:
        return False
    return all(y < _P and y not in _SMALL for y in (_y_of(public), _y_of(signature[:32])))


def _y_of(octets: bytes) -> int:
    return int.from_bytes(octets, "little") & _Y


@functools.lru_cache(maxsize=256)
def _fast_check(public: bytes) -> _Check | None:
    """Return a check done by ``cryptography``, or None where that package is not installed."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None
    key = Ed25519PublicKey.from_public_bytes(public)

    def check(signature: bytes, message: bytes) -> bool:
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return check


def _equation(public: bytes, signature: bytes, message: bytes) -> bool:
    """Compute [S]B - [h]A and compare its encoding with R, which settles that R is canonical too."""
    point = _decode(public)
    if point is None:
        return False
    x, y, z, t = point
    digest = sha512(signature[:32] + public + message).digest()
    # Reduced, as OpenSSL does: for a key with a part of small order it makes a difference.
    challenge = int.from_bytes(digest, "little") % _L
    scalar = int.from_bytes(signature[32:], "little")
    return _encode(_sum_of(scalar, _base_table(), challenge, _table((-x % _P, y, z, -t % _P)))) == signature[:32]


def _decode(octets: bytes) -> _Point | None:
    """RFC 8032 section 5.1.3; the caller has refused y >= p, and with the small orders x = 0."""
    number = int.from_bytes(octets, "little")
    y, sign = number & _Y, number >> 255
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if (v * x * x - u) % _P:
        x = x * _ROOT % _P
        if (v * x * x - u) % _P:
            return None
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


def _encode(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    return ((y * inverse % _P) | (x * inverse % _P & 1) << 255).to_bytes(32, "little")


def _add(left: _Point, right: _Point) -> _Point:
    x1, y1, z1, t1 = left
    x2, y2, z2, t2 = right
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * _D * t1 * t2 % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _double(point: _Point) -> _Point:
    x, y, z, _ = point
    a, b = x * x % _P, y * y % _P
    h = a + b
    e, g = h - (x + y) * (x + y), a - b
    f = 2 * z * z + g
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _table(point: _Point) -> list[_Point]:
    """The point times 0 to 15."""
    table = [_NEUTRAL]
    for _ in range(15):
        table.append(_add(table[-1], point))
    return table


@functools.cache
def _base_table() -> list[_Point]:
    base = _decode((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    return _table(base or _NEUTRAL)


def _sum_of(first: int, firsts: list[_Point], second: int, seconds: list[_Point]) -> _Point:
    """Add two multiples, four bits of both at a time (the doublings are shared)."""
    point = _NEUTRAL
    for shift in range(252, -1, -4):
        point = _double(_double(_double(_double(point))))
        point = _add(_add(point, firsts[first >> shift & 15]), seconds[second >> shift & 15])
    return point


class Secret:
    """A signing key, held by OpenSSL in memory that it overwrites when this object is let go.

    Python's own bytes cannot be overwritten: a seed that was once read into them stays where it was until the memory
    is used again. So ``generate`` never shows one to Python, and ``seed`` is for the file of a clean stop only.
    """

    __slots__ = ("_private", "public")

    def __init__(self, private: "Ed25519PrivateKey") -> None:
        self.public: Final = private.public_key().public_bytes_raw()
        self._private = private

    @classmethod
    def generate(cls) -> "Secret":
        """Make a new key (about 30 µs)."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> "Secret":
        """Take up a key from its 32 octets; raises ``KeyRefused`` for any other number of them."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(seed) != KEY:
            raise KeyRefused(f"an Ed25519 seed has {KEY} octets, not {len(seed)}")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 octets; it is the same each time."""
        return self._private.sign(message)

    def seed(self) -> bytes:
        """Return the 32 octets that ``from_seed`` takes; whoever has them can sign."""
        return self._private.private_bytes_raw()

    def __repr__(self) -> str:
        return f"Secret(public={self.public.hex()})"
