"""The ratchet without its secrets: every attack is seen, and a verifier without the check is found out."""

import pytest

from audit import ed25519, ratchet


def yes(*_args, **_more):
    return True


def no_words(*_args, **_more):
    return ""


def test_every_attack_of_the_family_ratchet_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("ratchet") >= 4


LOOSE = {
    "ratchet-removed": [(ratchet, "check", no_words)],
    "ratchet-replayed": [(ed25519, "verify", yes)],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
