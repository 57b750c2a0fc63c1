"""The mode gate: only ``auto`` (and an approved ``approve``) acts; the strictest mode that applies wins."""

from healer.gates.interface import Question, Refusal
from healer.model.mode import Mode

_LOWERED = (", lowered by command", ", lowered")


def ask(question: Question) -> Refusal | None:
    """Refuse below ``approve``; approval has a gate of its own."""
    source, mode = min(question.modes, key=lambda pair: pair[1], default=("default", Mode.AUTO))
    if mode >= Mode.APPROVE:
        return None
    because = f"mode is {mode.word} ({source}): {question.action} of {question.target.id} is only shown"
    # All that holds it back has to go, not the strictest alone.
    cures = dict.fromkeys(_cure(source, question) for source, mode in question.modes if mode < Mode.APPROVE)
    return Refusal(because=because, proposal="; and ".join(cures))


def _cure(source: str, question: Question) -> str:
    """What to write or say so that this mode lets it act."""
    kind, _, name = source.partition(" ")
    if source.endswith(_LOWERED):
        scope = source.partition(", lowered")[0]
        return f"healer resume {scope.replace('rule ', 'rule:', 1) if kind == 'rule' else scope}"
    if source.startswith("profile economy"):
        return "raise its priority to critical, or wait until the host is calm"
    if kind == "profile":
        return f"end the profile {name} (profile in organism.yaml, and reload)"
    if kind == "rule":
        return f"write mode: auto in {question.written or f'rule {name}'} and reload"
    where = f"at {source} in organism.yaml" if name else "in organism.yaml"
    return f"write mode: auto {where} and reload"
