"""Keys of a log."""

import pytest

from healer.config.kinds.log import OWN
from healer.config.targets import TARGET
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def read(text, tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(text)
    problems = Problems()
    try:
        return TARGET.read(document.read(path, problems).root, problems).spec, "; ".join(problems.error("x").problems)
    except Bad:
        return None, "; ".join(problems.error("x").problems)


def test_a_path_is_all_it_needs(tmp_path):
    spec, _ = read("{kind: log, name: x, path: '/var/log/*.log'}", tmp_path)
    assert (spec["path"], spec["every"], spec["link"], spec["patterns"]) == ("/var/log/*.log", OWN.every, False, {})
    assert spec["backlog"] == 64 * 2**20


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("", "'path' is missing"),
        ("path: log", "absolute path"),
        ("path: '/var/**/x.log'", "** is not followed"),
        ("path: /x, backlog: 1KiB", "backlog"),
        ("path: /x, backlog: 5", "5"),
        ("path: /x, link: maybe", "link"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path, keys, says):
    found, problems = read(f"{{kind: log, name: x, {keys}}}", tmp_path)
    assert found is None
    assert says in problems or "1MiB" in problems or "true" in problems
