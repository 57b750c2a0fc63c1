"""Changes of keys that are not what they say: every attack is seen, and a verifier without the check is found out."""

import pytest

from audit import signature, succession


def none(*_args, **_more):
    return []


def yes(*_args, **_more):
    return True


def test_every_attack_of_the_family_handover_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("handover") >= 4


LOOSE = {
    "old-key-used-later": [(succession.Succession, "check", none)],
    "handover-signed-by-the-old-key-alone": [(signature.PublicKey, "verify", yes)],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
