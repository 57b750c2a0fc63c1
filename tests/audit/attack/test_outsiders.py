"""What is shown instead of what outsiders said: every attack is seen, and a verifier without the check is found out."""

import pytest

from audit import outside, policy, x509


def nothing(*_args, **_more):
    return None


def yes(*_args, **_more):
    return True


COMPARED = (outside.Outside, "_compare", lambda _self, claim, _: setattr(claim, "met", True))


def test_every_attack_of_the_family_witnesses_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("witnesses") >= 4


def test_every_attack_of_the_family_stamps_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("stamps") >= 4


def test_every_attack_of_the_family_anchors_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("anchors") >= 4


LOOSE = {
    "one-witness-of-two": [(policy.Policy, "satisfied", yes)],
    "token-of-a-stranger": [(x509, "trace", nothing)],
    "anchor-beyond-the-end": [(outside.Outside, "_missed", nothing)],
    "memory-deleted": [(outside.Outside, "_missed", nothing)],
    "checkpoint-of-a-fork": [COMPARED],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
