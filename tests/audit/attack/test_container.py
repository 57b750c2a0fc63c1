"""Lies of the SQLite file: every attack is seen, and a verifier without the check is found out."""

import pytest

from audit import reader


def nothing(*_args, **_more):
    return None


def test_every_attack_of_the_family_container_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("container") >= 4


LOOSE = {
    "view-named-blocks": [(reader, "_check_schema", nothing)],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
