import json
import time

import pytest

from healer.config import load_config
from healer.rules.bounds import ALL, worst_case
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
        ({"limits": [{"max": 100, "per": "1h"}], "cooldown": "30m"}, (10, 240)),
        ({"limits": [{"max": 1000, "per": "1h"}], "cooldown": "0s", "backoff": {"initial": "0s"}}, (60, 1440)),
        ({"limits": [{"max": 2, "per": "1d", "scope": "rule"}]}, (2, 2)),
        ({"limits": [{"max": 2, "per": "1d", "scope": "host"}]}, (2, 2)),
        (
            # Each of two rungs may be tried until its breaker opens.
            {"limits": [{"max": 1000, "per": "1h"}], "cooldown": "1h", "then": [{"restart": {}}, {"restart": {}}]},
            (10, 240),
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
    # Where they look back differently far, the patient one fills up what the other has forgotten: 3 x 6 and 5 more.
    quick = [{"max": 3, "per": "10m"}]
    assert rates(tmp_path, config(), rule("a", limits=quick), rule("b", limits=patient))[API][0] == 18 + 5
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
    settings = config(targets=[{"kind": "tcp", "name": "ssh", "port": 22}])
    assert rates(tmp_path, settings, rule(target="tcp:ssh", when="harmony < 5")) == {}


def test_several_verbs_on_one_target_have_a_line_for_their_sum(tmp_path):
    both = [{"restart": {}}, {"signal": "HUP"}]
    found = rates(tmp_path, config(), rule(then=both, limits=[{"max": 3, "per": "1h"}]))
    assert found == {API: (3, 72), ("program:api", "signal"): (3, 72), ("program:api", ALL): (6, 144)}
    wide = [{"max": 3, "per": "1h"}, {"max": 4, "per": "1h", "scope": "target"}]
    assert rates(tmp_path, config(), rule(then=both, limits=wide))["program:api", ALL] == (4, 96)


def test_a_step_for_another_target_counts_there_once_for_all_who_may_take_it(tmp_path):
    other = rule(
        "a", each={"kind": "program"}, limits=[{"max": 9, "per": "1h"}], cooldown="1h", backoff={"initial": "0s"}
    )
    del other["target"]
    other["then"] = [{"restart": {}, "target": "program:db"}]
    # No cooldown holds between incidents of several targets that treat the same one.
    assert rates(tmp_path, config(), other) == {("program:db", "restart"): (9, 216)}


def test_each_number_is_derived_line_by_line(tmp_path):
    (tmp_path / "f.yaml").write_text(json.dumps({"version": 1, "rules": [rule(), rule("b", when="harmony < 9")]}))
    (rate,) = worst_case(load([tmp_path / "f.yaml"]), config())
    told = [(line.of, line.because, line.per_hour) for line in rate.lines]
    assert ("a", "limits: 5 per 1h", 5) in told
    assert ("together", "each rule at its most", 10) in told
    assert ("together", "counted across rules: 5 per 1h", 5) in told
    assert told[-1] == ("host", "actions_per_hour: 60", 60)
    assert (rate.per_hour, rate.per_day) == (5, 120)


def test_hostile_numbers_and_many_targets_take_no_time(tmp_path):
    many = config(programs=[{"name": f"p{number}", "command": ["true"]} for number in range(2000)])
    rules = []
    for number in range(60):
        odd = [{"max": 10_000, "per": f"{1 + number * 7919 % 997}s"}, {"max": 9_999, "per": f"{number + 2}h"}]
        one = rule(f"r{number}", each={"kind": "program", "name": "p*"}, cooldown="0s", limits=odd)
        del one["target"]
        rules.append(one | {"backoff": {"initial": "1ms", "factor": 1.001, "max": "1h", "reset_after": "1s"}})
    began = time.monotonic()
    found = rates(tmp_path, many, *rules)
    assert len(found) == 2000
    assert set(found.values()) == {(60, 1440)}
    assert time.monotonic() - began < 5


def test_each_is_bounded_per_target_and_a_host_rule_on_the_host(tmp_path):
    each = {"each": {"kind": "program"}}
    many = rule("a", **each)
    del many["target"]
    host = {"id": "h", "when": "harmony < 5", "limits": [{"max": 1, "per": "1d"}], "then": [{"run": ["/bin/true"]}]}
    found = rates(tmp_path, config(), many, host)
    assert found == {API: (5, 120), ("program:db", "restart"): (5, 120), ("host:", "run"): (1, 1)}
