"""Lower a mode: the agent's, an organ's, a rule's or a target's."""

from collections.abc import Callable

from healer.actions.interface import Action, Done, Order
from healer.errors import ActionError, HealerError

SetMode = Callable[[str, str, str], None]
"""(subject, mode, because): hand the wish to whoever owns modes; raises HealerError when it is not legal."""


class SetModeAction(Action):
    """The hand only wishes; the core decides, and refuses to raise a mode."""

    verb = "set_mode"
    kinds = ("*",)
    touches = "how far the agent may go"

    def __init__(self, wish: SetMode) -> None:
        self._wish = wish

    async def act(self, order: Order) -> Done:
        """Hand the wish on; raises ActionError when it is refused."""
        subject, mode = _wanted(order)
        try:
            self._wish(subject, mode, order.because)
        except HealerError as exc:
            raise ActionError(exc.message, hint=exc.hint, transient=False) from exc
        return Done(because=f"asked for mode {mode} of {subject}")

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        subject, mode = _wanted(order)
        return f"would ask for mode {mode} of {subject}"


def _wanted(order: Order) -> tuple[str, str]:
    return str(order.params.get("subject") or order.target.id), str(order.params["mode"])
