import json

import pytest

from healer.importing.avena_clients import Clients, told
from healer.importing.avena_then import Steps
from healer.importing.avena_when import Conditions
from healer.importing.harvest import Fate, Harvest
from healer.importing.jsontext import parse
from healer.yamldoc.mark import Problems

WAIT = {"type": "wait_for_state", "target": "@all", "target_state": ["PAUSE"], "timeout": "20s"}
PAUSE = {"type": "send_command", "target": "@all", "command": "CMD_PAUSE"}


def read(*actions, clients=("a=http://h:1@g", "b=http://h:2")):
    harvest = Harvest()
    known = Clients(harvest, [], [told(one) for one in clients])
    steps = Steps(harvest, known, Conditions(harvest, known, "label"), {"other": "other-id"}, "label")
    root = parse(json.dumps(actions, indent=1), "f", Problems())
    return [one.value for one in steps.of(root.items)], steps, harvest


def test_a_command_is_a_call_to_each_and_proved_by_the_wait_behind_it():
    found, steps, _ = read(PAUSE, WAIT)
    assert [step["call"]["url"] for step in found] == ["http://h:1/event", "http://h:2/event"]
    assert [step["verify"]["within"] for step in found] == ["1s", "20s"]
    assert not steps.missing


def test_a_custom_command_carries_its_data_but_not_what_is_filled_in_while_it_runs():
    action = {"type": "send_custom_command", "group": "g", "command": "SET", "timeout": "15s",
              "data": {"x": 1.5, "who": "{{ trigger.who }}", "password": "hunter22"}}  # fmt: skip
    found, _, harvest = read(action)
    assert found == [
        {
            "call": {
                "url": "http://h:1/event",
                "method": "POST",
                "json": {"source": "healer", "destination": "a", "event_type": "SET", "data": {"x": 1.5}},
            },
            "target": "http:a",
            "timeout": "15s",
        }
    ]
    left = {item.what: item.because for item in harvest.of(Fate.LEFT)}
    assert "{event.who}" in left["data.who"]
    assert harvest.credentials == {"label-data-password": "hunter22"}


def test_a_wait_by_itself_waits_and_gives_up_loudly():
    found, steps, _ = read({**WAIT, "on_failure": [{"type": "log_event", "level": "critical", "message": "late"}]})
    assert found[0]["wait_for"]["on_timeout"] == "give_up"
    assert found[0]["wait_for"]["timeout"] == "20s"
    assert steps.exhausted[0].value == {"notify": {"message": "late", "severity": "critical"}}


def test_what_only_tells_is_told():
    found, steps, harvest = read(
        {"type": "log_event", "level": "error", "message": "{{ x }} is ill"},
        {"type": "send_sms", "to": ["1", "2"], "text": "t"},
        {"type": "send_email", "to": "a@b", "subject": "[ALERT] s", "body": "b", "smtp": {"password": "hunter22"}},
    )
    assert [step["notify"] for step in found] == [
        {"message": "[x] is ill", "severity": "critical"},
        {"message": "t", "severity": "warning"},
        {"message": "[ALERT] s: b", "severity": "critical"},
    ]
    assert harvest.credentials == {"label-smtp-password": "hunter22"}
    assert not steps.missing


def test_services_are_touched_one_after_the_other():
    found, _, harvest = read(
        {"type": "systemctl", "operation": "restart", "services": ["a.service", "b.service", "a.service"]}
    )
    assert len(found) == 2
    assert len(harvest.targets) == 2
    reload, _, _ = read({"type": "systemctl", "operation": "reload", "service": "a"})
    assert reload == [{"run": {"argv": ["/usr/bin/systemctl", "reload", "a"]}, "timeout": "30s"}]


def test_scenarios_are_triggered_and_branches_stay_branches():
    branch = {
        "type": "evaluate_condition",
        "conditions": {"client_state": {"client": "a", "state": "RUN"}},
        "true_actions": [{"type": "execute_scenario", "scenario": "other"}],
        "false_actions": [{"type": "log_event", "message": "no"}],
    }
    found, _, _ = read(branch)
    assert found[0]["if"] == 'http.state{target="http:a"} == "RUN"'
    assert found[0]["then"][0].value == {"trigger": "other-id"}
    assert found[0]["else"][0].value["notify"]["message"] == "no"
    only, _, _ = read({**branch, "true_actions": []})
    assert only[0]["if"] == {"not": 'http.state{target="http:a"} == "RUN"'}


@pytest.mark.parametrize(
    ("action", "because"),
    [
        ({"type": "send_command", "target": "@all"}, "names no command"),
        ({"type": "send_command", "client": "zz", "command": "X"}, "not known"),
        ({"type": "wait_for_state", "client": "zz", "target_state": "X"}, "not known"),
        ({"type": "systemctl", "operation": "explode", "service": "a"}, "no operation"),
        ({"type": "systemctl", "service": "a; b"}, "names no service"),
        ({"type": "execute_scenario", "scenario": "gone"}, "not in these files"),
        (
            {"type": "evaluate_condition", "conditions": [{"type": "moon"}], "true_actions": [PAUSE]},
            "could not be carried over",
        ),
        (
            {"type": "evaluate_condition", "conditions": {"client_state": {"client": "a", "state": "R"}}},
            "nothing is left",
        ),
        ({"type": "database_update", "table": "t"}, "writes into a database"),
        ({"type": "restart_orders"}, "business"),
        ({"type": "pause_scenario"}, "by people"),
        ({"type": "dance"}, "no kind of action"),
        ({}, "it has no type"),
        (7, "it has no type"),
    ],
)
def test_what_has_no_home_is_told_and_leaves_the_rule_incomplete(action, because):
    found, steps, harvest = read(action)
    assert not found
    assert steps.missing
    assert because in " ".join(item.because for item in harvest.of(Fate.LEFT))


def test_a_message_that_cannot_be_sent_does_not_hold_the_rest_back():
    _, steps, harvest = read({"type": "send_sms_to_customer", "text": "x"})
    assert not steps.missing
    assert list(harvest.of(Fate.LEFT))
