import pytest

from healer.yamldoc.compose import compose
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import BROKEN, MAX_DEPTH, Items, Scalar, Table, from_python, kind


def test_a_scalar_knows_the_place_of_each_of_its_characters():
    root = compose("a: plain\n", "f", Problems())
    scalar = root.get("a").node
    assert [scalar.at(offset).column for offset in (0, 2, 4, 99)] == [4, 6, 8, 9]
    assert scalar.at(-1).column == 4


def test_a_scalar_without_places_points_at_its_start():
    mark = Mark(file="f", line=7, column=3)
    assert Scalar(mark=mark, value="x", text="x").at(5) == mark


def test_python_data_becomes_nodes_marked_with_their_path(tmp_path):
    root = from_python({"programs": [{"name": "api", "env": {}}], "folder": tmp_path, "n": None}, "config")
    assert isinstance(root, Table)
    programs = root.get("programs").node
    assert isinstance(programs, Items)
    assert str(programs.items[0].get("name").mark) == "config.programs[0]"
    assert str(programs.items[0].get("name").node.mark) == "config.programs[0].name"
    assert root.get("folder").node.value == str(tmp_path)
    assert root.get("n").node.value is None
    assert root.get("missing") is None


@pytest.mark.parametrize("strange", [object(), b"octets", {1, 2}, lambda: 1])
def test_what_yaml_cannot_hold_becomes_a_text_no_parser_takes(strange):
    assert from_python(strange, "config").value.startswith("<")


def test_endless_python_data_ends():
    endless = []
    endless.append(endless)
    node = from_python(endless, "config")
    for _ in range(MAX_DEPTH + 1):
        node = node.items[0]
    assert "deeper" in node.value


@pytest.mark.parametrize(
    ("text", "said"),
    [("{}", "a mapping"), ("[]", "a list"), ("", "nothing"), ("true", "true"), ("3", "the number 3"), ("x", "'x'")],
)
def test_nodes_are_called_what_people_call_them(text, said):
    node = compose(text, "f", Problems())
    assert kind(node if node is not None else Scalar(mark=Mark(file="f"), value=None, text="")) == said


def test_long_text_is_not_repeated_in_full():
    assert len(kind(Scalar(mark=Mark(file="f"), value="x" * 500, text="x" * 500))) < 60
    assert repr(BROKEN) == "BROKEN"
