"""Signatures of certificates: the same yes and no as ``cryptography``."""

from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import algorithms, der
from audit.algorithms import verify
from audit.errors import KeyRefused, Malformed, UnknownVersion

HASHES = {"sha256": SHA256(), "sha384": SHA384(), "sha512": SHA512()}
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}
RSA = der.encode(0x30, der.oid("1.2.840.113549.1.1.1"), der.NULL)
RSA_SHA256 = der.encode(0x30, der.oid("1.2.840.113549.1.1.11"), der.NULL)


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module", params=CURVES.values(), ids=CURVES)
def curve_key(request):
    return ec.generate_private_key(request.param)


def spki(private) -> bytes:
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def ecdsa(name: str) -> bytes:
    return der.encode(0x30, der.oid(f"1.2.840.10045.4.3.{2 + list(HASHES).index(name)}"))


@settings(max_examples=25, deadline=None)
@given(message=st.binary(max_size=50), name=st.sampled_from(list(HASHES)))
def test_ecdsa_of_another_implementation_is_accepted(curve_key, message, name):
    signature = curve_key.sign(message, ec.ECDSA(HASHES[name]))
    assert verify(spki(curve_key), ecdsa(name), signature, message)
    assert not verify(spki(curve_key), ecdsa(name), signature, message + b"!")


def test_ecdsa_agrees_about_damaged_signatures(curve_key):
    good = curve_key.sign(b"m", ec.ECDSA(SHA256()))
    for place in range(0, 8 * len(good), 5):
        signature = bytearray(good)
        signature[place // 8] ^= 1 << place % 8
        assert not verify(spki(curve_key), ecdsa("sha256"), bytes(signature), b"m")
        with pytest.raises(InvalidSignature):
            curve_key.public_key().verify(bytes(signature), b"m", ec.ECDSA(SHA256()))


def test_ecdsa_at_the_edges(curve_key):
    order = next(one.n for one in algorithms._CURVES.values() if one.n.bit_length() == curve_key.key_size)
    r, s = decode_dss_signature(curve_key.sign(b"m", ec.ECDSA(SHA256())))
    mirrored = encode_dss_signature(r, order - s)  # ECDSA has two signatures for each: that is its nature
    assert verify(spki(curve_key), ecdsa("sha256"), mirrored, b"m")
    pairs = [(0, s), (r, 0), (order, s), (r, order), (r + order, s), (r, s + order), (1, 1), (order - 1, order - 1)]
    for pair in pairs:
        assert not verify(spki(curve_key), ecdsa("sha256"), encode_dss_signature(*pair), b"m")
    good = encode_dss_signature(r, s)
    for bad in (b"", good + b"\x00", good[:-1], b"\x30\x80" + good[2:] + b"\x00\x00"):
        assert not verify(spki(curve_key), ecdsa("sha256"), bad, b"m")


def test_adding_points_covers_every_case():
    """Equal, opposite and infinite points have formulas of their own."""
    for curve in algorithms._CURVES.values():
        base, infinity = (curve.x, curve.y, 1), algorithms._INFINITY
        opposite = (curve.x, curve.p - curve.y, 1)
        assert algorithms._add(curve.p, base, infinity) == base == algorithms._add(curve.p, infinity, base)
        assert algorithms._add(curve.p, base, opposite)[2] == 0
        assert algorithms._add(curve.p, base, base) == algorithms._double(curve.p, base)
        assert algorithms._double(curve.p, infinity)[2] == 0


def test_a_key_that_is_the_base_point_or_its_opposite_is_no_special_case():
    for private in (1, -1):
        for kind, known in zip(CURVES.values(), algorithms._CURVES.values(), strict=True):
            key = ec.derive_private_key(private % known.n, kind)
            signature = key.sign(b"m", ec.ECDSA(SHA256()))
            assert verify(spki(key), ecdsa("sha256"), signature, b"m")
            assert not verify(spki(key), ecdsa("sha256"), signature, b"n")


def test_points_off_the_curve_and_other_spellings_of_keys_are_refused(curve_key):
    good, signature = spki(curve_key), curve_key.sign(b"m", ec.ECDSA(SHA256()))
    squeezed = curve_key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    identifier = der.only(good).reader().take(0x30).der
    for bad in (good[:-1] + bytes([good[-1] ^ 1]), der.encode(0x30, identifier, der.encode(3, b"\x00", squeezed))):
        with pytest.raises(KeyRefused, match="uncompressed point"):
            verify(bad, ecdsa("sha256"), signature, b"m")


def test_a_coordinate_beyond_the_prime_is_a_second_spelling_and_refused():
    for oid, curve in zip(("1.2.840.10045.3.1.7", "1.3.132.0.34"), algorithms._CURVES.values(), strict=True):
        squares = ((x, (x**3 - 3 * x + curve.b) % curve.p) for x in range(1, 100))
        roots = ((x, square, pow(square, (curve.p + 1) // 4, curve.p)) for x, square in squares)
        x, y = next((x, root) for x, square, root in roots if root * root % curve.p == square)
        identifier = der.encode(0x30, der.oid("1.2.840.10045.2.1"), der.oid(oid))
        size = curve.p.bit_length() // 8
        for first, good in ((x, True), (x + curve.p, False)):
            point = b"\x00\x04" + first.to_bytes(size, "big") + y.to_bytes(size, "big")
            key = der.encode(0x30, identifier, der.encode(3, point))
            if good:
                assert not verify(key, ecdsa("sha256"), encode_dss_signature(1, 1), b"m")
            else:
                with pytest.raises(KeyRefused, match="uncompressed point"):
                    verify(key, ecdsa("sha256"), encode_dss_signature(1, 1), b"m")


@pytest.mark.parametrize("name", HASHES)
def test_rsa_of_another_implementation_is_accepted(rsa_key, name):
    number = list(HASHES).index(name)
    algorithm = der.encode(0x30, der.oid(f"1.2.840.113549.1.1.{11 + number}"), der.NULL)
    signature = rsa_key.sign(b"m", padding.PKCS1v15(), HASHES[name])
    for identifier in (algorithm, RSA):
        assert verify(spki(rsa_key), identifier, signature, b"m", hashed_with=name)
        assert not verify(spki(rsa_key), identifier, signature, b"n", hashed_with=name)
    pss = padding.PSS(padding.MGF1(HASHES[name]), HASHES[name].digest_size)
    assert not verify(spki(rsa_key), algorithm, rsa_key.sign(b"m", pss, HASHES[name]), b"m")


def pss_identifier(name: str, salt: int | None = None) -> bytes:
    size = HASHES[name].digest_size
    oid = next(oid for oid, known in algorithms.HASHES.items() if known == name)
    return algorithms._pss(oid, der.NULL, size if salt is None else salt)


@pytest.mark.parametrize("name", HASHES)
@pytest.mark.parametrize("bits", [2048, 2049, 2055])
def test_pss_of_another_implementation_is_accepted(name, bits):
    key, hashed = rsa.generate_private_key(65537, bits), HASHES[name]
    salt = hashed.digest_size
    signature = key.sign(b"m", padding.PSS(padding.MGF1(hashed), salt), hashed)
    assert verify(spki(key), pss_identifier(name), signature, b"m", hashed_with=name)
    assert not verify(spki(key), pss_identifier(name), signature, b"n", hashed_with=name)
    for other in (padding.PSS(padding.MGF1(hashed), 0), padding.PKCS1v15()):
        assert not verify(spki(key), pss_identifier(name), key.sign(b"m", other, hashed), b"m")
    with pytest.raises(UnknownVersion, match=r"1\.1\.10"):
        verify(spki(key), pss_identifier(name, salt - 1), signature, b"m")


def pss_encoded(bits: int, *, start: bytes = b"\x00", one: bytes = b"\x01", trailer: bytes = b"\xbc") -> bytes:
    """EMSA-PSS-ENCODE of ``m`` with SHA-256, as told."""
    salt, size = bytes(range(32)), (bits + 7) // 8
    hashed = sha256(bytes(8) + sha256(b"m").digest() + salt).digest()
    data = (start + one).rjust(size - 65, b"\x00") + salt
    mask = b"".join(sha256(hashed + at.to_bytes(4, "big")).digest() for at in range(10))
    masked = bytearray(a ^ b for a, b in zip(data, mask, strict=False))
    masked[0] &= 0xFF >> (8 * size - bits)
    return bytes(masked) + hashed + trailer


def test_every_part_of_pss_padding_is_checked(rsa_key):
    def verdict(**odd: bytes) -> bool:
        return verify(spki(rsa_key), pss_identifier("sha256"), raw(rsa_key, pss_encoded(2047, **odd)), b"m")

    assert verdict()
    assert not verdict(trailer=b"\xcc")
    assert not verdict(start=b"\x05")
    assert not verdict(one=b"\x03")
    high = bytes([pss_encoded(2047)[0] | 0x80]) + pss_encoded(2047)[1:]
    assert not algorithms._pss_matches(high, 2047, "sha256", sha256(b"m").digest())


def test_what_cryptography_writes_as_pss_is_understood(certify, rsa_key):
    """The parameters as another implementation spells them, in a certificate."""
    for hashed in HASHES.values():
        pss = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
        one = certify("CN=a", rsa_key, hash=hashed, padding=pss)
        algorithm = der.only(one.public_bytes(Encoding.DER)).reader()
        algorithm.take()
        assert verify(spki(rsa_key), algorithm.take().der, one.signature, one.tbs_certificate_bytes)


def raw(key, encoded: bytes) -> bytes:
    numbers = key.private_numbers()
    return pow(int.from_bytes(encoded, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")


def test_padding_is_compared_and_not_parsed(rsa_key):
    """Forgeries of the kind of Bleichenbacher 2006: whoever parses padding accepts some of these."""
    oid = der.oid("2.16.840.1.101.3.4.2.1")
    digest = der.encode(4, sha256(b"m").digest())
    info = der.encode(0x30, der.encode(0x30, oid, der.NULL), digest)
    bare = der.encode(0x30, der.encode(0x30, oid), digest)
    long = info[:1] + b"\x81" + info[1:]

    def framed(content: bytes, start: bytes = b"\x00\x01", tail: bytes = b"", fill: bytes = b"\xff") -> bytes:
        return start + fill * (256 - len(start) - len(content) - len(tail) - 1) + b"\x00" + content + tail

    assert verify(spki(rsa_key), RSA_SHA256, raw(rsa_key, framed(info)), b"m")
    shorter = b"\x00\x01" + b"\xff" * 8 + b"\x00" + info
    for bad in (
        framed(bare),
        framed(long),
        framed(info, tail=b"\x00"),
        framed(info, start=b"\x00\x02"),
        framed(info, start=b"\x00\x00"),
        framed(info, fill=b"\xfe"),
        shorter + bytes(256 - len(shorter)),
    ):
        assert not verify(spki(rsa_key), RSA_SHA256, raw(rsa_key, bad), b"m")


def test_a_second_spelling_of_an_rsa_number_is_refused(rsa_key):
    signature = rsa_key.sign(b"m", padding.PKCS1v15(), SHA256())
    for bad in (b"\x00" + signature, signature[1:], b""):
        assert not verify(spki(rsa_key), RSA_SHA256, bad, b"m")
    modulus, limit = rsa_key.public_key().public_numbers().n, 1 << 2048
    messages = (str(number).encode() for number in range(500))
    signed = ((one, int.from_bytes(rsa_key.sign(one, padding.PKCS1v15(), SHA256()), "big")) for one in messages)
    message, number = next((one, number) for one, number in signed if number + modulus < limit)
    assert verify(spki(rsa_key), RSA_SHA256, number.to_bytes(256, "big"), message)
    assert not verify(spki(rsa_key), RSA_SHA256, (number + modulus).to_bytes(256, "big"), message)


def test_keys_of_odd_sizes_and_exponents_are_refused():
    for modulus, exponent in ((1 << 1023 | 1, 65537), (1 << 8192 | 1, 65537), (1 << 2047 | 1, 3), (1 << 2047 | 1, 1)):
        pair = der.encode(0x30, der.integer(modulus), der.integer(exponent))
        with pytest.raises(KeyRefused, match="is refused"):
            verify(der.encode(0x30, RSA, der.encode(3, b"\x00", pair)), RSA_SHA256, bytes(256), b"m")
    negative = der.encode(0x30, der.encode(2, b"\x80" + bytes(255)), der.integer(65537))
    with pytest.raises(KeyRefused, match="is refused"):
        verify(der.encode(0x30, RSA, der.encode(3, b"\x00", negative)), RSA_SHA256, bytes(256), b"m")


def test_an_algorithm_of_another_key_is_refused(rsa_key, curve_key):
    with pytest.raises(KeyRefused, match="not on a curve"):
        verify(spki(rsa_key), ecdsa("sha256"), b"", b"m")
    with pytest.raises(KeyRefused, match="not RSA"):
        verify(spki(curve_key), RSA_SHA256, b"", b"m")
    with pytest.raises(KeyRefused, match="not on a curve"):
        verify(spki(ed25519.Ed25519PrivateKey.generate()), ecdsa("sha256"), b"", b"m")
    with pytest.raises(KeyRefused, match="another curve"):
        verify(spki(ec.generate_private_key(ec.SECP521R1())), ecdsa("sha256"), b"", b"m")


@pytest.mark.parametrize("oid", ["1.2.840.113549.1.1.5", "1.2.840.10045.4.1", "1.3.101.112"])
def test_sha1_and_unknown_algorithms_are_refused_by_name(rsa_key, oid):
    signature = rsa_key.sign(b"m", padding.PKCS1v15(), SHA1())
    with pytest.raises(UnknownVersion, match=oid):
        verify(spki(rsa_key), der.encode(0x30, der.oid(oid), der.NULL), signature, b"m")


def test_a_hash_must_be_named_and_named_once(rsa_key):
    with pytest.raises(UnknownVersion, match="does not say its hash"):
        verify(spki(rsa_key), RSA, b"", b"m")
    with pytest.raises(Malformed, match="sha256 for a message hashed with sha384"):
        verify(spki(rsa_key), RSA_SHA256, b"", b"m", hashed_with="sha384")


def test_names_of_hashes():
    for tail in (b"", der.NULL):
        identifier = der.only(der.encode(0x30, der.oid("2.16.840.1.101.3.4.2.3"), tail))
        assert algorithms.hash_name(identifier) == "sha512"
    with pytest.raises(UnknownVersion, match=r"1\.3\.14\.3\.2\.26"):
        algorithms.hash_name(der.only(der.encode(0x30, der.oid("1.3.14.3.2.26"))))
    with pytest.raises(Malformed, match="parameters"):
        algorithms.hash_name(der.only(der.encode(0x30, der.oid("2.16.840.1.101.3.4.2.3"), der.integer(1))))
