"""Keep evidence: what can still be told of a target, under the name of its own hash."""

from healer.actions.evidence import MOST, Evidence
from healer.actions.interface import Action, Done, Order
from healer.errors import ActionError, SensorError


class Capture(Action):
    """The log holds the hash, so the file can be trusted later exactly as far as the log can."""

    verb = "capture"
    kinds = ("program", "process", "container", "unit")
    touches = "the evidence folder"

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    async def act(self, order: Order) -> Done:
        """Gather and keep; raises ActionError when nothing could be written."""
        most = int(order.params.get("max_size") or MOST)
        try:
            kept = await self._evidence.capture(order, within=max(0.5, order.timeout - 2.0), most=most)
        except OSError as exc:
            raise ActionError(f"cannot keep evidence: {exc.strerror}") from exc
        except SensorError as exc:
            raise ActionError(exc.message) from exc
        facts = {"sha256": kept.sha256, "size": kept.size, "file": f"evidence/{kept.sha256}.json"}
        return Done(because=f"kept {kept.size} bytes of evidence {kept.sha256}", facts=facts)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would keep evidence of {order.target.id}"
