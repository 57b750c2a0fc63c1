"""A step that its target does not let happen is found before the night in which it is wanted."""

import json

import pytest

from healer.config import load_config
from healer.rules.load import load
from healer.rules.review import findings

TARGETS = [
    {"kind": "file", "name": "closed", "path": "/var/cache/app/a", "groups": ["cache"]},
    {"kind": "file", "name": "open", "path": "/var/cache/app/b", "groups": ["cache"], "clear": {}, "aside": "/srv/q"},
    {"kind": "process", "name": "p", "process": "x"},
    {"kind": "http", "name": "front", "url": "http://127.0.0.1:1/"},
]


def found(tmp_path, step, **more):
    config = load_config({"rules": {"files": [], "default_mode": "auto"}, "targets": TARGETS}, environ={})
    bound = more or {"target": "file:closed"}
    rule = {"id": "r", "when": "file.exists{target} == 1", "cooldown": "1m", "then": [step], **bound}
    (tmp_path / "r.yaml").write_text(json.dumps({"version": 1, "rules": [rule]}))
    said = [f"{one.what} ({one.hint})" for one in findings(load([tmp_path / "r.yaml"]), config)]
    return [one for one in said if "let '" in one or "means nothing" in one]


@pytest.mark.parametrize(
    ("step", "key"),
    [({"clear_cache": {}}, "clear"), ({"quarantine": {}}, "aside"), ({"repair": {}}, "repair")],
)
def test_a_word_that_is_missing_is_named(step, key, tmp_path):
    (said,) = found(tmp_path, step)
    assert said == f"file:closed does not let '{next(iter(step))}' happen (declare {key}: with it, in organism.yaml)"


def test_what_was_declared_is_no_finding(tmp_path):
    assert found(tmp_path, {"clear_cache": {}}, target="file:open") == []
    assert found(tmp_path, {"quarantine": {}}, target="file:open") == []
    assert found(tmp_path, {"notify": {}}) == []
    assert found(tmp_path, {"clear_cache": {"page_cache": "file"}}) == []


def test_every_target_a_rule_is_bound_to_is_asked_and_told_once(tmp_path):
    (said,) = found(tmp_path, {"clear_cache": {}}, each={"kind": "file", "group": ["cache"]})
    assert said.startswith("file:closed")


def test_a_step_with_a_target_of_its_own_is_asked_there(tmp_path):
    assert found(tmp_path, {"clear_cache": {}, "target": "file:open"}) == []
    (said,) = found(tmp_path, {"clear_cache": {}, "target": "http:front"}, target="file:open")
    assert said.startswith("http:front does not let 'clear_cache' happen (declare purge:")


def test_a_parameter_that_means_nothing_to_the_kind_is_found(tmp_path):
    (said,) = found(tmp_path, {"adjust": {"memory": "+1GiB", "weight": "50"}}, target="process:p")
    assert said == "'memory' of 'adjust' means nothing for a process (it has: weight, oom, back)"
    (said,) = found(tmp_path, {"clear_cache": {"prefix": "x"}}, target="file:open")
    assert said.startswith("'prefix' of 'clear_cache' means nothing for a file")
