import datetime as dt

import pytest

from healer.model.active import Active
from healer.rules.calendars import CALENDAR, NOT_IN, except_for, window
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad, Mistake


def read(text, shape=CALENDAR):
    return document.text(text, shape, Problems())


def told(text, shape=CALENDAR):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, shape, problems, name="f")
    return " ".join(str(one) for one in problems.found)


def test_every_part_is_read_alone_or_in_a_list_bare_or_quoted():
    made = read(
        '{days: [mon-wed, sat-sun], hours: ["22:00-06:00", "12:00-13:00"], month_days: [-1, 1-7], months: [dec-feb, 6],'
        ' dates: ["2026-12-24..2027-01-02", "2027-06-01"], years: 2026-2027, tz: Europe/Warsaw}'
    )
    assert made == Active(
        days=(0, 1, 2, 5, 6),
        hours=((1320, 360), (720, 780)),
        month_days=((-1, -1), (1, 7)),
        months=(1, 2, 6, 12),
        dates=((dt.date(2026, 12, 24), dt.date(2027, 1, 2)), (dt.date(2027, 6, 1), dt.date(2027, 6, 1))),
        years=((2026, 2027),),
        tz="Europe/Warsaw",
    )
    assert read("{years: 2026}").years == ((2026, 2026),)


def test_days_round_the_corner_of_the_week_and_months_round_that_of_the_year():
    assert read("{days: sat-mon}").days == (0, 5, 6)
    assert read("{months: nov-feb}").months == (1, 2, 11, 12)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{hour: '08:00-09:00'}", "did you mean 'hours'"),
        ("{hours: '8-25 hours'}", "not a span of hours"),
        ("{hours: '08:00-25:00'}", "leaves the day"),
        ("{hours: []}", "an empty list"),
        ("{hours: 12:30}", "base 60"),
        ("{days: 0}", "not a weekday"),
        ("{days: weekend}", "not a weekday"),
        ("{month_days: 0}", "1 to 31"),
        ("{month_days: 32}", "1 to 31"),
        ("{month_days: -32}", "1 to 31"),
        ("{month_days: 7-1}", "ends before it begins"),
        ("{month_days: -1-5}", "ends before it begins"),
        ("{month_days: -1--3}", "ends before it begins"),
        ("{month_days: last}", "no day of a month"),
        ("{month_days: 1.5}", "expected a day of the month"),
        ("{month_days: true}", "expected a day of the month"),
        ("{month_days: 30, months: feb}", "no month has such a day"),
        ("{month_days: 31, months: [apr, jun, sep, nov]}", "no month has such a day"),
        ("{months: 13}", "not a month"),
        ("{months: july}", "did you mean 'jul'"),
        ("{dates: '2026-02-30'}", "not a date"),
        ("{dates: '2026-12-24..2026-12-01'}", "ends before it begins"),
        ("{dates: '24.12.2026'}", "not a date"),
        ("{dates: '2026-W01-1'}", "not a date"),
        ("{dates: ['2026-03-03'], days: mon}", "none of its dates"),
        ("{years: 26}", "no year"),
        ("{years: 2027-2026}", "no year"),
        ("{tz: Europe/Warsow, days: mon}", "unknown time zone"),
        ("{tz: ../../etc/passwd, days: mon}", "unknown time zone"),
        ("{tz: UTC}", "without any part is always"),
        ("{}", "without any part is always"),
        ("[]", "expected a mapping"),
    ],
)
def test_what_is_no_calendar_is_told_at_its_place(text, says):
    problems = told(text)
    assert says in problems
    assert problems.startswith("f:1:")


def test_the_29th_of_february_comes_and_a_rare_date_is_no_mistake():
    assert read("{month_days: 29, months: feb}").months == (2,)
    assert read("{dates: '1999-01-01'}").dates[0][0].year == 1999


def test_what_is_left_out_may_be_one_window_or_several():
    one = read("{hours: '02:00-03:00'}", NOT_IN)
    assert except_for(None, one) == Active(outside=one)
    assert except_for(None, ()) is None
    assert except_for(Active(days=(0,)), read("[{days: mon}, {years: 2026}]", NOT_IN)).outside[1].years == (
        (2026, 2026),
    )
    assert "without any part" in told("[{}]", NOT_IN)


def test_a_condition_gives_the_same_parts_as_texts():
    assert window({"hours": "22:00-06:00,12:00-13:00", "days": "mon-fri", "month_days": "-1, 1-7"}) == Active(
        hours=((1320, 360), (720, 780)), days=(0, 1, 2, 3, 4), month_days=((-1, -1), (1, 7))
    )
    assert window({"dates": "2026-12-24..2026-12-26", "tz": "UTC"}).tz == "UTC"


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"hour": "08:00-09:00"}, "no 'hour'"),
        ({}, "always"),
        ({"tz": "UTC"}, "always"),
        ({"hours": ""}, "span of hours"),
        ({"days": ","}, "weekday"),
        ({"days": "mon", "tz": ""}, "time zone"),
        ({"month_days": "30", "months": "2"}, "no month"),
    ],
)
def test_parts_that_are_none_are_refused(parts, says):
    with pytest.raises(Mistake, match=says):
        window(parts)
