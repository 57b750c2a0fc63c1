"""Alerts at work: what is wrong goes into the room, its messages through the log to the channels, and back their fate.

A message is a decision like any other: its intent is sealed, the hand of ``notify`` sends it, and what the server said
is sealed as its outcome. Two things cannot wait for that: that the log takes nothing, and that the kill switch is on.
Their messages go straight to the channel; what became of them is sealed afterwards, where that can be done.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from healer.actions.voices import Voices
from healer.alerts.box import Flight
from healer.alerts.room import JOURNAL, Room
from healer.app import troubles
from healer.clock import Clock
from healer.config import Config
from healer.core.core import Core
from healer.core.world import HOST
from healer.errors import ActionError
from healer.model.alert import SEVERITIES, Trouble
from healer.model.memory import ALERT, HOOK
from healer.runtime.bus import Bus
from healer.runtime.calendar import Calendar

_log = logging.getLogger("healer.alerts")

EVERY = 2.0
"""Seconds between looks."""
PATIENCE = 120.0
"""Seconds after which a message whose fate nobody heard of counts as lost."""
TIMEOUT = 30.0
MOST_OPEN = 1000

Gather = Callable[[], troubles.Seen]
"""Everything that is wrong now."""


class Alerting:
    """Owns the room. Everything here runs on the agent's own thread; only past the log does it send by itself."""

    def __init__(  # noqa: PLR0913 - all by name
        self,
        *,
        voices: Voices,
        bus: Bus,
        clock: Clock,
        core: Callable[[], Core],
        gather: Gather,
        happened: Callable[..., None],
        start: Callable[[str, Callable[[], Any]], None],
        keep: Callable[[], None],
        sealing: Callable[[], bool],
    ) -> None:
        """``start`` runs something that waits, once; ``keep`` asks for what was told to be written down soon."""
        self._voices, self._bus, self._clock, self._core = voices, bus, clock, core
        self._gather, self._happened, self._start, self._keep = gather, happened, start, keep
        self._sealing = sealing
        self.room = Room({})
        voices.collect = lambda name, message: self.room.collect(name, message, clock.now())
        self._others: list[str] = []
        self._going: dict[str, str] = {}
        """Ids of the decisions that tell, each with its message's."""
        self._told_by: dict[str, tuple[str, str, str]] = {}
        """Ids of the decisions by which rules, or the core, tell: channel, case and severity."""
        for topic, hear in (
            ("action.intended", self._intended),
            ("action.outcome", self._ended),
            ("alert.withheld", self._withheld),
            ("request.answered", self._answered),
            ("target.acknowledged", self._acknowledged),
        ):
            bus.on(topic, hear)

    def renew(self, config: Config) -> None:
        """Go on with the channels of this configuration."""
        wanting = {name: channel.alerts for name, channel in config.notify.items() if channel.alerts is not None}
        if config.profile.value == "core":
            wanting = {name: policy for name, policy in wanting.items() if name == "journal"}
        others = [name for name in config.notify if name not in wanting and config.profile.value != "core"]
        self._others = others
        self.room.renew(wanting, others)

    def schedule(self, calendar: Calendar) -> None:
        """Look now and then, where anybody wants to hear of it."""
        calendar.forget("alerts")
        if self.room.boxes or self._others:
            calendar.every(EVERY, "alerts", self.look)

    # Looking ----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """See what is wrong, and tell what is due."""
        if not self.room.boxes and not self.room.bundles:
            return
        now, core = self._clock.now(), self._core()
        seen = self._gather() if self.room.boxes else troubles.Seen()
        sealing = self._sealing()
        flights = self.room.step(
            seen.troubles,
            now,
            unknown=seen.unknown,
            muted=self._muted if core.desk.memory.maintenance else None,
            silent=core.desk.memory.kill_switch,
            direct=not sealing,
        )
        for flight in flights:
            self._send(flight)
        for message_id in self.room.overdue(now, PATIENCE):
            self._failed(message_id, "nobody heard what became of it")

    def _muted(self, trouble: Trouble) -> bool:
        return troubles.muted(self._core(), trouble)

    def _send(self, flight: Flight | None) -> None:
        if flight is None:
            return
        if flight.direct:
            self._start(f"alert {flight.message.id}", lambda: self._past_the_log(flight))
            return
        message = flight.message
        self._happened(
            "alert",
            message=message.says,
            channel=flight.channel,
            incident=message.id,
            id=message.id,
            severity=message.severity,
            lines=list(message.lines),
            thread=list(message.thread),
            about=list(flight.news)[:1],
        )

    async def _past_the_log(self, flight: Flight) -> None:
        """Tell at once. Seal or stop is about what is done to targets; that nothing can be sealed has to be heard."""
        message = flight.message
        try:
            receipt = await self._voices.tell(flight.channel, message, TIMEOUT)
        except ActionError as exc:
            self._failed(message.id, str(exc))
            return
        _log.warning("alert.unsealed", extra={"message_id": message.id, "told": receipt.because})
        if self._sealing():
            data = {"id": message.id, "channel": flight.channel, "message": message.says, "told": receipt.because}
            self._happened("seal", type="system.alert", data=data, who="agent")
        self._delivered(message.id)

    # What became of it ------------------------------------------------------------------------------------------

    def _intended(self, topic: str, data: Mapping[str, Any]) -> None:
        del topic
        if data["action"] != "notify":
            return
        params = data.get("params", {})
        if message_id := params.get("id"):
            self._going[data["id"]] = str(message_id)
        elif key := _case_of(data):
            severity = (
                SEVERITIES[-1] if str(data["corr"]).startswith(ALERT) else str(params.get("severity") or "warning")
            )
            self._told_by[data["id"]] = (str(params.get("channel") or JOURNAL), key, severity)
        for open_ones in (self._going, self._told_by):
            while len(open_ones) > MOST_OPEN:
                del open_ones[next(iter(open_ones))]

    def _ended(self, topic: str, data: Mapping[str, Any]) -> None:
        del topic
        done = data["result"] == "done"
        if message_id := self._going.pop(data["id"], ""):
            if done:
                self._delivered(message_id)
            else:
                self._failed(message_id, str(data.get("because", "")))
        elif (told := self._told_by.pop(data["id"], None)) and done:
            channel, key, severity = told
            self.room.told_by_rule(channel, key, severity, str(data.get("of", "")), self._clock.now())

    def _withheld(self, topic: str, data: Mapping[str, Any]) -> None:
        del topic
        if message_id := data.get("id"):
            self.room.grounded(str(message_id))

    def _delivered(self, message_id: str) -> None:
        self.room.delivered(message_id, self._clock.now())
        self._keep()

    def _failed(self, message_id: str, because: str) -> None:
        _log.warning("alert.failed", extra={"message_id": message_id, "because": because})
        self._send(self.room.failed(message_id, because, self._clock.now()))

    # People -----------------------------------------------------------------------------------------------------

    def _answered(self, topic: str, data: Mapping[str, Any]) -> None:
        del topic
        if data.get("verb") == "ack" and data.get("answer") == "accepted":
            self._ack(str(data["args"].get("subject", "")), str(data["who"]))

    def _acknowledged(self, topic: str, data: Mapping[str, Any]) -> None:
        del topic
        self._ack(str(data.get("target", "")), "agent")

    def _ack(self, subject: str, who: str) -> None:
        if self.room.ack(subject, who):
            self._keep()

    # Over a restart ---------------------------------------------------------------------------------------------

    def kept(self) -> dict[str, Any]:
        """For the snapshot; empty where no channel wants alerts."""
        if not self.room.boxes:
            return {}
        return {**self.room.kept(self._clock.now()), "wall": self._clock.wall()}

    def take_up(self, raw: Mapping[str, Any]) -> None:
        """Read back `kept`, on this boot or another."""
        wall = raw.get("wall")
        if isinstance(wall, int | float):
            self.room.take_up(raw, self._clock.now(), max(0.0, self._clock.wall() - wall))


def _case_of(data: Mapping[str, Any]) -> str:
    """The case that a message of a rule, or of the core in its name, is about; empty where it is none."""
    corr = str(data.get("corr", ""))
    if corr == f"{ALERT}safe_mode":
        return "brakes:safe-mode"
    incident = corr.removeprefix(ALERT)
    incident = incident.partition(":")[2].partition(":")[2] if incident.startswith(HOOK) else incident
    rule, _, target = incident.partition("@")
    if not rule or not target:
        return ""
    return f"incident:{incident}" if target == HOST.id else f"target:{target}"
