"""A new key counts when the old one and the new one have signed the same block, and in no other case."""

import base64
import functools
from dataclasses import asdict, replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from audit import block, canonical, merkle, succession
from audit.errors import KeyRefused
from audit.keys import SealingKey
from audit.signature import PublicKey, _integer, _tlv
from audit.succession import Succession


@pytest.fixture(scope="session")
def third_key() -> SealingKey:
    return SealingKey.generate()


def header_of(body: bytes, entries: list[bytes], keys: list[str], **changes: object) -> block.Header:
    header = block.Header(
        origin="o",
        height=5,
        first=5,
        count=len(entries),
        root=merkle.root(merkle.leaf_hashes(entries)).hex(),
        body=sha256(body).hexdigest(),
        body_len=len(body),
        prev="0" * 64,
        opened=1,
        sealed=1,
        mono=1,
        boot="b",
        open=0,
        keys=tuple(keys),
        why="rotate",
    )
    return replace(header, **changes)


def rotate_entry(data: object, **changes: object) -> bytes:
    common = {"v": 1, "seq": 5, "ts": 1, "mono": 1, "boot": "b", "node": "n"}
    return canonical.encode({**common, "kind": "rotate", "because": "yearly", "data": data, **changes})


class Rotation:
    """A rotate block that can be spoilt in one place."""

    def __init__(self, old, new) -> None:
        self.signers = [old, new]
        self.keys = [old.public.fingerprint, new.public.fingerprint]
        self.data: object = succession.describe(new.public, None)
        self.entries: list[bytes] | None = None
        self.changes: dict[str, object] = {}

    def check(self, in_force: Succession) -> list[succession.Problem]:
        entries = [rotate_entry(self.data)] if self.entries is None else self.entries
        body = block.join_body(entries)
        header = header_of(body, entries or [b"x"], self.keys, **self.changes)
        octets = canonical.encode({**asdict(header), "keys": list(header.keys)})
        sig = b"".join(signer.sign(block.signed_octets(octets)) for signer in self.signers)
        return in_force.check(header, octets, sig, body)


def plain(in_force: Succession, key, height: int = 6, **changes: object) -> list[succession.Problem]:
    changes = {"why": "commit", "height": height, **changes}
    header = replace(header_of(b"", [b"x"], [key.public.fingerprint]), **changes)
    octets = header.encode()
    return in_force.check(header, octets, key.sign(block.signed_octets(octets)), b"")


def test_a_rotation_signed_by_both_puts_the_new_key_in_force(key, other_key):
    in_force = Succession(key.public)
    assert plain(in_force, key, 4) == []
    assert Rotation(key, other_key).check(in_force) == []
    assert in_force.current == other_key.public
    assert in_force.history == [(0, key.public.fingerprint), (6, other_key.public.fingerprint)]
    assert in_force.revoked == []
    assert plain(in_force, other_key) == []
    (problem,) = plain(in_force, key)
    assert (problem.weight, problem.code) == ("tampered", "rekeyed")


def test_a_revocation_says_which_blocks_a_thief_may_have_signed(key, other_key):
    in_force = Succession(key.public)
    rotation = Rotation(key, other_key)
    rotation.data = succession.describe(other_key.public, 2)
    assert rotation.check(in_force) == []
    assert in_force.revoked == [(3, 4)]


def test_a_revocation_up_to_the_block_before_it_revokes_nothing(key, other_key):
    in_force = Succession(key.public)
    rotation = Rotation(key, other_key)
    rotation.data = succession.describe(other_key.public, 4)
    assert rotation.check(in_force) == []
    assert in_force.revoked == []


class Weak:
    """A key that this log does not accept, with what a thief could do with it."""

    def __init__(self, bits: int, exponent: int) -> None:
        self._private = rsa.generate_private_key(exponent, bits)
        modulus = self._private.public_key().public_numbers().n
        pair = _tlv(0x30, _integer(modulus) + _integer(exponent))
        self.der = _tlv(0x30, bytes.fromhex("300d06092a864886f70d0101010500") + _tlv(0x03, b"\x00" + pair))
        self.fingerprint = sha256(self.der).hexdigest()
        self.public = self

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())


@functools.cache
def weak(bits: int, exponent: int) -> Weak:
    return Weak(bits, exponent)


def spoil(rotation: Rotation, what: str, old, new, other) -> None:  # noqa: C901, PLR0912 - a table of lies
    data = dict(rotation.data)
    fingerprint = other.public.fingerprint
    match what:
        case "another key in the entry":
            rotation.data = {**data, "new": base64.b64encode(other.public.der).decode()}
        case "another fingerprint in the entry":
            rotation.data = {**data, "fingerprint": fingerprint}
        case "another key in the header":
            rotation.keys[1] = fingerprint
        case "another new key throughout, not its signature":
            rotation.data, rotation.keys[1] = succession.describe(other.public, None), fingerprint
        case "no second signature":
            rotation.signers = [old]
        case "second signature twice the first":
            rotation.signers = [old, old]
        case "signatures swapped":
            rotation.signers = [new, old]
        case "keys swapped":
            rotation.keys.reverse()
        case "one key in the header":
            del rotation.keys[1]
        case "three keys in the header":
            rotation.keys.append(fingerprint)
        case "something after the signatures":
            rotation.signers.append(other)
        case "two entries":
            rotation.entries = [rotate_entry(data), rotate_entry(data, seq=6)]
        case "another kind":
            rotation.entries = [rotate_entry(data, kind="gap")]
        case "no data":
            rotation.entries = [rotate_entry({})]
        case "more data":
            rotation.data = {**data, "extra": 1}
        case "not base64":
            rotation.data = {**data, "new": "%%%"}
        case "loose base64":
            rotation.data = {**data, "new": data["new"] + "===="}
        case "a number for a key":
            rotation.data = {**data, "new": 5}
        case "revokes the future":
            rotation.data = {**data, "trusted_to": 5}
        case "revokes before the beginning":
            rotation.data = {**data, "trusted_to": -1}
        case "revokes truth":
            rotation.data = {**data, "trusted_to": True}
        case "back to the same key":
            rotation.signers, rotation.keys = [old, old], [old.public.fingerprint] * 2
            rotation.data = succession.describe(old.public, None)
        case "junk in the body":
            rotation.entries = [b"junk"]


@pytest.mark.parametrize(
    ("what", "code", "because"),
    [
        ("another key in the entry", "rotation", "not the one whose fingerprint"),
        ("another fingerprint in the entry", "rotation", "not the one whose fingerprint"),
        ("another key in the header", "rotation", "not the one whose fingerprint"),
        ("another new key throughout, not its signature", "signature", "the new key did not sign"),
        ("no second signature", "signature", "the new key did not sign"),
        ("second signature twice the first", "signature", "the new key did not sign"),
        ("signatures swapped", "signature", "the old key did not sign"),
        ("keys swapped", "rekeyed", "signed by another key"),
        ("one key in the header", "rekeyed", "cannot have 1 keys"),
        ("three keys in the header", "rekeyed", "cannot have 3 keys"),
        ("something after the signatures", "signature", "the new key did not sign"),
        ("two entries", "rotation", "holds one entry, not 2"),
        ("another kind", "rotation", "is not a rotation"),
        ("no data", "rotation", "its data has nothing"),
        ("more data", "rotation", "its data has extra"),
        ("not base64", "rotation", "not base64"),
        ("loose base64", "rotation", "base64"),
        ("a number for a key", "rotation", "base64"),
        ("revokes the future", "rotation", "trusted_to"),
        ("revokes before the beginning", "rotation", "trusted_to"),
        ("revokes truth", "rotation", "trusted_to"),
        ("back to the same key", "rotation", "in force before"),
        ("junk in the body", "rotation", "not valid"),
    ],
)
def test_any_other_rotation_is_tampering_and_leaves_the_old_key_in_force(
    key, other_key, third_key, what, code, because
):
    in_force = Succession(key.public)
    rotation = Rotation(key, other_key)
    spoil(rotation, what, key, other_key, third_key)
    (problem,) = rotation.check(in_force)
    assert (problem.weight, problem.code) == ("tampered", code)
    assert because in problem.because
    assert in_force.current == key.public


@pytest.mark.parametrize(("bits", "exponent", "because"), [(2048, 65537, "2048 bits"), (3072, 3, "exponent 3 ")])
def test_a_rotation_to_a_weak_key_is_tampering(key, bits, exponent, because):
    in_force = Succession(key.public)
    rotation = Rotation(key, weak(bits, exponent))
    (problem,) = rotation.check(in_force)
    assert (problem.weight, problem.code) == ("tampered", "rotation")
    assert because in problem.because
    assert in_force.current == key.public


def test_a_rotation_back_to_an_earlier_key_is_tampering(key, other_key):
    in_force = Succession(key.public)
    assert Rotation(key, other_key).check(in_force) == []
    (problem,) = Rotation(other_key, key).check(in_force)
    assert problem.code == "rotation"
    assert "in force before" in problem.because


def test_another_body_than_the_sealed_one_rotates_nothing(key, other_key):
    in_force = Succession(key.public)
    entries = [rotate_entry(succession.describe(other_key.public, None))]
    header = header_of(block.join_body(entries), entries, [key.public.fingerprint, other_key.public.fingerprint])
    message = block.signed_octets(header.encode())
    (problem,) = in_force.check(
        header, header.encode(), key.sign(message) + other_key.sign(message), b"\x00\x00\x00\x01x"
    )
    assert problem.code == "rotation"
    assert in_force.current == key.public


def test_a_pruned_rotation_leaves_what_follows_unproven_not_tampered(key, other_key):
    in_force = Succession(key.public)
    entries = [rotate_entry(succession.describe(other_key.public, None))]
    header = header_of(block.join_body(entries), entries, [key.public.fingerprint, other_key.public.fingerprint])
    message = block.signed_octets(header.encode())
    (problem,) = in_force.check(header, header.encode(), key.sign(message) + other_key.sign(message), b"")
    assert (problem.weight, problem.code) == ("unproven", "pruned")
    (problem,) = plain(in_force, other_key)
    assert (problem.weight, problem.code) == ("unproven", "pruned")
    (problem,) = plain(in_force, key)
    assert problem.weight == "tampered"


def test_a_rotation_of_an_unknown_version_is_unproven(key, other_key):
    in_force = Succession(key.public)
    rotation = Rotation(key, other_key)
    rotation.entries = [rotate_entry(rotation.data, v=2)]
    (problem,) = rotation.check(in_force)
    assert (problem.weight, problem.code) == ("unproven", "version")


def test_a_plain_block_names_one_key(key, other_key):
    in_force = Succession(key.public)
    keys = (key.public.fingerprint, other_key.public.fingerprint)
    (problem,) = plain(in_force, key, keys=keys)
    assert (problem.weight, problem.code) == ("tampered", "rekeyed")


def test_a_signature_that_is_still_due_is_unproven(key):
    in_force = Succession(key.public)
    header = header_of(b"", [b"x"], [key.public.fingerprint], why="commit")
    (problem,) = in_force.check(header, header.encode(), bytes(key.public.size), b"")
    assert (problem.weight, problem.code) == ("unproven", "due")
    (problem,) = in_force.check(header, header.encode(), bytes(key.public.size + 1), b"")
    assert (problem.weight, problem.code) == ("tampered", "signature")


def test_keys_of_different_sizes_follow_each_other(key):
    large = SealingKey.generate(4096)
    in_force = Succession(key.public)
    assert Rotation(key, large).check(in_force) == []
    assert plain(in_force, large) == []


def test_what_describe_says_is_what_parse_reads(key):
    data = succession.describe(key.public, 3)
    assert PublicKey.from_der(base64.b64decode(str(data["new"]))) == key.public
    with pytest.raises(KeyRefused):
        PublicKey.from_der(weak(2048, 65537).der)
