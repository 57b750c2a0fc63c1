"""The sequence of blocks: every attack is seen, and a verifier without the check is found out."""

import pytest

from audit import block, outside, pruned


def nothing(*_args, **_more):
    return None


def none(*_args, **_more):
    return []


def test_every_attack_of_the_family_structure_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("structure") >= 4


LOOSE = {
    "cut-tail": [(outside.Outside, "_missed", nothing)],
    "middle-removed": [(block, "check_follows", none)],
    "no-rows": [(outside.Outside, "conclude", nothing)],
    "body-emptied": [(pruned.Archives, "conclude", nothing)],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
