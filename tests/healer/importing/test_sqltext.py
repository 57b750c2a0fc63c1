import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.importing import sqltext


def test_rows_are_counted_and_at_most_so_many():
    said = sqltext.counting(
        "shop.orders", {"status": "it's", "n": 3, "x": None, "at": "> NOW() - INTERVAL '1 hour'"}, 10, "at ASC"
    )
    assert said == (
        'SELECT count(*) FROM (SELECT 1 FROM "shop"."orders" WHERE "status" = \'it\'\'s\' AND "n" = 3 AND "x" IS NULL '
        "AND \"at\" > NOW() - INTERVAL '1 hour' LIMIT 10) AS found"
    )


@pytest.mark.parametrize(
    ("operator", "expected", "end"),
    [
        ("equals", "a", "\"c\" = 'a'"),
        ("not_in", [1, 2], '"c" NOT IN (1, 2)'),
        ("is_null", None, '"c" IS NULL'),
        ("greater", 3, '"c" > 3'),
    ],
)
def test_values_are_compared(operator, expected, end):
    assert sqltext.comparing("t", "c", {"id": True}, operator, expected).endswith(f'WHERE "id" = TRUE AND {end}')


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"a; DROP TABLE x": 1},
        {"a": "> 1; DROP TABLE x"},
        {"a": "= (SELECT 1)"},
        {"a": "{{ x }}"},
        {"a": "x\\' OR 1=1 --"},
        {"a": {"b": 1}},
        {"a": "x\0"},
    ],
)
def test_what_is_more_than_a_look_is_refused(where):
    with pytest.raises(sqltext.NoQuery):
        sqltext.counting("t", where)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_no_text_leaves_its_quotes(text):
    try:
        said = sqltext.counting("t", {"a": text})
    except sqltext.NoQuery:
        return
    rest = said.removeprefix('SELECT count(*) FROM (SELECT 1 FROM "t" WHERE "a" ').removesuffix(") AS found")
    assert re.fullmatch(r"= '(?:[^']|'')*'", rest, re.DOTALL) or re.fullmatch(r"[<>=!]+ [\w '()+.:-]+", rest), rest


def test_the_connection_is_named_and_only_reads():
    argv = sqltext.argv("main", "SELECT 1")
    assert "service=main" in argv[1]
    assert "default_transaction_read_only=on" in argv[1]
    with pytest.raises(sqltext.NoQuery):
        sqltext.argv("x host=evil", "SELECT 1")
    with pytest.raises(sqltext.NoQuery):
        sqltext.comparing("t", "c", {"a": 1}, "like", "x")
    with pytest.raises(sqltext.NoQuery):
        sqltext.comparing("t", "c", {"a": 1}, "in", "x")
    with pytest.raises(sqltext.NoQuery):
        sqltext.counting("t", {"a": 1}, order="a; DROP")
