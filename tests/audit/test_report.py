"""The report: the verdict first, never more than was proven."""

import pytest

from audit.intents import OpenIntent
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


def test_a_log_wrong_from_its_first_block_has_no_sound_part():
    one = report()
    one.first, one.last, one.proven_to = 0, 9, 9
    one.add("tampered", "signature", "forged", height=0)
    assert "blocks 0 to 9, wrong from the first; 0 entries" in one.text()


def test_the_same_thing_of_many_blocks_is_one_line():
    one = report()
    for height in (0, 1, 2, 5, 6):
        one.add("tampered", "signature", "another key", height=height)
    one.add("tampered", "chain", "another key", height=7)
    lines = [line.strip() for line in one.text().splitlines() if line.startswith("  tampered")]
    assert lines == [
        "tampered  blocks 0 to 2: another key",
        "tampered  blocks 5 to 6: another key",
        "tampered  block 7: another key",
    ]


def test_what_is_wrong_with_the_whole_log_is_said_before_its_parts():
    one = report()
    one.add("unproven", "key", "no key")
    one.add("unproven", "unreadable", "there is no log")
    assert one.headline() == "NOT PROVEN: there is no log"
    one.add("tampered", "signature", "another key", height=0)
    one.add("tampered", "foreign", "the log is db-1", height=9)
    assert one.headline() == "TAMPERED: block 9: the log is db-1"


@pytest.mark.parametrize(
    ("code", "words"), [("foreign", "the right log"), ("cut", "older copy"), ("chain", "evidence")]
)
def test_tampering_is_told_with_what_to_do(code, words):
    one = report()
    one.add("tampered", code, "so it is")
    assert words in one.text()
    assert "does not prove" not in one.text()
    assert one.to_json()["not_proven"]


def test_what_a_hostile_log_says_does_not_drive_the_terminal():
    one = report()
    one.origin, one.open = "x\x1b[2Jy", 1
    one.open_intents["ab" * 32] = OpenIntent(seq=3, id="a\u202e1\nPROVEN", boot="b", deadline_us=1)
    one.add("note", "deadline", "the intent a\r\nPROVEN: all", seq=3)
    assert one.text().replace("\n", "").isprintable()
    assert not any(line.startswith("PROVEN") for line in one.text().splitlines()[1:])
    assert "1 intent without" in one.text()


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
