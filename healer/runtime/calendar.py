"""Everything that follows the wall clock: reflection, harmony, self-verification, heartbeats, cron rules.

The only importer of APScheduler. Sensors do not come through here: polling is one monotonic due-heap.
"""

import asyncio
import datetime as dt
import inspect
import logging
import zoneinfo
from collections.abc import Callable, Coroutine
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger
from cronsim import CronSim, CronSimError

from healer.errors import ConfigError

_log = logging.getLogger("healer.calendar")
Job = Callable[[], Any]

_SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


class CronTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Real cron: Sunday is 0 and 7, a day of month OR a weekday. APScheduler's own reading of crontab is neither."""

    def __init__(self, expression: str, zone: str) -> None:
        self.expression = _SHORTHANDS.get(expression, expression)
        self.zone = zoneinfo.ZoneInfo(zone) if zone else dt.datetime.now(dt.UTC).astimezone().tzinfo  # noqa: TID251 - only the zone is used
        try:
            CronSim(self.expression, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        except CronSimError as exc:
            raise ConfigError(f"{expression!r} is no cron expression: {exc}") from exc

    def get_next_fire_time(self, previous_fire_time: dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
        """The next moment after the last one, or after now."""
        after = previous_fire_time or now
        return next(CronSim(self.expression, after.astimezone(self.zone)), None)


class Calendar:
    """Jobs at intervals and at cron moments; a job that is late runs once, never twice at a time."""

    def __init__(self) -> None:
        self._stopping = False
        self._running: set[asyncio.Task[Any]] = set()
        self._scheduler = AsyncIOScheduler(
            timezone=dt.UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 30}
        )
        self._scheduler.add_listener(self._report, EVENT_JOB_ERROR | EVENT_JOB_MAX_INSTANCES)

    def every(self, seconds: float, name: str, job: Job) -> None:
        """Run ``job`` every so many seconds; a second job of the same name replaces the first."""
        trigger = IntervalTrigger(seconds=seconds, timezone=dt.UTC)
        self._scheduler.add_job(self._on_the_loop(job), trigger, id=name, name=name, replace_existing=True)

    def cron(self, expression: str, zone: str, name: str, job: Job) -> None:
        """Run ``job`` at the moments of a cron expression; raises ConfigError for one that is none."""
        self._scheduler.add_job(
            self._on_the_loop(job), CronTrigger(expression, zone), id=name, name=name, replace_existing=True
        )

    def soon(self, name: str, job: Job) -> None:
        """Run ``job`` once, now, owned by the calendar; one of the same name that still waits is replaced."""
        self._scheduler.add_job(
            self._on_the_loop(job), id=name, name=name, replace_existing=True, misfire_grace_time=None
        )

    def forget(self, prefix: str) -> None:
        """Drop every job whose name begins with ``prefix``."""
        for job in self._scheduler.get_jobs():
            if job.id.startswith(prefix):
                job.remove()

    def names(self) -> tuple[str, ...]:
        """What is on the calendar."""
        return tuple(sorted(job.id for job in self._scheduler.get_jobs()))

    def start(self) -> None:
        """Begin; needs a running loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """End without waiting: running jobs belong to others."""
        self._stopping = True
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def ended(self, patience: float = 0.5) -> None:
        """Wait, after `stop`, until what ran has let go of what it held (a process); at most so many seconds."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=patience)

    def _on_the_loop(self, job: Job) -> Callable[[], Coroutine[Any, Any, None]]:
        """Make a coroutine of it: APScheduler runs plain functions in threads, and the core belongs to the loop."""

        async def run() -> None:
            task = asyncio.current_task()
            if task is not None:
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            try:
                answer = job()
                if inspect.isawaitable(answer):
                    await answer
            except asyncio.CancelledError:
                # At its shutdown APScheduler cancels what runs, and would log each as an error with its traceback.
                if not self._stopping:
                    raise

        return run

    @staticmethod
    def _report(event: JobExecutionEvent) -> None:
        because = getattr(event, "exception", None) or "it was still running when its next turn came"
        _log.warning("calendar.job-failed", extra={"job": event.job_id, "because": str(because)})
