from hypothesis import given, settings
from hypothesis import strategies as st

from healer.importing import emit
from healer.importing.harvest import Harvest, Made, Said
from healer.yamldoc.compose import compose
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.plain import value

HERE = Mark(file="f.conf", line=7, column=1)
TEXT = st.text(max_size=60)
PLAIN = st.recursive(
    st.one_of(
        TEXT,
        st.integers(-(2**53) + 1, 2**53 - 1),
        st.booleans(),
        st.none(),
        st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def read(text):
    problems = Problems()
    root = compose(text, "t", problems)
    assert not problems, problems.found
    return value(root)


def whole(text):
    """What YAML can hold of a text: half a character is replaced."""
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


@settings(max_examples=60, deadline=None)
@given(PLAIN)
def test_whatever_is_written_is_read_back_the_same(data):
    def sound(held):
        if isinstance(held, str):
            return whole(held)
        if isinstance(held, list):
            return [sound(one) for one in held]
        return {whole(key): sound(one) for key, one in held.items()} if isinstance(held, dict) else held

    assert read(f"x: {emit.flow(data)}\n")["x"] == sound(data)
    made = Made(body={"id": "a", "data": data, "then": [{"a": data}, {"b": [data]}]}, mark=HERE)
    harvest = Harvest()
    harvest.rules.append(made)
    rule = read(emit.rules(harvest, "f.conf")[0])["rules"][0]
    assert rule == {"id": "a", "data": sound(data), "then": [{"a": sound(data)}, {"b": [sound(data)]}]}


@settings(max_examples=50, deadline=None)
@given(TEXT)
def test_no_text_breaks_out_of_a_comment(text):
    harvest = Harvest()
    harvest.rules.append(Made(body={"id": "a"}, mark=HERE, says=[text]))
    harvest.rules.append(Made(body={"id": text or "x", "x": [{"y": text}]}, mark=HERE, missing=[text]))
    harvest.rules[0].body["then"] = [Said(value={"wait": "1s"}, comment=text)]
    assert read(emit.rules(harvest, text or "x")[0]) == {"version": 1, "rules": [{"id": "a", "then": [{"wait": "1s"}]}]}


def test_words_that_yaml_readers_dispute_are_quoted():
    for word in ("yes", "On", "null", "12:30:45", "0777", "1e3", "2024-01-01", "~", "=", "a: b", "- a", ""):
        assert read(f"x: {emit.scalar(word)}\n") == {"x": word}


def test_a_rule_says_where_it_came_from():
    harvest = Harvest()
    harvest.rules.append(Made(body={"id": "a"}, mark=HERE))
    assert "# from f.conf:7:1" in emit.rules(harvest, "f.conf")[0]


def test_programs_that_are_all_incomplete_leave_no_empty_list():
    harvest = Harvest()
    harvest.programs.append(Made(body={"name": "a"}, mark=HERE, missing=["command: there is none"]))
    assert set(read(emit.organism(harvest, "f", [])[0])) == {"version", "mode", "rules"}


def test_each_piece_knows_the_line_it_begins_at():
    harvest = Harvest()
    harvest.rules += [Made(body={"id": name, "then": [{"wait": "1s"}]}, mark=HERE, says=["x"]) for name in "ab"]
    text, spans = emit.rules(harvest, "f.conf")
    lines = text.splitlines()
    assert [lines[line - 1] for line, _ in spans] == ["  # from f.conf:7:1"] * 2
    assert [lines[line + 1].split()[-1] for line, _ in spans] == ["a", "b"]
