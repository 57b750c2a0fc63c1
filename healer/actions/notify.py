"""Tell people, through a channel of ``notify:`` in organism.yaml."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from healer.actions.call import Asker, revealed, send
from healer.actions.interface import Action, Done, Order
from healer.clock import Clock
from healer.config.channel import JOURNAL, Channel
from healer.drivers import journal
from healer.errors import ActionError, AmbiguousError

_PRIORITY = {"info": 6, "warning": 4, "critical": 2}
_TRIES = 3
Write = Callable[[str, int, Mapping[str, str]], bool]
"""(message, syslog priority, fields): True when the journal has it, False when only standard error does."""


class Notify(Action):
    """An unknown channel falls back to the journal, and says so: silence is the worst message."""

    verb = "notify"
    kinds = ("*",)
    touches = "people's attention"

    def __init__(
        self,
        channels: Mapping[str, Channel],
        clock: Clock,
        node: str,
        http: Callable[[], Asker],
        write: Write = journal.write,
    ) -> None:
        self._channels = channels
        self._clock = clock
        self._node = node
        self._http = http
        self._write = write

    async def act(self, order: Order) -> Done:
        """Tell; raises ActionError when nobody could be told."""
        name = _channel(order)
        channel = self._channels.get(name, JOURNAL)
        because = "told" if name in self._channels or name == "journal" else f"there is no channel {name}; told"
        if channel.kind == "journal":
            return self._to_journal(order, because)
        return await self._to_webhook(order, channel)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would tell {_channel(order)}: {_message(order)}"

    def _to_journal(self, order: Order, because: str) -> Done:
        fields = {"target": order.target.id, "rule": order.rule, "incident": order.incident, "intent": order.intent}
        arrived = self._write(_message(order), _PRIORITY[_severity(order)], fields)
        return Done(because=f"{because} {'the journal' if arrived else 'standard error'}")

    async def _to_webhook(self, order: Order, channel: Channel) -> Done:
        headers = {"content-type": "application/cloudevents+json", **revealed(channel.headers)}
        body = json.dumps(self._event(order), allow_nan=False).encode()
        deadline = self._clock.now() + order.timeout
        last: ActionError | None = None
        for _ in range(_TRIES):
            left = min(channel.timeout, deadline - self._clock.now())
            if left <= 0:
                break
            try:
                reply = await send(self._http(), channel.url, "POST", headers, body, left)
            except ActionError as exc:
                # The event's id lets the receiver see a second copy for what it is, so a lost reply may be repeated.
                last = exc if not isinstance(exc, AmbiguousError) else ActionError(exc.message)
                if not exc.transient and not isinstance(exc, AmbiguousError):
                    break
                continue
            if 200 <= reply.status < 300:
                return Done(because=f"told {channel.name}", rc=reply.status)
            last = ActionError(f"{channel.name} answered {reply.status}", transient=reply.status >= 500)
            if reply.status < 500:
                break
        raise last or ActionError(f"no time left to tell {channel.name}")

    def _event(self, order: Order) -> dict[str, object]:
        """A CloudEvent 1.0 in its JSON form."""
        return {
            "specversion": "1.0",
            "id": order.intent or order.incident,
            "source": f"/healer/{self._node}",
            "type": "healer.notification",
            "subject": order.target.id,
            "time": datetime.fromtimestamp(self._clock.wall(), UTC).isoformat(timespec="milliseconds"),
            "datacontenttype": "application/json",
            "data": {
                "message": _message(order),
                "severity": _severity(order),
                "target": order.target.id,
                "rule": order.rule,
                "incident": order.incident,
                "intent": order.intent,
            },
        }


def _channel(order: Order) -> str:
    return str(order.params.get("channel") or "journal")


def _message(order: Order) -> str:
    return str(order.params.get("message") or order.because or f"{order.rule}: look at {order.target.id}")


def _severity(order: Order) -> str:
    severity = str(order.params.get("severity") or "warning")
    return severity if severity in _PRIORITY else "warning"
