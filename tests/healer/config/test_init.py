from healer import config
from healer.config.load import find, load_config
from healer.config.values import Config


def test_the_front_door_has_what_others_need():
    assert (config.Config, config.find, config.load_config) == (Config, find, load_config)
