"""What is wrong now, in the words of alerts: read off the core and the agent, and where nobody knows, not guessed."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from healer.core.core import Core
from healer.core.watch import BALANCING, STEADY
from healer.core.world import HOST, Sense
from healer.drivers.interface import DriverStatus, LinkState
from healer.gates.maintenance import is_open, selects
from healer.model.alert import Trouble
from healer.model.memory import Incident
from healer.model.mode import Mode
from healer.model.organism import Health, OrganView
from healer.model.target import State, Target
from healer.rules.rule import Rule

LASTING = 300.0
"""Seconds after which a target that is down and that nobody has cured is critical."""
SETTLE = 30.0
"""Seconds a score, a sensor or a connection has to be bad before it is trouble: they flutter."""
MOST_SAID = 300
URGENT = 9
"""Priority from which a rule that fires is critical."""
_RUNS_OUT = re.compile(r"disk|inode|memory|swap|connections|descriptors|\bfds\b|days_left|space|quota", re.ASCII)


@dataclass(slots=True)
class Seen:
    """Everything that is wrong, and what nobody can say anything about; both by key."""

    troubles: dict[str, Trouble] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def add(self, key: str, about: str, severity: str, says: str, **more: Any) -> None:  # noqa: ANN401 - see Trouble
        """Note one."""
        self.troubles[key] = Trouble(key=key, about=about, severity=severity, says=says[:MOST_SAID], **more)


def of_core(core: Core, now: float, harmony: str = STEADY) -> Seen:
    """What the core knows of; ``harmony`` is the state of its watch."""
    seen = Seen()
    _targets(core, seen, now)
    _incidents(core, seen)
    _held(core, seen)
    _waiting(core, seen)
    for organ in core.organs.view.organs:
        _organ(core, organ, seen)
    _senses(core, seen, now)
    _brakes(core, seen)
    if harmony != STEADY:
        severity = "critical" if harmony == BALANCING else "warning"
        known = "unknown" if core.desk.harmony is None else f"{core.desk.harmony:.0f}"
        seen.add("harmony", "harmony", severity, f"harmony is low: it is {known} of 100")
    return seen


# Targets and incidents -------------------------------------------------------------------------------------------


def _targets(core: Core, seen: Seen, now: float) -> None:
    world = core.world
    given_up = {one.target: one.because for one in core.desk.memory.incidents.values() if one.phase == "given-up"}
    for target in world.targets.values():
        if target is HOST or target.mode is Mode.OFF:
            continue
        sign, key, state = world.signs[target.id], f"target:{target.id}", core.state(target.id)
        if state is State.FAULT:
            because = given_up.get(target.id) or "its remedies are exhausted"
            seen.add(key, "failure", "critical", f"{target.id} is in fault: {because}", target=target.id)
        elif state is State.PAUSED or _waits_for_parent(core, target):
            continue
        elif sign.health is Health.FAILED and sign.onset is not None:
            severity = "critical" if now - sign.onset >= LASTING else "warning"
            seen.add(key, "failure", severity, f"{target.id} is down{_why(core, target)}", target=target.id)
        elif sign.health is Health.UNKNOWN:
            seen.unknown.add(key)
            if sign.ever:
                says = f"{target.id} cannot be seen any more: {sign.because}"
                seen.add(f"blind:{target.id}", "degradation", "warning", says, target=target.id, settle=SETTLE)


def _held(core: Core, seen: Seen) -> None:
    """What is not treated because of what became of the treatment."""
    for target in core.desk.memory.flapping:
        if f"target:{target}" not in seen.troubles:
            says = f"{target} goes up and down: nothing takes it down until it is steady"
            seen.add(f"flapping:{target}", "degradation", "warning", says, target=target)
    for target, one in core.desk.memory.oscillations.items():
        if one.held:
            says = f"{target}: cures of {' and '.join(dict.fromkeys(one.rules))} took turns, and are held"
            seen.add(f"oscillation:{target}", "failure", "critical", says, target=target)
    for key, breaker in core.desk.memory.breakers.items():
        action, _, target = key.partition("@")
        if breaker.open and f"target:{target}" not in seen.troubles:
            says = f"{action} of {target} is given up: {breaker.failures} failures in a row"
            seen.add(f"breaker:{key}", "failure", "critical", says, target="" if target == HOST.id else target)


def _waiting(core: Core, seen: Seen) -> None:
    """What waits for a person's yes."""
    for one in core.desk.memory.approvals.values():
        if one.state == "asked":
            says = f"{one.action} of {one.target} waits for a yes (healer approve {one.id}): {one.because}"
            target = "" if one.target == HOST.id else one.target
            seen.add(f"approval:{one.id}", "failure", "warning", says, target=target)


def _waits_for_parent(core: Core, target: Target) -> bool:
    """Whether something it requires is down: that is told, and what follows from it is not."""
    world = core.world
    return any(world.health(one) is Health.FAILED or core.state(one) is State.FAULT for one in _parents(core, target))


def _parents(core: Core, target: Target) -> Iterator[str]:
    return (one for one in target.requires if one in core.world.targets)


def _why(core: Core, target: Target) -> str:
    said = core.world.word(f"{target.kind}.message", target.id) or core.world.signs[target.id].because
    return f": {said}" if said else ""


def _incidents(core: Core, seen: Seen) -> None:
    rules = {rule.id: rule for rule in core.setup.rules.rules}
    for key, incident in core.desk.memory.incidents.items():
        rule = rules.get(incident.rule)
        if rule is None or f"target:{incident.target}" in seen.troubles:
            continue
        if rule.trigger.kind != "auto" and incident.phase != "given-up":
            continue  # it was asked for, by somebody, the calendar or an event: that is no trouble
        target = core.world.targets.get(incident.target, HOST)
        if target.mode is Mode.OFF or (target is not HOST and _waits_for_parent(core, target)):
            continue
        name, subject = (f"incident:{key}", "") if target is HOST else (f"target:{target.id}", target.id)
        about, severity, says = _judged(rule, incident)
        seen.unknown.discard(name)
        seen.add(name, about, severity, says, target=subject)


def _judged(rule: Rule, incident: Incident) -> tuple[str, str, str]:
    about = "exhaustion" if _RUNS_OUT.search(rule.when_source) else "degradation"
    name = rule.name or rule.id
    name = name if incident.target == HOST.id else f"{incident.target}: {name}"
    if incident.phase == "given-up":
        about = about if about == "exhaustion" else "failure"
        return about, "critical", f"{name}: given up: {incident.because}"
    severity = "critical" if rule.priority >= URGENT else "warning"
    return about, severity, f"{name}: {rule.why}" if rule.why else name


# The organism ----------------------------------------------------------------------------------------------------


def _organ(core: Core, organ: OrganView, seen: Seen) -> None:
    key = f"organ:{organ.name}"
    if organ.health is Health.UNKNOWN:
        seen.unknown.add(key)
    if organ.health not in {Health.DEGRADED, Health.FAILED}:
        return
    known = [one for one in organ.vitals if one.score is not None and one.weight > 0]
    worst = min(known, key=lambda one: one.score or 0.0, default=None)
    source = {vital.id: vital.value for vital in core.setup.vitals}.get(worst.id if worst else "", "")
    if _echoes(core, source) and any(key.startswith("target:") for key in seen.troubles):
        return  # its targets are told by themselves
    about = "exhaustion" if _RUNS_OUT.search(source) else "degradation"
    severity = "critical" if organ.health is Health.FAILED else "warning"
    because = f": {organ.because}" if organ.because else ""
    seen.add(key, about, severity, f"organ {organ.name} is {organ.health.value}{because}", settle=SETTLE)


def _echoes(core: Core, source: str) -> bool:
    """Whether a vital only says again how targets are."""
    return any(name in source for name in ("organ.up", "http.latency", "tcp.latency", *core.world.flags))


def _brakes(core: Core, seen: Seen) -> None:
    memory = core.desk.memory
    if memory.safe_mode:
        says = f"safe mode: nothing is healed: {memory.safe_mode}"
        seen.add("brakes:safe-mode", "brakes", "critical", says)
    if memory.kill_switch:
        says = "the kill switch is on: nothing is healed, and nothing else is told, until healer resume-healing"
        seen.add("brakes:kill-switch", "brakes", "warning", says, unsealed=True)


# Sight -----------------------------------------------------------------------------------------------------------


def _senses(core: Core, seen: Seen, now: float) -> None:
    """Sensors that cannot look: one by one, or as one where all of a kind are blind together."""
    kinds: dict[str, dict[str, Sense]] = defaultdict(dict)
    for name, sense in core.world.senses.items():
        kinds[name.partition(":")[0]][name] = sense
    for kind, senses in kinds.items():
        blind = {name: one for name, one in senses.items() if not one.seeing and now - one.changed >= SETTLE}
        if len(blind) > 1 and len(blind) == len(senses):
            because = next(iter(blind.values())).because
            seen.add(
                f"sight:{kind}", "sight", "critical", f"all {len(blind)} of kind {kind} are out of sight: {because}"
            )
            _instead_of_each(seen, kind)
            continue
        for name, sense in blind.items():
            seen.add(f"sight:{name}", "sight", "warning", f"sensor {name} cannot look: {sense.because}")
            seen.troubles.pop(f"blind:{name}", None)


def _instead_of_each(seen: Seen, kind: str) -> None:
    for key in [key for key in seen.troubles if key.startswith(f"blind:{kind}:")]:
        del seen.troubles[key]


def of_drivers(drivers: Iterable[DriverStatus], now: float) -> Iterator[Trouble]:
    """Connections that were lost, and are not back."""
    for one in drivers:
        if one.because and one.state not in {LinkState.IDLE, LinkState.CONNECTED} and now - one.since >= SETTLE:
            says = f"driver {one.name} has no connection: {one.because}"
            yield Trouble(key=f"driver:{one.name}", about="sight", severity="warning", says=says[:MOST_SAID])


def of_channels(channels: Iterable[Mapping[str, Any]]) -> Iterator[Trouble]:
    """Channels that deliver nothing."""
    for one in channels:
        if one["skipping"]:
            says = f"channel {one['name']} delivers nothing ({one['errors']} errors in a row): {one['because']}"
            yield Trouble(key=f"channel:{one['name']}", about="sight", severity="warning", says=says[:MOST_SAID])


# The log, the agent itself ---------------------------------------------------------------------------------------


def of_log(log: Mapping[str, Any], *, tampered: str, stale: str) -> Iterator[Trouble]:
    """The log: whether it takes entries, and whether it proves to be what it should.

    ``tampered``: what the last verification found; ``stale``: why there was none of late. Both may be empty.
    """
    if not log["sealing"]:
        because = "it is full" if log["full"] else log["because"] or "nobody knows why"
        says = f"the log takes no entries: {because}; nothing is healed, and this message is not in the log"
        yield Trouble(key="log:sealing", about="log", severity="critical", says=says[:MOST_SAID], unsealed=True)
    for one in (log.get("witnessed") or {}).get("contradictions", ()):
        says = f"witness {one['witness']} knows another history of the log: {one['because']}"
        yield Trouble(key=f"log:witness:{one['witness']}", about="log", severity="critical", says=says[:MOST_SAID])
    if tampered:
        says = f"the log does not verify: {tampered}"
        yield Trouble(key="log:verified", about="log", severity="critical", says=says[:MOST_SAID])
    elif stale:
        says = f"the log was not verified of late: {stale}"
        yield Trouble(key="log:verified", about="log", severity="warning", says=says[:MOST_SAID])


def of_agent(degraded: Iterable[str]) -> Iterator[Trouble]:
    """What is not as it was configured."""
    if found := list(degraded):
        says = f"the agent is not as configured: {'; '.join(found)}"
        yield Trouble(key="agent", about="degradation", severity="warning", says=says[:MOST_SAID], settle=SETTLE)


def muted(core: Core, trouble: Trouble) -> bool:
    """Whether a maintenance window that is open covers it; what is no target's is covered by one for everything."""
    target = core.world.targets.get(trouble.target, HOST)
    wall = core.desk.wall_us
    return any(
        selects(window.selector, target) and is_open(window, wall) for window in core.desk.memory.maintenance.values()
    )
