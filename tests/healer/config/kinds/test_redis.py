"""How a Redis server is reached, and what of it may be thrown away: nothing that was not spelled out."""

import pytest

from healer.config.load import load_config
from healer.errors import ConfigError
from healer.yamldoc.secret import Secret

MAIN = {"kind": "redis", "name": "x"}


def one(**more):
    return load_config({"version": 1, "targets": [MAIN | more]}, environ={}).targets[0]


def problems(**more):
    with pytest.raises(ConfigError) as caught:
        one(**more)
    return " ".join(caught.value.problems)


def test_without_a_word_it_is_the_one_on_this_host_and_nothing_of_it_may_go():
    target = one()
    assert (target.organ, target.spec["host"], target.spec["port"]) == ("stomach", "127.0.0.1", 6379)
    assert (target.spec["caches"], target.spec["disposable"]) == ((), False)
    assert "tls" not in target.spec


def test_all_of_it_is_taken():
    target = one(
        host="::1", username="healer", password={"credential": "redis"}, db=3, caches=["page:"], disposable=True,
        tls={"ca": "/ca", "cert": "/c", "key": "/k", "server_name": "redis"},
    )  # fmt: skip
    assert target.spec["password"] == Secret(credential="redis")
    assert target.spec["tls"]["cert"] == "/c"
    assert one(caches="page:").spec["caches"] == ("page:",)


def test_tls_without_a_word_is_tls_all_the_same():
    assert one(tls={}).spec["tls"] is not None


@pytest.mark.parametrize("host", ["redis://h", "u:p@h", "a b", "h,g", "h=1"])
def test_a_whole_connection_string_is_refused(host):
    assert "not one host" in problems(host=host)


def test_a_password_in_the_open_is_refused_and_not_quoted():
    assert "hush" not in problems(password="hush")


@pytest.mark.parametrize("prefix", ["", "a", "ab", "*", "page*", "pa?e", "[abc]", "pag\\e", "pa\nge"])
def test_a_beginning_that_is_next_to_nothing_or_a_pattern_is_refused(prefix):
    assert problems(caches=[prefix])


def test_what_goes_together_is_asked_for_together():
    assert "password: {credential" in problems(username="healer")
    assert "write both" in problems(tls={"cert": "/c"})
    assert "write both" in problems(tls={"key": "/k"})
