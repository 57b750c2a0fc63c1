"""Pure views over the core, as plain JSON values, in one file so that every face shows the same. Nothing is changed."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from healer.core.core import Core
from healer.core.facts import phase as phase  # noqa: PLC0414 - others ask for it here
from healer.core.instance import Instance
from healer.core.world import HOST
from healer.gates import order
from healer.gates.interface import Answer
from healer.model.memory import Incident
from healer.model.mode import Mode, strictest
from healer.model.observation import Series
from healer.model.organism import HarmonyView, Health, OrganView
from healer.model.target import Target
from healer.model.vocabulary import METRICS
from healer.rules.rule import Rule
from healer.rules.schedules import upcoming

Json = dict[str, Any]


def status(core: Core, now: float | None = None) -> Json:
    """Everything a person asks first. ``now`` is a boot-clock second; without it, that of the last event."""
    desk, memory = core.desk, core.desk.memory
    now = desk.now if now is None else now
    return {
        "node": desk.node,
        "mode": effective_mode(core).word,
        "configured_mode": desk.mode.word,
        "default_mode": desk.default_mode.word,
        "profile": desk.profile.value,
        "safe_mode": memory.safe_mode,
        "kill_switch": memory.kill_switch,
        **harmony(core.organs.view),
        "organs": organs(core),
        "targets": targets(core, now),
        "incidents": incidents(core, now),
        "breakers": breakers(core, now),
        "changes": changes(core, now),
        "maintenance": maintenance(core),
        "approvals": approvals(core, now),
        "errors": errors(core, now),
        "flapping": {target: round(max(0.0, now - since), 3) for target, since in memory.flapping.items()},
        "oscillations": oscillations(core, now),
        "intents": intents(core, now),
        "lowered": dict(memory.modes),
        "counts": counts(core),
        "scheduled": scheduled(core, now),
    }


def effective_mode(core: Core) -> Mode:
    """The ceiling as it is now: configured, lowered by command, and by the profile."""
    desk = core.desk
    modes = [desk.mode]
    if "agent" in desk.memory.modes:
        modes.append(Mode.parse(desk.memory.modes["agent"]))
    if desk.profile.value == "maintenance":
        modes.append(Mode.OBSERVE)
    return strictest(modes)


def harmony(view: HarmonyView) -> Json:
    """The whole, and what takes the most from it."""
    return {
        "harmony": _rounded(view.harmony),
        "balance": _rounded(view.balance),
        "energy": _rounded(view.energy),
        "deductions": [
            {"vital": one.vital, "points": round(one.points, 2), "because": one.because} for one in view.deductions
        ],
    }


def organs(core: Core) -> list[Json]:
    """The seven organs with their vitals."""
    return [_organ(organ) for organ in core.organs.view.organs]


def _organ(organ: OrganView) -> Json:
    return {
        "name": organ.name,
        "score": _rounded(organ.score),
        "health": organ.health.value,
        "because": organ.because,
        "vitals": [
            {
                "id": vital.id,
                "value": _rounded(vital.value, 6),
                "score": _rounded(vital.score),
                "health": vital.health.value,
                "age": _rounded(vital.age),
                "weight": vital.weight,
            }
            for vital in organ.vitals
        ],
    }


def targets(core: Core, now: float | None = None) -> list[Json]:
    """What is looked after, in the order of the configuration; the host itself is no target."""
    now = core.desk.now if now is None else now
    return [_target(core, one, now) for one in core.world.targets.values() if one is not HOST]


def _blind(core: Core, target: Target) -> str:
    """Why its own sensor cannot look, where that is why nobody knows how it is."""
    sense = core.world.senses.get(target.id)
    return sense.because if sense and core.world.signs[target.id].health is Health.UNKNOWN else ""


def _failed(core: Core, target: Target) -> str:
    """Why a target that was seen failed is so: what it says, how it ended, or why it was given up."""
    if core.world.signs[target.id].health is not Health.FAILED:
        return ""
    if message := core.world.word(f"{target.kind}.message", target.id):
        return message[:200]
    code = core.known("command.rc" if target.kind == "command" else f"{target.kind}.exit_code", target.id)
    ours = [one.because for one in core.desk.memory.incidents.values() if one.target == target.id and one.because]
    said = [f"given up: {because}" for because in ours[-1:]]
    if code is not None:
        said.append(f"ended by signal {-code:g}" if code < 0 else f"exit code {code:g}")
    return "; ".join(said)


def _target(core: Core, target: Target, now: float) -> Json:
    sign = core.world.signs[target.id]
    health = sign.health
    return {
        "id": target.id,
        "kind": target.kind,
        "name": target.name,
        "organ": target.organ,
        "state": core.state(target.id).value,
        "health": health.value,
        "age": round(max(0.0, now - sign.at), 3) if sign.at else None,
        "since": _rounded(None if sign.onset is None else max(0.0, now - sign.onset), 3),
        "because": _blind(core, target) or sign.because or _failed(core, target),
        "unresponsive": health is Health.UNKNOWN and sign.ever,
        "generation": core.world.generation(target),
        "mode": target.mode.word,
        "groups": list(target.groups),
        "requires": list(target.requires),
        "labels": dict(target.labels),
        "incidents": [key for key, one in core.desk.memory.incidents.items() if one.target == target.id],
    }


def incidents(core: Core, now: float | None = None) -> list[Json]:
    """The incidents that are open, oldest first."""
    now = core.desk.now if now is None else now
    found = sorted(core.desk.memory.incidents.items(), key=lambda pair: pair[1].opened)
    return [_incident(core, key, one, now) for key, one in found]


def _incident(core: Core, key: str, incident: Incident, now: float) -> Json:
    instance = core.instances.get(key)
    refused = order.first_refusal(instance.answers) if instance and incident.phase == "firing" else None
    return {
        "id": key,
        "rule": incident.rule,
        "target": incident.target,
        "phase": incident.phase,
        "age": round(max(0.0, now - incident.opened), 3),
        "in_phase": round(max(0.0, now - incident.since), 3),
        "step": incident.step,
        "attempt": incident.attempt,
        "withheld": list(incident.withheld),
        "because": f"{refused[0]}: {refused[1].because}" if refused else incident.because,
    }


def changes(core: Core, now: float | None = None) -> list[Json]:
    """What incidents have changed for their time, and what was not put back yet."""
    at = core.desk.now if now is None else now
    return [
        {
            "id": key,
            "incident": one.incident,
            "target": one.target,
            "action": one.action,
            "undo": one.undo,
            "age": round(at - one.at, 3),
            "tries": one.tries,
            "stuck": one.stuck,
            "over": one.incident not in core.desk.memory.incidents,
        }
        for key, one in core.desk.memory.changes.items()
    ]


def breakers(core: Core, now: float | None = None) -> list[Json]:
    """Actions given up on a target: open breakers."""
    now = core.desk.now if now is None else now
    return [
        {
            "action": key.partition("@")[0],
            "target": key.partition("@")[2],
            "failures": breaker.failures,
            "age": round(max(0.0, now - breaker.changed), 3),
        }
        for key, breaker in sorted(core.desk.memory.breakers.items())
        if breaker.open
    ]


def errors(core: Core, now: float | None = None) -> list[Json]:
    """Verbs that fail on every target of a kind: how often, and when one is tried again."""
    now, brakes = core.desk.now if now is None else now, core.world.brakes
    return [
        {
            "action": key.partition(" ")[0],
            "kind": key.partition(" ")[2],
            "errors": one.count,
            "because": one.because,
            "skipping": one.count >= brakes.errors_until_skipped,
            "skipped": one.skipped,
            "retry_in": round(max(0.0, one.changed + brakes.errors_retried_after - now), 3),
        }
        for key, one in sorted(core.desk.memory.errors.items())
    ]


def oscillations(core: Core, now: float | None = None) -> list[Json]:
    """Targets on which two cures took turns, and which are held for it."""
    now = core.desk.now if now is None else now
    return [
        {"target": target, "rules": list(dict.fromkeys(one.rules)), "age": round(max(0.0, now - one.since), 3)}
        for target, one in sorted(core.desk.memory.oscillations.items())
        if one.held
    ]


def approvals(core: Core, now: float | None = None) -> list[Json]:
    """What waits for a person's answer, the most urgent first."""
    now = core.desk.now if now is None else now
    asked = [one for one in core.desk.memory.approvals.values() if one.state == "asked"]
    return [
        {
            "id": one.id,
            "action": one.action,
            "target": one.target,
            "rule": one.rule,
            "incident": one.incident,
            "step": one.step,
            "because": one.because,
            "asked": round(max(0.0, now - one.asked), 3),
            "left": round(max(0.0, one.expires - now), 3),
        }
        for one in sorted(asked, key=lambda one: one.expires)
    ]


def maintenance(core: Core) -> list[Json]:
    """Windows in which nothing is done: open now, to come, or coming again."""
    desk = core.desk
    return [
        {
            "id": key,
            "selector": dict(window.selector),
            "owner": window.owner,
            "reason": window.reason,
            "open": window.opened,
            "from": window.from_us / 1e6 if window.from_us else None,
            "repeat": dict(window.recurrence),
            "until": window.until_us / 1e6,
            "left": round(max(0.0, (window.until_us - desk.wall_us) / 1e6), 1),
        }
        for key, window in desk.memory.maintenance.items()
    ]


def intents(core: Core, now: float | None = None) -> list[Json]:
    """Intents without a verdict: what is being done, and what is being proved."""
    now = core.desk.now if now is None else now
    return [
        {
            "id": intent.id,
            "action": intent.action,
            "target": intent.target,
            "rule": intent.rule,
            "request": intent.request,
            "leaf": intent.leaf,
            "age": round(max(0.0, now - intent.at), 3),
            "phase": "acting" if intent.ended is None else "verifying",
        }
        for intent in core.desk.memory.intents.values()
    ]


def counts(core: Core) -> Json:
    """How many of what."""
    memory, world = core.desk.memory, core.world
    healths = Counter(sign.health.value for target, sign in world.signs.items() if target != HOST.id)
    blind = {name: sense.because for name, sense in world.senses.items() if not sense.seeing}
    return {
        "targets": dict(healths) | {"all": len(world.targets) - 1},
        "rules": len(core.setup.rules.rules),
        "instances": len(core.instances),
        "incidents": dict(Counter(one.phase for one in memory.incidents.values())),
        "sensors": {"all": len(world.senses), "blind": len(blind)},
        "blind": blind,
        "verdicts": dict(memory.verdicts),
        "actions": len(memory.acted),
        "decisions": memory.counter,
    }


def rules(core: Core, now: float | None = None) -> list[Json]:
    """Every rule, most urgent first, with its state on each of its targets and when it may act next."""
    now = core.desk.now if now is None else now
    bound: dict[str, list[Instance]] = {rule.id: [] for rule in core.setup.rules.rules}
    for instance in core.instances.values():
        bound[instance.rule.id].append(instance)
    ordered = sorted(core.setup.rules.rules, key=lambda rule: (-rule.priority, rule.id))
    return [
        _rule(core, rule, now) | {"targets": [_bound(core, one, now) for one in bound[rule.id]]} for rule in ordered
    ]


def rules_of(core: Core, target: str, now: float | None = None) -> list[Json]:
    """What each rule that judges a target makes of it."""
    now = core.desk.now if now is None else now
    found = [one for one in core.instances.values() if one.target.id == target]
    return [{"rule": one.rule.id} | _bound(core, one, now) for one in found]


def _rule(core: Core, rule: Rule, now: float) -> Json:
    acted = [one.at for one in core.desk.memory.acted if one.rule == rule.id]
    return {
        "id": rule.id,
        "name": rule.name,
        "why": rule.why,
        "priority": rule.priority,
        "organ": rule.organ,
        "tags": list(rule.tags),
        "enabled": core.enabled(rule),
        "mode": (core.desk.default_mode if rule.mode is None else rule.mode).word,
        "holds": _holds(core, rule),
        "trigger": rule.trigger.kind,
        "starts_on": str(rule.trigger),
        "next_start": next_start(core, rule, now),
        "groups_dropped": core.hearing.rules.dropped(rule.id),
        "when": rule.when_source,
        "then": [step.action for step in rule.then],
        "runs": len(acted),
        "last_run": round(max(0.0, now - max(acted)), 3) if acted else None,
        "file": str(rule.position),
    }


def _holds(core: Core, rule: Rule) -> list[Json]:
    """The modes that really hold for a rule on its targets, the strictest first, each with what sets it."""
    found: dict[Mode, str] = {}
    for one in core.instances.values():
        if one.rule.id == rule.id:
            source, mode = min(core.acting.modes(one, one.target), key=lambda pair: pair[1])
            found.setdefault(mode, source)
    return [{"mode": mode.word, "because": found[mode]} for mode in sorted(found)]


def next_start(core: Core, rule: Rule, now: float) -> float | None:
    """Seconds until the calendar starts a rule; None where it does not, or the rule is switched off."""
    wall = now + core.desk.wall_offset
    coming = upcoming(rule.trigger, wall) if core.enabled(rule) else None
    return None if coming is None else round(coming - wall, 3)


def scheduled(core: Core, now: float) -> Json | None:
    """The rule that the calendar starts next; None where it starts none."""
    found = [(left, rule.id) for rule in core.setup.rules.rules if (left := next_start(core, rule, now)) is not None]
    return {"rule": min(found)[1], "in": min(found)[0]} if found else None


def _bound(core: Core, instance: Instance, now: float) -> Json:
    memory = core.desk.memory
    streak = memory.streaks.get(instance.key)
    waits = [one.refusal.until for one in instance.answers if one.refusal and one.refusal.until is not None]
    until = max([*waits, instance.retry_at if instance.key in memory.incidents else 0.0], default=0.0)
    return {
        "target": instance.target.id,
        "state": phase(core, instance),
        "truth": instance.truth.value,
        "in_a_row": streak.actions if streak else 0,
        "failures": streak.failures if streak else 0,
        "next_allowed": round(until - now, 3) if until > now else 0.0,
    }


def answers(given: tuple[Answer, ...], now: float) -> list[Json]:
    """What the gates said, each with its reason."""
    return [
        {
            "gate": one.gate,
            "ok": one.ok,
            "because": one.refusal.because if one.refusal else "",
            "proposal": one.refusal.proposal if one.refusal else "",
            "wait": (
                round(max(0.0, one.refusal.until - now), 3) if one.refusal and one.refusal.until is not None else None
            ),
        }
        for one in given
    ]


def metrics(core: Core, now: float | None = None) -> list[Json]:
    """The latest of every series."""
    now = core.desk.now if now is None else now
    return [_latest(core, series, now) for name in _names(core) for series in sorted(core.evaluator.series(name))]


def readings(core: Core, target: str) -> list[Json]:
    """The latest of every series of one target, and of its kind only."""
    kind = target.partition(":")[0]
    return [
        _latest(core, series, core.desk.now)
        for name in METRICS
        if name.partition(".")[0] == kind
        for series in core.evaluator.series(name)
        if ("target", target) in series.labels
    ]


def _names(core: Core) -> Iterator[str]:
    yield from METRICS
    yield from (vital.id for vital in core.setup.vitals)


def _latest(core: Core, series: Series, now: float) -> Json:
    latest = core.evaluator.latest(series)
    metric = METRICS.get(series.metric)
    common: Json = {
        "metric": series.metric,
        "labels": dict(series.labels),
        "unit": metric.unit.value if metric else "number",
    }
    if latest is None:
        return common | {"value": None, "age": None, "because": core.evaluator.because(series)}
    value, at = latest
    return common | {"value": value, "age": round(max(0.0, now - at), 3), "because": ""}


def metrics_text(core: Core) -> str:
    """The latest numbers in Prometheus' text exposition format 0.0.4; words and what is unknown are left out."""
    lines: list[str] = []
    told = ""
    for one in metrics(core):
        if not isinstance(one["value"], int | float):
            continue
        name = "healer_" + one["metric"].replace(".", "_").replace("-", "_")
        if name != told:
            lines.append(f"# TYPE {name} gauge")
            told = name
        inner = ",".join(f'{label}="{_escaped(value)}"' for label, value in one["labels"].items())
        lines.append(f"{name}{{{inner}}} {one['value']:g}" if inner else f"{name} {one['value']:g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)
