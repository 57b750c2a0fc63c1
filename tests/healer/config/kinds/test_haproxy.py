"""Only a socket on this host is HAProxy's, and a server has a backend."""

import pytest

from healer.config.load import load_config
from healer.errors import ConfigError

MAIN = {"kind": "haproxy", "name": "x", "socket": "/s"}


def one(**more):
    return load_config({"version": 1, "targets": [MAIN | more]}, environ={}).targets[0]


def problems(**more):
    with pytest.raises(ConfigError) as caught:
        one(**more)
    return " ".join(caught.value.problems)


@pytest.mark.parametrize("socket", ["/run/haproxy/admin.sock", "127.0.0.1:9999", "[::1]:9999", "127.8.0.1:1"])
def test_a_socket_on_this_host_is_taken(socket):
    target = one(socket=socket, backend="web", server="a")
    assert target.spec["socket"] == socket
    assert (target.organ, target.spec["every"]) == ("lungs", 5.0)


@pytest.mark.parametrize(
    "socket",
    ["192.0.2.1:9999", "haproxy.example:9999", "127.0.0.1", "localhost:9999", "relative/path", "/" + "x" * 200],
)
def test_what_another_host_could_reach_is_refused(socket):
    assert "socket" in problems(socket=socket)


def test_a_server_without_its_backend_is_refused():
    assert "write backend" in problems(server="a")


@pytest.mark.parametrize("name", ["a b", "a/b", "a;b", "", "a" * 200])
def test_a_name_haproxy_could_not_have_is_refused(name):
    assert "a name as HAProxy has them" in problems(backend=name)
