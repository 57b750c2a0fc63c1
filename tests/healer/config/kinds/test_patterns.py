"""Patterns by name, as logs and journals declare them."""

import pytest

from healer.config.targets import TARGET
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def read(text, tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(text)
    problems = Problems()
    try:
        return TARGET.read(document.read(path, problems).root, problems), "; ".join(problems.error("x").problems)
    except Bad:
        return None, "; ".join(problems.error("x").problems)


def test_a_pattern_is_kept_as_it_is_written(tmp_path):
    pattern = "Failed password for {user} from (?P<host>[0-9.]+)"
    found, _ = read(f"{{kind: log, name: x, path: /x, patterns: {{failed: '{pattern}'}}}}", tmp_path)
    assert found.spec["patterns"] == {"failed": pattern}


@pytest.mark.parametrize(
    ("patterns", "says"),
    [
        ("{a: '('}", "not a pattern"),
        ("{a: '(?=x)y'}", "RE2"),
        ("{a: 'x*'}", "an empty text matches"),
        ("{a: ''}", "a pattern"),
        ("{A: x}", "cannot be a pattern"),
        ("{a b: x}", "cannot be a pattern"),
        ("{a: 7}", "quote it"),
        ("[x]", "a mapping"),
        ("{a: '{a}{b}{c}{d}{e}{f}{g}{h}{i}'}", "more than 8 names"),
        ("{" + ", ".join(f"p{number}: x" for number in range(33)) + "}", "more than 32 patterns"),
    ],
)
def test_what_is_no_pattern_is_told(tmp_path, patterns, says):
    for kind in ("kind: log, path: /x", "kind: journal"):
        found, problems = read(f"{{{kind}, name: x, patterns: {patterns}}}", tmp_path)
        assert found is None
        assert says in problems
