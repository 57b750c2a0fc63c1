"""The index of incidents: what goes over the bus about them, kept in the store so that people can look back."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from healer.clock import Clock
from healer.config import Config
from healer.history import History
from healer.model.memory import Memory
from healer.model.mode import Profile
from healer.runtime.bus import Bus
from healer.store.store import IncidentRecord

_LOST = "it was over before the agent could note it"


class IncidentIndex:
    """Follows incidents on the bus. Nothing here is needed for safety: the log is the memory."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history, self._clock = history, clock
        self._open: dict[str, IncidentRecord] = {}
        self._organs: Mapping[str, str] = {}
        self._quiet = False
        self._acting: dict[str, str] = {}
        """Actions whose verdict is still to come, and the incident of each."""

    def take_up(self, known: Iterable[IncidentRecord], memory: Memory) -> None:
        """Go on with the incidents that were open when the agent stopped; the others of them are over."""
        for record in known:
            if record.closed is not None:
                continue
            if record.incident in memory.incidents and record.incident not in self._open:
                self._open[record.incident] = record
            else:
                self._history.save_incident(replace(record, phase="inactive", closed=self._clock.wall(), because=_LOST))

    def listen(self, bus: Bus, config: Config) -> None:
        """Hear of every incident, action and verdict from now on."""
        self.renew(config)
        bus.on("incident.*", self._moved)
        bus.on("action.intended", self._acted)
        bus.on("action.verdict", self._judged)

    def renew(self, config: Config) -> None:
        """Know which target belongs to which organ, and whether history is kept at all."""
        self._organs = {target.id: target.organ for target in config.targets}
        self._quiet = config.profile is Profile.CORE

    def _moved(self, _topic: str, data: Mapping[str, Any]) -> None:
        key = str(data["subject"]).partition(":")[2]
        record = self._open.get(key) or self._begun(key, data)
        over = data["to"] == "inactive"
        self._keep(
            replace(
                record,
                phase=str(data["to"]),
                because=str(data["because"]),
                closed=int(data["ts"]) / 1e6 if over else None,
            )
        )
        if over:
            del self._open[key]
            self._acting = {action: incident for action, incident in self._acting.items() if incident != key}

    def _begun(self, key: str, data: Mapping[str, Any]) -> IncidentRecord:
        rule, _, target = key.partition("@")
        return IncidentRecord(
            incident=key,
            opened=int(data["ts"]) / 1e6,
            rule=rule,
            target=target,
            organ=self._organs.get(target, ""),
            phase=str(data["to"]),
        )

    def _acted(self, _topic: str, data: Mapping[str, Any]) -> None:
        if record := self._open.get(str(data["corr"])):
            self._acting[str(data["id"])] = record.incident
            self._keep(replace(record, phase="acting", actions=record.actions + 1))

    def _judged(self, _topic: str, data: Mapping[str, Any]) -> None:
        if record := self._open.get(self._acting.pop(str(data["id"]), "")):
            self._keep(replace(record, verdict=str(data["result"])))

    def _keep(self, record: IncidentRecord) -> None:
        self._open[record.incident] = record
        if not self._quiet:
            self._history.save_incident(record)
