"""The signatures of certificates and time-stamp tokens, checked with the standard library alone.

RSA PKCS#1 v1.5 and RSA-PSS (RFC 8017), ECDSA over P-256 and P-384 (FIPS 186-5), each with SHA-256, SHA-384 or
SHA-512. SHA-1 is not among them: who can make two documents with one digest can move a signature between them.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Literal

from audit import der
from audit.errors import KeyRefused, Malformed, UnknownVersion

HASHES: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
MIN_BITS: Final = 2048
MAX_BITS: Final = 8192
_EXPONENT: Final = 65_537
_RSA_KEY: Final = der.encode(der.SEQUENCE, der.oid("1.2.840.113549.1.1.1"), der.NULL)
_EC_KEY: Final = "1.2.840.10045.2.1"

_Scheme = Literal["rsa", "pss", "ecdsa"]


def _pss(oid: str, tail: bytes, salt: int) -> bytes:
    """Return the identifier of RSASSA-PSS with one hash for everything and a salt of its length (RFC 4055)."""
    hashed = der.encode(der.SEQUENCE, der.oid(oid), tail)
    mask = der.encode(der.SEQUENCE, der.oid("1.2.840.113549.1.1.8"), hashed)
    fields = (hashed, mask, der.integer(salt))
    parameters = (der.encode(der.context(number), field) for number, field in enumerate(fields))
    return der.encode(der.SEQUENCE, der.oid("1.2.840.113549.1.1.10"), der.encode(der.SEQUENCE, *parameters))


def _known() -> dict[bytes, tuple[_Scheme, str]]:
    """Write every accepted AlgorithmIdentifier out: what is compared whole needs no parser that can be fooled."""
    known: dict[bytes, tuple[_Scheme, str]] = {_RSA_KEY: ("rsa", "")}
    for number, (oid, name) in enumerate(HASHES.items()):
        known[der.encode(der.SEQUENCE, der.oid(f"1.2.840.113549.1.1.{11 + number}"), der.NULL)] = ("rsa", name)
        known[der.encode(der.SEQUENCE, der.oid(f"1.2.840.10045.4.3.{2 + number}"))] = ("ecdsa", name)
        for tail in (b"", der.NULL):
            known[_pss(oid, tail, hashlib.new(name).digest_size)] = ("pss", name)
    return known


_KNOWN: Final = _known()


def hash_name(identifier: der.Element) -> str:
    """Return the name hashlib has for an AlgorithmIdentifier; raises ``UnknownVersion`` for SHA-1 and the like."""
    reader = identifier.reader()
    oid = reader.take(der.OID).oid()
    if reader.rest() and identifier.content[-2:] != der.NULL:
        raise Malformed("a hash with parameters")
    if oid not in HASHES:
        raise UnknownVersion(f"the hash {oid} is not accepted here: SHA-256, SHA-384 and SHA-512 are")
    return HASHES[oid]


def verify(spki: bytes, algorithm: bytes, signature: bytes, message: bytes, *, hashed_with: str = "") -> bool:
    """Tell whether ``signature`` is the key's (a SubjectPublicKeyInfo) over ``message``.

    ``algorithm`` is the AlgorithmIdentifier; CMS names the hash apart from it, in ``hashed_with``, and both must agree.
    Raises ``UnknownVersion`` for an algorithm that is not accepted, ``KeyRefused`` for a key that is not.
    """
    known = _KNOWN.get(algorithm)
    if known is None:
        name = der.only(algorithm).reader().take(der.OID).oid()
        raise UnknownVersion(f"the signature algorithm {name}, as it is written here, is not accepted")
    scheme, name = known
    if hashed_with and name and name != hashed_with:
        raise Malformed(f"a signature over {name} for a message hashed with {hashed_with}")
    name = name or hashed_with
    if not name:
        raise UnknownVersion("a signature that does not say its hash")
    digest = hashlib.new(name, message).digest()
    if scheme == "ecdsa":
        return _ecdsa(*_curve_key(spki), signature, digest)
    modulus = _modulus(spki)
    encoded = _open(modulus, signature)
    if encoded is None:
        return False
    if scheme == "rsa":
        return hmac.compare_digest(encoded, _pkcs1(name, digest, len(encoded)))
    return _pss_matches(encoded, modulus.bit_length() - 1, name, digest)


# ---------------------------------------------------------------------------------------------- RSA


def _modulus(spki: bytes) -> int:
    """Return the modulus of an RSA key fit to be trusted."""
    reader = der.only(spki).reader()
    if reader.take(der.SEQUENCE).der != _RSA_KEY:
        raise KeyRefused("an RSA signature, but the key is not RSA")
    key = reader.take(der.BIT_STRING).octets_of_bits()
    reader.end()
    pair = der.only(key).reader()
    modulus, exponent = pair.take(der.INTEGER).number(), pair.take(der.INTEGER).number()
    pair.end()
    if exponent != _EXPONENT or not MIN_BITS <= modulus.bit_length() <= MAX_BITS or modulus < 0:
        raise KeyRefused(f"an RSA key of {modulus.bit_length()} bits and exponent {str(exponent)[:20]} is refused")
    return modulus


def _open(modulus: int, signature: bytes) -> bytes | None:
    """Return the encoded message, as long as the modulus."""
    size, number = (modulus.bit_length() + 7) // 8, int.from_bytes(signature, "big")
    if len(signature) != size or number >= modulus:
        return None
    return pow(number, _EXPONENT, modulus).to_bytes(size, "big")


def _pkcs1(name: str, digest: bytes, size: int) -> bytes:
    """EMSA-PKCS1-v1_5: encoded again and compared whole, since parsing the padding is how forgeries got in."""
    oid = next(oid for oid, known in HASHES.items() if known == name)
    identifier = der.encode(der.SEQUENCE, der.oid(oid), der.NULL)
    info = der.encode(der.SEQUENCE, identifier, der.encode(der.OCTET_STRING, digest))
    return b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info


def _pss_matches(encoded: bytes, bits: int, name: str, digest: bytes) -> bool:
    """EMSA-PSS-VERIFY with a salt as long as the hash, RFC 8017 section 9.1.2."""
    length, salted = (bits + 7) // 8, len(digest)
    if int.from_bytes(encoded, "big").bit_length() > bits or encoded[-1] != 0xBC:
        return False
    encoded = encoded[-length:]
    masked, hashed = encoded[: -salted - 1], encoded[-salted - 1 : -1]
    blocks = (hashlib.new(name, hashed + at.to_bytes(4, "big")).digest() for at in range(-(-len(masked) // salted)))
    data = bytearray(a ^ b for a, b in zip(masked, b"".join(blocks), strict=False))
    data[0] &= 0xFF >> (8 * length - bits)
    padding, salt = data[:-salted], data[-salted:]
    return (
        not any(padding[:-1])
        and padding[-1] == 1
        and hmac.compare_digest(hashed, hashlib.new(name, bytes(8) + digest + salt).digest())
    )


# -------------------------------------------------------------------------------------------- ECDSA

_Point = tuple[int, int, int]
"""Jacobian coordinates; z = 0 is the point at infinity."""
_INFINITY: Final = (1, 1, 0)


@dataclass(frozen=True, slots=True)
class _Curve:
    """y² = x³ - 3x + b over the integers modulo p, with a base point of order n."""

    p: int
    b: int
    n: int
    x: int
    y: int


_CURVES: Final = {
    "1.2.840.10045.3.1.7": _Curve(
        p=2**256 - 2**224 + 2**192 + 2**96 - 1,
        b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        n=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        x=0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        y=0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
    "1.3.132.0.34": _Curve(
        p=2**384 - 2**128 - 2**96 + 2**32 - 1,
        b=0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        n=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        x=0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        y=0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
    ),
}


def _curve_key(spki: bytes) -> tuple[_Curve, int, int]:
    """Return curve and point of an uncompressed public key (RFC 5480)."""
    reader = der.only(spki).reader()
    identifier = reader.take(der.SEQUENCE).reader()
    if identifier.take(der.OID).oid() != _EC_KEY:
        raise KeyRefused("an ECDSA signature, but the key is not on a curve")
    curve = _CURVES.get(identifier.take(der.OID).oid())
    identifier.end()
    key = reader.take(der.BIT_STRING).octets_of_bits()
    reader.end()
    if curve is None:
        raise KeyRefused("a key on another curve than P-256 or P-384")
    size = (curve.p.bit_length() + 7) // 8
    x, y = int.from_bytes(key[1 : 1 + size], "big"), int.from_bytes(key[1 + size :], "big")
    on_curve = (y * y - x**3 + 3 * x - curve.b) % curve.p == 0
    if key[:1] != b"\x04" or len(key) != 1 + 2 * size or max(x, y) >= curve.p or not on_curve:
        raise KeyRefused("a public key that is not an uncompressed point of its curve")
    return curve, x, y


def _ecdsa(curve: _Curve, x: int, y: int, signature: bytes, digest: bytes) -> bool:
    """Check per FIPS 186-5, section 6.4.2; nothing here is secret, so nothing needs constant time."""
    try:
        pair = der.only(signature).reader()
        r, s = pair.take(der.INTEGER).number(), pair.take(der.INTEGER).number()
        pair.end()
    except Malformed:
        return False
    if not (0 < r < curve.n and 0 < s < curve.n):
        return False
    shift = max(0, 8 * len(digest) - curve.n.bit_length())
    inverse = pow(s, -1, curve.n)
    u, v = (int.from_bytes(digest, "big") >> shift) * inverse % curve.n, r * inverse % curve.n
    base, key = (curve.x, curve.y, 1), (x, y, 1)
    table = (None, base, key, _add(curve.p, base, key))
    point: _Point = _INFINITY
    for at in range(max(u.bit_length(), v.bit_length()) - 1, -1, -1):
        point = _double(curve.p, point)
        if addend := table[u >> at & 1 | (v >> at & 1) << 1]:
            point = _add(curve.p, point, addend)
    if point[2] == 0:
        return False
    return point[0] * pow(point[2], -2, curve.p) % curve.p % curve.n == r


def _double(p: int, point: _Point) -> _Point:
    """dbl-2001-b of the Explicit-Formulas Database, for a = -3."""
    x, y, z = point
    delta, gamma = z * z % p, y * y % p
    beta, alpha = x * gamma % p, 3 * (x - delta) * (x + delta) % p
    rx = (alpha * alpha - 8 * beta) % p
    return rx, (alpha * (4 * beta - rx) - 8 * gamma * gamma) % p, ((y + z) ** 2 - gamma - delta) % p


def _add(p: int, one: _Point, two: _Point) -> _Point:
    """add-2007-bl, with the cases it leaves out."""
    if one[2] == 0 or two[2] == 0:
        return two if one[2] == 0 else one
    (x1, y1, z1), (x2, y2, z2) = one, two
    zz1, zz2 = z1 * z1 % p, z2 * z2 % p
    u1, u2 = x1 * zz2 % p, x2 * zz1 % p
    s1, s2 = y1 * z2 * zz2 % p, y2 * z1 * zz1 % p
    h, r = (u2 - u1) % p, (s2 - s1) % p
    if h == 0:
        return _double(p, one) if r == 0 else _INFINITY
    hh = h * h % p
    hhh, v = h * hh % p, u1 * hh % p
    x3 = (r * r - hhh - 2 * v) % p
    return x3, (r * (v - x3) - s1 * hhh) % p, h * z1 * z2 % p
