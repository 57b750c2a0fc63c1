"""The order in which the gates are asked, and the one function that asks them all, on every path that acts."""

from healer.gates import (
    active,
    approval,
    backoff,
    blast_radius,
    breaker,
    causality,
    concurrency,
    conflict,
    cooldown,
    dependency,
    errors,
    flapping,
    kill_switch,
    limit,
    maintenance,
    mass_failure,
    mode,
    oscillation,
    saturation,
    self_harm,
)
from healer.gates.interface import Answer, Gate, Question, Refusal

ORDER: tuple[tuple[str, Gate], ...] = (
    ("mode", mode.ask),
    ("kill_switch", kill_switch.ask),
    ("maintenance", maintenance.ask),
    ("active", active.ask),
    ("dependency", dependency.ask),
    ("mass_failure", mass_failure.ask),
    ("causality", causality.ask),
    ("cooldown", cooldown.ask),
    ("limit", limit.ask),
    ("backoff", backoff.ask),
    ("breaker", breaker.ask),
    ("errors", errors.ask),
    ("oscillation", oscillation.ask),
    ("flapping", flapping.ask),
    ("conflict", conflict.ask),
    ("concurrency", concurrency.ask),
    ("blast_radius", blast_radius.ask),
    ("saturation", saturation.ask),
    ("self_harm", self_harm.ask),
    ("approval", approval.ask),
)

AFTER_THE_SEAL = frozenset(
    {"mode", "kill_switch", "maintenance", "dependency", "mass_failure", "conflict", "self_harm", "approval"}
)
"""Gates whose answer may have changed while the intent was being sealed. The counting ones may not be asked again:
the intent itself is counted by then."""


def ask_all(question: Question) -> tuple[Answer, ...]:
    """Every gate's answer, in order; kept whole so that `explain` can show each."""
    return tuple(Answer(gate=name, refusal=_ask(gate, question)) for name, gate in ORDER)


def ask_again(question: Question) -> tuple[Answer, ...]:
    """The answers that matter between the seal and the effect."""
    return tuple(Answer(gate=name, refusal=_ask(gate, question)) for name, gate in ORDER if name in AFTER_THE_SEAL)


def first_refusal(answers: tuple[Answer, ...]) -> tuple[str, Refusal] | None:
    """The gate that stops it, or None when all let it pass."""
    return next(((answer.gate, answer.refusal) for answer in answers if answer.refusal is not None), None)


def _ask(gate: Gate, question: Question) -> Refusal | None:
    try:
        return gate(question)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        # Unreadable state fails closed: a gate that cannot answer says no.
        return Refusal(because=f"the gate could not answer: {exc!r}")
