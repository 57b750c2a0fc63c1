"""What came of the attacks, in a line each; what is wrong cannot be overlooked."""

import pytest

from audit.attack import book, table
from audit.attack.catalog import Auditor, Family, Power, Verdict
from audit.attack.referee import Cell, Outcome


@pytest.fixture
def outcome():
    def make(verdict, *, must="nnss", because="of a reason", codes=("cut",), **more):
        family = Family("f", "things", "cut")
        family.add("a", "A thing is done", Power.FILE, must, lambda _case: None, because=because)
        (attack,) = family
        cells = {} if more else dict.fromkeys(Auditor, Cell(verdict=verdict, said="so", codes=codes))
        return Outcome(attack=attack, cells=cells, **more)

    return make


def test_a_line_names_the_attack_what_everybody_sees_and_what_the_attacker_has(outcome):
    assert table.line(outcome(Verdict.SEEN)).split() == ["a", *["seen"] * 4, "write", "access", "to", "the", "file"]


def test_an_unnoticed_attack_has_its_reason_and_a_wrong_one_its_answer(outcome):
    assert "because of a reason" in table.line(outcome(Verdict.UNNOTICED, must="uuuu"))
    assert "WRONG: who has key + anchor must see it as seen, and was told: so" in table.line(outcome(Verdict.UNNOTICED))
    assert "WRONG: it is seen for another reason (cut was expected)" in table.line(outcome(Verdict.SEEN, codes=("x",)))


def test_the_exit_says_the_worst(outcome):
    good, bad = outcome(Verdict.SEEN), outcome(Verdict.UNNOTICED)
    skipped, failed = outcome(Verdict.SEEN, skipped="no key"), outcome(Verdict.SEEN, failed="a bug")
    assert table.exit_code([good, skipped]) == 0
    assert table.exit_code([good, failed]) == 2
    assert table.exit_code([skipped]) == table.exit_code([]) == 2
    assert table.exit_code([good, bad, failed]) == 1
    closing = table.closing([good, bad, skipped, failed])
    assert closing == "2 attacks tried; 1 seen less than they must be; 1 not tried (no key); 1 could not be made"
    assert "not tried: no key" in table.line(skipped)
    assert "could not be made: a bug" in table.line(failed)


def test_the_table_of_the_documentation_has_a_row_for_each_attack():
    rows = [line for line in table.markdown(book.FAMILIES).splitlines() if line.startswith("| `")]
    assert len(rows) == sum(1 for _ in book.attacks())
    assert all(row.count("|") == 7 for row in rows)
