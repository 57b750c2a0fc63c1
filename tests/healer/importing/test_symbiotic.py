import json

import pytest

FIRST = {
    "name": "Heart under strain",
    "conditions": [
        {"system": "heart", "metric": "load", "operator": ">", "value": 85},
        {"system": "circulatory", "metric": "health", "operator": "lessThan", "value": 50},
    ],
    "actions": [{"type": "notify", "target": "oncall", "parameters": {"message": "look", "severity": "high"}}],
    "priority": 80,
    "cooldown": 300,
}
SECOND = {
    "id": "redis-down",
    "triggers": [{"type": "metric"}, {"type": "schedule", "cron": "*/5 * * * *"}],
    "conditions": [
        {"type": "metric", "target": "muscles.memory", "operator": "greaterThan", "value": 90, "weight": 0.8},
        {"type": "service", "target": "redis", "operator": "equals", "value": "down", "weight": 0.4},
    ],
    "constraints": {
        "threshold": 0.7,
        "requiresApproval": True,
        "timeWindow": {"start": "22:00", "end": "06:00"},
        "maxExecutionsPerDay": 7,
    },
    "maxExecutionsPerHour": 3,
    "organismRole": "immune",
    "actions": [{"type": "restart_service", "target": "redis", "parameters": {}}],
}


@pytest.fixture
def rules(imported):
    def run(*documents):
        found = imported("symbiotic", json.dumps(documents, indent=1), name="rules.json")
        assert not found.proof.problems, found.proof.problems
        return found

    return run


def test_the_first_shape_becomes_a_rule(rules):
    (made,) = rules(FIRST).harvest.rules
    body = made.body
    assert not made.missing
    assert body["when"] == {"all": ["heart.load > 85%", "heart.score < 50"]}
    assert (body["priority"], body["cooldown"], body["mode"]) == (8, "5m", "observe")
    assert body["then"][0].value == {"notify": {"message": "look", "severity": "critical"}}


def test_the_second_shape_becomes_a_rule_per_trigger(rules):
    first, second = (made.body for made in rules(SECOND).harvest.rules)
    assert first["when"]["weighted"]["threshold"] == 0.7
    assert [part["weight"] for part in first["when"]["weighted"]["of"]] == [0.8, 0.4]
    assert first["limits"] == [{"max": 3, "per": "1h", "scope": "rule"}, {"max": 7, "per": "1d", "scope": "rule"}]
    assert (first["organ"], first["active"]) == ("immune", {"hours": "22:00-06:00"})
    assert first["then"][0].value["approve"] == {}
    assert "trigger" not in first
    assert second["trigger"] == {"schedule": "*/5 * * * *"}


def test_every_condition_action_and_key_is_accounted_for(rules):
    found = rules(FIRST, SECOND)
    text = json.dumps([FIRST, SECOND], indent=1).splitlines()
    told = {item.mark.line for item in found.harvest.items}
    for number, line in enumerate(text, 1):
        if line.strip() == "{" and line.startswith("   "):
            assert number in told, f"{number}: {line}"


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (
            {"conditions": [{"system": "x", "metric": "flux", "operator": ">", "value": 1}]},
            "nothing here measures x.flux",
        ),
        ({"conditions": [{"system": "heart", "metric": "load", "operator": "~", "value": 1}]}, "no operator"),
        ({"conditions": [{"system": "heart", "metric": "load", "operator": ">", "value": [1]}]}, "no single value"),
        (
            {"conditions": [{"system": "heart", "metric": "load", "operator": ">", "value": "much"}]},
            "cannot be compared",
        ),
        (
            {"conditions": [{"system": "heart", "metric": "load", "operator": "contains", "value": "x"}]},
            "asked of a number",
        ),
        ({"conditions": [{"type": "service", "target": "x", "operator": "equals", "value": "slow"}]}, "up or down"),
        ({"conditions": [{"type": "time", "value": "noon"}]}, "no form here"),
        ({"conditions": [7]}, "it is no object"),
        ({"conditions": [{"type": "event"}]}, "it names no event"),
        ({"conditions": []}, "it has no condition"),
        ({"actions": []}, "it has no action"),
        ({"triggers": [{"type": "moon"}]}, "no trigger of type"),
        ({"constraints": {"phaseOfMoon": "full"}}, "the constraint phaseOfMoon"),
        ({"constraints": ["x"]}, "nobody understands"),
        ({"maxExecutionsPerHour": 0}, "no number of 1 or more"),
        ({"logic": "maybe"}, "the logic"),
    ],
)
def test_what_a_rule_lacks_makes_it_a_comment(rules, fates, change, because):
    found = rules({**FIRST, **change})
    (made,) = found.harvest.rules
    assert made.missing
    assert because in " ".join(fates(found, "left"))
    assert "# - id: heart-under-strain" in list(found.documents.values())[1].replace("  #", "#")
    assert not [said for said in fates(found, "carried") if "condition" in said]


def test_weights_without_a_threshold_are_all_needed_and_or_is_any(rules, fates):
    weighted = {**SECOND, "constraints": {}}
    found = rules(weighted, {**FIRST, "logic": "OR"})
    assert set(found.harvest.rules[0].body["when"]) == {"all"}
    assert "all are needed" in " ".join(fates(found, "changed"))
    assert set(found.harvest.rules[-1].body["when"]) == {"any"}


def test_events_are_heard_within_a_time(rules):
    events = [{"type": "event", "target": "backupFailed", "within": "2h"}, {"type": "event", "event": 'disk "full"'}]
    found = rules({**FIRST, "conditions": events})
    assert found.harvest.rules[0].body["when"] == {
        "all": ['occurred("backup.failed", 2h)', 'occurred("disk.full", 10m)']
    }


def test_odd_heads_are_told(rules, fates):
    found = rules(
        {**FIRST, "priority": {"x": 1}, "organismRole": "liver", "cooldown": "soon", "colour": "red", "enabled": False}
    )
    left = " ".join(fates(found, "left"))
    for part in ("priority: neither", "none of the seven organs", "cooldown: no duration", "colour: no key"):
        assert part in left
    assert found.harvest.rules[0].body["enabled"] is False


@pytest.mark.parametrize("text", ['"x"', "[1]", '{"rules": [1], "x": 2}', "[]"])
def test_what_holds_no_rule_makes_none(imported, text):
    found = imported("symbiotic", text)
    assert not found.harvest.rules
    assert not found.proof.problems
