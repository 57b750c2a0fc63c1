import json

import pytest

from healer.cli import show
from healer.cli.settings import Settings


def test_words_of_others_cannot_drive_the_terminal(capsys):
    show.line("a\x1b[2Jb\x07\u202ec\r\nd")
    show.table(Settings(), ("A",), [["\x1b]0;evil\x07"]])
    said = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(said)


def test_plain_tables_are_aligned_and_nothing_is_cut(capsys):
    show.table(Settings(), ("NAME", "N"), [["a" * 200, None], ["b", 0.123456]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].index("N", 1) == 202
    assert lines[1].endswith("  -")
    assert lines[2].endswith("0.1235")


def test_an_empty_table_says_so_beside_the_data(capsys):
    show.table(Settings(), ("A",), [], empty="nothing here")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "nothing here\n")
    show.table(Settings(), ("A",), [])
    assert capsys.readouterr().err == ""


def test_on_a_terminal_tables_are_drawn(capsys, monkeypatch):
    monkeypatch.setattr(Settings, "color", True)
    show.table(Settings(), ("HEALTH", "WHO"), [["failed", ["a", "b"]]])
    assert "a, b" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.04, "0.0 s"), (9.96, "10.0 s"), (12, "12 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"),
     (172_800, "2 d"), (400_000, "5 d")],
)  # fmt: skip
def test_spans_are_told_in_the_unit_a_person_would_use(seconds, text):
    assert show.ago(seconds) == text


def test_what_is_not_known_is_not_a_number(capsys):
    assert (show.whole(None), show.whole(99.6), show.left(0), show.left(3)) == ("unknown", "100", "-", "3.0 s")
    show.as_json({"ü": None})
    assert json.loads(capsys.readouterr().out) == {"ü": None}


def test_one_is_not_many():
    assert [show.count(number, "rule") for number in (0, 1, 2)] == ["0 rules", "1 rule", "2 rules"]
