"""The kill switch gate: nothing is done while the switch file stands."""

from healer.gates.interface import Question, Refusal


def ask(question: Question) -> Refusal | None:
    """Refuse while the switch was last seen on; the executor looks at the file itself again before it acts."""
    if question.memory.kill_switch:
        return Refusal(because="the kill switch is on (healer resume-healing takes it away)")
    return None
