"""The concurrency gate: so many actions of one key under way at once, and the most urgent of those that wait first."""

from healer.gates.interface import Question, Refusal


def ask(question: Question) -> Refusal | None:
    """Refuse where every place of a key is taken, or kept for somebody more urgent who waits for it."""
    for slot in question.slots:
        if len(slot.taken) >= slot.max:
            held = ", ".join(slot.taken[:4])
            return Refusal(because=f"{slot.key}: {len(slot.taken)} of at most {slot.max} under way ({held})")
        if len(slot.taken) + len(slot.ahead) >= slot.max:
            return Refusal(because=f"{slot.key}: {slot.ahead[0]} is more urgent, or has waited longer")
    return None
