"""Ask every sensor in its turn, and let none of them hold up another."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from healer.clock import Clock
from healer.errors import SensorError
from healer.model.event import Looked
from healer.model.observation import Observation, Reading, Unknown
from healer.runtime.due import DueHeap
from healer.sensors.interface import QuickSensor, Sensor

_log = logging.getLogger("healer.poll")

Deliver = Callable[[Looked], None]
CRASHES = 5
"""Unexpected exceptions a sensor may raise within the window before it is quarantined."""
CRASH_WINDOW = 600.0
_NOT_YET = "it has not been looked at yet"
_TOGETHER = 0.005
"""Seconds: beats this close share a wake-up."""
_CLOSING = 0.5
"""Seconds a sensor may take to let go."""
_LONGEST_SLEEP = 60.0
"""The loop's clock stands still in suspend and the boot clock does not: look up at least this often."""


class _Post:
    """One sensor and what the poller knows about it."""

    __slots__ = (
        "because",
        "broken",
        "crashes",
        "opened",
        "pulled",
        "quarantined",
        "retired",
        "sensor",
        "task",
        "timer",
    )

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self.opened = False
        self.broken = False
        """It crashed: closed and opened again before the next look."""
        self.task: asyncio.Task[None] | None = None
        """The look under way; it stays here after its time is up, until it really came back."""
        self.timer: asyncio.TimerHandle | None = None
        """Runs while an answer would still be in time."""
        self.pulled = False
        """Somebody asked for a look while one was under way."""
        self.crashes: list[float] = []
        self.quarantined = ""
        """Why it is not looked at any more; empty while it is."""
        self.retired = False
        """Replaced by a reload: nothing it still says counts."""
        self.because = _NOT_YET
        """Why the last look failed; empty when it came back."""


class Poll:
    """Runs sensors: each at its beat, one look at a time, and whatever goes wrong becomes *unknown, because*.

    ``deliver`` is called on the loop's thread with one `Looked` per look or push. It must not raise: that would be
    the agent's own fault, and ends `run`.
    """

    def __init__(self, *, sensors: Iterable[Sensor], clock: Clock, deliver: Deliver) -> None:
        self._clock = clock
        self._deliver = deliver
        self._posts = {sensor.name: _Post(sensor) for sensor in sensors}
        self._due = DueHeap()
        self._group: asyncio.TaskGroup | None = None
        self._wake: asyncio.Future[None] | None = None
        self._started = 0.0

    # ------------------------------------------------------------------------------- what others may ask

    def look_now(self, target: str) -> bool:
        """Look at a target (or with the sensor of this name) at once; False when no sensor covers it.

        Where a look is under way, another follows it: the one under way may have begun before what the caller did.
        """
        posts = [post for post in self._posts.values() if post.sensor.covers(target)]
        for post in posts:
            post.pulled = post.task is not None
            self._due.pull(post.sensor.name, self._clock.now())
        self._rouse()
        return bool(posts)

    def stretch(self, factor: float) -> None:
        """Multiply every interval: the economy profile looks less often; 1 is as configured."""
        self._due.stretch(factor, self._clock.now())
        self._rouse()

    def states(self) -> Mapping[str, str]:
        """For each sensor why its last look failed; empty where it came back."""
        return {name: post.quarantined or post.because for name, post in self._posts.items()}

    def figures(self) -> dict[str, float]:
        """What the `self` sensor tells about the senses."""
        # One that was not looked at yet is no blind one: at every start all of them are that.
        whys = [why for why in self.states().values() if why != _NOT_YET]
        return {
            "self.sensors_ok": sum(not why for why in whys) / len(whys) if whys else 1.0,
            "self.sensors_quarantined": sum(bool(post.quarantined) for post in self._posts.values()),
            "self.garbage": sum(post.sensor.garbage for post in self._posts.values()),
        }

    def max_ages(self) -> Mapping[str, float]:
        """Seconds for which the readings of each sensor count, by the sensor's name."""
        return {name: post.sensor.max_age for name, post in self._posts.items()}

    async def replace(self, sensors: Iterable[Sensor]) -> None:
        """Swap the sensors after a reload: one given again goes on undisturbed, the rest of the old are closed."""
        old, self._posts = self._posts, {}
        for sensor in sensors:
            known = old.get(sensor.name)
            self._posts[sensor.name] = known if known is not None and known.sensor is sensor else _Post(sensor)
        for name, post in old.items():
            if self._posts.get(name) is not post:
                self._due.remove(name)
                await self._retire(post)
        for post in self._posts.values():
            if old.get(post.sensor.name) is not post:
                self._schedule(post)
        self._rouse()

    # ------------------------------------------------------------------------------------- the loop of it

    async def run(self) -> None:
        """Look until cancelled, then close every sensor. The owner of all looks."""
        self._started = self._clock.now()
        for post in self._posts.values():
            self._schedule(post)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                while True:
                    for name in self._due.take(self._clock.now() + _TOGETHER):
                        self._turn(group, self._posts[name])
                    await self._sleep()
        finally:
            self._group = None
            async with asyncio.TaskGroup() as group:
                for post in self._posts.values():
                    group.create_task(self._close(post), name=f"close {post.sensor.name}")

    def _schedule(self, post: _Post) -> None:
        """Fix a sensor's phase: spread where looks load others, together where a wake-up costs more than the look."""
        name, every, now = post.sensor.name, post.sensor.every, self._clock.now()
        if post.sensor.quick:
            self._due.add(name, every=every, first=now, origin=self._started)
        else:
            chance = self._clock.chance()
            self._due.add(name, every=every, first=now + chance * min(every, 1.0), origin=now + chance * every)

    async def _sleep(self) -> None:
        loop = asyncio.get_running_loop()
        due = self._due.due()
        wait = _LONGEST_SLEEP if due is None else min(_LONGEST_SLEEP, max(0.0, due - self._clock.now()))
        self._wake = loop.create_future()
        timer = loop.call_at(loop.time() + wait, self._rouse)
        try:
            await self._wake
        finally:
            timer.cancel()
            self._wake = None

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    # --------------------------------------------------------------------------------------- a single look

    def _turn(self, group: asyncio.TaskGroup, post: _Post) -> None:
        sensor = post.sensor
        if post.quarantined:
            if post.opened:
                group.create_task(self._close(post), name=f"close {sensor.name}")
            self._fail(post, post.quarantined)
        elif post.task is not None:
            if post.timer is None:  # its time was up, and it has not come back since
                self._fail(post, "the last look has not come back yet")
        elif isinstance(sensor, QuickSensor) and post.opened and not post.broken:
            self._glance(post, sensor)
        else:
            post.task = group.create_task(self._look(post), name=f"look {sensor.name}")
            post.timer = asyncio.get_running_loop().call_later(sensor.timeout, self._give_up, post)

    def _glance(self, post: _Post, sensor: QuickSensor) -> None:
        try:
            readings = sensor.glance(self._clock.now())
        except SensorError as exc:
            self._fail(post, str(exc))
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - one sensor's bug must not blind the others
            self._crash(post, exc)
        else:
            self._tell(post, readings)

    async def _look(self, post: _Post) -> None:
        """One look in a task of its own; what it brings counts only while its time is not up."""
        readings: Sequence[Reading] = ()
        failed: Exception | None = None
        try:
            await self._open(post)
            readings = _readings(await post.sensor.look(self._clock.now()))
        except Exception as exc:  # noqa: BLE001 - one sensor's bug must not blind the others
            failed = exc
        except SystemExit as exc:  # a plug-in that gives up must not take the agent with it
            failed = RuntimeError(f"it asked to exit with {exc.code!r}")
        finally:
            in_time, post.task = self._stop_timer(post), None
        if post.pulled:
            post.pulled = False
            self._due.pull(post.sensor.name, self._clock.now())
            self._rouse()
        if not in_time:
            return  # it was reported unknown when its time was up
        if failed is None:
            self._tell(post, readings)
        elif isinstance(failed, SensorError):
            self._fail(post, str(failed))
        else:
            self._crash(post, failed)

    async def _open(self, post: _Post) -> None:
        if post.broken:
            await self._close(post)
            post.broken = False
        if not post.opened:
            await post.sensor.open(lambda readings: self._push(post, readings))
            post.opened = True

    def _give_up(self, post: _Post) -> None:
        post.timer = None
        if post.task is not None:
            post.task.cancel()
        self._fail(post, f"no answer within {post.sensor.timeout:g} s")

    @staticmethod
    def _stop_timer(post: _Post) -> bool:
        if post.timer is None:
            return False
        post.timer.cancel()
        post.timer = None
        return True

    # ------------------------------------------------------------------------------------ what came of it

    def _tell(self, post: _Post, readings: Sequence[Reading]) -> None:
        if post.because:
            _log.info("sensor.back sensor=%s", post.sensor.name)
            post.because = ""
        self._push(post, readings)

    def _push(self, post: _Post, readings: Sequence[Reading]) -> None:
        if not post.retired:
            self._deliver(Looked(sensor=post.sensor.name, at=self._clock.now(), readings=tuple(readings)))

    def _fail(self, post: _Post, because: str) -> None:
        if post.because != because:
            _log.warning("sensor.failed sensor=%s because=%r", post.sensor.name, because)
            post.because = because
        if not post.retired:
            self._deliver(Looked(sensor=post.sensor.name, at=self._clock.now(), because=because))

    def _crash(self, post: _Post, exc: BaseException) -> None:
        """Count against the restart budget; past it the sensor is left alone, and says so at every beat."""
        now = self._clock.now()
        post.broken = True
        post.crashes = [at for at in post.crashes if now - at < CRASH_WINDOW] + [now]
        because = f"the sensor crashed: {type(exc).__name__}: {exc}"[:300]
        _log.warning("sensor.crashed sensor=%s crashes=%d", post.sensor.name, len(post.crashes), exc_info=exc)
        if len(post.crashes) >= CRASHES:
            post.quarantined = f"quarantined after {CRASHES} crashes in {CRASH_WINDOW:g} s; the last: {because}"
            _log.error("sensor.quarantined sensor=%s", post.sensor.name)
        self._fail(post, post.quarantined or because)

    async def _retire(self, post: _Post) -> None:
        post.retired = True
        self._stop_timer(post)
        if post.task is not None:
            post.task.cancel()
            await asyncio.wait({post.task}, timeout=_CLOSING)
        await self._close(post)

    async def _close(self, post: _Post) -> None:
        post.opened = False
        try:
            async with asyncio.timeout(_CLOSING):
                await post.sensor.close()
        except (Exception, SystemExit):  # noqa: BLE001 - a sensor that cannot let go must not keep the others from it
            _log.exception("sensor.close_failed sensor=%s", post.sensor.name)


def _readings(found: object) -> Sequence[Reading]:
    """What a look gave; raises TypeError where it is something else: a sensor may come from anywhere."""
    if not isinstance(found, list | tuple) or not all(isinstance(one, Observation | Unknown) for one in found):
        raise TypeError(f"its look gave no readings, but {type(found).__name__}: return sieve.readings")
    return found
