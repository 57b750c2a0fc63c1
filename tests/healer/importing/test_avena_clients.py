import json

import pytest

from healer.errors import HealerError
from healer.importing.avena_clients import Clients, Told, event, state, told, words
from healer.importing.harvest import Harvest
from healer.importing.jsontext import parse
from healer.yamldoc.mark import Problems

CONFIG = {
    "clients": {
        "io": {"address": "127.0.0.1", "port": 8001, "group": "base_io"},
        "arm": {"address": "10.0.0.2", "port": 8002, "group": "supervisors"},
        "odd": {"address": "h/../x", "port": 1},
    }
}


def node(data):
    return parse(json.dumps(data), "f", Problems())


def test_the_configuration_says_who_they_are():
    clients = Clients(Harvest(), [node(CONFIG)])
    assert [one.name for one in clients.chosen(node({"target": "@all"}))] == ["io", "arm", "odd"]
    assert [one.name for one in clients.chosen(node({"groups": ["base_io", "supervisors"]}))] == ["io", "arm"]
    assert [one.name for one in clients.chosen(node({"group": "none"}))] == []
    assert [one.url for one in clients.all(["io"])] == ["http://10.0.0.2:8002", "http://odd.invalid"]


def test_those_that_a_scenario_happens_to_name_are_not_all():
    scenario = node({"actions": [{"type": "send_command", "client": "arm"}]})
    clients = Clients(Harvest(), [scenario])
    assert clients.chosen(node({"target": "@all"})) == []
    (arm,) = clients.chosen(node({"client": "arm"}))
    assert not arm.known
    assert clients.chosen(node({"client": "{{ x }}"})) == []


def test_what_is_told_on_the_command_line_counts_first():
    clients = Clients(Harvest(), [node(CONFIG)], [told("io=http://h:1@g")])
    assert (clients.all()[0].url, clients.all()[0].group) == ("http://h:1", "g")
    assert told("x") == Told(name="x", url="", group="")
    for bad in ("", "x=ftp://h", "x=http://u:p@h", "x y"):
        with pytest.raises(HealerError):
            told(bad)


def test_clients_are_targets_that_say_their_state():
    harvest = Harvest()
    clients = Clients(harvest, [node(CONFIG)])
    clients.declare(clients.all())
    assert harvest.targets[0].body["groups"] == ["clients", "base_io"]
    assert harvest.targets[0].body["json"]["state"] == "fsm_state"
    assert harvest.targets[2].says == ["put in the address of odd: nobody can have this one"]
    io = clients.all()[0]
    assert (
        state(io, ["RUN", 'x"']) == '(http.state{target="http:io"} == "RUN" or http.state{target="http:io"} == "x\\"")'
    )
    assert event(io, "CMD_RUN", {"a": 1})["call"]["json"] == {
        "source": "healer",
        "destination": "io",
        "event_type": "CMD_RUN",
        "data": {"a": 1},
    }


def test_one_text_may_hold_several_states():
    assert list(words(node(["PAUSE, FAULT", "RUN"]))) == ["PAUSE", "FAULT", "RUN"]
    assert list(words(node("A"))) == ["A"]
