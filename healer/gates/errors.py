"""The errors gate: a verb that fails on target after target of a kind is skipped, and tried again after a while."""

from healer.gates.interface import Question, Refusal
from healer.model.memory import error_key


def ask(question: Question) -> Refusal | None:
    """Refuse after so many errors in a row; once the pause is over, one is let through to see (half-open)."""
    errors = question.memory.errors.get(error_key(question.action, question.target.id))
    if errors is None or errors.count < question.brakes.errors_until_skipped:
        return None
    if not question.rule and question.spelled_out:
        return None
    what = f"skipped: {question.action} of a {question.target.kind} failed {errors.count} times in a row"
    proposal = f"look at what carries it out: {errors.because}"
    ends = errors.changed + question.brakes.errors_retried_after
    if question.now < ends:
        return Refusal(because=f"{what}, last because {errors.because}", until=ends, proposal=proposal)
    if trial := _trial(question):
        return Refusal(because=f"{what}; one more is being tried ({trial})", proposal=proposal)
    return None


def _trial(question: Question) -> str:
    """The intent by which it is being tried just now."""
    key = error_key(question.action, question.target.id)
    return next(
        (
            one.id
            for one in question.memory.intents.values()
            if one.ended is None and one.id != question.intent and error_key(one.action, one.target) == key
        ),
        "",
    )
