"""How a RabbitMQ node is reached, and which of its queues are looked at."""

import pytest

from healer.config.load import load_config
from healer.errors import ConfigError

MAIN = {"kind": "rabbitmq", "name": "x"}


def one(**more):
    return load_config({"version": 1, "targets": [MAIN | more]}, environ={}).targets[0]


def problems(**more):
    with pytest.raises(ConfigError) as caught:
        one(**more)
    return " ".join(caught.value.problems)


def test_without_a_word_it_is_guest_on_this_host_and_no_queues():
    target = one()
    assert target.organ == "stomach"
    assert (target.spec["url"], target.spec["username"]) == ("http://127.0.0.1:15672", "guest")
    assert (target.spec["vhost"], target.spec["queues"]) == ("/", ())


def test_queues_may_be_one_or_many():
    assert one(queues="orders").spec["queues"] == ("orders",)
    assert one(queues=["orders", "work.*"]).spec["queues"] == ("orders", "work.*")
    assert "at most 50" in problems(queues=[f"q{number}" for number in range(51)])


@pytest.mark.parametrize("url", ["amqp://h", "http://u:p@h", "h:15672", "http://"])
def test_a_url_that_is_none_or_holds_a_password_is_refused(url):
    assert problems(url=url)


@pytest.mark.parametrize("node", ["rabbit", "rabbit@", "@h", "rabbit@h/../x", "a b@c"])
def test_a_node_has_a_name_and_a_host(node):
    assert "rabbit@host" in problems(node=node)


def test_a_user_needs_a_password_unless_it_is_guest():
    assert "password: {credential" in problems(username="healer")
    assert one(username="guest").spec["username"] == "guest"
