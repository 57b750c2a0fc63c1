import pytest

from healer.config import fields
from healer.errors import HealerError
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def told(text, shape):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, shape, problems, name="f")
    return " ".join(str(one) for one in problems.found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{mode: auto}", "'version' is missing"),
        ("version: 2", "version 2 is not known here"),
        ("version: '1'", "expected version: 1"),
        ("version: true", "expected version: 1"),
        ("{version: 1, mode: on}", "true or false to some"),
        ("{version: 1, harmony: {warn: 50}}", "out of order"),
        ('{version: 1, api: {tcp: "0.0.0.0:80"}}', "0.0.0.0 is not loopback"),
        ("{version: 1, organs: {hart: {}}}", "did you mean 'heart'?"),
        ("{version: 1, organs: {heart: {vitals: {x: {value: a, healthy: b, critical: 1}}}}}", "80%, 30s or 64MiB"),
        ("{version: 1, notify: {x: {kind: pager}}}", "one of: journal, webhook"),
        ("{version: 1, limits: {saturation_psi: 60}}", "did you mean 60%?"),
        ("{version: 1, plugins: [plugins/mine.py]}", "an absolute path of a file or folder"),
        ("{version: 1, rules: {default_mode: atuo}}", "did you mean 'auto'?"),
    ],
)
def test_mistakes_are_told(text, says):
    assert says in told(text, fields.document())


def test_the_bounds_of_a_vital_may_have_any_unit():
    for text, value in (("80%", 0.8), ("30s", 30.0), ("1MiB", 1048576.0), ("5", 5.0), ("-3", -3.0)):
        assert document.text(text, fields.Bound(), Problems()) == value


def test_an_expression_is_judged_by_whom_it_was_handed_to():
    def judge(text):
        error = HealerError("no such metric", hint="look")
        error.offset = text.index("z")
        raise error

    assert told("xyz", fields.Expression(judge)) == "f:1:3: no such metric (look)"
    assert document.text("xyz", fields.Expression(None), Problems()) == "xyz"
    assert "expected an expression" in told("5", fields.Expression(None))


def test_shapes_have_schemas():
    assert fields.Bound().schema()
    assert fields.Expression(None).schema()
