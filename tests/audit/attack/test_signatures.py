"""Odd signatures, and keys that nobody should pin: each is seen, and a verifier without the check found out."""

import pytest

from audit import signature


def yes(*_args, **_more):
    return True


def test_every_attack_of_the_family_signatures_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("signatures") >= 4


def test_every_attack_of_the_family_keys_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("keys") >= 4


LOOSE = {
    "pkcs1-for-pss": [(signature.PublicKey, "verify", yes)],
    "signature-plus-modulus": [(signature.PublicKey, "verify", yes)],
    "bits-2048": [(signature, "MIN_BITS", 512)],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
