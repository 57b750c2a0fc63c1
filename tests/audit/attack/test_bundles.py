"""Bundles that do not prove what they say: every attack is seen, and a verifier without the check is found out."""

import pytest

from audit import merkle, signature


def nothing(*_args, **_more):
    return None


def yes(*_args, **_more):
    return True


def test_every_attack_of_the_family_bundles_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("bundles") >= 4


LOOSE = {
    "bundle-path": [(merkle, "verify_inclusion", nothing)],
    "bundle-entry-changed": [(merkle, "verify_inclusion", nothing)],
    "bundle-signature-changed": [(signature.PublicKey, "verify", yes)],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
