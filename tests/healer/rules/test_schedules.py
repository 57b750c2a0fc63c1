import datetime as dt
import os
import time
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.model.trigger import Trigger
from healer.rules.schedules import upcoming

WARSAW = "Europe/Warsaw"


def at(text, tz=WARSAW, fold=0):
    return dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(tz), fold=fold).timestamp()


def coming(cron, after, number, tz=WARSAW):
    trigger, found = Trigger(kind="schedule", cron=cron, tz=tz), []
    for _ in range(number):
        after = upcoming(trigger, after)
        found.append(dt.datetime.fromtimestamp(after, zoneinfo.ZoneInfo(tz or WARSAW)).isoformat()[:22])
    return found


@pytest.mark.parametrize("sunday", ["0", "7", "sun", "SUN"])
def test_sunday_is_0_and_7(sunday):
    assert coming(f"0 12 * * {sunday}", at("2026-03-02T00:00"), 1) == ["2026-03-08T12:00:00+01"]


def test_a_day_of_the_month_or_a_weekday_will_do():
    days = [one[:10] for one in coming("0 0 13 * fri", at("2026-10-01T12:00"), 6)]
    assert days == ["2026-10-02", "2026-10-09", "2026-10-13", "2026-10-16", "2026-10-23", "2026-10-30"]


@pytest.mark.parametrize("cron", ["30 2 * * *", "*/15 2 * * *", "10,40 2 * * *"])
def test_what_a_skipped_hour_holds_comes_once_right_after_it(cron):
    first, second = coming(cron, at("2026-03-28T12:00"), 2)
    assert first == "2026-03-29T03:00:00+02"
    assert second.startswith("2026-03-30T02:")


def test_what_a_skipped_hour_does_not_hold_comes_as_ever():
    assert coming("30 3 * * *", at("2026-03-28T12:00"), 1) == ["2026-03-29T03:30:00+02"]
    assert coming("0 2,3 * * *", at("2026-03-28T12:00"), 2) == ["2026-03-29T03:00:00+02", "2026-03-30T02:00:00+02"]


def test_a_doubled_hour_counts_once():
    assert coming("*/30 2 * * *", at("2026-10-24T12:00"), 3) == [
        "2026-10-25T02:00:00+02",
        "2026-10-25T02:30:00+02",
        "2026-10-26T02:00:00+01",
    ]


def test_who_asks_in_the_second_round_is_not_sent_back_to_the_first():
    assert coming("30 2 * * *", at("2026-10-25T02:10", fold=1), 1) == ["2026-10-26T02:30:00+01"]
    assert coming("0 4 * * *", at("2026-10-25T02:10", fold=1), 1) == ["2026-10-25T04:00:00+01"]


def test_a_line_for_every_hour_follows_time_as_it_passes():
    spring = coming("30 * * * *", at("2026-03-29T00:40"), 3)
    assert spring == ["2026-03-29T01:30:00+01", "2026-03-29T03:30:00+02", "2026-03-29T04:30:00+02"]
    autumn = coming("0 * * * *", at("2026-10-25T01:10"), 3)
    assert autumn == ["2026-10-25T02:00:00+02", "2026-10-25T02:00:00+01", "2026-10-25T03:00:00+01"]


def test_a_moment_far_away_is_reckoned_by_the_clock_of_then():
    assert coming("30 * 1 7 *", at("2026-01-01T12:00"), 1) == ["2026-07-01T00:30:00+02"]
    assert coming("0 6 1 jan *", at("2026-07-01T12:00"), 1) == ["2027-01-01T06:00:00+01"]


def test_without_a_zone_the_host_clock_is_followed_also_when_it_is_set(monkeypatch):
    monkeypatch.setitem(os.environ, "TZ", WARSAW)
    time.tzset()
    try:
        assert coming("30 4 * * *", at("2026-03-28T12:00"), 2, tz="") == [
            "2026-03-29T04:30:00+02",
            "2026-03-30T04:30:00+02",
        ]
        assert coming("30 2 * * *", at("2026-03-28T12:00"), 1, tz="") == ["2026-03-29T03:00:00+02"]
        assert coming("30 2 * * *", at("2026-10-25T02:10", fold=1), 1, tz="") == ["2026-10-26T02:30:00+01"]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_is_no_schedule_or_never_comes_has_no_next_time():
    assert upcoming(Trigger(), 0.0) is None
    assert upcoming(Trigger(kind="schedule", cron="0 0 30 2 1#5", tz="UTC"), 0.0) is not None


ZONES = st.sampled_from(["Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "America/Havana", "UTC"])


@settings(max_examples=40, deadline=None)
@given(
    ZONES,
    st.integers(1772323200, 1793491200),
    st.integers(0, 3).map(lambda n: ["0", "30", "*/20", "*"][n]),
    st.sets(st.integers(0, 4)),
)
def test_it_never_goes_back_and_leaves_no_day_out(zone, start, minutes, hours):
    trigger = Trigger(kind="schedule", cron=f"{minutes} {','.join(map(str, sorted(hours))) or '*'} * * *", tz=zone)
    after, found = float(start), []
    for _ in range(300):
        later = upcoming(trigger, after)
        assert later > after
        found.append(later)
        after = later
        if after > start + 3 * 86400:
            break
    days = {dt.datetime.fromtimestamp(one, zoneinfo.ZoneInfo(zone)).date() for one in found}
    assert len(days) >= (after - start) // 86400 - 1
    if hours:  # nothing comes twice by the clock on the wall
        shown = [dt.datetime.fromtimestamp(one, zoneinfo.ZoneInfo(zone)).replace(tzinfo=None, fold=0) for one in found]
        assert len(set(shown)) == len(shown)
