import datetime as dt
import os
import time
import zoneinfo
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.model.active import Active, is_active, next_look, opens

WARSAW = "Europe/Warsaw"
MON, FRI, SAT, SUN = 0, 4, 5, 6


def at(text, tz=WARSAW, fold=0):
    return dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(tz), fold=fold).timestamp()


def hours(*spans, days=range(7), tz=WARSAW):
    made = []
    for span in spans:
        start, _, end = span.partition("-")
        made.append(tuple(int(part[:2]) * 60 + int(part[3:]) for part in (start, end)))
    return Active(days=tuple(days), hours=tuple(made), tz=tz)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [("08:59:59", False), ("09:00", True), ("16:59:59.9", True), ("17:00", False)],
)
def test_the_start_belongs_to_it_and_the_end_does_not(moment, is_open):
    assert is_active(hours("09:00-17:00"), at(f"2026-03-02T{moment}")) is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-02T21:59", False),  # Monday
        ("2026-03-02T22:00", True),
        ("2026-03-03T05:59", True),
        ("2026-03-03T06:00", False),
        ("2026-03-06T23:00", True),  # Friday
        ("2026-03-07T05:00", True),  # still Friday's night
        ("2026-03-07T22:30", False),  # Saturday
        ("2026-03-08T05:00", False),
        ("2026-03-02T05:00", False),  # Sunday's night, which is none
    ],
)
def test_hours_over_midnight_belong_to_the_day_on_which_they_began(moment, is_open):
    assert is_active(hours("22:00-06:00", days=range(5)), at(moment)) is is_open


def test_the_night_from_sunday_to_monday_is_sundays():
    sunday = hours("22:00-06:00", days=[SUN])
    assert is_active(sunday, at("2026-03-09T01:00"))
    assert not is_active(sunday, at("2026-03-08T01:00"))


def test_days_alone_are_whole_days():
    weekend = hours(days=[SAT, SUN])
    assert is_active(weekend, at("2026-03-07T00:00"))
    assert is_active(weekend, at("2026-03-08T23:59:59"))
    assert not is_active(weekend, at("2026-03-09T00:00"))


def test_one_of_several_spans_suffices_and_days_bind_them_all():
    lunch = hours("08:00-09:00", "12:00-13:00", days=[MON])
    assert is_active(lunch, at("2026-03-02T12:30"))
    assert not is_active(lunch, at("2026-03-02T10:00"))
    assert not is_active(lunch, at("2026-03-03T12:30"))


def test_no_day_at_all_is_never():
    assert not is_active(hours(days=[]), at("2026-03-02T12:00"))
    assert not is_active(hours("00:00-23:59", days=[]), at("2026-03-02T12:00"))


def test_a_span_of_nothing_is_the_whole_day_round():
    # from == to runs over midnight to the same minute
    assert is_active(hours("06:00-06:00"), at("2026-03-02T05:59"))
    assert is_active(hours("06:00-06:00"), at("2026-03-02T06:00"))


def test_an_hour_that_daylight_saving_skips_never_opens():
    # 2026-03-29 in Warsaw: 01:59:59 is followed by 03:00:00
    skipped = hours("02:00-03:00")
    start = at("2026-03-29T00:00")
    assert not any(is_active(skipped, start + minute * 60) for minute in range(23 * 60))


def test_hours_around_the_skipped_one_last_an_hour_less():
    night = hours("22:00-06:00")
    start = at("2026-03-28T12:00")
    assert sum(is_active(night, start + minute * 60) for minute in range(24 * 60)) == 7 * 60


def minutes_open(window, start, length):
    return sum(is_active(window, start + minute * 60) for minute in range(length))


@pytest.mark.parametrize(
    ("span", "minutes"),
    [
        ("02:00-03:00", 60),  # all of it is doubled: the second round is none
        ("02:15-02:45", 30),
        ("01:00-02:30", 90),  # it ends the first time the clock shows 02:30
        ("01:00-03:00", 120),
        ("02:30-06:00", 270),  # what began is not interrupted by a clock that is set back
        ("00:00-24:00", 25 * 60),
    ],
)
def test_an_hour_that_daylight_saving_doubles_counts_once(span, minutes):
    # 2026-10-25 in Warsaw: 02:59:59 is followed by 02:00:00
    assert minutes_open(hours(span), at("2026-10-25T00:00"), 25 * 60) == minutes


def test_a_night_with_a_doubled_hour_lasts_an_hour_more_without_a_gap():
    night, start = hours("22:00-06:00"), at("2026-10-24T22:00")
    assert all(is_active(night, start + minute * 60) for minute in range(9 * 60))
    assert not is_active(night, start + 9 * 3600)


def test_what_would_begin_in_a_skipped_hour_begins_after_it():
    # 2026-03-29 in Warsaw: 01:59:59 is followed by 03:00:00
    late = hours("02:30-04:00")
    assert not is_active(late, at("2026-03-29T01:59:59"))
    assert is_active(late, at("2026-03-29T03:00"))
    assert not is_active(late, at("2026-03-29T04:00"))


def shown(wall, zone):
    return dt.datetime.fromtimestamp(wall, zone).replace(tzinfo=None)


def brute(window, start, length):
    """Minute by minute, by the latest time the clock has ever shown: it never runs back, so nothing comes twice."""
    zone = zoneinfo.ZoneInfo(window.tz)
    minute, latest, found = dt.timedelta(minutes=1), shown(0, zone), []
    for number in range(-4 * 60, length):
        before, latest = latest, max(latest, shown(start + number * 60, zone))
        if number < 0:
            continue
        is_open = False
        for back in (0, 1):
            base = dt.datetime.combine(latest.date() - dt.timedelta(days=back), dt.time())
            if base.weekday() not in window.days:
                continue
            for begin, end in window.hours:
                begins, ends = base + begin * minute, base + (end if end > begin else end + 1440) * minute
                is_open |= begins <= latest < ends and before < ends - minute
        found.append(is_open)
    return found


CHANGES = [  # zone, a day on which its clock is set
    ("Europe/Warsaw", "2026-03-29"),
    ("Europe/Warsaw", "2026-10-25"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),  # by half an hour
    ("America/Havana", "2026-11-01"),  # from 01:00 to midnight
    ("Asia/Beirut", "2026-10-25"),  # from midnight to the day before
    ("Asia/Tokyo", "2026-10-25"),  # never
]


QUARTERS = st.sampled_from([*range(18), 48, *range(88, 96)])
"""Quarters of an hour about midnight and the small hours, where clocks are set."""


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(CHANGES),
    st.lists(st.tuples(QUARTERS, QUARTERS), min_size=1, max_size=3),
    st.sets(st.integers(0, 6), min_size=5),
)
def test_it_is_what_a_clock_that_is_looked_at_every_minute_says(change, spans, days):
    zone, day = change
    made = tuple((start * 15, end * 15) for start, end in spans)
    window = Active(hours=made, days=tuple(sorted(days)), tz=zone)
    start = at(f"{day}T00:00", tz=zone) - 20 * 3600
    wanted = brute(window, start, 46 * 60)
    assert [is_active(window, start + minute * 60) for minute in range(46 * 60)] == wanted
    # nothing changes before its next look says so
    changes = [number for number in range(1, len(wanted)) if wanted[number] != wanted[number - 1]]
    for number in changes[:20]:
        before = start + number * 60 - 1
        assert next_look(window, before) <= before + 1.001
        assert next_look(window, start + (number - 7) * 60) <= start + number * 60 + 0.001


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(CHANGES), st.integers(0, 95), st.integers(1, 95), st.integers(0, 6), st.integers(0, 40 * 3600))
def test_it_opens_when_it_says_and_not_a_minute_before(change, start, length, weekday, later):
    zone, day = change
    window = Active(hours=((start * 15, (start + length) % 96 * 15),), days=(weekday,), tz=zone)
    wall = at(f"{day}T00:00", tz=zone) - 30 * 3600 + later
    opening = opens(window, wall)
    assert opening is not None
    assert is_active(window, opening)
    assert opening == wall or not is_active(window, opening - 1)
    if opening > wall:
        assert not any(is_active(window, moment) for moment in range(int(wall), int(opening), 600))


@pytest.mark.parametrize(
    ("parts", "inside", "outside"),
    [
        ({"month_days": ((-1, -1),)}, ["2026-02-28", "2028-02-29", "2026-12-31"], ["2028-02-28", "2026-12-30"]),
        ({"month_days": ((-3, -1),)}, ["2026-04-28", "2026-04-30"], ["2026-04-27", "2026-05-01"]),
        ({"month_days": ((25, -1), (1, 5))}, ["2026-02-25", "2026-02-28", "2026-03-05"], ["2026-03-06", "2026-02-24"]),
        ({"month_days": ((31, 31),)}, ["2026-01-31"], ["2026-02-28", "2026-04-30"]),
        ({"month_days": ((-31, -31),)}, ["2026-01-01"], ["2026-02-01", "2026-04-01"]),
        ({"months": (1, 12)}, ["2026-01-01", "2026-12-31"], ["2026-02-01", "2026-11-30"]),
        (
            {"dates": ((dt.date(2026, 12, 24), dt.date(2027, 1, 2)),)},
            ["2026-12-24", "2027-01-02"],
            ["2026-12-23", "2027-01-03"],
        ),
        ({"years": ((2026, 2027),)}, ["2026-01-01", "2027-12-31"], ["2025-12-31", "2028-01-01"]),
        ({"months": (3,), "days": (MON,), "month_days": ((1, 7),)}, ["2026-03-02"], ["2026-03-03", "2026-03-09"]),
    ],
)
def test_all_the_parts_given_have_to_hold(parts, inside, outside):
    window = Active(tz=WARSAW, **parts)
    for day in inside:
        assert is_active(window, at(f"{day}T00:00")), day
        assert is_active(window, at(f"{day}T23:59:59")), day
    for day in outside:
        assert not is_active(window, at(f"{day}T12:00")), day


def test_the_night_of_the_last_of_the_month_goes_on_into_the_next():
    last_night = replace(hours("22:00-06:00"), month_days=((-1, -1),))
    assert is_active(last_night, at("2026-03-01T05:00"))
    assert not is_active(last_night, at("2026-03-01T22:30"))
    assert is_active(replace(last_night, years=((2025, 2025),)), at("2026-01-01T05:00"))


def test_what_is_left_out_is_closed_whatever_else_says():
    window = replace(hours("08:00-18:00"), outside=(hours("12:00-13:00"),))
    assert [is_active(window, at(f"2026-03-02T{hour}")) for hour in ("11:59", "12:00", "12:59", "13:00")] == [
        True,
        False,
        False,
        True,
    ]
    assert opens(window, at("2026-03-02T12:10")) == at("2026-03-02T13:00")
    assert next_look(window, at("2026-03-02T11:50")) == at("2026-03-02T12:00")


def test_what_is_over_never_opens_again_and_what_is_open_is_so_at_once():
    noon = at("2026-03-02T12:00")
    assert opens(Active(years=((1999, 1999),)), noon) is None
    assert opens(Active(), noon) == noon


def test_a_zone_of_its_own_is_not_the_hosts(monkeypatch):
    monkeypatch.setitem(os.environ, "TZ", "Pacific/Auckland")
    time.tzset()
    try:
        noon = at("2026-03-02T12:30")
        assert is_active(hours("12:00-13:00"), noon)
        assert not is_active(hours("12:00-13:00", tz=""), noon)
        assert is_active(hours("12:00-13:00", tz=""), at("2026-03-02T12:30", tz="Pacific/Auckland"))
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.floats(0, 4e9), st.integers(0, 1439), st.integers(0, 1439))
def test_a_span_and_its_complement_share_no_moment_and_leave_none_out(wall, start, end):
    if start == end:
        return
    inside = Active(hours=((start, end),), tz="Asia/Tokyo")
    outside = Active(hours=((end, start),), tz="Asia/Tokyo")
    assert is_active(inside, wall) is not is_active(outside, wall)
