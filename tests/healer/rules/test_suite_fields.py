from healer.gates.order import ORDER
from healer.rules.suite_fields import GATES, shape


def test_the_gates_are_those_that_are_asked():
    assert tuple(name for name, _ in ORDER) == GATES


def test_the_shape_has_a_schema():
    assert shape().schema()["required"] == ["version", "rule_files", "tests"]
