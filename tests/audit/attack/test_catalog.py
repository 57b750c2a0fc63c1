"""An attack says who must see what; a family declares its attacks beside the functions that make them."""

import pytest

from audit.attack.catalog import Auditor, Family, Power, Verdict


def test_a_family_declares_its_attacks_beside_the_functions():
    family = Family("f", "things", "cut")

    @family.attack(Power.RSA, "nusn", "of a reason")
    def _made_up(case):
        """Something is done."""

    (one,) = family
    assert (one.name, one.what, one.power, one.codes) == ("made-up", "Something is done", Power.RSA, {"cut"})
    assert [verdict.words for verdict in one.must.values()] == ["not proven", "unnoticed", "seen", "not proven"]


@pytest.mark.parametrize("must", ["", "nnn", "nnnnn", "nnnx"])
def test_a_line_of_the_catalog_has_a_letter_for_each_auditor(must):
    with pytest.raises((ValueError, KeyError)):
        Family("f", "things").add("a", "A", Power.FILE, must, lambda _case: None)


def test_a_verifiers_exit_status_is_a_verdict_and_an_unknown_one_proves_nothing():
    assert [Verdict.of_exit(status) for status in (0, 1, 2, 3, 99)] == [
        Verdict.UNNOTICED,
        Verdict.SEEN,
        Verdict.NOT_PROVEN,
        Verdict.NOT_PROVEN,
        Verdict.NOT_PROVEN,
    ]
    assert Verdict.SEEN > Verdict.NOT_PROVEN > Verdict.UNNOTICED > Verdict.UNBOUNDED
    assert len(Auditor) == 4
