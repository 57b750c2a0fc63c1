"""What must not be forgotten: the safety state, in one file so that no fold of an entry can be overlooked.

The running core and a start after a crash use the same `Memory.apply`: the core applies each entry it emits, a start
applies those it reads. A counter, a cooldown or a give-up can therefore be lost only with the log itself.

Times inside are seconds on the boot clock of ``frame``. A fold that crosses a boot moves the frame (`rebase`): elapsed
time across boots is the wall difference, never negative, and none at all where a clock jump was sealed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from healer.model.decision import QUIET_VERBS, SIGNED_VERBS, Result

KEPT_SECONDS = 32 * 86400.0
"""How long taken actions are remembered: no limit may look further back."""
LONGEST_CHAIN = 10
"""Of what led to an incident, this much is remembered: more than may act."""
ANSWERED = 50
"""How many closed approvals are remembered."""
KEPT_STARTS = 4096
"""Rules, targets and groups for which the last start by an event is remembered; the oldest are forgotten."""

ALERT = "alert:"
"""How the incident of an intent begins by which the agent tells people something: a slow mail server is no action."""
HOOK = "hook:"
"""How the incident of an intent begins that only accompanies one: it holds no target and uses nothing up."""
UNDO = "undo:"
"""How the incident of an intent begins that puts back what another one has changed."""
_WITHOUT_EFFECT = {Result.STALE.value, Result.CANCELLED.value, Result.REFUSED.value, Result.SKIPPED.value}
_FAILED = {
    Result.UNVERIFIED.value,
    Result.FAILED_TRANSIENT.value,
    Result.FAILED_PERMANENT.value,
    Result.AMBIGUOUS.value,
    Result.INTERRUPTED.value,
}


@dataclass(slots=True, kw_only=True)
class Frame:
    """Which boot the times belong to, and the last moment folded."""

    boot: str = ""
    mono_us: int = 0
    wall_us: int = 0
    jumped: bool = False
    """A clock jump is sealed in this boot: its wall clock cannot say how long the way to the next one takes."""
    began: float = 0.0
    """Boot-clock second at which the fold entered this boot."""
    granted: float = 0.0
    """Seconds that were taken to have passed on the way into this boot."""


@dataclass(slots=True, kw_only=True)
class OpenIntent:
    """An intent whose outcome, or whose verdict, is not sealed yet."""

    id: str
    leaf: str
    incident: str
    rule: str
    target: str
    action: str
    step: int
    attempt: int
    at: float
    request: str
    ended: float | None = None
    """When the effect ended; None while it may still run."""
    generation: str = ""
    generation_after: str = ""
    undoes: str = ""
    """Id of the action whose change it puts back."""

    @property
    def hook(self) -> bool:
        """Whether it belongs to a hook."""
        return self.incident.startswith(HOOK)

    @property
    def aside(self) -> bool:
        """Whether it holds nothing: it belongs to a hook, or the agent tells people something."""
        return self.incident.startswith((HOOK, ALERT))


@dataclass(slots=True, kw_only=True)
class Acted:
    """One action that was taken, for sliding windows."""

    id: str
    at: float
    rule: str
    target: str
    action: str
    hook: bool = False
    """Of a hook: it counts for the host's own ceilings only."""


@dataclass(slots=True, kw_only=True)
class Streak:
    """Actions in a row for one rule and target, and how they went."""

    actions: int = 0
    failures: int = 0
    last_end: float | None = None


@dataclass(slots=True, kw_only=True)
class Breaker:
    """One action on one target: opens after too many failures in a row."""

    failures: int = 0
    open: bool = False
    changed: float = 0.0


@dataclass(slots=True, kw_only=True)
class Incident:
    """One run of a rule on a target, from firing until cleared or given up."""

    rule: str
    target: str
    phase: str
    """firing, acting, verifying, clearing or given-up."""
    opened: float
    since: float
    step: int = 0
    attempt: int = 0
    withheld: list[str] = field(default_factory=list)
    """Gates that said no during this incident: each is sealed once."""
    chain: list[str] = field(default_factory=list)
    """The incidents that led to it, by what the agent did or said; the first cause first."""
    cause: str = ""
    """The incident whose step started this one, where one did."""
    bindings: dict[str, str] = field(default_factory=dict)
    """What the placeholders of its steps stand for."""
    targets: list[str] = field(default_factory=list)
    """What its present step acts on, one after the other, as chosen when it began; empty where that is one target."""
    item: int = 0
    """Whose turn it is of those."""
    because: str = ""
    """Why it was given up; empty until it is."""


@dataclass(slots=True, kw_only=True)
class Maintenance:
    """A window in which nothing is done to what it selects; it must expire."""

    selector: dict[str, Any]
    owner: str
    reason: str
    until_us: int
    """Wall-clock microseconds."""
    from_us: int = 0
    """The same: before this it covers nothing."""
    recurrence: dict[str, Any] = field(default_factory=dict)
    """The hours in which alone it covers anything (`healer.model.recurrence`); empty: always between its ends."""
    opened: bool = False
    """Whether it was told that it is open: what opens and closes is sealed, and what is asked is the clock."""


@dataclass(slots=True, kw_only=True)
class Errors:
    """One verb on one kind of target, whatever the target: errors in a row."""

    count: int = 0
    changed: float = 0.0
    because: str = ""
    skipped: int = 0
    """Actions that were not tried because of them."""


@dataclass(slots=True, kw_only=True)
class Oscillation:
    """Two cures that took turns on one target."""

    held: bool
    since: float
    """When it was found; after it was let go, what was done until then does not count any more."""
    rules: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Approval:
    """A question put to people. It is answered once and used once; no answer is a no."""

    id: str
    incident: str
    rule: str
    target: str
    action: str
    step: int
    asked: float
    expires: float
    """Boot-clock second from which the answer is no."""
    until_us: int
    """The same on the wall clock: whichever says first that it is over, is believed."""
    because: str
    state: str = "asked"
    """asked; granted, until an intent uses it up; used, until that intent is closed."""
    who: str = ""
    """Who said yes."""
    answered: float | None = None
    intent: str = ""
    """Of the intent that it was used for."""


@dataclass(slots=True, kw_only=True)
class Made:
    """A change that an incident made to a target, and that is put back once the incident is over."""

    incident: str
    rule: str
    target: str
    action: str
    undo: dict[str, Any]
    """Parameters of the same verb that put it back."""
    at: float
    """When it was made; after a try to put it back that failed, when that was."""
    asked: float | None = None
    """When it was last decided to put it back: what came to nothing is no try that failed, and not repeated at once."""
    tries: int = 0
    """Tries to put it back that failed."""
    withheld: list[str] = field(default_factory=list)
    """Gates that said no to putting it back: each is sealed once."""
    stuck: bool = False
    """It cannot be put back: a person was told."""


@dataclass(slots=True, kw_only=True)
class Memory:
    """The fold. Everything in it is JSON once `to_json` made it."""

    frame: Frame = field(default_factory=Frame)
    counter: int = 0
    """Number of the last decision ever made."""
    intents: dict[str, OpenIntent] = field(default_factory=dict)
    acted: list[Acted] = field(default_factory=list)
    streaks: dict[str, Streak] = field(default_factory=dict)
    """Keyed ``rule@target``."""
    breakers: dict[str, Breaker] = field(default_factory=dict)
    """Keyed ``action@target``."""
    incidents: dict[str, Incident] = field(default_factory=dict)
    """Keyed ``rule@target``."""
    modes: dict[str, str] = field(default_factory=dict)
    """Scope (``agent``, ``organ:X``, ``rule:ID``, a target id) to the mode a command lowered it to."""
    maintenance: dict[str, Maintenance] = field(default_factory=dict)
    errors: dict[str, Errors] = field(default_factory=dict)
    """Keyed by `error_key`."""
    oscillations: dict[str, Oscillation] = field(default_factory=dict)
    """Keyed by target."""
    flapping: dict[str, float] = field(default_factory=dict)
    """Target id to the second since which it has been flapping."""
    chains: dict[str, list[str]] = field(default_factory=dict)
    """What led to incidents that are over, where something of our own doing did; keyed ``rule@target``."""
    approvals: dict[str, Approval] = field(default_factory=dict)
    asked: int = 0
    """Number of the last approval ever asked for."""
    answered: dict[str, str] = field(default_factory=dict)
    """What became of the last approvals that are closed, by id: whoever comes late is told."""
    changes: dict[str, Made] = field(default_factory=dict)
    """Changes that are still to be put back, by the id of the action that made them; the newest last."""
    disabled: dict[str, bool] = field(default_factory=dict)
    """Rules switched off (True) or on again (False) by command."""
    started: dict[str, float] = field(default_factory=dict)
    """When an event last started a rule that says ``once_within``, keyed ``rule@target|group``; the newest last."""
    states: dict[str, str] = field(default_factory=dict)
    """Target id, or ``agent``, to its state where a command or a fault set it."""
    safe_mode: str = ""
    """Why nothing is done; empty when not in safe mode."""
    kill_switch: bool = False
    rules_hash: str = ""
    verdicts: dict[str, int] = field(default_factory=dict)
    """Verdicts counted by result: success is what was observed, not what was attempted."""
    clean_stop: bool = True

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Fold one entry (a sealed one, or one about to be). Unknown kinds change nothing."""
        self._advance(entry)
        fold = _FOLDS.get(entry["kind"])
        if fold is not None:
            fold(self, entry, self.frame.mono_us / 1e6)

    def _advance(self, entry: Mapping[str, Any]) -> None:
        boot, mono, wall = entry.get("boot", self.frame.boot), entry["mono"], entry.get("ts", self.frame.wall_us)
        if boot != self.frame.boot:
            self.rebase(boot=boot, mono_us=mono, wall_us=wall)
        self.frame.mono_us = max(self.frame.mono_us, mono)
        self.frame.wall_us = wall

    def rebase(self, *, boot: str, mono_us: int, wall_us: int) -> None:
        """Move all times into the frame of another boot: elapsed is the wall difference, never negative.

        Where the boot that ended has a clock jump sealed, none at all. Within one boot nothing moves: the boot clock
        went on, whatever somebody did to the wall clock meanwhile.
        """
        old = self.frame
        if boot == old.boot:
            return
        elapsed_us = max(0, wall_us - old.wall_us) if old.boot and not old.jumped else 0
        if old.boot:
            self._shift((mono_us - elapsed_us - old.mono_us) / 1e6)
        self.frame = Frame(boot=boot, mono_us=mono_us, wall_us=wall_us, began=mono_us / 1e6, granted=elapsed_us / 1e6)

    def _shift(self, by: float, before: float = math.inf) -> None:  # noqa: C901 - each part of it that has a time
        """Move all times up to ``before`` by so many seconds."""

        def moved(at: float) -> float:
            # To the microsecond that entries have: sums of floats must not put what came first after what came next.
            return round(at + by, 6) if at <= before else at

        for intent in self.intents.values():
            intent.at = moved(intent.at)
            intent.ended = None if intent.ended is None else moved(intent.ended)
        for acted in self.acted:
            acted.at = moved(acted.at)
        for streak in self.streaks.values():
            streak.last_end = None if streak.last_end is None else moved(streak.last_end)
        for breaker in self.breakers.values():
            breaker.changed = moved(breaker.changed)
        for incident in self.incidents.values():
            incident.opened, incident.since = moved(incident.opened), moved(incident.since)
        self.started = {key: moved(last) for key, last in self.started.items()}
        for errors in self.errors.values():
            errors.changed = moved(errors.changed)
        for oscillation in self.oscillations.values():
            oscillation.since = moved(oscillation.since)
        self.flapping = {target: moved(since) for target, since in self.flapping.items()}
        for approval in self.approvals.values():
            approval.asked, approval.expires = moved(approval.asked), moved(approval.expires)
            approval.answered = None if approval.answered is None else moved(approval.answered)
        for change in self.changes.values():
            change.at = moved(change.at)
            change.asked = None if change.asked is None else moved(change.asked)

    def taken(self, *, since: float, scope: str, rule: str, target: str, action: str) -> list[float]:
        """When actions were taken after ``since`` within the scope of a limit, the oldest first."""
        return sorted(
            acted.at
            for acted in self.acted
            if acted.at > since
            and (scope == "host" or not acted.hook)
            and {
                "action+target": acted.action == action and acted.target == target,
                "target": acted.target == target,
                "rule": acted.rule == rule,
                "action": acted.action == action,
                "host": True,
            }[scope]
        )

    def busy(self, target: str) -> OpenIntent | None:
        """The intent that holds this target, from decision to verdict; None when it is free."""
        return next((one for one in self.intents.values() if one.target == target and not one.aside), None)

    def approval(self, *, incident: str, step: int, action: str, target: str) -> Approval | None:
        """The question about this step of this incident that is not closed; there is one at most."""
        asked = (incident, step, action, target)
        return next(
            (one for one in self.approvals.values() if (one.incident, one.step, one.action, one.target) == asked), None
        )

    def running(self) -> int:
        """Effects that may be going on right now."""
        return sum(1 for intent in self.intents.values() if intent.ended is None and not intent.aside)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, for a snapshot."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Memory":
        """Read back `to_json`; raises KeyError, TypeError or ValueError on anything else."""
        plain = dict(raw)

        def read(part: str, noun: Callable[..., Any]) -> dict[str, Any]:
            return {key: noun(**value) for key, value in dict(plain.pop(part)).items()}

        return cls(
            frame=Frame(**plain.pop("frame")),
            acted=[Acted(**value) for value in plain.pop("acted")],
            intents=read("intents", OpenIntent),
            streaks=read("streaks", Streak),
            breakers=read("breakers", Breaker),
            incidents=read("incidents", Incident),
            maintenance=read("maintenance", Maintenance),
            approvals=read("approvals", Approval),
            errors=read("errors", Errors),
            oscillations=read("oscillations", Oscillation),
            changes=read("changes", Made),
            **plain,
        )

    # One method per kind of entry. ``at`` is the entry's boot-clock second in this memory's frame.

    def _intent(self, entry: Mapping[str, Any], at: float) -> None:
        self.counter = max(self.counter, int(entry["id"].rpartition("-")[2]))
        self.intents[entry["id"]] = OpenIntent(
            id=entry["id"],
            leaf=entry.get("leaf", ""),
            incident=entry["corr"],
            rule=entry["rule"],
            target=entry["target"],
            action=entry["action"],
            step=entry["step"],
            attempt=entry["attempt"],
            at=at,
            request=entry.get("request", ""),
            generation=entry["generation"],
            undoes=entry.get("undoes", ""),
        )
        if approval := self.approvals.get(entry.get("approval", "")):
            approval.state, approval.intent = "used", entry["id"]
        if change := self.changes.get(entry.get("undoes", "")):
            change.asked = at
        # What the wall clock said of the way into this boot may still turn out void: it forgets nothing by itself.
        self.acted = [old for old in self.acted if at - old.at - self.frame.granted <= KEPT_SECONDS]
        if entry["action"] not in QUIET_VERBS and entry.get("actor") != "agent":
            self.acted.append(
                Acted(
                    id=entry["id"],
                    at=at,
                    rule=entry["rule"],
                    target=entry["target"],
                    action=entry["action"],
                    hook=entry["corr"].startswith(HOOK),
                )
            )
        if incident := self.incidents.get(entry["corr"]):
            incident.phase, incident.since = "acting", at
            incident.step, incident.attempt = entry["step"], entry["attempt"]

    def _outcome(self, entry: Mapping[str, Any], at: float) -> None:
        intent = self.intents.get(entry["id"])
        if intent is None:
            return
        if entry["result"] in _WITHOUT_EFFECT:
            # Nothing happened to the target: a refused attempt consumes nothing.
            self.acted = [acted for acted in self.acted if acted.id != intent.id]
            self._close(intent, at, "firing")
            return
        intent.ended = at
        intent.generation_after = entry.get("generation", "")
        if intent.hook:
            return
        self._count_change(intent, entry, at)
        self._count_error(intent, entry, at)
        streak = self.streaks.setdefault(f"{intent.rule}@{intent.target}", Streak())
        streak.actions += intent.action not in QUIET_VERBS
        streak.last_end = at  # a cooldown is for people's ears as well
        if entry["result"] == Result.DONE.value and (incident := self.incidents.get(intent.incident)):
            incident.phase, incident.since = "verifying", at
        # Anything but done gets its verdict in the same breath (the core emits it), so that the log says so.

    def _count_change(self, intent: OpenIntent, entry: Mapping[str, Any], at: float) -> None:
        """Remember what is to be put back, and forget what was; a change a person asked for is that person's."""
        done = entry["result"] == Result.DONE.value
        if change := self.changes.get(intent.undoes):
            if done:
                del self.changes[intent.undoes]
            else:
                change.at, change.tries = at, change.tries + 1
        # Its incident may be over already: a reload without its rule ends it in the middle of an action.
        elif done and entry.get("undo") and intent.rule and not intent.undoes:
            self.changes[intent.id] = Made(
                incident=intent.incident,
                rule=intent.rule,
                target=intent.target,
                action=intent.action,
                undo=dict(entry["undo"]),
                at=at,
            )

    def _count_error(self, intent: OpenIntent, entry: Mapping[str, Any], at: float) -> None:
        key, result = error_key(intent.action, intent.target), entry["result"]
        if intent.action in QUIET_VERBS:
            return  # what tells people is never given up
        if result == Result.DONE.value:
            self.errors.pop(key, None)
        elif result in _FAILED and result != Result.INTERRUPTED.value:
            errors = self.errors.setdefault(key, Errors())
            errors.count, errors.changed, errors.because = errors.count + 1, at, str(entry.get("because", ""))[:200]

    def _verdict(self, entry: Mapping[str, Any], at: float) -> None:
        intent = self.intents.get(entry["id"])
        if intent is None:
            return
        if intent.hook:
            self._close(intent, at, "firing")
            return
        result = entry["result"]
        self.verdicts[result] = self.verdicts.get(result, 0) + 1
        if intent.aside:
            self._close(intent, at, "firing")  # a mail server that fails is no reason to give up on the host
            return
        breaker = self.breakers.setdefault(f"{intent.action}@{intent.target}", Breaker())
        streak = self.streaks.setdefault(f"{intent.rule}@{intent.target}", Streak())
        # Nothing could ever prove what a person has done on the host as a whole: that is no failure of it.
        unprovable = result == Result.UNVERIFIED.value and intent.request and intent.action not in SIGNED_VERBS
        if result in _FAILED and not unprovable:
            breaker.failures += 1
            breaker.changed = at
            streak.failures += 1
        elif result == Result.VERIFIED.value and not intent.undoes:  # what was put back has cured nothing
            streak.failures = 0
            if not breaker.open:
                breaker.failures = 0
        self._close(intent, at, "firing")

    def _close(self, intent: OpenIntent, at: float, phase: str) -> None:
        del self.intents[intent.id]
        for used in [one for one in self.approvals.values() if one.intent == intent.id]:
            self._answer(used.id, f"granted by {used.who}, used by intent {intent.id}")
        incident = self.incidents.get(intent.incident)
        if incident is not None and incident.phase in {"acting", "verifying"}:
            incident.phase, incident.since = phase, at

    def _state(self, entry: Mapping[str, Any], at: float) -> None:
        kind, _, name = entry["subject"].partition(":")
        if kind == "incident":
            self._incident(name, entry, at)
        elif kind == "breaker":
            breaker = self.breakers.setdefault(name, Breaker())
            breaker.open, breaker.changed = entry["to"] == "open", at
            if not breaker.open:
                breaker.failures = 0
        elif kind == "streak" and name in self.streaks:
            # The counts begin anew; the cooldown does not: it may be longer than what makes them do so.
            self.streaks[name] = Streak(last_end=self.streaks[name].last_end)
        elif kind == "trigger" and entry["to"] == "used":
            self._started(f"{name}|{entry.get('data', {}).get('group', '')}", at)
        elif kind in {"safe_mode", "kill_switch"}:
            self._brake(kind, entry)
        elif kind in {"oscillation", "flapping", "maintenance", "change"}:
            self._held(kind, name, entry, at)
        elif kind == "rule":
            self.disabled[name] = entry["to"] == "disabled"
        elif kind in {"target", "agent"}:
            self.states[name or "agent"] = entry["to"]

    def _held(self, kind: str, name: str, entry: Mapping[str, Any], at: float) -> None:
        if kind == "oscillation":
            rules = entry.get("rule", "").split()
            self.oscillations[name] = Oscillation(held=entry["to"] == "held", since=at, rules=rules)
        elif kind == "maintenance" and name in self.maintenance:
            self.maintenance[name].opened = entry["to"] == "open"
        elif kind == "change" and (change := self.changes.get(name)):
            change.stuck, change.tries, change.asked = entry["to"] == "stuck", 0, None
            if entry["to"] == "gone":
                del self.changes[name]
        elif kind == "flapping":
            self.flapping.pop(name, None)
            if entry["to"] == "flapping":
                self.flapping[name] = at

    def _brake(self, kind: str, entry: Mapping[str, Any]) -> None:
        on = entry["to"] == "on"
        if kind == "safe_mode":
            self.safe_mode = entry["because"] if on else ""
        else:
            self.kill_switch = on

    def _started(self, key: str, at: float) -> None:
        self.started.pop(key, None)
        self.started[key] = at
        while len(self.started) > KEPT_STARTS:
            del self.started[next(iter(self.started))]

    def _incident(self, key: str, entry: Mapping[str, Any], at: float) -> None:
        phase = entry["to"]
        if phase == "inactive":
            ended = self.incidents.pop(key, None)
            self.chains.pop(key, None)
            if ended is not None and ended.chain:
                self.chains[key] = ended.chain
            return
        incident = self.incidents.get(key)
        if incident is None:
            rule, target, data = entry["rule"], entry["target"], entry.get("data", {})
            self.incidents[key] = Incident(
                rule=rule,
                target=target,
                phase=phase,
                opened=at,
                since=at,
                cause=data.get("cause", ""),
                chain=self._chain(data.get("cause", "")),
                bindings=dict(data.get("bindings", ())),
            )
            return
        incident.phase, incident.since = phase, at
        incident.because = str(entry.get("because", ""))[:300] if phase == "given-up" else ""
        self._rung(incident, entry)

    def _chain(self, cause: str) -> list[str]:
        """What led to an incident: its cause, and what led to that one, which may be over already."""
        if not cause:
            return []
        parent = self.incidents.get(cause)
        return [*(parent.chain if parent else self.chains.get(cause, ())), cause][-LONGEST_CHAIN:]

    @staticmethod
    def _rung(incident: Incident, entry: Mapping[str, Any]) -> None:
        """Follow it along its ladder: to another step, to the targets of one, or from one of them to the next."""
        step, data = entry.get("step", incident.step), entry.get("data", {})
        if step != incident.step:
            incident.step, incident.targets, incident.item = step, [], 0
        if "targets" in data:
            incident.targets, incident.item = [str(one) for one in data["targets"]], 0
        incident.item = int(data.get("item", incident.item))

    def _withheld(self, entry: Mapping[str, Any], at: float) -> None:
        del at
        if entry["gate"] == "errors" and (errors := self.errors.get(error_key(entry["action"], entry["target"]))):
            errors.skipped += 1
        held = self.incidents.get(entry["corr"]) or self.changes.get(entry["corr"].removeprefix(UNDO))
        if held is not None and entry["gate"] not in held.withheld:
            held.withheld.append(entry["gate"])

    def _mode(self, entry: Mapping[str, Any], at: float) -> None:
        del at
        if entry["mode"] == "configured":
            self.modes.pop(entry["scope"], None)
        else:
            self.modes[entry["scope"]] = entry["mode"]

    def _maintenance(self, entry: Mapping[str, Any], at: float) -> None:
        del at
        if entry["op"] == "end":
            self.maintenance.pop(entry["id"], None)
            return
        self.maintenance[entry["id"]] = Maintenance(
            selector=dict(entry["selector"]),
            owner=entry["owner"],
            reason=entry["reason"],
            until_us=entry["until_us"],
            from_us=entry.get("from_us", 0),
            recurrence=dict(entry.get("recurrence", {})),
            opened="from_us" not in entry and "recurrence" not in entry,
        )

    def _approval(self, entry: Mapping[str, Any], at: float) -> None:
        key, decision = entry["id"], entry["decision"]
        if decision == "asked":
            self.asked = max(self.asked, int(key.rpartition("-")[2]))
            self.approvals[key] = Approval(
                id=key,
                incident=entry["corr"],
                rule=entry["rule"],
                target=entry["target"],
                action=entry["action"],
                step=entry["step"],
                asked=at,
                expires=at + (entry["deadline_us"] - entry["mono"]) / 1e6,
                until_us=entry["until_us"],
                because=str(entry.get("because", "")),
            )
        elif decision != "granted":
            self._answer(key, f"{decision} by {entry['who']}: {entry.get('because', '')}")
        elif (approval := self.approvals.get(key)) and approval.state == "asked":
            approval.state, approval.who, approval.answered = "granted", str(entry["who"]), at

    def _answer(self, key: str, how: str) -> None:
        """Close a question, and remember for a while what became of it."""
        self.approvals.pop(key, None)
        self.answered[key] = how
        while len(self.answered) > ANSWERED:
            del self.answered[next(iter(self.answered))]

    def _rules(self, entry: Mapping[str, Any], at: float) -> None:
        del at
        if entry["accepted"]:
            self.rules_hash = entry["hash"]

    def _lifecycle(self, entry: Mapping[str, Any], at: float) -> None:
        del at
        if entry["phase"] == "start":
            self.clean_stop = False
        elif entry["phase"] == "stop":
            self.clean_stop = True

    def _gap(self, entry: Mapping[str, Any], at: float) -> None:
        """A sealed clock jump: what the wall clock said of the time between boots is void, before it and after it.

        Nothing is forgiven by a clock that was wrong: a cooldown then lasts too long rather than too short.
        """
        del entry, at
        self._shift(self.frame.granted, before=self.frame.began - self.frame.granted + 1e-6)
        self.frame.granted, self.frame.jumped = 0.0, True


def error_key(action: str, target: str) -> str:
    """The name under which errors of a verb on a kind of target are counted: whose driver fails, fails for all."""
    return f"{action} {target.partition(':')[0]}"


_FOLDS = {
    "intent": Memory._intent,  # noqa: SLF001 - the table of the class itself
    "outcome": Memory._outcome,  # noqa: SLF001
    "verdict": Memory._verdict,  # noqa: SLF001
    "state": Memory._state,  # noqa: SLF001
    "withheld": Memory._withheld,  # noqa: SLF001
    "mode": Memory._mode,  # noqa: SLF001
    "maintenance": Memory._maintenance,  # noqa: SLF001
    "approval": Memory._approval,  # noqa: SLF001
    "rules": Memory._rules,  # noqa: SLF001
    "lifecycle": Memory._lifecycle,  # noqa: SLF001
    "gap": Memory._gap,  # noqa: SLF001
}
