"""Evidence is what /proc tells, bounded, and silent where it may not look."""

import os

from healer.drivers import evidence


def test_a_living_process_tells_much_but_not_its_environment(monkeypatch):
    found = evidence.of_process(os.getpid())
    assert f"Pid:\t{os.getpid()}" in found["status"]
    assert found["exe"].startswith("/")
    assert str(os.getpid()) in found["threads"]
    assert "environ" not in found


def test_a_process_that_is_gone_tells_nothing_and_breaks_nothing():
    assert evidence.of_process(2**22 + 1) == {"fds": {}, "cwd": "", "exe": "", "threads": {}}


def test_the_host_tells_its_pressure():
    assert set(evidence.of_host()) == {"pressure", "loadavg", "meminfo"}
