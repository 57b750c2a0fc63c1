"""systemd's refusals in words, and whether a later try may succeed."""

import pytest

from healer.drivers.systemd.bus import SaidNoError
from healer.drivers.systemd.refusals import refused, skipped, unsuccessful
from healer.drivers.systemd.unit import describe

SAID = {"Id": "a.service", "LoadState": "loaded", "ActiveState": "failed", "SubState": "failed"}


@pytest.mark.parametrize(
    "name",
    ["org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"],
)
def test_who_may_not_is_told_how_it_is_allowed(name):
    error = refused("restart", "a.service", SaidNoError(name, "Access denied"))
    assert "not permitted" in error.message
    assert "polkit" in error.hint
    assert not error.transient


@pytest.mark.parametrize(
    ("name", "transient"),
    [
        ("org.freedesktop.systemd1.NoSuchUnit", False),
        ("org.freedesktop.systemd1.UnitMasked", False),
        ("org.freedesktop.systemd1.JobTypeNotApplicable", False),
        ("org.freedesktop.systemd1.TransactionIsDestructive", True),
        ("org.freedesktop.systemd1.ShuttingDown", True),
        ("org.example.Whatever", True),
    ],
)
def test_what_cannot_be_is_permanent_and_the_rest_is_not(name, transient):
    assert refused("start", "a.service", SaidNoError(name, "x" * 9999)).transient is transient
    assert len(refused("start", "a.service", SaidNoError(name, "x" * 9999)).message) <= 300


@pytest.mark.parametrize(
    ("result", "transient"),
    [
        ("failed", True), ("timeout", True), ("dependency", True), ("canceled", True), ("collected", True),
        ("skipped", False), ("assert", False), ("unsupported", False), ("once", False), ("news to us", True),
    ],
)  # fmt: skip
def test_each_end_of_a_job_says_whether_trying_again_helps(result, transient):
    error = unsuccessful("start", "a.service", result, None)
    assert error.transient is transient
    assert result in error.message


def test_a_failure_names_how_the_unit_ended():
    assert "oom-kill" in unsuccessful("start", "a.service", "failed", describe({**SAID, "Result": "oom-kill"})).message
    limit = unsuccessful("start", "a.service", "failed", describe({**SAID, "Result": "start-limit-hit"}))
    assert "reset-failed" in limit.hint
    assert limit.transient


def test_what_was_skipped_is_no_success():
    assert not skipped("start", "a.service").transient
