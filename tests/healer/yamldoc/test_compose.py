import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.yamldoc import compose as module
from healer.yamldoc.compose import compose
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Items, Scalar, Table


def told(text):
    problems = Problems()
    compose(text, "f.yaml", problems)
    return [str(problem) for problem in problems.found]


def test_a_document_becomes_nodes_that_know_their_place():
    problems = Problems()
    root = compose("a:\n  - 1\n  - {b: x}\n", "f.yaml", problems)
    assert not problems
    assert isinstance(root, Table)
    items = root.entries[0].node
    assert isinstance(items, Items)
    assert [str(item.mark) for item in items.items] == ["f.yaml:2:5", "f.yaml:3:5"]
    assert str(items.items[1].entries[0].mark) == "f.yaml:3:6"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\na: 2", "2:1", "written twice"),
        ("a: 1\n'a': 2", "2:1", "written twice"),
        ("a: on", "1:4", "true or false to some"),
        ("off: 1", "1:1", "true or false to some"),
        ("1: x", "1:1", "not text"),
        ("~: x", "1:1", "not text"),
        ("<<: {a: 1}", "1:1", "merge keys"),
        ("a: &x 1", "1:4", "anchor"),
        ("a: {b: &x {}}", "1:8", "anchor"),
        ("a: 1\nb: *x", "2:4", "alias"),
        ("a: !!str 1", "1:4", "tag"),
        ("a: !local {}", "1:4", "tag"),
        ("a: !!python/object/new:os.system [ls]", "1:4", "tag"),
        ("--- 1\n--- 2", "2:1", "second document"),
        ("%YAML 1.1\n--- 1", "1:1", "directive"),
        ("\ufeffa: 1", "1:1", "byte order mark"),
        ("a: \0", "1:4", "control character"),
        ("a: b\x07c", "1:5", "control character"),
        ("a:\n\tb: 1", "2:1", "tab"),
        ("a:\n  \tb: 1", "2:3", "tab"),
        ("a: [1, 2", "2:1", "not YAML"),
        ("a: 'x", "1:", "not YAML"),
        ("a: b: c", "1:5", "not YAML"),
        ("a: @x", "1:4", "not YAML"),
        ("- x\nb: 1", "2:1", "not YAML"),
        ("{[a]: 1}", "1:2", "as a key"),
        ("[" * 20000, "1:33", "nested deeper"),
        ("a: " + "{b: " * 40 + "}" * 40, "1:", "nested deeper"),
        ("- " * 40 + "x", "1:", "nested deeper"),
    ],
)
def test_what_is_not_plain_yaml_is_told_at_its_place(text, where, what):
    first = told(text)[0]
    assert first.startswith(f"f.yaml:{where}")
    assert what in first


def test_every_mistake_is_told_at_once():
    assert len(told("a: on\nb: 0777\na: 1\nc: &x 1\nd: *x\n<<: {}\n")) == 6


def test_a_bomb_of_aliases_is_not_expanded():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join(['*' + old] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    assert any("alias" in line for line in told("\n".join(lines)))


def test_more_values_than_anybody_writes_end_the_reading(monkeypatch):
    monkeypatch.setattr(module, "MAX_NODES", 100)
    assert "more than 100 values" in told("[" + "1," * 200 + "]")[0]


def test_hints_say_what_to_do():
    assert "brackets" in told("a: [1\nb: 2\n")[0]
    assert "quote" in told("a: b: c")[0]
    assert "quote" in told("a: %x")[0]


def test_text_in_quotes_is_text():
    root = compose("a: 'on'\nb: \"12:30:45\"\nc: |\n  0777\n", "f", Problems())
    assert [entry.node.value for entry in root.entries] == ["on", "12:30:45", "0777\n"]


@given(st.text(max_size=200))
def test_no_text_whatever_is_more_than_a_list_of_problems(text):
    problems = Problems()
    root = compose(text, "f", problems)
    assert root is None or isinstance(root, Table | Items | Scalar)
    assert all(problem.mark.line >= 1 for problem in problems.found)


@given(st.text(alphabet="[]{}:,-#&*!|>'\"%@`?\n \ta1", max_size=60))
def test_no_punctuation_whatever_is_more_than_a_list_of_problems(text):
    compose(text, "f", Problems())


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("v: {when: http.ok{target} == 1, within: 30s}", 'quote it: when: "http.ok{target} == 1"'),
        (
            'a: 1\nv: {when: x.y{target, a="b"} > 1 and z{target} == 1}',
            "when: 'x.y{target, a=\"b\"} > 1 and z{target} == 1'",
        ),
        ("all: [http.ok{target} == 1, harmony > 3]", 'quote it: "http.ok{target} == 1"'),
        ("v: {within: 30s, when: a.b{target}}", 'when: "a.b{target}"'),
    ],
)
def test_an_unquoted_condition_in_braces_is_told_with_quotes(text, hint):
    (said,) = told(text)
    assert hint in said
    assert "indentation" not in said


@pytest.mark.parametrize(
    "text",
    [
        'version: 1\nwhen: "http.ok == 1\nfor: 3s\n',
        "version: 1\nwhen: 'http.ok == 1\nfor: 'x'\nb: 1\n",
        'version: 1\nwhen: "http.ok == 1\nfor: "3s"\n',
    ],
)
def test_a_quote_that_is_not_closed_is_told_where_it_opens(text):
    (said,) = told(text)
    assert said.startswith("f.yaml:2:7: ")
    assert "quote" in said


def test_a_text_over_several_lines_is_not_blamed_for_a_later_mistake():
    assert told('a: "x\n  y"\nb: 1\nc: d: e\n')[0].startswith("f.yaml:4:")
