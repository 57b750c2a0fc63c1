"""Nothing is ever deleted from what belongs to the system, whatever somebody declares."""

import pytest

from healer.model.paths import refusal

HOME = "/" + "home" + "/anna"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/var",
        "/home",
        HOME,
        f"{HOME}/",
        "/root",
        "/srv",
        "/etc/nginx",
        "/usr/share/doc",
        "/proc/1",
        "/var/lib",
        "/var//lib/",
        "/var/lib/../../etc",
        "var/cache",
        "",
        "/tmp/../etc/x",
        "/dev/shm/x",
    ],
)
def test_a_branch_of_the_host_is_refused_with_a_reason(path):
    assert refusal(path)


@pytest.mark.parametrize("path", ["/var/cache/app", "/var/cache", "/tmp", "/tmp/x", f"{HOME}/.cache", "/data/app"])
def test_a_cache_may_be_declared(path):
    assert refusal(path) == ""
