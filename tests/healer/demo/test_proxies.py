"""The proxy's ports are free ones, and one that was never started ends quietly."""

from healer.demo import proxies
from healer.demo.proxies import ProxySystem, _free


def test_ports_are_free_and_different():
    assert len(set(_free(4))) == 4


def test_without_haproxy_that_is_what_is_missing(monkeypatch):
    monkeypatch.setattr(proxies, "program", lambda _: "")
    assert "HAProxy is not installed" in ProxySystem.missing()


def test_one_that_was_never_started_ends_quietly(tmp_path):
    ProxySystem(tmp_path, "1").close()
