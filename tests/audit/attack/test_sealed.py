"""Rules that every key in the world cannot bend: each attack is seen, and a verifier without the check found out."""

import json

import pytest

from audit import block, canonical, entry, intents, verifier


def nothing(*_args, **_more):
    return None


def none(*_args, **_more):
    return []


def no_words(*_args, **_more):
    return ""


def test_every_attack_of_the_family_spelling_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("spelling") >= 4


def test_every_attack_of_the_family_versions_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("versions") >= 4


def test_every_attack_of_the_family_clocks_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("clocks") >= 4


def test_every_attack_of_the_family_rules_is_seen_as_it_must_be(as_they_must):
    assert as_they_must("rules") >= 4


LOOSE = {
    "entry-white-space": [(canonical, "decode", json.loads)],
    "entry-unknown-kind": [(entry, "parse", json.loads)],
    "monotonic-clock-falls": [(block, "check_follows", none)],
    "outcome-without-intent": [(intents.Ledger, "take", no_words)],
    "root-lies": [(verifier._Case, "_check_body", nothing)],
}
"""An attack, and what a verifier would have to lack for it."""


@pytest.mark.parametrize("name", LOOSE)
def test_a_verifier_without_the_check_is_found_out(found_out, name):
    found_out(name, *LOOSE[name])
