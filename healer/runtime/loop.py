"""The inbox and the loop: one event after the other through the core, and what it wants carried out."""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from healer.clock import Clock
from healer.core.core import Core
from healer.errors import LogFullError, SealError
from healer.gates.mass_failure import LOG_FULL
from healer.model.decision import Decision, Outcome, Result, SealedIntent
from healer.model.effect import Act, Cancel, Effect, Look, Note, Publish, Snapshot, Withhold
from healer.model.event import Event, Finished, Happened, Sealed, Tick
from healer.model.verbs import risky
from healer.record import Record
from healer.runtime.bus import Bus
from healer.runtime.dispatch import Dispatch

_log = logging.getLogger("healer.loop")
_TYPE = re.compile(r"[a-z_][a-z0-9_-]*(\.[a-z_][a-z0-9_-]*)*", re.IGNORECASE)
"""What the log takes as the type of an event: the core refuses others."""


class Loop:
    """Feeds the core. Every event is handled to its end, in order, on the loop's thread; nothing here waits."""

    def __init__(
        self,
        *,
        core: Core,
        clock: Clock,
        bus: Bus,
        look: Callable[[str], object],
        progressed: Callable[[], None],
        sealed_topics: tuple[str, ...] = (),
    ) -> None:
        self.core = core
        self._clock, self._bus = clock, bus
        self._look, self._progressed = look, progressed
        self.sealed_topics = sealed_topics
        """Globs of the topics that become entries by themselves."""
        self.record: Record
        self.dispatch: Dispatch
        """Both are given by `attach`: they call back into the loop."""
        self._group: asyncio.TaskGroup | None = None
        self._inbox: deque[Event] = deque()
        self._handling = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._cancelled: dict[str, str] = {}
        self._held: dict[str, asyncio.Task[None]] = {}
        """Sealed intents that wait for the witnesses."""
        self.quorum: Callable[[float], Awaitable[str]] | None = None
        """Waits for the witnesses until a second, and says why their quorum is not there; None without witnesses."""
        self.at_once: Callable[[], None] | None = None
        """Shows the witnesses what is sealed without delay; None without witnesses."""
        self.dead: asyncio.Future[None] | None = None
        self.lag = 0.0
        """Seconds the last tick came late: how busy this loop is."""
        self.latency = 0.0
        """Seconds the last event took from the inbox through the core."""
        self.handled = 0
        self.snapshot_wanted = False

    def attach(self, record: Record, dispatch: Dispatch) -> None:
        """Complete the circle."""
        self.record, self.dispatch = record, dispatch

    @property
    def waiting(self) -> int:
        """Events in the inbox."""
        return len(self._inbox)

    async def run(self) -> None:
        """Own the effects until cancelled; raises what the core raised: a bug there must be loud."""
        self.dead = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            self._group = group
            self.begin()
            try:
                await self.dead
            finally:
                self._group = None
                if self._timer is not None:
                    self._timer.cancel()

    def begin(self) -> None:
        """Take up what an earlier run left, and set the first timer."""
        self._carry_out(self.core.recover())
        self._pump()

    def put(self, event: Event) -> None:
        """Take an event in; it is handled before this returns, unless another one is being handled now."""
        self._inbox.append(event)
        if self._group is not None:
            self._pump()

    # Callbacks of record and dispatch --------------------------------------------------------------------------

    def sealed(self, intent: SealedIntent) -> None:
        """An intent is durable: let the witnesses see it, where that is due, then ask the core once more."""
        decision = intent.decision
        if decision.witness == "before" and self._group is not None:
            self.put(Sealed(id=decision.id, leaf=intent.leaf, at=self._clock.now(), waits=True))
            self._held[decision.id] = self._group.create_task(self._hold(intent), name=f"witnesses of {decision.id}")
            self._held[decision.id].add_done_callback(lambda _: self._held.pop(decision.id, None))
            return
        if self.at_once is not None and (decision.witness or risky(decision.action)):
            self.at_once()
        self._go_on(intent)

    def _go_on(self, intent: SealedIntent) -> None:
        """Ask the core once more, then let it happen."""
        decision = intent.decision
        self.put(Sealed(id=decision.id, leaf=intent.leaf, at=self._clock.now()))
        because = self._cancelled.pop(decision.id, None)
        if because is not None:
            self._end(decision, Result.STALE, because)
        elif self._group is not None:
            self.dispatch.carry_out(intent, self._group)

    async def _hold(self, intent: SealedIntent) -> None:
        """Wait for the witnesses; without their quorum nothing is done."""
        decision = intent.decision
        try:
            because = "there are none (audit.policy)"
            if self.quorum is not None:
                because = await self.quorum(decision.deadline)
        except asyncio.CancelledError:
            self._end(decision, Result.REFUSED, "the agent stopped before the witnesses had answered")
            raise
        if because:
            self._end(decision, Result.REFUSED, f"its rule acts before witnesses only: {because}")
        else:
            self._go_on(intent)

    async def release(self) -> None:
        """Wait for no witness any more: what they have not seen is not done."""
        held = list(self._held.values())
        for task in held:
            task.cancel()
        if held:
            await asyncio.wait(held, timeout=1.0)

    def refused(self, decision: Decision, failure: SealError) -> None:
        """The log did not take an intent: nothing happens, and the core must know."""
        self._end(decision, Result.REFUSED, str(failure))

    def broken(self, failure: SealError) -> None:
        """The log takes nothing any more: look and tell, but do nothing."""
        _log.critical("seal.failed", extra={"because": str(failure)})
        because = f"{LOG_FULL}: {failure}" if isinstance(failure, LogFullError) else str(failure)
        self.put(Happened(topic="safe-mode", data={"because": because}, at=self._clock.now()))

    def finished(self, outcome: Outcome) -> None:
        """An effect ended."""
        self.put(Finished(outcome=outcome))

    def _end(self, decision: Decision, result: Result, because: str) -> None:
        at = self._clock.now()
        self.put(Finished(outcome=Outcome(id=decision.id, result=result, because=because, at=at, took=0.0)))

    # The pump --------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        if self._handling:
            return
        self._handling = True
        try:
            while self._inbox:
                started = self._clock.now()
                self._carry_out(self.core.handle(self._inbox.popleft()))
                self.handled += 1
                self.latency = self._clock.now() - started
        except Exception as exc:  # noqa: BLE001 - carried to the owner: the pump runs inside callbacks of others
            if self.dead is not None and not self.dead.done():
                self.dead.set_exception(exc)
        finally:
            self._handling = False
        self._set_timer()

    def _carry_out(self, effects: list[Effect]) -> None:
        batch: list[Note | Act] = []
        for effect in effects:
            match effect:
                case Note() | Act():
                    batch.append(effect)
                case Look():
                    self._look(effect.target)
                case Cancel():
                    self._cancelled[effect.id] = effect.because
                case Snapshot():
                    self.snapshot_wanted = True
                case Publish() | Withhold():
                    pass  # told below, or said by the note that goes with it
        self.record.submit(batch)
        self._tell(effects)

    def _tell(self, effects: list[Effect]) -> None:
        now = self._clock.now()
        for effect in effects:
            if isinstance(effect, Publish):
                self._publish(effect.topic, effect.data)
            elif isinstance(effect, Note) and effect.topic:
                self._bus.publish(effect.topic, self.record.redacted(effect.fields), now)
            elif isinstance(effect, Act):
                self._bus.publish("action.intended", self.record.redacted(effect.entry), now)

    def tell(self, topic: str, data: Mapping[str, Any]) -> None:
        """Say a word of the agent's own on the bus; it goes through the core, where rules may wait for it."""
        told = {"topic": topic, "data": data}
        self.put(Happened(topic="event", data=told, at=self._clock.now(), own=True))

    def _publish(self, topic: str, data: Mapping[str, Any]) -> None:
        """Topics that the configuration wants sealed become entries as well."""
        now = self._clock.now()
        self._bus.publish(topic, self.record.redacted(dict(data)), now)
        if _TYPE.fullmatch(topic) and any(fnmatchcase(topic, glob) for glob in self.sealed_topics):
            what = {"type": topic, "data": dict(data), "who": "bus"}
            self.put(Happened(topic="seal", data=what, at=now, own=True))

    def succeed(self, core: Core) -> None:
        """Go on with the core of a new configuration; the old one is brought to the present first."""
        self.put(Tick(at=self._clock.now(), wall=self._clock.wall()))
        old, self.core = self.core, core
        self._carry_out(core.succeed(old))
        self._pump()
        old.retire()

    # Time ------------------------------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        if self._group is None:
            return
        due = self.core.due()
        if self._timer is not None:
            if due == self._timer_at:
                return
            self._timer.cancel()
        self._timer_at = due
        delay = max(0.0, due - self._clock.now())
        self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        now = self._clock.now()
        self._timer = None
        self.lag = max(0.0, now - self._timer_at)
        self.put(Tick(at=now, wall=self._clock.wall()))
        self._progressed()
