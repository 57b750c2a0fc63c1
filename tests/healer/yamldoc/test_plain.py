import pytest

from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.plain import Anything, Data
from healer.yamldoc.shape import Bad


def test_data_is_passed_on_as_it_was_written():
    written = "{a: [1, 2.5, true, null, x], b: {c: '1'}}"
    assert document.text(written, Data(), Problems()) == {"a": [1, 2.5, True, None, "x"], "b": {"c": "1"}}


def test_data_is_a_mapping_without_mistakes():
    for text in ("[1]", "x", "{a: on}", ""):
        problems = Problems()
        with pytest.raises(Bad):
            document.text(text, Data(), problems)
        assert problems


def test_anything_is_one_scalar():
    assert document.text("5", Anything(), Problems()) == 5
    for text in ("", "[1]", "{}"):
        with pytest.raises(Bad):
            document.text(text, Anything(), Problems())
    assert Data().schema() == {"type": "object"}
    assert "string" in Anything().schema()["type"]
