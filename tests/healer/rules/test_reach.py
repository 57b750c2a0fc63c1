import json

from healer.config import load_config
from healer.rules.load import load
from healer.rules.reach import HOST, alike, bindings

CONFIG = load_config(
    {
        "rules": {"files": [], "default_mode": "auto"},
        "programs": [
            {"name": "api-1", "command": ["true"]},
            {"name": "api-2", "command": ["true"]},
            {"name": "db", "command": ["true"], "organ": "stomach"},
        ],
    },
    environ={},
)
UP = "program.up{target} == 0"


def loaded(tmp_path, *rules):
    (tmp_path / "f.yaml").write_text(json.dumps({"version": 1, "rules": list(rules)}))
    return load([tmp_path / "f.yaml"]).rules


def test_rules_are_bound_to_what_they_select(tmp_path):
    rules = loaded(
        tmp_path,
        {"id": "glob", "each": {"kind": "program", "name": "api-*"}, "when": UP, "then": [{"restart": {}}]},
        {"id": "name", "each": {"name": "db"}, "when": UP, "then": [{"restart": {}}]},
        {"id": "one", "target": "program:db", "when": UP, "then": [{"restart": {}}]},
        {"id": "none", "target": "program:gone", "when": UP, "then": [{"restart": {}}]},
        {"id": "host", "when": "harmony < 5", "then": [{"run": ["/bin/true"]}]},
    )
    assert bindings(rules, CONFIG.targets) == [(0, 1), (2,), (2,), (), ()]


def test_targets_that_no_rule_tells_apart_are_one_group(tmp_path):
    rules = loaded(
        tmp_path,
        {"id": "r", "each": {"kind": "program", "name": "api-*"}, "when": UP, "then": [
            {"restart": {}}, {"restart": {}}, {"notify": "journal"}, {"start": {}, "target": "program:db"}]},
        {"id": "host", "when": "harmony < 5", "then": [{"run": ["/bin/true"]}]},
    )  # fmt: skip
    apis, db, host = alike(rules, CONFIG)
    assert [target.id for target in apis.targets] == ["program:api-1", "program:api-2"]
    assert [(use.rule.id, use.action, use.times, use.instances) for use in apis.uses] == [("r", "restart", 2, 1)]
    assert [(use.action, use.instances) for use in db.uses] == [("start", 2)]
    assert (db.rules, host.targets, [use.action for use in host.uses]) == ((), (HOST,), ["run"])


def test_a_step_for_a_target_that_nobody_knows_acts_on_the_rules_own(tmp_path):
    step = {"restart": {}, "target": "program:gone"}
    rules = loaded(tmp_path, {"id": "r", "target": "program:db", "when": UP, "then": [step]})
    assert {
        target.id: [use.action for use in group.uses] for group in alike(rules, CONFIG) for target in group.targets
    }["program:db"] == ["restart"]
