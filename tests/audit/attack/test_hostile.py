"""Files made to hurt: every attack is seen, and a verifier without the check is found out."""

import pytest

from audit.attack import referee


def test_every_attack_of_the_family_hostile_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("hostile") >= 4


LOOSE = {
    "deep-json": [(referee, "MAX_KILOBYTES", 1)],
    "fifo": [(referee, "MAX_SECONDS", 0.001)],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
