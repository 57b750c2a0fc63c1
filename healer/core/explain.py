"""Why a rule does, or does not do, something about a target: its truth, every gate's answer, and what is missing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from healer.core import report
from healer.core.core import Core
from healer.core.instance import Instance
from healer.gates import order
from healer.gates.interface import Answer, Refusal
from healer.model.truth import Truth
from healer.rules import flip, truth_tree
from healer.rules.truth_tree import TruthNode

Json = dict[str, Any]


def explain(core: Core, rule: str, target: str = "", now: float | None = None) -> list[Json]:
    """One explanation per target the rule is bound to (or for the one given); empty where there is none."""
    now = core.desk.now if now is None else now
    found = [one for one in core.instances.values() if one.rule.id == rule and target in {"", one.target.id}]
    return [_of(core, one, now) for one in found]


def _of(core: Core, instance: Instance, now: float) -> Json:
    rule, incident = instance.rule, core.desk.memory.incidents.get(instance.key)
    answers = _asked(core, instance)
    evidence = core.evaluator.evidence(f"{instance.key}|when", now)
    return {
        "rule": rule.id,
        "target": instance.target.id,
        "why": rule.why,
        "when": rule.when_source,
        "file": str(rule.position),
        "truth": instance.truth.value,
        "phase": report.phase(core, instance),
        "step": incident.step if incident else 0,
        "then": [step.action for step in rule.then],
        "witness": rule.witness,
        "tree": _tree(truth_tree.explain(core.evaluator, f"{instance.key}|when", now)),
        "evidence": [{"series": one.series, "value": one.value, "age": one.age_us / 1e6} for one in evidence],
        "confirmed": round(instance.confirmed_so_far(now), 3),
        "for": rule.for_,
        "gates": report.answers(answers, now),
        "asked_ago": None if instance.asked_at is None else round(max(0.0, now - instance.asked_at), 3),
        "missing": _missing(core, instance, answers, now),
        "flip": _flip(core, instance, answers, now),
    }


def _tree(node: TruthNode) -> Json:
    return {
        "source": node.source,
        "truth": node.truth.value if node.truth else None,
        "value": node.value,
        "age": None if node.age is None else round(node.age, 3),
        "because": node.because,
        "children": [_tree(child) for child in node.children],
    }


def _asked(core: Core, instance: Instance) -> tuple[Answer, ...]:
    """What the gates would say now to its next step; they are pure, so that asking changes nothing."""
    incident = core.desk.memory.incidents.get(instance.key)
    number = incident.step if incident else 0
    question = core.acting.question_of(instance, number)
    if question is None:
        return instance.answers
    # What it does just now holds its own place, and rests on its own approval.
    own = next((one.id for one in core.desk.memory.intents.values() if one.incident == instance.key), "")
    return order.ask_all(replace(question, intent=own))


def _given_up(core: Core, instance: Instance) -> str:
    """Who or what ended it."""
    because = core.desk.memory.incidents[instance.key].because
    return f"it was given up: {because}" if because else "its remedies are exhausted"


def _missing(core: Core, instance: Instance, answers: tuple[Answer, ...], now: float) -> str:
    """The first thing that stands between now and an action, in the order the core asks."""
    phase = report.phase(core, instance)
    refused = order.first_refusal(answers)
    blocked = f"{refused[0]}: {refused[1].because}" if refused else ""
    if phase == "disabled":
        return "the rule is switched off (healer rules enable)"
    if phase == "given-up":
        why = _given_up(core, instance)
        return f"{why} (healer ack {instance.target.id} re-arms it)"
    if phase in {"acting", "verifying"}:
        return "nothing: it acts, or proves what it did"
    if instance.truth is Truth.UNKNOWN:
        return f"its condition is unknown: {_unknown(core, instance, now)}"
    if phase == "firing":
        return f"withheld by {blocked}" if blocked else "nothing: it acts now"
    if instance.truth is Truth.FALSE:
        return "its condition is false" + (f"; were it true, it would be withheld by {blocked}" if blocked else "")
    return _unconfirmed(instance, now) + (f"; then it would be withheld by {blocked}" if blocked else "")


def _flip(core: Core, instance: Instance, answers: tuple[Answer, ...], now: float) -> Json:
    """The smallest change that would have turned it round; all that is listed has to change together.

    ``ends`` is the wall-clock second at which a gate opens by itself, null where it does not.
    """
    phase = report.phase(core, instance)
    acts = phase in {"acting", "verifying"} or (phase == "firing" and order.first_refusal(answers) is None)
    way = flip.to(core.evaluator, f"{instance.key}|when", now, true=not acts)
    if acts and instance.truth is not Truth.TRUE:
        what = []  # it has acted, and judges anew: what it acted on is in its intent
    elif way is None:
        what = [_change("nothing small: its condition is far from it")]
    else:
        what = [_change(str(one)) for one in way]
        if not acts:
            what += [] if phase == "firing" else [_change(text) for text in _confirmation(instance, now)]
            what += [
                _change(_told(one.gate, one.refusal), one.refusal.until, core.desk.wall_offset)
                for one in answers
                if one.refusal is not None
            ]
    return {"to": "not act" if acts else "act", "changes": what}


def _told(gate: str, refusal: Refusal) -> str:
    return f"{gate}: {refusal.because}" + (f" -> {refusal.proposal}" if refusal.proposal else "")


def _change(what: str, until: float | None = None, wall_offset: float = 0.0) -> Json:
    return {"what": what, "ends": None if until is None else round(until + wall_offset, 3)}


def _confirmation(instance: Instance, now: float) -> Iterator[str]:
    """What its condition still has to show, once it is true."""
    rule = instance.rule
    if rule.trigger.kind != "auto":
        yield f"its trigger ({rule.trigger.kind})"
        return
    if rule.samples:
        bad, wanted = sum(truth is Truth.TRUE for truth in instance.samples), rule.samples.bad
        if (more := wanted - bad) > 0:
            samples = "sample" if more == 1 else "samples"
            yield f"{more} more bad {samples} ({bad} of the last {rule.samples.of} are, {wanted} must be)"
    held = instance.confirmed_so_far(now)
    if rule.for_ > held:
        yield f"{rule.for_ - held:.1f} s more of it (it held for {held:.1f} s of {rule.for_:g} s)"


def _unconfirmed(instance: Instance, now: float) -> str:
    rule = instance.rule
    if rule.trigger.kind != "auto":
        spent = f"; what last started it came to nothing: {instance.spent}" if instance.spent else ""
        return f"it waits for its trigger ({rule.trigger}){spent}"
    left = instance.confirmed_in(now)
    if left == float("inf") and rule.samples:
        return f"fewer than {rule.samples.bad} of the last {rule.samples.of} samples are bad"
    return f"its condition has to hold for {left:.1f} s more"


def _unknown(core: Core, instance: Instance, now: float) -> str:
    """Name what is not known, and why."""
    dark = list(_dark(truth_tree.explain(core.evaluator, f"{instance.key}|when", now)))
    return "; ".join(f"{node.source}: {node.because}" for node in dark[:4]) or "a part of it is"


def _dark(node: TruthNode) -> Iterator[TruthNode]:
    """The leaves that are unknown."""
    if node.because:
        yield node
    else:
        for child in node.children:
            yield from _dark(child)
