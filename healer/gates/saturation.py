"""The saturation gate: a restart cannot cure an overloaded host, it only adds a cold start to the load."""

from healer.gates.interface import Question, Refusal
from healer.model.organism import Health

DISK_FULL = 0.99


def ask(question: Question) -> Refusal | None:
    """Refuse to disrupt something that still runs while the host is starved.

    What is down already gains from being started whatever the load; what merely answers slowly does not.
    """
    if not question.disruptive or question.view.health(question.target.id) is Health.FAILED:
        return None
    for name, value in sorted(question.view.pressure().items()):
        if name.startswith("disk:"):
            if value >= DISK_FULL:
                return Refusal(because=f"{name.removeprefix('disk:')} is full ({value:.0%}): free space instead")
        elif value > question.brakes.saturation_psi:
            return Refusal(because=f"{name} pressure is {value:.0%}: a restart cannot cure overload")
    return None
