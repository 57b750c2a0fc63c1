"""When what started a rule is over: an event, a person's word, a moment of the calendar is no standing order.

A rule that its condition starts may wait for a gate as long as the condition holds. One that something else started
acts for that one occasion: hours later, when a mode is raised or maintenance ends, it would act on a story.
"""

from healer.core.instance import SHORTEST, Instance
from healer.gates import order
from healer.gates.interface import Answer
from healer.model.memory import Incident
from healer.rules.rule import CONTROL

PATIENCE = 900.0
"""Seconds for which a start waits, at each rung, for gates that say no."""
FOR_GOOD = frozenset({"mode", "kill_switch", "maintenance", "active", "mass_failure", "causality", "self_harm"})
"""Gates that do not open for the asking: what they hold back is not made up for when they do."""
OWN_END = frozenset({"approval", "concurrency"})
"""Gates whose waiting has an end of its own, as that of a rung that only waits."""


def spent(instance: Instance, incident: Incident, now: float) -> str:
    """Why nothing comes any more of what started a rule; empty while something may, or where its condition did."""
    if instance.rule.trigger.kind == "auto":
        return ""
    # The log has microseconds: a phase may seem to have begun a little after the moment in which it did.
    asked = instance.asked_at is not None and instance.asked_at >= incident.since - SHORTEST
    if asked and (because := for_good(instance.answers, incident.since)):
        return because
    refused = order.first_refusal(instance.answers) if asked else None
    rung = instance.plan.rung(incident.step)
    waits = (refused and refused[0] in OWN_END) or (rung is not None and rung.step.action in CONTROL)
    if waits or now - incident.since < PATIENCE + instance.rule.settle:
        return ""
    return f"nothing could be done for {PATIENCE:g} s, and what started it is over"


def for_good(answers: tuple[Answer, ...], since: float) -> str:
    """Why a start is withheld for good; empty where it passes, or may pass within the time that is waited."""
    refused = order.first_refusal(answers)
    if refused is None or refused[0] in OWN_END:
        return ""
    gate, refusal = refused
    open_breaker = gate == "breaker" and refusal.until is None
    too_late = refusal.until is not None and refusal.until - since > PATIENCE
    if gate in FOR_GOOD or open_breaker or too_late:
        return f"withheld by {gate}: {refusal.because}"
    return ""
