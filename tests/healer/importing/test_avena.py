import json
import re
import shutil

import pytest

from healer.importing.avena_clients import told
from healer.importing.harvest import Fate
from healer.importing.importer import bring
from healer.importing.jsontext import parse
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Items, Table

CLIENTS = [
    "io=http://127.0.0.1:8001@base_io",
    "supervisor_1=http://127.0.0.1:8002@supervisors",
    "s3=http://127.0.0.1:8003@sensors",
]
CONDITIONS = {
    "and",
    "or",
    "not",
    "xor",
    "nand",
    "nor",
    "client_state",
    "time",
    "database_list",
    "database",
    "error_message",
}
SCENARIO = {
    "name": "Pause",
    "priority": 90,
    "cooldown": 60,
    "trigger": {"type": "automatic", "conditions": {"client_state": {"client": "a", "state": "FAULT"}}},
    "actions": [{"type": "log_event", "message": "x"}],
}


def parts(node, inside=""):
    """Where every action and every condition of a document stands, found without the code under test."""
    if isinstance(node, Items):
        for item in node.items:
            if inside in {"actions", "true_actions", "false_actions", "on_failure"} or (
                inside == "conditions" and isinstance(item, Table) and item.get("type")
            ):
                yield item.mark
            yield from parts(item, "item of conditions" if inside == "conditions" else "")
    elif isinstance(node, Table):
        for entry in node.entries:
            if inside in {"conditions", "item of conditions"} and entry.key in CONDITIONS:
                yield entry.mark
            yield from parts(entry.node, entry.key)


@pytest.fixture
def scenarios(imported):
    def run(*documents, clients=("a=http://127.0.0.1:1",)):
        text = json.dumps({"scenarios": documents}, indent=1)
        found = imported("avena", text, name="s.json", clients=[told(one) for one in clients])
        assert not found.proof.problems, (found.proof.problems, found.documents)
        return found

    return run


@pytest.mark.parametrize("clients", [[], CLIENTS])
def test_every_action_and_condition_of_the_samples_is_in_one_of_the_three_lists(samples, clients):
    found = bring(samples / "avena", clients=[told(one) for one in clients])
    listed = {item.mark for item in found.harvest.items}
    count = 0
    for path in sorted((samples / "avena").glob("*.json")):
        root = parse(path.read_text(encoding="utf-8"), str(path), Problems())
        for mark in parts(root):
            assert mark in listed, mark
            count += 1
        for entry in root.entries:
            assert entry.key in {"trigger", "actions"} or entry.mark in listed, entry.mark
    assert count == 38
    assert not found.proof.problems


def test_each_thing_has_one_fate(samples):
    found = bring(samples / "avena", clients=[told(one) for one in CLIENTS])
    seen = [(item.mark, item.what) for item in found.harvest.items]
    assert len(seen) == len(set(seen))


def test_the_samples_that_are_whole_become_rules(samples):
    found = bring(samples / "avena", clients=[told(one) for one in CLIENTS])
    pause = next(made for made in found.harvest.rules if made.body["id"] == "wstrzymanie-systemu-przy-bledach-all")
    assert not pause.missing
    assert pause.body["priority"] == 1
    calls = [step.value for step in pause.body["then"] if "call" in step.value]
    assert [step["target"] for step in calls] == ["http:io", "http:supervisor_1", "http:s3"]
    assert all(step["call"]["json"]["event_type"] == "CMD_PAUSE" for step in calls)
    assert len(pause.body["on_recovered"]) == 6
    custom = next(made for made in found.harvest.rules if made.body["id"] == "send-custom-command-example")
    assert not custom.missing
    assert custom.body["trigger"] == "manual"
    assert sum("call" in step.value for step in custom.body["then"]) == 7


def test_without_knowing_who_all_are_nothing_is_done_to_all(samples):
    found = bring(samples / "avena" / "pause_on_fault_services.json")
    assert all(made.missing for made in found.harvest.rules)
    assert "--client" in " ".join(item.because for item in found.harvest.of(Fate.LEFT))


def test_two_conditions_side_by_side_are_an_error_and_not_the_first_of_them(samples):
    found = bring(samples / "avena" / "restart_orders_general.json")
    (made,) = found.harvest.rules
    assert "theirs looks at time only" in made.missing[0]
    assert "# - id: restart-zamowien-wg-filtru" in re.sub(r"(?m)^ +#", "#", list(found.documents.values())[1])
    assert list(found.documents)[1].endswith(".incomplete.txt")
    # Nor is the database asked for what nobody wants to know.
    assert found.harvest.targets[0].missing


def test_the_written_rules_say_where_they_came_from(samples):
    found = bring(samples / "avena", clients=[told(one) for one in CLIENTS])
    text = found.documents["rules.d/avena.yaml"]
    assert re.search(r"# from .*pause_on_fault_services\.json:1:1", text)
    assert "# line 71: Wstrzymanie wszystkich komponentów systemu" in text


@pytest.mark.parametrize(("theirs", "ours"), [(0, 10), (5, 10), (50, 5), (90, 1), (1000, 1), (-3, 10)])
def test_the_lowest_comes_first_there(scenarios, theirs, ours):
    assert scenarios({**SCENARIO, "priority": theirs}).harvest.rules[0].body["priority"] == ours


def test_triggers_have_their_forms(scenarios):
    manual = {**SCENARIO, "trigger": {"type": "manual"}}
    event = {**SCENARIO, "name": "e", "trigger": {"type": "event", "event_type": "ORDER.LATE"}}
    cron = {
        **SCENARIO,
        "name": "c",
        "trigger": {"type": "scheduled", "conditions": {"time": {"hour": "4", "minute": "0"}}},
    }
    rules = [made.body for made in scenarios(manual, event, cron).harvest.rules]
    assert [body["trigger"] for body in rules] == ["manual", {"event": "order.late"}, {"schedule": "0 4 * * *"}]
    assert {body["when"] for body in rules} == {"self.uptime >= 0s"}


def test_scenarios_start_each_other_across_files(tmp_path):
    first = {**SCENARIO, "actions": [{"type": "execute_scenario", "scenario": "Second"}]}
    (tmp_path / "a.json").write_text(json.dumps(first))
    (tmp_path / "b.json").write_text(json.dumps({**SCENARIO, "name": "Second", "trigger": {"type": "manual"}}))
    (tmp_path / "config.json").write_text(
        json.dumps({"clients": {"a": {"address": "h", "port": 1}}, "database": {"x": 1}})
    )
    found = bring(tmp_path)
    assert found.harvest.rules[0].body["then"][0].value == {"trigger": "second"}
    assert not any(made.missing for made in found.harvest.rules)
    assert not found.proof.problems
    assert "configuration of the orchestrator itself" in " ".join(item.because for item in found.harvest.of(Fate.LEFT))


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"trigger": {"type": "automatic"}}, "nothing says when it starts"),
        ({"trigger": {"type": "event"}}, "nothing says when it starts"),
        ({"trigger": {"type": "moon", "x": 1}}, "no key of a trigger"),
        ({"actions": []}, "it has no action"),
        ({"actions": [{"type": "log_event", "message": str(n)} for n in range(17)]}, "more than 16 steps"),
    ],
)
def test_what_a_scenario_lacks_makes_it_a_comment(scenarios, fates, change, because):
    found = scenarios({**SCENARIO, **change})
    assert found.harvest.rules[0].missing
    assert because in " ".join(fates(found, "left"))


def test_odd_keys_are_told(scenarios, fates):
    odd = {**SCENARIO, "priority": "high", "cooldown": "long", "metadata": {}, "version": "1"}
    odd["trigger"] = {"type": "automatic", "description": "d", "cooldown_seconds": 5,
                      "conditions": {"priority": 1, **SCENARIO["trigger"]["conditions"]}}  # fmt: skip
    found = scenarios(odd, dict(SCENARIO), {**SCENARIO, "name": "Pause"}, 7)
    left = " ".join(fates(found, "left"))
    for part in (
        "priority: no number", "cooldown: no number", "metadata: no key", "version: rules have", "another one has",
        "a scenario: it is no object", "trigger.conditions.priority",
    ):  # fmt: skip
        assert part in left
    assert found.harvest.rules[0].body["cooldown"] == "5s"


def test_broken_json_beside_whole_ones_is_told_with_its_place(samples, tmp_path):
    shutil.copy(samples / "avena" / "send_custom_command_example.json", tmp_path / "a.json")
    half = (samples / "avena" / "pause_on_fault_services.json").read_text(encoding="utf-8")[:500]
    (tmp_path / "b.json").write_text(half, encoding="utf-8")
    found = bring(tmp_path, clients=[told(one) for one in CLIENTS])
    assert re.search(r"b\.json:\d+:\d+: ", found.problems[0])
    assert not found.harvest.rules[0].missing
