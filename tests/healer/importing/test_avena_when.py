import json

import pytest

from healer.importing.avena_clients import Clients, told
from healer.importing.avena_when import Conditions
from healer.importing.harvest import Fate, Harvest
from healer.importing.jsontext import parse
from healer.yamldoc.mark import Problems

RUN = {"client_state": {"client": "a", "state": "RUN"}}
A = 'http.state{target="http:a"} == "RUN"'


def node(data):
    return parse(json.dumps(data, indent=1), "f", Problems())


def read(data, clients=("a=http://h:1", "b=http://h:2")):
    harvest = Harvest()
    conditions = Conditions(harvest, Clients(harvest, [], [told(one) for one in clients]), "label")
    return conditions.of(node(data)), conditions, harvest


@pytest.mark.parametrize(
    ("data", "when"),
    [
        (RUN, A),
        ({"client_state": {"any_service_in_state": ["RUN"], "exclude_clients": "b"}}, A),
        ({"client_state": {"no_service_in_state": "RUN", "exclude_clients": ["b"]}}, {"not": A}),
        ({"client_state": {"all_services_in_state": ["RUN"]}}, {"all": [A, A.replace("http:a", "http:b")]}),
        ({"and": {"conditions": [RUN, RUN]}}, {"all": [A, A]}),
        ({"or": [RUN, RUN]}, {"any": [A, A]}),
        ({"nand": {"conditions": [RUN, RUN]}}, {"not_all": [A, A]}),
        ({"nor": {"conditions": [RUN]}}, {"none": [A]}),
        ({"xor": {"conditions": [RUN, RUN]}}, {"xor": [A, A]}),
        ({"xor": {"conditions": [RUN, RUN, RUN]}}, {"exactly": {"n": 1, "of": [A, A, A]}}),
        ({"not": {"condition": RUN}}, {"not": A}),
        ([{"type": "client_state", "client": "a", "state": "RUN"}], A),
        ({"time": {"time_range": {"start": "22:00", "end": "06:00"}, "weekdays": ["monday", "friday"]}},
         'calendar(hours="22:00-06:00", days="mon,fri")'),
        ({"time": {"specific_date": "2026-12-24"}}, 'calendar(dates="2026-12-24")'),
        ({"error_message": {"pattern": "a.b", "all_clients": True, "case_sensitive": True, "mode": "exact"}},
         {"any": [f'matched(http.message{{target="http:{name}"}}, "^a\\\\.b$")' for name in "ab"]}),
    ],
)  # fmt: skip
def test_every_kind_of_condition_has_its_form(data, when):
    found, conditions, _ = read(data)
    assert found == when
    assert not conditions.missing


def test_a_message_is_looked_for_in_clients_at_fault():
    found, _, harvest = read(
        {"error_message": {"mode": "regex", "pattern": "feeder(?P<id>\\d+)", "extract_to_context": {"x": "id"}}}
    )
    assert found["any"][0].startswith('http.state{target="http:a"} == "FAULT" and matched(')
    assert "(?i)feeder" in found["any"][0]
    assert "{capture.id}" in next(harvest.of(Fate.CHANGED)).because


def test_a_cron_line_starts_the_rule_and_is_no_condition():
    found, conditions, _ = read({"and": {"conditions": [{"time": {"hour": "*/2", "minute": 0}}, RUN]}})
    assert found == {"all": [A]}
    assert conditions.schedule == "0 */2 * * *"
    assert not conditions.missing
    assert read({"time": {"minute": "5"}})[0] is None
    assert read({"or": [{"time": {"minute": "5"}}, RUN]})[1].missing


def test_rows_are_counted_by_a_command_that_only_reads():
    found, _, harvest = read(
        {
            "database_list": {
                "component": "main",
                "table": "t",
                "columns": ["id"],
                "where": {"s": "x"},
                "result_key": "rows",
            }
        }
    )
    assert found == 'command.value{target="command:label-rows"} > 0'
    assert "SELECT count(*)" in harvest.targets[0].body["argv"][-1]
    found, _, _ = read(
        {"database": {"component": "main", "table": "t", "column": "c", "where": {"s": 1}, "expected_value": 3}}
    )
    assert found.endswith("> 0")


@pytest.mark.parametrize(
    ("data", "because"),
    [
        ({"client_state": RUN["client_state"], "time": {"specific_date": "2026-01-01"}}, "stands beside others"),
        ({"client_state": {}}, "it asks 0 things"),
        ({"client_state": {"client": "a"}}, "names no state"),
        ({"client_state": {"client": "zz", "state": "RUN"}}, "not known"),
        ({"error_message": {}}, "no pattern"),
        (
            {"error_message": {"mode": "regex", "pattern": "(a)", "extract_to_context": {"x": 1}}},
            "a group without a name",
        ),
        ({"time": {}}, "names no time_range"),
        ({"time": {"weekdays": ["someday"]}}, "a weekday that nobody knows"),
        ({"time": {"hour": "1", "second": "2"}}, "no cron line"),
        ({"database": {"where": "x"}}, "no object of columns"),
        ({"database_list": {"where": {"a": "{{ x }}"}, "table": "t"}}, "a placeholder in where"),
        ({"virtual_device_error": {"client": "io"}}, "that deep"),
        ({"moon": {}}, "no kind of condition"),
        ({"and": {"conditions": []}}, "it joins nothing"),
        ({"and": {"conditions": [RUN, {"moon": {}}]}}, "a part of it"),
        ([7], "it is no object"),
        ([{}], "it is empty"),
    ],
)
def test_what_has_no_form_is_told_and_leaves_the_rule_incomplete(data, because):
    _, conditions, harvest = read(data)
    assert conditions.missing
    assert because in " ".join(item.because for item in harvest.of(Fate.LEFT))
