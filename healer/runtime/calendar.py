"""Everything that follows the wall clock: reflection, harmony, self-verification, heartbeats, cron rules.

The only importer of APScheduler. Sensors do not come through here: polling is one monotonic due-heap.
"""

import asyncio
import datetime as dt
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from healer.errors import ConfigError
from healer.model.trigger import Trigger
from healer.rules.schedules import upcoming
from healer.yamldoc import times
from healer.yamldoc.shape import Mistake

_log = logging.getLogger("healer.calendar")
Job = Callable[[], Any]

SET_BACK = dt.timedelta(hours=3)
"""A clock set back by less is one that is put right: what has run is not run again. By more, it is another time."""


class CronTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Real cron (`healer.rules.schedules`): APScheduler's own reading of a line knows neither Sunday nor its OR."""

    def __init__(self, expression: str, zone: str) -> None:
        try:
            self.schedule = Trigger(kind="schedule", cron=times.cron(expression), tz=zone)
        except Mistake as exc:
            raise ConfigError(f"{expression!r} is no cron expression: {exc.what}", hint=exc.hint) from exc
        self.last: dt.datetime | None = None
        """When it ran, so far as this process knows."""

    def get_next_fire_time(self, previous_fire_time: dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
        """The next moment after the last one, or after now."""
        after = previous_fire_time
        if after is None:
            after = now if self.last is None or self.last - now >= SET_BACK else max(self.last, now)
        else:
            self.last = after
        wall = upcoming(self.schedule, after.timestamp())
        return None if wall is None else dt.datetime.fromtimestamp(wall, dt.UTC)


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

    def jumped(self) -> None:
        """Reckon every job's next moment anew: what waits for a wall clock that was set back would wait too long."""
        now = dt.datetime.now(dt.UTC)  # noqa: TID251 - APScheduler reads that clock, and no other
        for job in self._scheduler.get_jobs():
            if isinstance(job.trigger, CronTrigger):
                coming = job.trigger.get_next_fire_time(None, now)
            elif isinstance(job.trigger, IntervalTrigger):
                coming = min(job.next_run_time, now + job.trigger.interval)
            else:
                continue
            job.modify(next_run_time=coming)

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
