import pytest

from healer.errors import ConfigError
from healer.yamldoc.mark import Mark, Problem, Problems


def test_a_place_reads_as_editors_jump_to_it():
    assert str(Mark(file="rules/disk.yaml", line=3, column=7)) == "rules/disk.yaml:3:7"
    assert str(Mark(file="HEALER_MODE")) == "HEALER_MODE"


def test_a_problem_says_where_what_and_what_to_do():
    mark = Mark(file="f.yaml", line=1, column=2)
    assert str(Problem(mark=mark, what="no unit", hint="write 30s")) == "f.yaml:1:2: no unit (write 30s)"
    assert str(Problem(mark=mark, what="no unit")) == "f.yaml:1:2: no unit"


def test_all_mistakes_are_told_once_and_in_the_order_of_the_text():
    problems = Problems()
    for line in (10, 2, 2):
        problems.add(Mark(file="f.yaml", line=line, column=1), "wrong")
    with pytest.raises(ConfigError) as told:
        problems.check("rules")
    assert told.value.problems == ("f.yaml:2:1: wrong", "f.yaml:10:1: wrong")
    assert told.value.message.startswith("rules: 2 mistakes: f.yaml:2:1")


def test_no_mistakes_raise_nothing():
    problems = Problems()
    problems.check("rules")
    assert not problems
    assert str(problems.error("rules")).startswith("rules: ")


def test_problems_of_another_collection_are_taken_over():
    one, other = Problems(), Problems()
    other.add(Mark(file="f.yaml"), "wrong")
    one.extend(other.found)
    assert one
