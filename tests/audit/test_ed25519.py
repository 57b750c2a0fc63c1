"""Ed25519: what is accepted, and that both implementations accept the same."""

import json
import subprocess
import sys
from hashlib import sha512
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import ed25519
from audit.ed25519 import Secret
from audit.errors import KeyRefused

SECRET = Secret.from_seed(bytes(range(32)))


def both(public: bytes, sig: bytes, message: bytes) -> bool:
    pure = ed25519.verify_pure(public, sig, message)
    assert ed25519.verify(public, sig, message) is pure
    return pure


def times(scalar: int, point: ed25519._Point) -> ed25519._Point:
    return ed25519._sum_of(scalar, ed25519._table(point), 0, ed25519._base_table())


def small_points() -> list[ed25519._Point]:
    """The eight points whose order divides 8, found rather than believed."""
    found: dict[bytes, ed25519._Point] = {}
    number = 2
    while len(found) < 8:
        number += 1
        point = ed25519._decode(number.to_bytes(32, "little"))
        if point is not None:
            # The group's order is 8 L: times L only the small part remains.
            small = times(ed25519._L, point)
            found[ed25519._encode(small)] = small
    return list(found.values())


def base() -> ed25519._Point:
    return ed25519._base_table()[1]


def signed_with(key: int, public: bytes, nonce: bytes, commit: int, message: bytes) -> bytes:
    """A signature that satisfies the equation up to what was added to R and to the key by hand."""
    challenge = int.from_bytes(sha512(nonce + public + message).digest(), "little") % ed25519._L
    return nonce + ((commit + challenge * key) % ed25519._L).to_bytes(32, "little")


def test_wycheproof_in_pure_python_and_with_cryptography(vectors):
    file = json.loads((vectors / "wycheproof" / "ed25519_test.json").read_text())
    seen = 0
    for group in file["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            message, sig = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            assert both(public, sig, message) is (case["result"] == "valid"), case
            seen += 1
    assert seen == file["numberOfTests"] > 100


def test_the_first_example_of_rfc_8032():
    secret = Secret.from_seed(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert secret.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    sig = secret.sign(b"")
    assert sig.hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
    assert both(secret.public, sig, b"")


@settings(max_examples=60, deadline=None)
@given(bit=st.integers(0, 511), message=st.binary(max_size=40))
def test_one_flipped_bit_of_a_signature_is_refused_by_both(bit, message):
    sig = bytearray(SECRET.sign(message))
    assert both(SECRET.public, bytes(sig), message)
    sig[bit // 8] ^= 1 << bit % 8
    assert not both(SECRET.public, bytes(sig), message)


@settings(max_examples=60, deadline=None)
@given(bit=st.integers(0, 255))
def test_one_flipped_bit_of_a_key_is_refused_by_both(bit):
    public = bytearray(SECRET.public)
    public[bit // 8] ^= 1 << bit % 8
    assert not both(bytes(public), SECRET.sign(b"m"), b"m")


@settings(max_examples=100, deadline=None)
@given(public=st.binary(min_size=32, max_size=32), sig=st.binary(min_size=64, max_size=64))
def test_noise_is_refused_by_both(public, sig):
    assert not both(public, sig, b"m")


@pytest.mark.parametrize("size", [0, 1, 63, 65, 128])
def test_other_lengths_are_refused(size):
    assert not both(SECRET.public, (SECRET.sign(b"m") * 2)[:size], b"m")
    assert not both((SECRET.public * 4)[:size], SECRET.sign(b"m"), b"m")


def test_s_plus_the_order_is_a_second_spelling_and_refused():
    sig = SECRET.sign(b"m")
    number = int.from_bytes(sig[32:], "little") + ed25519._L
    assert not both(SECRET.public, sig[:32] + number.to_bytes(32, "little"), b"m")


def test_points_of_small_order_are_refused_as_key_and_as_r():
    smalls = small_points()
    assert {point[1] * pow(point[2], -1, ed25519._P) % ed25519._P for point in smalls} == ed25519._SMALL
    for point in smalls:
        octets = ed25519._encode(point)
        # With such a key the equation holds for one message in eight at least, whoever signs.
        for commit in range(1, 12):
            nonce = ed25519._encode(times(commit, base()))
            assert not both(octets, nonce + commit.to_bytes(32, "little"), b"m")
    scalar = 12345
    public = ed25519._encode(times(scalar, base()))
    nonce = ed25519._encode(ed25519._NEUTRAL)
    sig = signed_with(scalar, public, nonce, 0, b"m")
    assert ed25519._equation(public, sig, b"m"), "the bare equation would take it"
    assert not both(public, sig, b"m")


def test_what_only_the_cofactor_would_forgive_is_refused_and_both_agree_on_mixed_keys():
    scalar, commit = 987654321, 55555
    answers = set()
    for small in small_points():
        mixed = ed25519._encode(ed25519._add(times(scalar, base()), small))
        plain = ed25519._encode(times(commit, base()))
        answers |= {both(mixed, signed_with(scalar, mixed, plain, commit, b"%d" % n), b"%d" % n) for n in range(12)}
        nonce = ed25519._encode(ed25519._add(times(commit, base()), small))
        public = ed25519._encode(times(scalar, base()))
        honest = ed25519._encode(small) == ed25519._encode(ed25519._NEUTRAL)
        assert both(public, signed_with(scalar, public, nonce, commit, b"m"), b"m") is honest
    assert answers == {True, False}


def test_points_beyond_the_field_are_refused():
    # Under the second spelling of the neutral point everything would be signed.
    neutral = (ed25519._P + 1).to_bytes(32, "little")
    forged = ed25519._encode(times(7, base())) + (7).to_bytes(32, "little")
    assert ed25519._equation(neutral, forged, b"m"), "the bare equation would take it"
    assert not both(neutral, forged, b"m")
    for y in range(ed25519._P, 2**255):
        for sign in (0, 1 << 255):
            octets = (y | sign).to_bytes(32, "little")
            assert not both(octets, SECRET.sign(b"m"), b"m")
            assert not both(SECRET.public, octets + bytes(32), b"m")


def test_a_secret_is_kept_as_its_seed_and_shown_as_its_public_key():
    secret = Secret.generate()
    again = Secret.from_seed(secret.seed())
    assert again.public == secret.public
    assert again.sign(b"m") == secret.sign(b"m")
    assert len(secret.seed()) == 32
    assert secret.seed().hex() not in repr(secret)
    assert secret.public.hex() in repr(secret)
    assert Secret.generate().public != secret.public
    for size in (0, 31, 33, 64):
        with pytest.raises(KeyRefused, match=f"not {size}"):
            Secret.from_seed(bytes(size))


def test_without_cryptography_the_pure_path_is_used():
    root = Path(ed25519.__file__).parents[1]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from audit.ed25519 import verify;"
        "public, sig = map(bytes.fromhex, sys.argv[2:]);"
        "print('cryptography' in sys.modules, verify(public, sig, b'm'), verify(public, sig, b'n'))"
    )
    arguments = [SECRET.public.hex(), SECRET.sign(b"m").hex()]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(root), *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False True False\n"
