"""The report: the verdict first, never more than was proven."""

import pytest

from audit.report import MAX_FINDINGS, Report


def report() -> Report:
    return Report(log="l", flat=False, deep=True)


def test_a_contradiction_outweighs_what_is_missing():
    one = report()
    assert (one.exit_code, one.verdict) == (0, "proven")
    one.add("note", "clock", "jumped")
    assert one.exit_code == 0
    one.add("unproven", "key", "no key")
    assert (one.exit_code, one.verdict) == (2, "not proven")
    one.add("tampered", "chain", "broken", height=4)
    assert (one.exit_code, one.verdict) == (1, "tampered")
    assert one.text().splitlines()[0] == "TAMPERED: block 4: broken"


def test_findings_are_capped_by_weight_so_that_notes_cannot_hide_faults():
    one = report()
    for number in range(MAX_FINDINGS + 5):
        one.add("note", "clock", f"jump {number}")
    one.add("tampered", "entry", "late but seen", height=3, seq=9)
    assert one.unlisted == 5
    assert "entry 9: late but seen" in one.text()
    assert "and 5 more findings" in one.text()


def test_the_proven_range_ends_before_the_first_fault():
    one = report()
    one.first, one.last, one.proven_to = 0, 9, 9
    one.add("tampered", "chain", "broken", height=4)
    one.add("tampered", "chain", "broken", height=7)
    assert one.proven_to == 3
    assert "of which up to 3 nothing is wrong" in one.text()


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (None, "at an unknown time"),
        (5.0, "5 s ago"),
        (300.0, "5 minutes ago"),
        (7200.0, "2 hours ago"),
        (864000.0, "10 days ago"),
        (-60.0, "60 s in the future"),
    ],
)
def test_ages_are_said_in_words(age, words):
    one = report()
    one.head, one.head_age_s = "ab", age
    assert words in one.text()
