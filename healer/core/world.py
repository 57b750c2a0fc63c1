"""What the core knows of the host right now: which targets are well, which are not, and how starved the host is."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from healer.model.kinds.catalog import KINDS
from healer.model.limit import Brakes
from healer.model.observation import Observation, Reading, Series
from healer.model.organism import Health
from healer.model.target import State, Target

_PRESSURES = {
    "cpu.psi.some10": "cpu", "memory.psi.some10": "memory", "io.psi.some10": "io", "swap.in_rate": "swap",
}  # fmt: skip
_STRAINS = {
    "cgroup.cpu.psi.some10": "cpu", "cgroup.memory.psi.some10": "memory", "cgroup.io.psi.some10": "io",
    "cgroup.throttled": "throttled",
}  # fmt: skip
_PRESSING = frozenset({*_PRESSURES, *_STRAINS, "disk.used"})
_STATES = frozenset(state.value for state in State)
_FRESH = 60.0
"""Seconds after which a pressure nobody has read again is not held against anybody."""

HOST = Target(kind="host", name="", organ="brain")
"""What host-wide rules act on: nothing in particular."""


@dataclass(slots=True)
class Sign:
    """The primary sign of one target."""

    health: Health = Health.UNKNOWN
    at: float = 0.0
    since: float = 0.0
    """When it came to be as it is."""
    onset: float | None = None
    """Since when it has been bad without a break (unknown is not a break)."""
    recovered: float | None = None
    """Since when it has been healthy after having been bad or unknown."""
    because: str = "never looked at"
    ever: bool = False
    ever_healthy: bool = False


@dataclass(slots=True)
class Sense:
    """How one sensor is doing."""

    seeing: bool = True
    changed: float = 0.0
    ever_saw: bool = False
    because: str = ""
    missed: int = 0


class World:
    """Mutable, pure: fed by the core, read by gates, requests and reports."""

    def __init__(self, targets: Iterable[Target], brakes: Brakes) -> None:
        self.brakes = brakes
        self.targets: dict[str, Target] = {HOST.id: HOST}
        self.signs: dict[str, Sign] = {}
        self.words: dict[Series, str] = {}
        self.senses: dict[str, Sense] = {}
        self.sensor_series: dict[str, set[Series]] = defaultdict(set)
        self._pressure: dict[str, tuple[float, float]] = {}
        self._strain: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
        self._groups: dict[str, list[str]] = defaultdict(list)
        self._now = 0.0
        self.flags = frozenset(kind.up for kind in KINDS.values())
        """The flags that say of a target whether it is up."""
        for target in targets:
            self.add(target)

    def add(self, target: Target) -> None:
        """Take a target up (at start, at reload)."""
        self.targets[target.id] = target
        self.signs.setdefault(target.id, Sign())
        for group in (*target.groups, f"kind {target.kind}"):
            if target.id not in self._groups[group]:
                self._groups[group].append(target.id)

    # What gates ask -------------------------------------------------------------------------------------------

    def health(self, target: str) -> Health:
        """HEALTHY, FAILED, or UNKNOWN where nobody could look (or nobody knows the name)."""
        sign = self.signs.get(target)
        return sign.health if sign else Health.UNKNOWN

    def recovered(self, target: str) -> float | None:
        """Since when the target has been healthy again."""
        sign = self.signs.get(target)
        return sign.recovered if sign else None

    def healthy_for(self, target: str, now: float) -> float:
        """Seconds for which the target has been seen healthy without a break; 0 where it is not."""
        sign = self.signs.get(target)
        return now - sign.since if sign and sign.health is Health.HEALTHY else 0.0

    def members(self, group: str) -> tuple[str, ...]:
        """Ids of the targets of a group."""
        return tuple(self._groups.get(group, ()))

    def pressure(self) -> dict[str, float]:
        """Pressures read within the last minute."""
        return {name: value for name, (value, at) in self._pressure.items() if self._now - at <= _FRESH}

    def strain(self, target: str) -> dict[str, float]:
        """Pressures within a target's own control group, read within the last minute."""
        found = self._strain.get(target, {})
        return {name: value for name, (value, at) in found.items() if self._now - at <= _FRESH}

    def word(self, metric: str, target: str) -> str:
        """The last word of a metric of a target."""
        return self.words.get(Series(metric, (("target", target),)), "")

    def generation(self, target: Target) -> str:
        """The incarnation of a target that was last seen; empty when none was."""
        return self.words.get(Series(f"{target.kind}.generation", (("target", target.id),)), "")

    def live_state(self, target: Target) -> State:
        """The state that the last looks show."""
        word = self.words.get(Series(f"{target.kind}.state", (("target", target.id),)), "")
        if target.kind == "program" and word and self.health(target.id) is not Health.UNKNOWN:
            return State(word) if word in _STATES else State.UNKNOWN
        health = self.health(target.id)
        return {Health.HEALTHY: State.RUNNING, Health.FAILED: State.STOPPED}.get(health, State.UNKNOWN)

    # What the core tells --------------------------------------------------------------------------------------

    def observe(self, reading: Reading) -> str:
        """Take a reading in; returns the id of the target whose health it changed, else an empty string."""
        self._now = max(self._now, reading.at)
        if reading.metric in self.flags:
            return self._sign(reading)
        if not isinstance(reading, Observation):
            self.words.pop(reading.series, None)
        elif isinstance(reading.value, str):
            self.words[reading.series] = reading.value
        elif reading.metric in _PRESSING:
            self._press(reading.metric, reading.labels, reading.value, reading.at)
        return ""

    def _sign(self, reading: Reading) -> str:
        target = dict(reading.labels).get("target", "")
        sign = self.signs.get(target)
        if sign is None or reading.at < sign.at:
            return ""
        old, sign.at = sign.health, reading.at
        if isinstance(reading, Observation) and not isinstance(reading.value, bool) and reading.value in (0, 1):
            sign.health = Health.HEALTHY if reading.value == 1 else Health.FAILED
            sign.because, sign.ever = "", True
        elif isinstance(reading, Observation):
            sign.health, sign.because = Health.UNKNOWN, f"{reading.value!r} is neither up nor down"[:200]
        else:
            sign.health, sign.because = Health.UNKNOWN, reading.because
        self._date(sign, old, reading.at, ours=reading.metric == KINDS["program"].up)
        if sign.health is old:
            return ""
        sign.since = reading.at
        return target

    @staticmethod
    def _date(sign: Sign, old: Health, at: float, *, ours: bool) -> None:
        if sign.health is Health.FAILED:
            # A program of our own that was never up has not failed: it was not started yet.
            if sign.onset is None and (sign.ever_healthy or not ours):
                sign.onset = at
            sign.recovered = None
        elif sign.health is Health.HEALTHY:
            if old is not Health.HEALTHY:
                sign.recovered = at if sign.onset is not None or sign.recovered is not None else None
            sign.onset = None
            sign.ever_healthy = True

    def _press(self, metric: str, labels: tuple[tuple[str, str], ...], value: float, at: float) -> None:
        if metric in _PRESSURES:
            self._pressure[_PRESSURES[metric]] = (value, at)
        elif metric in _STRAINS:
            self._strain[dict(labels).get("target", "")][_STRAINS[metric]] = (value, at)
        elif metric == "disk.used":
            self._pressure[f"disk:{dict(labels).get('mount', '?')}"] = (value, at)

    def sense(self, sensor: str, *, seeing: bool, at: float, because: str = "") -> None:
        """Note whether a sensor could look."""
        sense = self.senses.setdefault(sensor, Sense(changed=at))
        if seeing != sense.seeing:
            sense.seeing, sense.changed = seeing, at
        sense.ever_saw = sense.ever_saw or seeing
        sense.because = because
        sense.missed = 0 if seeing else sense.missed + 1

    # Law 4: too many sick means that we are wrong -------------------------------------------------------------

    def mass_failure(self, now: float) -> str:
        """Say which group is too sick to be believed, or return an empty string."""
        since = now - self.brakes.mass_failure_window
        for group, members in self._groups.items():
            sick = [member for member in members if (onset := self.signs[member].onset) is not None and onset >= since]
            enough = self.brakes.mass_failure_ratio * len(members)
            if len(sick) >= self.brakes.mass_failure_count and len(sick) >= enough:
                return (
                    f"{len(sick)} of {len(members)} in {group} failed within {self.brakes.mass_failure_window:g} s: "
                    "more likely one common cause, or our own eyes, than all of them"
                )
        return ""

    def blind(self, now: float) -> str:
        """Say which kinds of sensors went blind together, or return an empty string."""
        kinds: dict[str, list[Sense]] = defaultdict(list)
        for name, sense in self.senses.items():
            kinds[name.partition(":")[0]].append(sense)
        since = now - self.brakes.mass_failure_window
        gone = sorted(
            kind
            for kind, senses in kinds.items()
            if all(not sense.seeing and sense.ever_saw for sense in senses)
            and max(sense.changed for sense in senses) >= since
        )
        return f"the sensors {' and '.join(gone)} went blind together" if len(gone) >= 2 else ""
