"""A plug-in is taken up whole or not at all, belongs to somebody who is trusted, and never takes the agent with it."""

import importlib.metadata
import os
from pathlib import Path

import pytest

from healer import plugged
from healer.config import load_config, plugins
from healer.config.load import take_up_plugins
from healer.errors import ConfigError
from healer.model.kinds.catalog import KINDS
from healer.model.verbs import VERBS
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules import load as rules_loader

SENSOR = """
from healer.plugin import Kind, Sensor, Shelf, Unit, sensor
S = Shelf(labels=("target",))
@sensor(Kind(name="lamp", organ="brain", up="lamp.on", metrics=(S.put("lamp.on", Unit.FLAG, "1 when it is lit"),)))
class Lamp(Sensor):
    async def look(self, now):
        sieve = self.sieve(now)
        sieve.number("lamp.on", 1)
        return sieve.readings
"""
FUNCTION = """
from healer.plugin import condition
@condition
def {name}(x: float) -> bool:
    return {body}
"""
ACTION = """
from healer.plugin import Action, Done, Verb, action, params
@action("{name}", Verb(kinds=("*",), doc="d", params=params()))
class Blink(Action):
    touches = "nothing"
    async def act(self, order):
        return Done(because="blinked")
    def would(self, order):
        return "would blink"
"""


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    plugins.keep_only(())
    plugged.FAILED.clear()
    plugged.RAISED.clear()
    assert (plugged.SENSORS, plugged.ACTIONS, plugged.FUNCTIONS) == ({}, {}, {})


@pytest.fixture
def put(tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir(mode=0o755)

    def written(name, text):
        path = folder / name
        path.write_text(text)
        path.chmod(0o644)
        return str(path)

    return written


def load(*named, **more):
    return load_config({"plugins": list(named), **more}, environ={})


def test_a_kind_a_verb_and_a_function_are_there_once_they_are_named(put):
    named = [put("a.py", SENSOR), put("b.py", ACTION.format(name="blink")),
             put("c.py", FUNCTION.format(name="odd", body="x % 2 == 1"))]  # fmt: skip
    config = load(*named, targets=[{"kind": "lamp", "name": "desk", "every": "3s"}])
    (lamp,) = config.targets
    assert (lamp.id, lamp.organ, lamp.spec["every"]) == ("lamp:desk", "brain", 3.0)
    assert KINDS["lamp"].up in METRICS
    assert VERBS["blink"].doc == "d"
    assert expression.parse("odd(host.users)", vocabulary=METRICS) is not None
    assert config.plugins == tuple(named)


def test_a_folder_is_all_of_its_files_by_name(put, tmp_path):
    put("b.py", SENSOR)
    put("a.py", ACTION.format(name="blink"))
    put("notes.txt", "no plug-in")
    load(str(tmp_path / "plugins"))
    assert "lamp" in KINDS
    assert "blink" in VERBS


def test_what_is_no_longer_named_is_let_go_of(put):
    path = put("a.py", SENSOR)
    load(path)
    load()
    assert "lamp" in KINDS  # what runs may still rest on it
    plugins.keep_only(())
    assert "lamp" not in KINDS
    assert "lamp.on" not in METRICS
    with pytest.raises(ConfigError, match="unknown kind"):
        load(targets=[{"kind": "lamp", "name": "desk"}])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("raise SystemError('no')", "SystemError: no"),
        ("import no_such_thing", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("x = 1", "declares nothing"),
        ("import sys; sys.modules", "declares nothing"),
        (SENSOR.replace('"lamp.on"', '"cpu.used"'), "not its own"),
        (SENSOR.replace('name="lamp"', 'name="http"'), "there is a kind http already"),
        (SENSOR.replace('labels=("target",)', "labels=()"), "without the label target"),
        (ACTION.format(name="restart"), "there is a verb restart already"),
        (ACTION.format(name="Blink It"), "no name for a kind, verb or function"),
        (FUNCTION.format(name="f", body="x").replace("x: float", "*x"), "something else than 1 to 8 plain"),
        (FUNCTION.format(name="rate", body="x"), "rate means something in expressions already"),
        (FUNCTION.format(name="heart", body="x"), "heart means something in expressions already"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (SENSOR.replace('organ="brain"', 'organ="kidneys"'), "kidneys is no organ"),
        (SENSOR.replace(",)))", ",)), every=-1.0)"), "no interval"),
        (
            ACTION.format(name="blink")
            .replace("params()", "params(n=P(shape='integer', doc='d'))")
            .replace("params\n", "params, Param as P\n", 1),
            "shape is one of: string, duration",
        ),
        (
            ACTION.format(name="blink")
            .replace("params()", "params(n=P(shape='count', doc='d', default='five'))")
            .replace("params\n", "params, Param as P\n", 1),
            "default is of that shape",
        ),
    ],
)
def test_one_that_fails_is_left_out_and_the_rest_goes_on(put, text, told):
    good, bad = put("good.py", FUNCTION.format(name="odd", body="True")), put("bad.py", text)
    load(good, bad)
    assert told in plugged.FAILED[bad]
    assert set(plugged.FUNCTIONS) == {"odd"}


def test_half_a_plugin_is_none(put):
    bad = put("bad.py", SENSOR + ACTION.format(name="restart"))
    load(bad)
    assert "restart already" in plugged.FAILED[bad]
    assert "lamp" not in KINDS
    assert "lamp.on" not in METRICS


def test_an_unknown_kind_is_blamed_on_the_plugin_that_failed(put):
    bad = put("bad.py", "raise ValueError('half written')")
    with pytest.raises(ConfigError) as caught:
        load(bad, targets=[{"kind": "lamp", "name": "desk"}])
    assert any("was left out: ValueError: half written" in one for one in caught.value.problems)


def test_a_change_that_fails_leaves_the_earlier_form_in_force(put):
    path = put("a.py", FUNCTION.format(name="odd", body="True"))
    load(path)
    before = plugged.FUNCTIONS["odd"]
    put("a.py", "raise ValueError('oops')")
    load(path)
    assert plugged.FUNCTIONS["odd"] is before
    assert "oops" in plugged.FAILED[path]
    put("a.py", FUNCTION.format(name="odd", body="False"))
    load(path)
    assert plugged.FUNCTIONS["odd"] is not before
    assert plugged.FAILED == {}


@pytest.mark.parametrize("how", ["writable by others", "a writable folder", "a link", "no file"])
def test_what_somebody_else_could_have_written_is_not_run(put, tmp_path, how):
    path = put("a.py", "raise AssertionError('it ran')")
    if how == "writable by others":
        Path(path).chmod(0o666)
    elif how == "a writable folder":
        (tmp_path / "plugins").chmod(0o777)
    elif how == "a link":
        link = tmp_path / "plugins" / "link.py"
        link.symlink_to(path)
        path = str(link)
    else:
        path = str(tmp_path / "plugins" / "gone.py")
    load(path)
    said = {"writable by others": "others may write", "a writable folder": "others may write",
            "a link": "symbolic link", "no file": "No such file"}  # fmt: skip
    assert said[how] in plugged.FAILED[path]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_account_is_not_run(put):
    path = put("a.py", "raise AssertionError('it ran')")
    os.chown(path, 65534, 65534)
    load(path)
    assert "belongs to another account" in plugged.FAILED[path]


@pytest.mark.parametrize(
    ("body", "given", "found"),
    [
        ("x > 1", (2.0,), 1.0),
        ("x > 1", (1.0,), 0.0),
        ("x > 1", (float("nan"),), None),
        ("1 / x > 1", (0.0,), None),
        ("'word'", (1.0,), None),
        ("10 ** 400", (1.0,), None),
        ("float('nan')", (1.0,), None),
        ("None", (1.0,), None),
    ],
)
def test_what_a_function_cannot_say_is_unknown(put, body, given, found):
    load(put("f.py", FUNCTION.format(name="odd", body=body)))
    said = plugged.apply("odd", *given)
    assert said == found if found is not None else said != said  # noqa: PLR0124 - NaN


def test_what_a_function_raised_is_told_until_it_answers_again(put):
    load(put("f.py", FUNCTION.format(name="odd", body="1 / (x - 1) > 0")))
    plugged.apply("odd", 1.0)
    assert "ZeroDivisionError" in plugged.RAISED["odd"]
    plugged.apply("odd", 2.0)
    assert plugged.RAISED == {}


def test_one_file_that_is_not_trusted_leaves_the_others_of_its_folder_alone(put, tmp_path):
    put("a.py", FUNCTION.format(name="odd", body="True"))
    Path(put("b.py", SENSOR)).chmod(0o666)
    load(str(tmp_path / "plugins"))
    assert set(plugged.FUNCTIONS) == {"odd"}
    assert list(plugged.FAILED) == [str(tmp_path / "plugins" / "b.py")]


def test_rules_that_need_one_that_failed_say_so(put, tmp_path):
    bad = put("bad.py", "raise ValueError('half written')")
    rules = tmp_path / "r.yaml"
    rules.write_text("version: 1\nrules:\n  - {id: a, when: odd(host.users), then: [{notify: journal}]}\n")
    load(bad)
    with pytest.raises(ConfigError) as caught:
        rules_loader.load([rules])
    assert any(
        f"{bad}:1:1: this plug-in was left out: ValueError: half written" in one for one in caught.value.problems
    )


def test_who_reads_only_rules_knows_them_too(put, tmp_path):
    path = tmp_path / "organism.yaml"
    path.write_text(f"version: 1\nplugins: [{put('a.py', SENSOR)}]\nnonsense: 1\n")
    take_up_plugins(path, {})
    assert "lamp" in KINDS


def test_installed_distributions_are_asked_only_when_named(monkeypatch):
    asked = []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: asked.append(group) or ())
    load()
    assert asked == []
    load("installed")
    assert asked == list(plugins.GROUPS)
