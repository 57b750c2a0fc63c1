"""RSA-PSS: what is accepted, and that both implementations accept the same."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import signature
from audit.errors import KeyRefused
from audit.signature import PublicKey

SPKI = PublicFormat.SubjectPublicKeyInfo


def test_wycheproof_in_pure_python_and_with_cryptography(vectors):
    file = json.loads((vectors / "wycheproof" / "rsa_pss_3072_sha256_mgf1_32_test.json").read_text())
    seen = 0
    for group in file["testGroups"]:
        pem = group["publicKeyPem"].encode()
        key = PublicKey.from_pem(pem)
        for case in group["tests"]:
            message, sig = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            valid = case["result"] == "valid"
            assert key.verify_pure(sig, message) is valid, case
            assert key.verify(sig, message) is valid, case
            seen += 1
    assert seen == file["numberOfTests"] > 50


def test_signatures_of_the_sealing_key_are_accepted_once_and_only(key):
    message = b"block"
    sig = key.sign(message)
    public = key.public
    assert public.verify(sig, message)
    assert public.verify_pure(sig, message)
    assert public.fast
    for other in (b"", sig[:-1], sig + b"\x00", bytes(len(sig)), b"\xff" * len(sig)):
        assert not public.verify(other, message)
        assert not public.verify_pure(other, message)
    assert not public.verify_pure(sig, b"blocK")


@settings(max_examples=40, deadline=None)
@given(bit=st.integers(0, 3071))
def test_one_flipped_bit_is_refused_by_both(key, bit):
    sig = bytearray(key.sign(b"block"))
    sig[bit // 8] ^= 1 << bit % 8
    assert not key.public.verify(bytes(sig), b"block")
    assert not key.public.verify_pure(bytes(sig), b"block")


def test_other_paddings_salts_and_hashes_are_refused(key):
    private = key._private
    others = [
        private.sign(b"m", padding.PKCS1v15(), SHA256()),
        private.sign(b"m", padding.PSS(padding.MGF1(SHA256()), 0), SHA256()),
        private.sign(b"m", padding.PSS(padding.MGF1(SHA256()), 20), SHA256()),
        private.sign(b"m", padding.PSS(padding.MGF1(SHA384()), 32), SHA256()),
        private.sign(b"m", padding.PSS(padding.MGF1(SHA256()), 32), SHA384()),
    ]
    for sig in others:
        assert not key.public.verify(sig, b"m")
        assert not key.public.verify_pure(sig, b"m")


def test_a_number_beyond_the_modulus_is_refused(key):
    """The same signature plus the modulus gives the same power: a second spelling, which must not pass."""
    limit = 1 << 8 * key.public.size
    numbers = (int.from_bytes(key.sign(b"m"), "big") + key.public.modulus for _ in range(500))
    number = next(number for number in numbers if number < limit)
    assert not key.public.verify_pure(number.to_bytes(key.public.size, "big"), b"m")
    assert not key.public.verify(number.to_bytes(key.public.size, "big"), b"m")


@pytest.mark.parametrize("bits", [3073, 3080, 4096])
def test_odd_key_sizes_work_in_pure_python_too(bits):
    private = rsa.generate_private_key(65537, bits)
    key = PublicKey(private.public_key().public_numbers().n)
    sig = private.sign(b"m", padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
    assert key.verify_pure(sig, b"m")
    assert key.verify(sig, b"m")


def test_pem_and_fingerprint_are_those_of_cryptography(key):
    public = key._private.public_key()
    assert key.public.pem == public.public_bytes(Encoding.PEM, SPKI)
    assert PublicKey.from_pem(key.public.pem) == key.public
    assert len(key.public.fingerprint) == 64


def pem_of(public) -> bytes:
    return public.public_bytes(Encoding.PEM, SPKI)


def test_keys_of_the_wrong_kind_size_or_exponent_are_refused():
    with pytest.raises(KeyRefused, match="2048 bits"):
        PublicKey.from_pem(pem_of(rsa.generate_private_key(65537, 2048).public_key()))
    with pytest.raises(KeyRefused, match="exponent 3 "):
        PublicKey.from_pem(pem_of(rsa.generate_private_key(3, 3072).public_key()))
    with pytest.raises(KeyRefused, match=r"not an RSA key|not a public key"):
        PublicKey.from_pem(pem_of(ec.generate_private_key(ec.SECP256R1()).public_key()))
    with pytest.raises(KeyRefused, match="bits is refused"):
        PublicKey(1 << 20_000)


def test_exponent_one_is_refused(key):
    modulus = signature._integer(key.public.modulus)
    pair = signature._tlv(0x30, modulus + signature._integer(1))
    der = signature._tlv(0x30, signature._RSA_ENCRYPTION + signature._tlv(0x03, b"\x00" + pair))
    with pytest.raises(KeyRefused, match="exponent 1 "):
        PublicKey.from_der(der)


def test_anything_but_one_public_pem_is_refused(key):
    pem = key.public.pem
    for bad in (b"", pem + pem, b"junk" + pem, pem.replace(b"PUBLIC", b"RSA PUBLIC"), b"\xff" * 99, pem[:-30]):
        with pytest.raises(KeyRefused):
            PublicKey.from_pem(bad)
    with pytest.raises(KeyRefused, match="private key"):
        PublicKey.from_pem(key.pem())
    with pytest.raises(KeyRefused, match="base64"):
        PublicKey.from_pem(b"-----BEGIN PUBLIC KEY-----\nA=AA\n-----END PUBLIC KEY-----\n")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_der_is_refused_with_a_sentence(key, data):
    der = bytearray(key.public.der)
    kind = data.draw(st.sampled_from(["cut", "flip", "grow"]))
    if kind == "cut":
        der = der[: data.draw(st.integers(0, len(der) - 1))]
    elif kind == "grow":
        der += data.draw(st.binary(min_size=1, max_size=4))
    else:
        der[data.draw(st.integers(0, 40))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        other = PublicKey.from_der(bytes(der))
    except KeyRefused:
        return
    else:
        assert other.modulus != key.public.modulus


def test_lenient_spellings_of_a_key_are_refused(key):
    inner = signature._integer(key.public.modulus) + signature._integer(65537) + b"\x05\x00"
    der = signature._tlv(0x30, signature._RSA_ENCRYPTION + signature._tlv(0x03, b"\x00" + signature._tlv(0x30, inner)))
    with pytest.raises(KeyRefused, match="strict DER"):
        PublicKey.from_der(der)


def test_without_cryptography_the_pure_path_is_used(key, tmp_path):
    root = Path(signature.__file__).parents[1]
    code = (
        "import sys, base64; sys.path.insert(0, sys.argv[1]); from audit.signature import PublicKey;"
        "key = PublicKey.from_der(base64.b64decode(sys.argv[2]));"
        "print(key.fast, key.verify(base64.b64decode(sys.argv[3]), b'm'), key.verify(bytes(384), b'm'))"
    )
    arguments = [base64.b64encode(part).decode() for part in (key.public.der, key.sign(b"m"))]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(root), *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False True False\n"


def test_a_key_that_cryptography_does_not_take_for_rsa_is_checked_in_pure_python():
    der = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.DER, SPKI)
    assert signature._fast_check(der) is None
