"""The catalog is what the documentation says it is, and leaves nothing out that was asked for."""

from collections import Counter
from pathlib import Path

import pytest

from audit.attack import book, table
from audit.attack.catalog import Auditor, Verdict

DOCS = Path(__file__).resolve().parents[3] / "docs" / "attacks.md"
BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"


def test_the_documentation_has_the_table_of_the_catalog():
    """To write it anew: python tests/audit/attack/test_book.py."""
    text = DOCS.read_text()
    assert text.partition(BEGIN)[2].partition(END)[0] == table.markdown(book.FAMILIES)


def test_every_attack_has_a_name_of_its_own_a_sentence_and_a_reason_where_it_is_not_seen():
    names = Counter(one.name for one in book.attacks())
    assert [name for name, count in names.items() if count > 1] == []
    for one in book.attacks():
        assert one.what[0].isupper(), one.name
        if not one.control and set(one.must.values()) != {Verdict.SEEN}:
            assert one.because, one.name


def test_who_knows_more_never_sees_less():
    """An auditor with the key sees what one with nothing sees; with an anchor, more."""
    for one in book.attacks():
        seen = [one.must[who] is Verdict.SEEN for who in (Auditor.NOTHING, Auditor.KEY, Auditor.ANCHOR)]
        assert seen == sorted(seen), one.name


@pytest.mark.parametrize("pattern", ["fork", "octets", "*-removed"])
def test_attacks_are_chosen_by_name_or_family(pattern):
    assert list(book.attacks(pattern))


if __name__ == "__main__":
    head, _, rest = DOCS.read_text().partition(BEGIN)
    DOCS.write_text(head + BEGIN + table.markdown(book.FAMILIES) + END + rest.partition(END)[2])
