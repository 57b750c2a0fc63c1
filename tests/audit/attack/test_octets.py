"""Single octets of sealed columns: every attack is seen, and a verifier without the check is found out."""

import pytest

from audit import signature, verifier


def nothing(*_args, **_more):
    return None


def yes(*_args, **_more):
    return True


def test_every_attack_of_the_family_octets_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("octets") >= 4


LOOSE = {
    "signature-octet": [(signature.PublicKey, "verify", yes)],
    "body-octet": [(verifier._Case, "_check_body", nothing)],
    "column-beside-the-header": [(verifier._Case, "_check_place", nothing)],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
