import os
import socket
import time

import pytest

from healer.runtime.sdnotify import Systemd


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "n"))
        sock.settimeout(2)
        yield sock


def heard(sock):
    return sock.recv(4096).decode().split("\n")


def test_without_a_manager_nothing_is_said():
    systemd = Systemd({})
    assert not systemd.there
    systemd.say("READY=1")
    systemd.progressed(5.0)
    assert systemd.watchdog == 0.0


def test_assignments_arrive_in_one_datagram(manager):
    systemd = Systemd({"NOTIFY_SOCKET": manager.getsockname()})
    assert systemd.there
    systemd.say("READY=1", "STATUS=all is well")
    assert heard(manager) == ["READY=1", "STATUS=all is well"]


def test_an_abstract_socket_is_reached():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0healer-test-{os.getpid()}")
        sock.settimeout(2)
        Systemd({"NOTIFY_SOCKET": f"@healer-test-{os.getpid()}"}).say("STOPPING=1")
        assert heard(sock) == ["STOPPING=1"]


def test_a_manager_that_went_away_is_logged_and_no_error(tmp_path, caplog):
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).say("READY=1")
    assert caplog.records[0].getMessage() == "sdnotify.failed"


def test_a_reload_tells_when_it_began(manager):
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Systemd({"NOTIFY_SOCKET": manager.getsockname()}).reloading()
    first, second = heard(manager)
    assert first == "RELOADING=1"
    assert int(second.removeprefix("MONOTONIC_USEC=")) >= before


def test_the_watchdog_is_fed_by_progress_twice_as_often_as_it_wants(manager):
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "8000000", "WATCHDOG_PID": str(os.getpid())}
    systemd = Systemd(environ)
    assert systemd.watchdog == 4.0
    for second in range(9):
        systemd.progressed(100.0 + second)
    assert [heard(manager) for _ in range(5)] == [["WATCHDOG=1"]] * 5
    manager.settimeout(0.05)
    with pytest.raises(TimeoutError):
        heard(manager)


@pytest.mark.parametrize(
    "environ",
    [{"WATCHDOG_USEC": "many"}, {"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "-5"}],
)
def test_a_watchdog_that_watches_somebody_else_or_nobody_is_not_fed(manager, environ):
    systemd = Systemd({"NOTIFY_SOCKET": manager.getsockname(), **environ})
    systemd.progressed(100.0)
    manager.settimeout(0.05)
    with pytest.raises(TimeoutError):
        heard(manager)
