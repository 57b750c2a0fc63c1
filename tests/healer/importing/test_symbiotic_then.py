import json

import pytest

from healer.importing.harvest import Harvest
from healer.importing.jsontext import parse
from healer.importing.symbiotic_then import Action, Left, hours_in, seconds_in, started
from healer.model.verbs import VERBS
from healer.yamldoc.mark import Problems


def node(data):
    return parse(json.dumps(data), "f", Problems())


def step(data, harvest=None):
    return Action(node(data), harvest or Harvest(), "r").step()[0]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"type": "wait", "parameters": {"seconds": 90}}, {"wait": "90s"}),
        ({"type": "run", "parameters": {"command": "/bin/x 'a b'", "timeout": 5}},
         {"run": {"argv": ["/bin/x", "a b"]}, "timeout": "5s"}),
        ({"type": "script", "parameters": {"script": "/bin/x", "args": [1]}}, {"run": {"argv": ["/bin/x", "1"]}}),
        ({"type": "run", "parameters": {"argv": ["/bin/x", "a|b"]}}, {"run": {"argv": ["/bin/x", "a|b"]}}),
        ({"type": "webhook", "target": "http://h/x", "parameters": {"body": {"a": 1}}},
         {"call": {"url": "http://h/x", "method": "POST", "json": {"a": 1}}}),
        ({"type": "publish", "parameters": {"topic": "heartTired", "data": {"a": 1}}},
         {"publish": {"topic": "heart.tired", "data": {"a": 1}}}),
        ({"type": "log"}, {"notify": {"message": "r: look at it", "severity": "warning"}}),
    ],
)  # fmt: skip
def test_actions_become_steps(action, expected):
    assert step(action) == expected


def test_containers_are_touched_by_their_verb():
    harvest = Harvest()
    made = step({"type": "restart", "target": "container:web"}, harvest)
    assert made["restart"] == {}
    assert harvest.targets[0].body == {"kind": "container", "name": "web"}


@pytest.mark.parametrize(
    ("action", "because"),
    [
        ({"type": "scale_up"}, "nothing here does scale_up"),
        ({}, "an action without a type"),
        ({"type": "restart"}, "it names no service"),
        ({"type": "run", "parameters": {"command": "a && b"}}, "needs a shell"),
        ({"type": "run", "parameters": {"command": "/bin/a", "args": ["--password", "hunter22"]}}, "holds a secret"),
        ({"type": "call", "target": "ftp://x"}, "no http or https"),
        ({"type": "call", "target": "http://u:hunter22@h/"}, "holds a secret"),
        ({"type": "wait"}, "how long"),
        ({"type": "publish"}, "names no event"),
    ],
)
def test_what_no_hand_does_says_so(action, because):
    with pytest.raises(Left) as told:
        step(action)
    assert because in told.value.because


def test_every_step_is_a_verb():
    for kind in ("wait", "run", "call", "publish", "notify"):
        assert kind in VERBS


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("manual", "manual"),
        ({"type": "cron", "expression": "0 4 * * *"}, {"schedule": "0 4 * * *"}),
        ({"type": "event", "event": "serviceDown"}, {"event": "service.down"}),
        ({"type": "continuous"}, None),
    ],
)
def test_triggers_are_found(given, expected):
    assert started(node(given))[0] == expected


@pytest.mark.parametrize("given", [{"type": "cron", "expression": "daily"}, {"type": "event"}, {"type": "x"}, 7, None])
def test_triggers_that_say_nothing_are_refused(given):
    with pytest.raises(Left):
        started(node(given))


@pytest.mark.parametrize(
    ("given", "expected"), [(5, 5), ("5 min", 300), ("250ms", 0.25), ("2h", 7200), ("soon", None), (-1, None)]
)
def test_durations_are_read(given, expected):
    assert seconds_in(node(given)) == expected


def test_hours_are_read_or_nothing():
    assert hours_in(node({"start": "22:00", "end": "06:00"})) == "22:00-06:00"
    assert hours_in(node("08:00 - 16:00")) == "08:00-16:00"
    assert hours_in(node({"start": "evening"})) == ""
