"""Blocks of another log: every attack is seen, and a verifier without the check is found out."""

import pytest

from audit import block, outside, succession


def nothing(*_args, **_more):
    return None


def none(*_args, **_more):
    return []


def test_every_attack_of_the_family_foreign_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("foreign") >= 4


LOOSE = {
    "splice-of-the-same-key": [(block, "check_follows", none)],
    "another-log": [
        (succession.Succession, "check", none),
        (outside.Outside, "conclude", nothing),
        (outside.Outside, "see", nothing),
    ],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
