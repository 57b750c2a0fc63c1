"""The play itself: break a victim, wait until the log says that it was healed, and try what must be withheld."""

import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from audit import canonical
from audit.errors import AuditError
from audit.reader import Log
from healer.clock import SystemClock
from healer.demo import timeline, victims
from healer.demo.patients import Patient, System
from healer.demo.timeline import Healing, Line
from healer.demo.victims import Victim
from healer.errors import HealerError

T = TypeVar("T")
_PATIENCE = 20.0
_PAUSE = 0.05


class Running(Protocol):
    """What the play needs of a running agent (`healer.app.embedded.Running`)."""

    def status(self) -> dict[str, Any]:
        """What it sees."""

    def on(self, topic: str, callback: Callable[[str, Mapping[str, Any]], None]) -> Callable[[], None]:
        """Call back for every topic that matches."""

    def ask(self, verb: str, subject: str = "agent", **args: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON values
        """Make a request and wait for its answer."""


class Stage:
    """One running agent and its three victims."""

    def __init__(self, agent: Running, state: Path, *, patience: float = _PATIENCE) -> None:
        self._agent, self._state, self._patience = agent, state, patience
        self._clock = SystemClock()
        self._heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._quiet = threading.Event()
        self._first = self._height()
        agent.on("action.*", lambda topic, _: self._heard.put(topic))

    # Looking ---------------------------------------------------------------------------------------------------

    def ready(self) -> None:
        """Wait until every victim runs and is well; raises HealerError."""
        self._until(self._all_well, "the victims did not all come up", wake=False)

    def _all_well(self) -> bool:
        seen = self._agent.status()
        well = all(one["health"] == "healthy" for one in seen["targets"])
        return well and not seen["incidents"] and not seen["intents"]

    def pid(self, victim: Victim) -> int:
        """Its process now; raises HealerError while it has none."""
        found = next(one for one in self._agent.status()["targets"] if one["id"] == victim.target)
        number = str(found["generation"]).partition(".")[0]
        if not number.isdecimal():
            raise HealerError(f"{victim.target} does not run")
        return int(number)

    def _until(self, look: Callable[[], T | None], otherwise: str, *, wake: bool = True) -> T:
        """Look until there is something; after each word of the bus, or soon anyway. Raises HealerError."""
        ends = self._clock.now() + self._patience
        while not (found := look()):
            if self._clock.now() > ends:
                raise HealerError(f"{otherwise} within {self._patience:g} s", hint=self._why())
            if wake:
                self._listen()
            else:
                self.pause(_PAUSE)
        return found

    def _listen(self) -> None:
        try:
            self._heard.get(timeout=0.5)
        except queue.Empty:
            return
        # The word is out before the entry is durable: a moment later it is in the log.
        self.pause(0.01)

    def _why(self) -> str:
        seen = self._agent.status()
        held = [f"{one['id']}: {one['because']}" for one in seen["incidents"] if one["because"]]
        ill = [f"{one['id']} is {one['health']}" for one in seen["targets"] if one["health"] != "healthy"]
        return "; ".join(held or ill) or "healer demo --log-level info says more"

    def pause(self, seconds: float) -> None:
        """Wait."""
        self._quiet.wait(seconds)

    def _height(self) -> int:
        return int(self._agent.status()["log"]["height"] or 0)

    def _lines(self, start: int) -> list[Line]:
        try:
            with Log.open(self._state) as log:
                return [Line(one.leaf, canonical.decode(one.octets)) for one in log.entries(start)]
        except AuditError as exc:
            raise HealerError(f"the log cannot be read: {exc.message}") from exc

    # Breaking --------------------------------------------------------------------------------------------------

    def heal(self, victim: Victim) -> Healing:
        """Break a victim and wait until its healing is verified; raises HealerError."""
        return self._healed(victim, *self._strike(victim))

    def heal_system(self, system: System) -> Healing:
        """The same for a whole system."""
        start, broken = self._height(), round(self._clock.now() * 1e6)
        system.strike()
        return self._healed(system.patient, start, broken)

    def _healed(self, patient: Patient | Victim, start: int, broken: int) -> Healing:
        told = f"{patient.target} was {patient.fault}, and not healed"
        return self._until(lambda: timeline.healing(self._lines(start), patient, broken), told)

    def _strike(self, victim: Victim) -> tuple[int, int]:
        """Break a victim; returns the log's height and the boot clock (µs) right before."""
        pid = self._until(lambda: self._hearing(victim), f"{victim.target} cannot be broken", wake=False)
        start = self._height()
        broken = round(self._clock.now() * 1e6)
        victims.strike(pid, victim.blow)
        return start, broken

    def _hearing(self, victim: Victim) -> int | None:
        pid = self.pid(victim)
        return pid if victims.hears(pid, victim.blow) else None

    def withheld_in_maintenance(self, victim: Victim) -> dict[str, str]:
        """Break a victim inside a maintenance window; returns what was withheld, and lets it be healed afterwards."""
        args = {"for": 600, "reason": "somebody works on it", "owner": "demo"}
        window = str(self._agent.ask("maintenance-add", victim.target, **args)["because"])
        start, broken = self._strike(victim)
        told = f"nothing was withheld although {victim.target} is in maintenance"
        found = self._until(lambda: timeline.withheld(self._lines(start), victim.rule, broken), told)
        if any(line.fields["kind"] == "intent" for line in self._lines(start) if line.fields["mono"] >= broken):
            raise HealerError(f"something was done to {victim.target} although it is in maintenance")
        self._agent.ask("maintenance-end", id=window)
        told = f"{victim.target} was not healed after its maintenance"
        self._until(lambda: timeline.healing(self._lines(start), victim, broken), told)
        return found

    def withheld_on_trial(self) -> dict[str, str]:
        """What the rule that is only on trial was kept from during this run; raises HealerError."""
        found = timeline.withheld(self._lines(self._first), victims.ON_TRIAL, 0)
        if found is None:
            raise HealerError(f"the rule {victims.ON_TRIAL} did not want anything, or was not withheld")
        return found
