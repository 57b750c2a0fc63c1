import datetime as dt
import os
import time
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.active import Active, is_active

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


def test_an_hour_that_daylight_saving_doubles_is_open_both_times():
    # 2026-10-25 in Warsaw: 02:59:59 is followed by 02:00:00
    doubled = hours("02:00-03:00")
    assert is_active(doubled, at("2026-10-25T02:30", fold=0))
    assert is_active(doubled, at("2026-10-25T02:30", fold=1))
    start = at("2026-10-25T00:00")
    assert sum(is_active(doubled, start + minute * 60) for minute in range(25 * 60)) == 2 * 60


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
    inside = Active(hours=((start, end),), tz=WARSAW)
    outside = Active(hours=((end, start),), tz=WARSAW)
    assert is_active(inside, wall) is not is_active(outside, wall)
