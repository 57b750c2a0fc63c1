"""The mass-failure gate: too many sick at once means that we are the ones who are wrong."""

from healer.gates.interface import Question, Refusal
from healer.model.verbs import VERBS

LOG_FULL = "there is no room for the log"
"""How the reason begins where a full disk brought safe mode about: then what gives space back is the cure."""


def ask(question: Question) -> Refusal | None:
    """Refuse in safe mode, whatever brought it about; on a full disk all but what frees some of it."""
    if question.memory.safe_mode and not _cures(question):
        return Refusal(because=f"safe mode: {question.memory.safe_mode} (healer resume-healing ends it)")
    return None


def _cures(question: Question) -> bool:
    verb = VERBS.get(question.action)
    return verb is not None and verb.frees and question.memory.safe_mode.startswith(LOG_FULL)
