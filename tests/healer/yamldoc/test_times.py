import pytest

from healer.yamldoc import times
from healer.yamldoc.shape import Mistake


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("sat,sun", (5, 6)),
        ("Sat-Mon", (0, 5, 6)),
        ("wed", (2,)),
        ("sun-sun", (6,)),
        ("mon, wed-thu", (0, 2, 3)),
    ],
)
def test_weekdays_are_read(text, days):
    assert times.days(text) == days


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("22:00-06:00", (1320, 360)),
        ("08:30-17:00", (510, 1020)),
        ("00:00-24:00", (0, 1440)),
        ("23:00-24:00", (1380, 0)),
    ],
)
def test_spans_of_hours_are_read(text, span):
    assert times.hours(text) == span


@pytest.mark.parametrize("text", ["25:00-26:00", "08:60-09:00", "8-9", "08:00", "10:00-10:00", "24:00-01:00", ""])
def test_hours_that_are_none_are_refused(text):
    with pytest.raises(Mistake):
        times.hours(text)


@pytest.mark.parametrize("text", ["monday", "mon-", "", "mon,,tue", "0-4"])
def test_weekdays_that_are_none_are_refused(text):
    with pytest.raises(Mistake):
        times.days(text)


def test_a_wrong_weekday_has_its_character():
    with pytest.raises(Mistake) as told:
        times.days("mon,tuw")
    assert told.value.offset == 4
    assert "tue" in told.value.hint


def test_zones_are_those_of_this_machine():
    assert times.zone("Europe/Warsaw") == "Europe/Warsaw"
    for text in ("Europe/Warsow", "../../etc/passwd", "", "/etc/passwd", "Europe"):
        with pytest.raises(Mistake):
            times.zone(text)


def test_cron_lines_are_read_and_their_short_names_written_out():
    assert times.cron("30 3 * * sun") == "30 3 * * sun"
    assert times.cron("@daily") == "0 0 * * *"


@pytest.mark.parametrize("text", ["* * *", "61 * * * *", "0 0 30 2 *", "x", "", "* * * * * *", "@never"])
def test_cron_lines_that_never_come_or_are_none_are_refused(text):
    with pytest.raises(Mistake):
        times.cron(text)


@pytest.mark.parametrize(
    ("text", "span"),
    [("15", (15, 15)), ("1-7", (1, 7)), ("-1", (-1, -1)), ("-3--1", (-3, -1)), ("25--1", (25, -1)), ("1 - 7", (1, 7))],
)
def test_days_of_the_month_count_from_either_end(text, span):
    assert times.month_days(text) == span


@pytest.mark.parametrize("text", ["", "0", "-", "1-", "32", "1-2-3", "7-1", "-1-5", "-1--2", "١", "1e1", "9" * 50])
def test_days_that_no_month_has_are_refused(text):
    with pytest.raises(Mistake):
        times.month_days(text)


@pytest.mark.parametrize("text", ["", "0", "13", "january", "jan-", "-3", "jan,", "²"])
def test_months_that_are_none_are_refused(text):
    with pytest.raises(Mistake):
        times.months(text)


@pytest.mark.parametrize(
    "text", ["", "..", "2026-02-29", "2026-1-1", "20260101", "2026-01-01..", "0001-01-01", "2026-02-01..2026-01-01"]
)
def test_dates_that_are_none_are_refused(text):
    with pytest.raises(Mistake):
        times.dates(text)


@pytest.mark.parametrize("text", ["", "26", "-2026", "2026-", "2026-2025", "3000", "1969", "2026.5"])
def test_years_that_are_none_are_refused(text):
    with pytest.raises(Mistake):
        times.years(text)
