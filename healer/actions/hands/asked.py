"""How much an order asks for, read and applied in one way by the hands of every kind; all raise ActionError."""

from collections.abc import Iterable, Mapping

from healer.actions.interface import Order
from healer.errors import ActionError, HealerError
from healer.model import change
from healer.model.change import Change


def asked(value: object) -> Change:
    """One change, read already or as text."""
    if isinstance(value, Change):
        return value
    try:
        return change.parse(str(value))
    except HealerError as exc:
        raise ActionError(exc.message, hint=exc.hint, transient=False) from exc


def changes(order: Order, settings: Iterable[str]) -> Mapping[str, Change]:
    """What the order asks of these settings, at least of one."""
    names = tuple(settings)
    found = {name: asked(order.params[name]) for name in names if order.params.get(name) is not None}
    if not found:
        raise ActionError("nothing to adjust", hint=f"one of: {', '.join(names)}", transient=False)
    return found


def applied(wanted: Change, now: float, *, least: float, most: float, whole: float = 1.0) -> float:
    """The new value, as `Change.apply` has it."""
    try:
        return wanted.apply(now, least=least, most=most, whole=whole)
    except HealerError as exc:
        raise ActionError(exc.message, hint=exc.hint, transient=False) from exc


def instances(order: Order, now: int, *, least: int, most: int) -> int:
    """How many are to run; a share without a sign is of the most."""
    return round(applied(asked(order.params["to"]), now, least=least, most=most, whole=most))


def told(order: Order, settings: Iterable[str]) -> str:
    """What the order asks of these settings, for a dry run."""
    words = [f"{name} {order.params[name]}" for name in settings if order.params.get(name) is not None]
    return ", ".join(words) or "nothing"
