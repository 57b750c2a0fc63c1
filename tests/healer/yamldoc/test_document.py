import pytest

from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Text
from healer.yamldoc.shape import Bad


@pytest.mark.parametrize("text", ["", "\n\n", "# only words\n", "---\n", "null\n"])
def test_a_blank_file_is_told_not_taken_for_nothing_to_do(tmp_path, text):
    (tmp_path / "f.yaml").write_text(text)
    problems = Problems()
    assert document.read(tmp_path / "f.yaml", problems, name="f.yaml") is None
    assert [str(one) for one in problems.found] == ["f.yaml:1:1: the file is empty (it must begin with version: 1)"]


def test_a_file_is_a_root_and_a_hash(tmp_path):
    (tmp_path / "f.yaml").write_text("a: 1")
    found = document.read(tmp_path / "f.yaml", Problems())
    assert found.root.get("a").node.value == 1
    assert len(found.sha256) == 64


def test_a_file_that_cannot_be_read_is_one_problem(tmp_path):
    problems = Problems()
    assert document.read(tmp_path / "none.yaml", problems) is None
    assert len(problems.found) == 1


def test_a_broken_file_is_one_problem_and_not_also_empty(tmp_path):
    (tmp_path / "f.yaml").write_text("a: [")
    problems = Problems()
    assert document.read(tmp_path / "f.yaml", problems) is None
    assert len(problems.found) == 1


def test_empty_text_is_nothing():
    problems = Problems()
    with pytest.raises(Bad):
        document.text("", Text(), problems, name="HEALER_NODE")
    assert "found nothing" in str(problems.found[0])


def test_a_schema_says_which_language_it_is_in():
    made = document.json_schema(Text(), title="t", identity="i")
    assert made["$schema"].endswith("2020-12/schema")
    assert made["type"] == "string"
