from healer.config import load_config
from healer.config.values import Config
from healer.model.mode import Mode
from healer.model.organism import ORGANS


def test_a_configuration_that_says_nothing_acts_on_nothing_by_itself():
    config = load_config({}, environ={})
    assert config.rules.default_mode is Mode.OBSERVE
    assert config.targets == ()
    assert config.api.tcp == ""
    assert set(config.organs) == set(ORGANS)
    assert list(config.notify) == ["journal"]


def test_programs_are_targets_and_found_by_id():
    config = load_config(
        {
            "programs": [{"name": "api", "command": ["true"]}],
            "targets": [{"kind": "tcp", "name": "db", "port": 5432}],
        },
        environ={},
    )
    assert [target.id for target in config.targets] == ["program:api", "tcp:db"]
    assert [target.id for target in config.programs] == ["program:api"]
    assert config.target("tcp:db").spec["host"] == "127.0.0.1"
    assert config.target("tcp:none") is None


def test_defaults_of_values_and_of_shapes_are_the_same():
    told = load_config({}, environ={})
    plain = Config(node="n")
    for name in ("limits", "harmony", "audit", "store", "api", "sensors", "reflect_every", "vitals", "mode", "profile"):
        assert getattr(told, name) == getattr(plain, name), name
