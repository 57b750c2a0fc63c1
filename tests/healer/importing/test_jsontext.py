import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.importing.jsontext import parse
from healer.yamldoc.mark import Problems
from healer.yamldoc.plain import value

DATA = st.recursive(
    st.one_of(st.text(max_size=20), st.integers(-(10**15), 10**15), st.booleans(), st.none(), st.floats(-1e9, 1e9)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def broken(text):
    problems = Problems()
    assert parse(text, "f.json", problems) is None
    return str(problems.found[0])


@settings(max_examples=100, deadline=None)
@given(DATA, st.sampled_from([None, 2]))
def test_it_reads_what_the_standard_library_writes(data, indent):
    text = json.dumps(data, indent=indent)
    assert value(parse(text, "f", Problems())) == json.loads(text)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='{}[]",:\\ 0123456789.eE+-truefalsn\n\t/*#', max_size=60))
def test_it_refuses_what_the_standard_library_refuses(text):
    try:
        expected = json.loads(text)
    except json.JSONDecodeError:
        assert broken(text)
        return
    found = parse(text, "f", Problems())
    # Ours refuses a key written twice and numbers beyond what is exact; it never reads something else.
    assert found is None or value(found) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "a": 1,\n}', "f.json:3:1: expected a key in quotes"),
        ('{"a": 1 "b": 2}', "f.json:1:9: expected ',' or '}', found '\"'"),
        ('{"a": 1, "a": 2}', "f.json:1:10: the key 'a' is written twice"),
        ('{"a": ', "f.json:1:7: the file ends too early"),
        ('{"a": 1} x', "f.json:1:10: something stands behind the end"),
        ("// no\n{}", "f.json:1:1: a comment"),
        ("{'a': 1}", "f.json:1:2: expected a key in quotes"),
        ('["\n"]', "f.json:1:2: a text that is not closed"),
        ("[1e999]", "f.json:1:2: a number too large"),
        ("[NaN]", "f.json:1:2: expected a value, found 'N'"),
        ("", "f.json:1:1: the file ends too early"),
    ],
)
def test_what_is_no_json_is_told_at_its_place(text, said):
    assert broken(text).startswith(said)


def test_a_hundred_thousand_brackets_are_refused_and_nothing_else_happens():
    assert "nested deeper than 64" in broken("[" * 100_000)
    assert "nested deeper than 64" in broken('{"a":' * 100_000)


def test_a_byte_order_mark_is_passed_over():
    assert value(parse('\ufeff{"a": 1}', "f", Problems())) == {"a": 1}


def test_every_value_knows_its_place():
    root = parse('{\n  "a": [1,\n    {"b": "x"}]}', "f", Problems())
    inner = root.entries[0].node.items[1]
    assert (inner.mark.line, inner.mark.column) == (3, 5)
    assert (inner.entries[0].node.mark.line, inner.entries[0].node.mark.column) == (3, 11)
