"""Histories sealed again: every attack is seen, and a verifier without the check is found out."""

import pytest

from audit import outside, ratchet


def no_words(*_args, **_more):
    return ""


MET = (outside.Outside, "_meet", lambda _self, one, *_: setattr(one, "met", True))
COMPARED = (outside.Outside, "_compare", lambda _self, claim, _: setattr(claim, "met", True))


def test_every_attack_of_the_family_resealed_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("resealed") >= 4


LOOSE = {
    "rewritten-below-the-anchor": [MET, COMPARED],
    "rewritten-above-the-anchor": [COMPARED],
    "fork": [COMPARED],
    "cut-and-continued-with-the-current-secret": [(ratchet, "check", no_words)],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
