import json
import random

import pytest

from healer.errors import ConfigError
from healer.importing.importer import bring

GOOD = "[program:x]\ncommand=/bin/x\n"


def test_one_broken_file_does_not_hide_the_others(tmp_path):
    (tmp_path / "a.conf").write_text(GOOD)
    (tmp_path / "b.json").write_text("{")
    found = bring(tmp_path)
    assert [made.body["name"] for made in found.harvest.programs] == ["x"]
    assert "b.json:1:2: the file ends too early" in found.problems[0]


def test_where_nothing_can_be_read_it_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no file to import"):
        bring(tmp_path)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ConfigError, match="ends too early"):
        bring(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        bring(tmp_path / "gone.json")


def test_the_documents_are_named_after_the_source(tmp_path):
    (tmp_path / "My Conf.conf").write_text(GOOD)
    found = bring(tmp_path / "My Conf.conf", mode="suggest")
    assert set(found.documents) == {"organism.yaml", "rules.d/my-conf.yaml"}
    assert "mode: suggest" in found.documents["rules.d/my-conf.yaml"]
    assert not found.proof.problems


def test_what_check_refuses_is_a_comment_and_the_rest_stands(tmp_path):
    text = (
        "check file a with path /a\n depends on b\n if not exist then alert\ncheck file b with path /b\n depends on a\n"
    )
    path = tmp_path / "monitrc"
    path.write_text(text + "check file c with path /c\n if not exist then alert\n")
    found = bring(path)
    assert not found.proof.problems
    assert [bool(made.missing) for made in found.harvest.targets] == [True, True, False]
    assert "healer check refuses it: a circle of requirements" in " ".join(one.because for one in found.harvest.items)
    assert "  # - kind: file" in found.documents["organism.yaml"]


SYMBIOTIC = {
    "id": "r", "priority": 5, "cooldown": 60, "organismRole": "heart", "maxExecutionsPerHour": 2,
    "triggers": [{"type": "schedule", "cron": "* * * * *"}],
    "conditions": [{"type": "metric", "target": "heart.load", "operator": ">", "value": 85, "weight": 0.5}],
    "constraints": {"timeWindow": {"start": "22:00", "end": "06:00"}},
    "actions": [{"type": "run", "parameters": {"command": "/bin/x"}}, {"type": "call", "target": "http://h/",
                 "parameters": {"headers": {"X": "1"}, "body": {"a": 1}}}],
}  # fmt: skip
AVENA = {
    "name": "s", "priority": 5, "cooldown": 60,
    "clients": {"io": {"address": "h", "port": 80, "group": "g"}},
    "trigger": {"type": "automatic", "conditions": {"and": {"conditions": [
        {"client_state": {"any_service_in_state": ["FAULT"]}},
        {"time": {"time_range": {"start": "22:00", "end": "06:00"}}},
        {"database_list": {"component": "c", "table": "t", "where": {"a": "> NOW()"}, "limit": 5}},
        {"error_message": {"pattern": "x", "mode": "regex", "extract_to_context": {"a": "b"}}}]}}},
    "actions": [{"type": "send_custom_command", "target": "@all", "command": "X", "data": {"a": [1.5]}},
                {"type": "wait_for_state", "target": "@all", "target_state": ["RUN"], "timeout": "3s"},
                {"type": "evaluate_condition", "conditions": [{"type": "client_state", "client": "io", "state": "R"}],
                 "true_actions": [{"type": "systemctl", "service": "a"}]}],
}  # fmt: skip
ODD = [
    None,
    True,
    -1,
    10**18,
    1e300,
    "",
    "x\u0000\u2028y",
    "\ud800",
    "{{ x }}",
    'a"b\\',
    [],
    {},
    [[]],
    {"a": {"b": []}},
    "%",
    "- a: b",
]


def places(data, path=()):
    yield path
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield from places(value, (*path, key))


def changed(data, path, value):
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("document", [SYMBIOTIC, AVENA], ids=["symbiotic", "avena"])
def test_whatever_stands_in_a_place_the_import_ends_with_an_account(tmp_path, document):
    chance = random.Random(5)  # the same places every time
    path = tmp_path / "f.json"
    for place in list(places(document))[1:]:
        value = chance.choice(ODD)
        path.write_text(json.dumps(changed(document, place, value)))
        found = bring(path, wanted="symbiotic" if document is SYMBIOTIC else "avena")
        assert not found.proof.problems, (place, value)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("monit", ('set daemon 5\ncheck process a with pidfile /a\n start program = "/bin/a start" as uid b\n'
                  " if cpu > 5% for 2 cycles then restart else if passed then alert\n depends on b\n every 2 cycle\n")),
        ("supervisord", ("[program:a]\ncommand=/bin/a %(process_num)d 'x'\nnumprocs=2\nprocess_name=a%(process_num)d\n"
                        'environment=A="b",C=d\nstopsignal=INT\n[group:g]\nprograms=a,b\n')),
    ],
)  # fmt: skip
def test_whatever_is_torn_out_of_a_text_the_import_ends_with_an_account(tmp_path, wanted, text):
    chance = random.Random(7)  # the same places every time
    path = tmp_path / "f.conf"
    for _ in range(40):
        start = chance.randrange(len(text))
        torn = text[:start] + chance.choice(["", "\x00", '"', "%(", "=", "\ufeff", " 99999999999999 "])
        path.write_text(torn + text[start + chance.randrange(8) :])
        found = bring(path, wanted=wanted)
        assert not found.proof.problems, path.read_text()
