import time

import click
import pytest

from healer.cli.moments import seconds, wall


@pytest.fixture(autouse=True)
def zone(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Warsaw")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", 1e9),
        ("2h", 1e9 - 7200),
        ("1.5d", 1e9 - 129_600),
        ("@1700000000", 1.7e9),
        ("1700000000.5", 1700000000.5),
        ("1m30s", 1e9 - 90),
        ("03:00", 1e9 - 2800),  # it is 03:46:40 there
        ("03:46:40", 1e9),
        ("18:20:50", 1e9 - 33_950),  # of yesterday: today it is yet to come
        ("2026-11-20T17:05:00Z", 1795194300.0),
        ("2026-11-20T18:05+01:00", 1795194300.0),
        ("2026-11-20 18:05", 1795194300.0),  # the reader's own zone
        ("2026-07-01", 1782856800.0),  # as it was on that day: summer time
    ],
)
def test_moments_are_read_as_people_write_them(text, at):
    assert wall(text, 1e9) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "25:00",
        "12:60",
        "1:2",
        "٠٣:٠٠",
        "1m 30s",
        "30s1",
        "tomorrow",
        "-2h",
        "2y",
        "1e9",
        "nan",
        "99999-01-01",
        "2026-13-01",
        "0001-01-01",
        "٢h",
    ],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(click.BadParameter):
        wall(text, 1e9)


def test_a_span_has_a_unit():
    assert seconds("90s") == 90.0
    assert seconds("2w") == 1_209_600.0
    assert seconds("1h30m") == 5400.0
    with pytest.raises(click.BadParameter):
        seconds("90")
