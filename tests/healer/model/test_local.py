import datetime as dt

from healer.model.local import changed, local, moment, offset, zone

WARSAW = zone("Europe/Warsaw")
AUTUMN = 1792890000  # 2026-10-25 01:00 UTC, when Warsaw's clock goes from 03:00 to 02:00
SPRING = 1774746000  # 2026-03-29 01:00 UTC, when it goes from 02:00 to 03:00


def test_the_second_round_of_an_hour_shows_the_same_and_is_told_apart():
    first, second = local(AUTUMN - 1800, WARSAW), local(AUTUMN + 1800, WARSAW)
    assert (first, first.fold, second.fold) == (second, 0, 1)
    assert offset(AUTUMN - 1, WARSAW) - offset(AUTUMN, WARSAW) == dt.timedelta(hours=1)


def test_the_second_at_which_the_clock_is_set_is_found():
    for at in (AUTUMN, SPRING):
        assert changed(at - 5000, at + 7000, WARSAW) == at


def test_a_time_that_comes_twice_is_its_first_and_one_that_is_skipped_comes_after_the_gap():
    assert moment(dt.datetime(2026, 10, 25, 2, 30), WARSAW) == AUTUMN - 1800  # noqa: DTZ001 - what a clock shows
    assert moment(dt.datetime(2026, 3, 29, 2, 30), WARSAW) == SPRING  # noqa: DTZ001
