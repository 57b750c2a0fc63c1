"""What plug-ins have added is told by name, and an unknown function is an unknown number."""

import math

from healer import plugged


def test_without_plugins_there_is_nothing():
    assert plugged.failures() == ""
    assert math.isnan(plugged.apply("nobody", 1.0))


def test_failures_say_where_and_why(monkeypatch):
    monkeypatch.setitem(plugged.FAILED, "/p/a.py", "SyntaxError")
    assert plugged.failures() == "/p/a.py: SyntaxError"
