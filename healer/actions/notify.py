"""Tell people, through a channel of ``notify:`` in organism.yaml."""

from collections.abc import Mapping

from healer.actions.interface import Action, Done, Order
from healer.actions.voices import Voices
from healer.model.alert import SEVERITIES, Message

_MOST_LINES = 50


class Notify(Action):
    """An unknown channel falls back to the journal, and says so: silence is the worst message."""

    verb = "notify"
    kinds = ("*",)
    touches = "people's attention"

    def __init__(self, voices: Voices) -> None:
        self._voices = voices

    async def act(self, order: Order) -> Done:
        """Tell; raises SkippedError, ActionError or AmbiguousError where the channel was not told."""
        name = _channel(order)
        own = "id" in order.params  # the agent's own messages are grouped before they come here
        tell = self._voices.tell if own else self._voices.relay
        receipt = await tell(name, message_of(order), order.timeout)
        told = "told" if name in self._voices else f"there is no channel {name}; told"
        return Done(because=f"{told} {receipt.because}", rc=receipt.rc, output=receipt.output)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would tell {_channel(order)}: {_says(order)}"


def message_of(order: Order) -> Message:
    """The message that a sealed intent asks for."""
    params = order.params
    severity = str(params.get("severity") or "warning")
    facts = {**_about(order), "incident": order.incident, "intent": order.intent}
    return Message(
        id=str(params.get("id") or order.intent or order.incident),
        severity=severity if severity in SEVERITIES else "warning",
        says=_says(order),
        lines=_texts(params.get("lines")),
        # What a rule tells of one incident is one thread, whoever writes its first letter.
        thread=_texts(params.get("thread")) or ((order.incident,) if order.incident and not params.get("id") else ()),
        facts=facts,
    )


def _about(order: Order) -> Mapping[str, str]:
    """The target and the rule a message is about; of an alert of the agent itself its first trouble says."""
    target, rule = order.target.id, order.rule
    first = next(iter(_texts(order.params.get("about"))), "") if order.target.kind == "host" else ""
    what, _, name = first.partition(":")
    if what == "target":
        target = name
    elif what == "incident":
        rule, _, target = name.partition("@")
    return {"target": target, "rule": rule}


def _texts(given: object) -> tuple[str, ...]:
    return tuple(map(str, given))[:_MOST_LINES] if isinstance(given, list | tuple) else ()


def _channel(order: Order) -> str:
    return str(order.params.get("channel") or "journal")


def _says(order: Order) -> str:
    return str(order.params.get("message") or order.because or f"{order.rule}: look at {order.target.id}")
