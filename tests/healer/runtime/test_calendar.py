import asyncio
import datetime as dt
import threading
from collections.abc import AsyncIterator

import pytest

from healer.errors import ConfigError
from healer.runtime.calendar import Calendar, CronTrigger


@pytest.fixture
async def calendar() -> AsyncIterator[Calendar]:
    made = Calendar()
    made.start()
    yield made
    made.stop()
    await asyncio.sleep(0)


async def test_a_plain_job_runs_on_the_loop_and_in_no_thread(calendar):
    ran = asyncio.get_running_loop().create_future()
    calendar.soon("where", lambda: ran.set_result((threading.current_thread(), asyncio.get_running_loop())))
    async with asyncio.timeout(5):
        assert await ran == (threading.main_thread(), asyncio.get_running_loop())


async def test_a_job_that_waits_is_awaited(calendar):
    ran = asyncio.Event()

    async def job():
        await asyncio.sleep(0)
        ran.set()

    calendar.soon("waits", job)
    async with asyncio.timeout(5):
        await ran.wait()


async def test_a_job_that_fails_is_told_and_the_others_go_on(calendar, caplog):
    ran = asyncio.Event()
    calendar.soon("fails", lambda: 1 / 0)
    calendar.soon("runs", ran.set)
    async with asyncio.timeout(5):
        await ran.wait()
        while "calendar.job-failed" not in caplog.text:  # noqa: ASYNC110 - a log has no event to wait for
            await asyncio.sleep(0)


async def test_stopping_cancels_what_runs_without_calling_it_an_error(caplog):
    calendar = Calendar()
    calendar.start()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def job():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    calendar.soon("waits for ever", job)
    async with asyncio.timeout(5):
        await begun.wait()
        calendar.stop()
        await ended.wait()
        await asyncio.sleep(0.05)  # time is the subject: the error would be logged after the job ended
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "WARNING"}]


async def test_the_end_waits_for_what_a_job_has_to_let_go_of_and_not_for_ever():
    calendar = Calendar()
    calendar.start()
    begun, let_go = asyncio.Event(), []

    async def job():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            let_go.append(True)

    calendar.soon("holds something", job)
    async with asyncio.timeout(5):
        await begun.wait()
        calendar.stop()
        await calendar.ended()
        await calendar.ended()
    assert let_go


async def test_a_second_job_of_one_name_replaces_the_first_and_prefixes_are_forgotten(calendar):
    calendar.every(60, "reflect", print)
    calendar.every(30, "reflect", print)
    calendar.cron("@daily", "UTC", "cron night", print)
    assert calendar.names() == ("cron night", "reflect")
    calendar.forget("cron ")
    assert calendar.names() == ("reflect",)


FRIDAY = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("expression", "day"),
    [
        ("0 0 * * 0", 22),  # Sunday is 0 ...
        ("0 0 * * 7", 22),  # ... and 7
        ("0 0 * * 1-5", 23),  # Monday to Friday
        ("0 0 25 * 0", 22),  # a day of the month OR a weekday
        ("@daily", 21),
    ],
)
def test_cron_means_what_cron_means(expression, day):
    assert CronTrigger(expression, "UTC").get_next_fire_time(None, FRIDAY).day == day


def test_the_zone_of_a_rule_is_kept():
    moment = CronTrigger("0 22 * * *", "Europe/Warsaw").get_next_fire_time(None, FRIDAY)
    assert moment.astimezone(dt.UTC).hour == 21


def test_what_is_no_cron_expression_is_refused():
    with pytest.raises(ConfigError, match="no cron expression"):
        CronTrigger("61 * * * *", "UTC")


def test_after_a_start_of_its_own_the_next_moment_is_a_later_one():
    trigger = CronTrigger("0 * * * *", "UTC")
    assert trigger.get_next_fire_time(FRIDAY, FRIDAY) == FRIDAY + dt.timedelta(hours=1)


def test_a_clock_put_right_does_not_run_it_again_and_one_set_to_another_time_does():
    trigger = CronTrigger("0 * * * *", "UTC")
    trigger.get_next_fire_time(FRIDAY, FRIDAY)
    hour = dt.timedelta(hours=1)
    assert trigger.get_next_fire_time(None, FRIDAY - hour) == FRIDAY + hour
    assert trigger.get_next_fire_time(None, FRIDAY - 30 * hour) == FRIDAY - 29 * hour
    assert trigger.get_next_fire_time(None, FRIDAY + 30 * hour) == FRIDAY + 31 * hour


async def test_after_the_clock_was_set_back_nothing_waits_for_the_old_time(calendar):
    calendar.every(60, "beat", print)
    calendar.cron("* * * * *", "UTC", "cron often", print)
    now = dt.datetime.now(dt.UTC)
    for job in calendar._scheduler.get_jobs():
        job.modify(next_run_time=now + dt.timedelta(days=300))
    calendar.jumped()
    assert all(job.next_run_time <= now + dt.timedelta(seconds=61) for job in calendar._scheduler.get_jobs())
    assert calendar.names() == ("beat", "cron often")
