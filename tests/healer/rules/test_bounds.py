import json

import pytest

from healer.config import load_config
from healer.rules.bounds import bound, findings, worst_case
from healer.rules.load import load


def config(**more):
    return load_config(
        {
            "rules": {"files": [], "default_mode": "auto"},
            "programs": [{"name": "api", "command": ["true"]}, {"name": "db", "command": ["true"], "organ": "stomach"}],
            **more,
        },
        environ={},
    )


def rule(name="a", **more):
    return {
        "id": name,
        "target": "program:api",
        "when": "program.up{target} == 0",
        "then": [{"restart": {}, "verify": {"when": "program.up{target} == 1"}}],
        **more,
    }


def rates(tmp_path, settings, *rules):
    (tmp_path / "f.yaml").write_text(json.dumps({"version": 1, "rules": rules}))
    return {
        (one.target, one.action): (one.per_hour, one.per_day)
        for one in worst_case(load([tmp_path / "f.yaml"]), settings)
    }


API = ("program:api", "restart")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"limits": [{"max": 3, "per": "1h"}, {"max": 7, "per": "1d"}]}, (3, 7)),
        ({"limits": [{"max": 3, "per": "1h"}]}, (3, 72)),
        ({"limits": [{"max": 1, "per": "10m"}]}, (6, 144)),
        ({"limits": [{"max": 100, "per": "1h"}], "cooldown": "30m"}, (3, 49)),
        ({"limits": [{"max": 1000, "per": "1h"}], "cooldown": "0s"}, (60, 1440)),
        ({"limits": [{"max": 2, "per": "1d", "scope": "rule"}]}, (2, 2)),
        ({"limits": [{"max": 2, "per": "1d", "scope": "host"}]}, (2, 2)),
        (
            {"limits": [{"max": 1000, "per": "1h"}], "cooldown": "1h", "then": [{"restart": {}}, {"restart": {}}]},
            (4, 50),
        ),
    ],
)
def test_all_brakes_of_a_rule_are_taken_together(tmp_path, more, expected):
    assert rates(tmp_path, config(), rule(**more)) == {API: expected}


def test_limits_that_count_across_rules_are_not_added_up(tmp_path):
    shared = [{"max": 3, "per": "1h"}]
    assert rates(tmp_path, config(), rule("a", limits=shared), rule("b", limits=shared))[API] == (3, 72)
    patient = [{"max": 5, "per": "1h"}]
    assert rates(tmp_path, config(), rule("a", limits=shared), rule("b", limits=patient))[API] == (5, 120)
    own = [{"max": 3, "per": "1h", "scope": "rule"}]
    assert rates(tmp_path, config(), rule("a", limits=own), rule("b", limits=own))[API] == (6, 144)


def test_the_hosts_ceiling_holds_for_everything(tmp_path):
    settings = config(limits={"actions_per_hour": 2})
    assert rates(tmp_path, settings, rule(limits=[{"max": 9, "per": "1h"}])) == {API: (2, 48)}


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        (config(mode="observe"), {}),
        (config(rules={"files": [], "default_mode": "observe"}), {}),
        (config(organs={"heart": {"mode": "suggest"}}), {}),
        (config(programs=[{"name": "api", "command": ["true"], "mode": "off"}]), {}),
        (config(), {"mode": "observe"}),
        (config(), {"enabled": False}),
        (config(), {"target": "program:none"}),
        (config(), {"then": [{"notify": "journal"}, {"wait": "5s"}]}),
    ],
)
def test_what_cannot_happen_is_not_listed(tmp_path, settings, more):
    assert rates(tmp_path, settings, rule(**more)) == {}


def test_a_verb_that_cannot_touch_a_kind_does_not_count(tmp_path):
    settings = config(targets=[{"kind": "unit", "name": "nginx"}])
    assert rates(tmp_path, settings, rule(target="unit:nginx", when="harmony < 5")) == {}


def test_each_is_bounded_per_target_and_a_host_rule_on_the_host(tmp_path):
    each = {"each": {"kind": "program"}}
    many = rule("a", **each)
    del many["target"]
    host = {"id": "h", "when": "harmony < 5", "limits": [{"max": 1, "per": "1d"}], "then": [{"run": ["/bin/true"]}]}
    found = rates(tmp_path, config(), many, host)
    assert found == {API: (5, 120), ("program:db", "restart"): (5, 120), ("host:", "run"): (1, 1)}


def test_bound_targets_are_those_selected(tmp_path):
    (tmp_path / "f.yaml").write_text(json.dumps({"version": 1, "rules": [rule()]}))
    (one,) = load([tmp_path / "f.yaml"]).rules
    assert [target.id for target in bound(one, config())] == ["program:api"]


def test_findings_come_in_the_order_of_the_files(tmp_path):
    for name in ("2.yaml", "1.yaml"):
        bad = {"id": f"r{name[0]}", "when": f"harmony > 10{name[0]}", "then": [{"notify": "nobody"}]}
        (tmp_path / name).write_text(json.dumps({"version": 1, "rules": [bad]}))
    found = findings(load([tmp_path / "2.yaml", tmp_path / "1.yaml"]), config())
    assert [one.rule for one in found] == ["r2", "r2", "r1", "r1"]
    assert str(found[0]).startswith(str(tmp_path / "2.yaml") + ":1:")
