import pytest

from healer.config import load_config
from healer.errors import ConfigError
from healer.model.mode import Mode


def sensors(**given):
    return load_config({"sensors": given}, environ={}).sensors


def test_what_is_not_said_is_as_usual_and_nothing_is_found_by_itself():
    usual = sensors()
    assert (usual.host_every, usual.host_slow_every, usual.self_every) == (2.0, 30.0, 5.0)
    assert not usual.docker.discover
    assert usual == load_config({}, environ={}).sensors


def test_containers_that_label_themselves_are_looked_for_where_it_is_said_and_only_observed_unless_raised():
    found = sensors(docker={"discover": True}).docker
    assert (found.discover, found.every, found.mode, found.most) == (True, 30.0, Mode.OBSERVE, 100)
    assert sensors(docker={"discover": True, "mode": "auto", "every": "5s"}).docker.mode is Mode.AUTO


@pytest.mark.parametrize(
    ("key", "value"),
    [("discover", "yes"), ("every", 30), ("every", "1ms"), ("mode", "full"), ("most", 0), ("most", 10**6)],
)
def test_what_cannot_be_is_told(key, value):
    with pytest.raises(ConfigError) as caught:
        sensors(docker={key: value})
    assert key in "".join(caught.value.problems)
