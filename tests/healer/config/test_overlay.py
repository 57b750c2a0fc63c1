import pytest

from healer.config import load_config
from healer.config.overlay import chosen
from healer.errors import ConfigError
from healer.model.mode import Mode

SECTIONS = ("mode", "node", "rules", "limits", "targets", "programs", "profile", "audit")
BASE = {"targets": [{"kind": "tcp", "name": "db", "port": 1}], "organs": {"heart": {"weight": 2}}}


def load(**environ):
    return load_config(BASE, environ=environ)


def told(**environ):
    with pytest.raises(ConfigError) as error:
        load(**environ)
    return error.value.problems


def test_any_key_can_be_set():
    config = load(
        HEALER_MODE="observe",
        HEALER_LIMITS__ACTIONS_PER_HOUR="7",
        HEALER_TARGETS__0__PORT="9",
        HEALER_TARGETS__0__EVERY="3s",
        HEALER_AUDIT__EVENTS="[a.*, b.*]",
        HEALER_ORGANS__HEART__WEIGHT="5",
        HEALER_ORGANS__LUNGS__VITALS__ERRORS="{weight: 0}",
        HEALER_RULES__DEFAULT_MODE="suggest",
    )
    assert config.mode is Mode.OBSERVE
    assert config.limits.actions_per_hour == 7
    assert config.targets[0].spec["port"] == 9
    assert config.targets[0].spec["every"] == 3.0
    assert config.audit.events == ("a.*", "b.*")
    assert config.organs["heart"].weight == 5
    assert "lungs.errors" not in [vital.id for vital in config.vitals]
    assert config.rules.default_mode is Mode.SUGGEST
    assert config.hash != load().hash


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "HEALER_LIMITS__CONCURENT",
            "4",
            "HEALER_LIMITS__CONCURENT: unknown key 'concurent' (did you mean 'concurrent'?)",
        ),
        ("HEALER_LIMTS__CONCURRENT", "4", "HEALER_LIMTS__CONCURRENT: unknown key 'limts' (did you mean 'limits'?)"),
        ("HEALER_MOED", "auto", "HEALER_MOED: unknown key 'moed' (did you mean 'mode'?)"),
        ("HEALER_TARGETS__9__PORT", "1", "HEALER_TARGETS__9__PORT: '9' is not an item of the list"),
        ("HEALER_TARGETS__X__PORT", "1", "HEALER_TARGETS__X__PORT: 'x' is not an item of the list"),
        ("HEALER_TARGETS__0__PORT__X", "1", "HEALER_TARGETS__0__PORT__X: there is the number 1"),
        ("HEALER_REFLECT__EVERY", "5", "HEALER_REFLECT__EVERY:1:1: 5 has no unit"),
        ("HEALER_REFLECT__EVERY", "", "HEALER_REFLECT__EVERY: expected a duration"),
        ("HEALER_MODE", "[", "HEALER_MODE:2:1: not YAML"),
        ("HEALER_MODE", "on", "HEALER_MODE:1:1: 'on' is true or false"),
        ("HEALER_NODE", "1234", "HEALER_NODE:1:1: expected a name, found the number 1234"),
    ],
)
def test_a_mistake_names_its_variable(name, value, says):
    assert any(line.startswith(says) for line in told(**{name: value})), told(**{name: value})


def test_strangers_are_left_alone():
    environ = {
        "PATH": "/bin", "HEALER_CONFIG": "x", "HEALER_INTENT": "y", "HEALER_RULE": "z", "HEALER_FRIEND": "1",
        "HEALER_TARGET": "a", "HEALER_PROGRAM": "b", "HEALER_REQUIRE_REAL": "1", "HEALER_STATE_DIR": "/s",
    }  # fmt: skip
    assert chosen(environ, SECTIONS) == {}


def test_a_list_that_is_empty_has_no_items_to_set():
    with pytest.raises(ConfigError) as error:
        load_config({"programs": []}, environ={"HEALER_PROGRAMS__0__NAME": "x"})
    assert "the list is empty" in error.value.problems[0]
