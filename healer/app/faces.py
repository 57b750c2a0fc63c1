"""What the faces (API, command line, Python) see of the agent: much to read, and one way to ask for something."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from audit.errors import AuditError
from audit.report import LEVELS
from audit.writer import Writer
from healer import blocking, plugged
from healer.api.port import answered
from healer.app import troubles
from healer.app.alerting import Alerting
from healer.app.build import Loaded
from healer.app.keeping import Keeping
from healer.app.parts import Parts
from healer.app.testimony import Testimony
from healer.clock import Clock
from healer.config import Config
from healer.core import report
from healer.core.core import Core
from healer.drivers.interface import DriverStatus
from healer.errors import RefusedError
from healer.history import History
from healer.model.event import Asked
from healer.model.mode import Profile
from healer.model.request import VERBS, Request
from healer.model.target import EMPTY, State
from healer.record import Record
from healer.runtime.bus import Bus, Callback
from healer.runtime.dispatch import KillSwitch
from healer.runtime.duties import Duties
from healer.runtime.loop import Loop
from healer.runtime.poll import Poll

VERIFIED_FOR = 3.0
"""Verification periods after which "verified" is not said any more: a status is honest or it is none."""


class Faces(ABC):
    """The reading and asking half of an agent; the other half, `healer.app.agent.Agent`, owns all this."""

    alerting: Alerting
    bus: Bus
    clock: Clock
    config: Config
    duties: Duties
    kill_switch: KillSwitch
    listeners: list[str]
    loop: Loop
    parts: Parts
    poll: Poll
    record: Record
    state: State
    state_dir: Path
    steps: list[str]
    testimony: Testimony
    keeping: Keeping
    version: str
    writer: Writer
    _kept: History
    _loaded: Loaded
    _not_yet: list[str]
    _requests: int
    _started_at: float

    @property
    def core(self) -> Core:
        """The core of now; another one after a reload."""
        return self.loop.core

    @property
    def history(self) -> History | None:
        """Kept samples and incidents; None where the profile keeps none."""
        return None if self.config.profile is Profile.CORE else self._kept

    @property
    def degraded(self) -> list[str]:
        """What is not as configured, in words: a fallback rule set, a history that was set aside or fails."""
        trouble = [f"history is not kept: {self._kept.trouble}"] if self._kept.trouble else []
        found = [self._loaded.because, *self._kept.set_aside, *trouble, *self.writer.notes, *self._not_yet]
        found += [f"plug-in {where}: {because}" for where, because in plugged.FAILED.items()]
        found += [f"the function {name} of a plug-in: {because}" for name, because in plugged.RAISED.items()]
        found += [*self.testimony.trouble, self.keeping.trouble]
        return [because for because in found if because]

    # Asking ----------------------------------------------------------------------------------------------------

    def ask(self, verb: str, subject: str = "agent", args: Mapping[str, Any] | None = None, who: str = "python") -> str:
        """Post a request into the inbox; returns its id. Raises RefusedError for a verb there is not.

        To be called on the agent's own thread; the answer comes over the bus as ``request.answered``.
        """
        if verb not in VERBS:
            raise RefusedError(f"there is no request {verb!r}", hint=f"one of: {', '.join(VERBS)}")
        self._requests += 1
        now = self.clock.now()
        if verb == "ack" and self.alerting.room.knows(subject):
            args = {**(args or EMPTY), "alert": True}
        request_id = f"r-{round(self._started_at * 1000):x}-{self._requests}"
        if verb == "stop-healing":
            # The file first: it is what the executor believes, whatever becomes of the rest.
            self.kill_switch.throw()
        elif verb == "resume-healing":
            self._accept_log(who)
            self.testimony.accept()
            self.kill_switch.take_away()
        request = Request(id=request_id, verb=verb, subject=subject, who=who, args=args or EMPTY, at=now)
        self.loop.put(Asked(request=request))
        return request_id

    def _accept_log(self, who: str) -> None:
        """Go on with a log that was rolled back, in the name of who asks; raises RefusedError if it takes nothing."""
        if self.writer.poisoned is not None:
            raise RefusedError(
                f"nothing can be sealed, so nothing may be done: {self.writer.poisoned.message}",
                hint="mend the cause, then restart the agent",
            )
        if not self.writer.rollback:
            return
        because = f"the rollback was accepted by {who}: {self.writer.rollback}"
        try:
            self.writer.accept_rollback(who=who, because="resume-healing")
        except AuditError as exc:
            raise RefusedError(f"the rollback cannot be accepted: {exc.message}", hint=exc.hint) from exc
        self._introduce(because)

    @abstractmethod
    def _introduce(self, because: str) -> None: ...

    async def answered(self, request_id: str, timeout: float = 5.0) -> Mapping[str, Any]:
        """Wait for the answer to a request; raises TimeoutError."""
        return await answered(self.bus, request_id, timeout)

    def on(self, glob: str, callback: Callback) -> Callable[[], None]:
        """Call back for every topic of the bus that matches (see docs/events.md); returns what ends it.

        The callback runs on the agent's thread: it must be quick, and must not raise.
        """
        return self.bus.on(glob, callback)

    async def rebalance(self) -> dict[str, Any]:
        """Check harmony now and judge the balancing rules."""
        said = self.duties.check_harmony()
        answer = await self.answered(self.ask("rebalance"))
        return {"harmony": self.core.desk.harmony, "events": said, "answer": answer["because"]}

    async def reflect(self) -> dict[str, Any]:
        """Assess the host and the agent now."""
        return self.duties.reflect()

    async def verify(self) -> dict[str, Any]:
        """Verify the log now, in a process of its own."""
        await self.record.flush()
        await blocking.call(self.writer.flush_anchors)
        await self.duties.verify()
        return self.log_status()

    # Reading ---------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """What the agent sees, and how it is itself."""
        now = self.clock.now()
        found: dict[str, Any] = {
            "version": self.version,
            "state": self.state.value,
            "uptime": round(now - self._started_at, 3),
            **report.status(self.core, now),
            "log": self.log_status(),
            "self": self.figures(),
            "sensors": {name: because or "ok" for name, because in self.poll.states().items()},
            "drivers": [self._driver(one) for one in self.parts.drivers.status()],
            "channels": self.parts.voices.report(),
            "alerts": self.alerting.room.report(now),
            "listeners": list(self.listeners),
            "degraded": list(self.degraded),
            "config": {"source": self.config.source, "hash": self.config.hash},
            "state_dir": str(self.state_dir),
        }
        shown: dict[str, Any] = self.record.redacted(found)
        return shown

    def _driver(self, one: DriverStatus) -> dict[str, Any]:
        now = self.clock.now()
        return {
            "name": one.name,
            "state": one.state.value,
            "age": round(now - one.since, 1),
            "because": one.because,
            "reconnects": one.reconnects,
            "again_in": None if one.again_at is None else round(max(0.0, one.again_at - now), 1),
            "version": one.version,
        }

    def wrong(self) -> troubles.Seen:
        """Everything that is wrong now, in the words of alerts."""
        core, now = self.core, self.clock.now()
        seen = troubles.of_core(core, now, self.duties.watch.state)
        checked, age = self.duties.checked, self._verified_age()
        late = age is not None and age > VERIFIED_FOR * self.config.audit.verify_every
        found = [
            *troubles.of_log(
                self.log_status(),
                tampered=checked.summary if checked and checked.tampered else "",
                stale=self.duties.trouble or (f"the last time {age:.0f} s ago" if late else ""),
            ),
            *troubles.of_agent(self.degraded),
            *troubles.of_drivers(self.parts.drivers.status(), now),
            *troubles.of_channels(self.parts.voices.report()),
        ]
        seen.troubles.update({one.key: one for one in found})
        return seen

    def _verified_age(self) -> float | None:
        return None if self.duties.checked is None else self.clock.now() - self.duties.checked.at

    @property
    def sealing(self) -> bool:
        """Whether the log takes entries."""
        failed = self.writer.poisoned or self.record.failed
        return failed is None and not self.writer.rollback and not self.writer.full

    def log_status(self) -> dict[str, Any]:
        """The log's head, whether it takes entries, and when it was last proved."""
        head, checked = self.writer.head, self.duties.checked
        age = None if checked is None else self.clock.now() - checked.at
        fresh = age is not None and age <= VERIFIED_FOR * self.config.audit.verify_every
        failed = self.writer.poisoned or self.record.failed
        return {
            "height": None if head is None else head.height,
            "entries": 0 if head is None else head.count,
            "head": "" if head is None else head.head,
            "sealing": self.sealing,
            "because": str(failed) if failed else self.writer.rollback or self.duties.trouble,
            "full": self.writer.full,
            "verified": bool(checked and checked.verified and fresh),
            "verified_age": None if age is None else round(age, 1),
            "verified_summary": "not verified yet" if checked is None else checked.summary,
            "level": "none" if checked is None else checked.level,
            "level_because": "not verified yet" if checked is None else checked.because,
            "ratchet_broke_at": self._breaks(),
            "key": self.writer.public.fingerprint,
            "anchor_problems": list(self.writer.anchor_problems),
            "witnessed": self.testimony.status(),
        }

    def figures(self) -> dict[str, float | None]:
        """The agent's own figures, as the `self` sensor tells them."""
        now, checked = self.clock.now(), self.duties.checked
        sealed, beat = self.record.sealed_at, self.duties.heartbeat_at
        return {
            **self.poll.figures(),
            "self.loop_lag": self.loop.lag,
            "self.decision_latency": self.loop.latency,
            "self.audit_age": None if checked is None else now - checked.at,
            "self.log_verified": None if checked is None else float(checked.verified),
            "audit.level": None if checked is None else float(LEVELS.index(checked.level) - 1),
            "audit.ratchet_breaks": None if checked is None else float(len(self._breaks())),
            "audit.witness_age": self.testimony.age(),
            "self.seal_age": None if sealed is None else now - sealed,
            "self.heartbeat_age": None if beat is None else now - beat,
            "self.log_size": self._log_size(),
            "self.inbox": float(self.loop.waiting),
            "self.actions_running": float(self.core.desk.memory.running()),
            **(voices := self.parts.voices.figures()),
            # What was not tried, since its channel is dead, was not delivered either.
            "self.notify_failed": self.duties.notify_failed + (voices["self.notify_skipped"] or 0.0),
        }

    def _breaks(self) -> list[int]:
        """Blocks at which the ratchet was lost, and which no quorum of the witnesses has cosigned since."""
        found = set(self.duties.checked.broken if self.duties.checked else ())
        found |= set() if self.testimony.broke_at is None else {self.testimony.broke_at}
        return sorted(height for height in found if not self.testimony.witnessed(height))

    def _log_size(self) -> float | None:
        try:
            return float((self.state_dir / "audit.db").stat().st_size)
        except OSError:
            return None

    def metrics_text(self) -> str:
        """The latest numbers in Prometheus' text exposition format."""
        return report.metrics_text(self.core)
