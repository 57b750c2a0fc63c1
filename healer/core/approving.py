"""What people answer when they are asked: once, in time, and only while what was asked for still holds."""

from typing import TYPE_CHECKING

from healer.core.acting import PATIENCE
from healer.core.consent import seal
from healer.core.instance import Instance
from healer.errors import RefusedError
from healer.gates import order
from healer.gates.approval import is_over
from healer.model.memory import Approval
from healer.model.request import Request
from healer.model.truth import Truth

if TYPE_CHECKING:
    from healer.core.core import Core

_LATE = "it was not used in time"


class Approving:
    """The part of the core that takes people's answers, and their silence."""

    def __init__(self, core: "Core") -> None:
        self._core = core

    def approve(self, request: Request) -> str:
        """Take a yes: what was asked for is proved anew, and done at once or not at all; raises RefusedError."""
        core, approval = self._core, self._open(request)
        core.incidents.settle()  # the answer is judged by what is known now, not by what was when it was asked for
        instance = core.instances.get(approval.incident)
        if instance is None or (because := self._moved(approval, instance)):
            because = because if instance else "its rule or target is gone"
            self._drop(approval, request.who, because)
            raise RefusedError(f"{approval.id} is stale: {because}", hint="where it is still needed, it is asked anew")
        seal(core.desk, approval, "granted", request.who, said(request))
        core.incidents.at_once(instance)
        return f"{approval.id} is granted: {approval.action} of {approval.target}"

    def deny(self, request: Request) -> str:
        """Take a no: the incident is given up; raises RefusedError."""
        approval = self._open(request)
        self._refuse(approval, "denied", request.who, said(request))
        return f"{approval.id} is denied: {approval.target} is left as it is"

    def _open(self, request: Request) -> Approval:
        """The question meant, where nobody has answered it yet; compare and set, all in one event."""
        memory, key = self._core.desk.memory, str(request.args.get("id", ""))
        approval = memory.approvals.get(key)
        if approval is None:
            told = memory.answered.get(key)
            raise RefusedError(
                f"{key} is closed: {told}" if told else f"no approval {key[:60]!r}", hint="healer approvals"
            )
        if approval.state != "asked":
            raise RefusedError(f"{key} was granted by {approval.who} already")
        if is_over(approval, self._core.desk.now, self._core.desk.wall_us):
            raise RefusedError(f"{key} is too old to be answered")
        return approval

    def _moved(self, approval: Approval, instance: Instance) -> str:
        """Why what was asked for may not be done any more; an empty string where it may."""
        core, incident = self._core, self._core.desk.memory.incidents.get(approval.incident)
        if incident is None or incident.phase != "firing" or incident.step != approval.step:
            return "its incident has moved on"
        if instance.truth is not Truth.TRUE:
            return f"the condition is {instance.truth.value} now"
        target = core.world.targets.get(approval.target)
        question = core.acting.question_of(instance, approval.step)
        if target is None or question is None or question.target.id != approval.target:
            return "its rule has changed"
        others = tuple(answer for answer in order.ask_all(question) if answer.gate != "approval")
        refused = order.first_refusal(others)
        return f"{refused[0]}: {refused[1].because}" if refused else ""

    def _refuse(self, approval: Approval, decision: str, who: str, because: str) -> None:
        seal(self._core.desk, approval, decision, who, because)
        told = f"{approval.id} denied by {who}: {because}"
        if decision == "expired":
            told = f"nobody answered {approval.id} in time"
        self._core.incidents.denied(approval.incident, told)

    def _drop(self, approval: Approval, who: str, because: str) -> None:
        """Close a question that has no answer any more; where it is still one, it is asked anew."""
        seal(self._core.desk, approval, "stale", who, because)
        if instance := self._core.instances.get(approval.incident):
            self._core.incidents.at_once(instance)

    def expire(self) -> None:
        """Close what nobody answered in time (a no), what has no incident any more, and a yes that was not used."""
        desk = self._core.desk
        for approval in list(desk.memory.approvals.values()):
            incident = desk.memory.incidents.get(approval.incident)
            if approval.state == "used":
                continue
            if approval.state == "granted" and desk.now - (approval.answered or 0.0) > PATIENCE:
                self._drop(approval, "agent", _LATE)
            elif incident is None or incident.phase != "firing" or incident.step != approval.step:
                self._drop(approval, "agent", "its incident has moved on")
            elif is_over(approval, desk.now, desk.wall_us):
                self._refuse(approval, "expired", "agent", "nobody answered in time")

    def recover(self) -> None:
        """A yes of a former life is not carried out: what is still open is asked about anew."""
        desk = self._core.desk
        for approval in list(desk.memory.approvals.values()):
            if approval.state == "granted":
                self._drop(approval, "agent", "the agent stopped between the yes and the action")


def said(request: Request) -> str:
    """The reason a person gave."""
    return str(request.args.get("because") or "no reason given")[:500]
