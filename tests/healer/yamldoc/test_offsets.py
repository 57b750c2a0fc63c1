import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.yamldoc.compose import compose
from healer.yamldoc.mark import Problems


def places(text):
    return [(mark.line, mark.column) for mark in compose(text, "f", Problems()).entries[0].node.places()]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a: xyz", [4, 5, 6]),
        ("a: 'xyz'", [5, 6, 7]),
        ("a: 'x''z'", [5, 6, 8]),
        ('a: "x\\tz"', [5, 6, 8]),
        ('a: "\\u0041z"', [5, 11]),
        ('a: "\\x41z"', [5, 9]),
        ("{a: 'xyz'}", [6, 7, 8]),
        ("a: xyz # why", [4, 5, 6]),
    ],
)
def test_each_character_has_its_column(text, columns):
    assert places(text) == [(1, column) for column in columns]


def test_a_literal_block_has_its_lines():
    assert places("a: |\n  xy\n  z\n") == [(2, 3), (2, 4), (2, 5), (3, 3), (3, 4)]


def test_what_is_folded_has_no_columns():
    assert places("a: x\n  y") == []
    assert places("a: >\n  x\n  y\n") == []
    assert places('a: "x\n  y"') == []


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1))
def test_a_quoted_text_of_any_characters_points_at_each_of_them(text):
    escaped = text.replace("'", "''")
    document = f"a: '{escaped}'"
    root = compose(document, "f", problems := Problems())
    if problems:
        return
    node = root.entries[0].node
    marks = node.places()
    assert [document[mark.column - 1] for mark in marks] == list(node.value)
