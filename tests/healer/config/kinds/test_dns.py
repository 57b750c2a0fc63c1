"""A name server is an address, not a name: whoever asks for names cannot be found by one."""

import pytest

from healer.config.load import load_config
from healer.errors import ConfigError

MAIN = {"kind": "dns", "name": "x", "record": "www.example"}


def one(**more):
    return load_config({"version": 1, "targets": [MAIN | more]}, environ={}).targets[0]


def problems(**more):
    with pytest.raises(ConfigError) as caught:
        one(**more)
    return " ".join(caught.value.problems)


@pytest.mark.parametrize("server", ["192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:53"])
def test_an_address_is_taken_with_or_without_a_port(server):
    spec = one(server=server, expect="192.0.2.80").spec
    assert (spec["server"], spec["expect"], spec["type"]) == (server, ("192.0.2.80",), "A")


@pytest.mark.parametrize("server", ["ns.example", "192.0.2.1:0", "192.0.2.1:99999", "8.8.8"])
def test_anything_else_is_refused_with_what_to_write(server):
    assert "192.0.2.1, 192.0.2.1:5353" in problems(server=server)


def test_a_type_nobody_can_ask_for_is_refused():
    assert "ANY" in problems(type="ANY")
