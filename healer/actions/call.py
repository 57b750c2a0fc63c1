"""Send one HTTP request."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Protocol

from healer.actions.interface import Action, Done, Order
from healer.drivers.http import HttpError, Reply
from healer.errors import ActionError, AmbiguousError, HealerError
from healer.model.target import EMPTY
from healer.yamldoc.secret import Secret

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST = 65536


class Asker(Protocol):
    """The HTTP driver, as far as a call needs it."""

    async def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = EMPTY,
        body: bytes = b"",
        timeout: float = 5.0,
        most: int = 0,
    ) -> Reply:
        """Ask once; raises HttpError, which knows whether the request may have arrived."""


class Call(Action):
    """Never retried here: a lost reply to a request that changes something is ambiguous, and that is the end of it."""

    verb = "call"
    kinds = ("*",)
    touches = "whatever answers at the address"

    def __init__(self, http: Callable[[], Asker]) -> None:
        self._http = http

    async def act(self, order: Order) -> Done:
        """Send it; raises ActionError or AmbiguousError."""
        method = str(order.params.get("method") or "POST")
        headers, body = _content(order)
        reply = await send(self._http(), str(order.params["url"]), method, headers, body, order.timeout)
        ok = order.params.get("ok") or ()
        if not (reply.status in ok if ok else 200 <= reply.status < 300):
            # 4xx: the request itself is wrong, and will be wrong again; but for these three, which say "later".
            again = reply.status >= 500 or reply.status in {408, 425, 429}
            raise ActionError(f"answered {reply.status}", transient=again)
        return Done(because=f"answered {reply.status}", rc=reply.status, output=reply.body)

    def would(self, order: Order) -> str:
        """The sentence for a dry run; the query of the address is not shown."""
        return f"would {order.params.get('method') or 'POST'} {str(order.params['url']).partition('?')[0]}"


async def send(http: Asker, url: str, method: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
    """One request; raises ActionError when it did not arrive (or changes nothing), else AmbiguousError."""
    try:
        return await http.ask(url, method=method, headers=headers, body=body, timeout=timeout, most=_MOST)
    except HttpError as exc:
        if exc.sent and method not in _SAFE:
            raise AmbiguousError(f"{exc.message}; it may have arrived", hint=exc.hint) from exc
        raise ActionError(exc.message, hint=exc.hint, transient=exc.kind != "request") from exc


def _content(order: Order) -> tuple[dict[str, str], bytes]:
    headers = revealed(order.params.get("headers") or EMPTY)
    if order.params.get("json") is not None:
        body = json.dumps(dict(order.params["json"]), allow_nan=False).encode()
        return {"content-type": "application/json", **headers}, body
    return headers, str(order.params.get("body") or "").encode()


def revealed(headers: Mapping[str, str | Secret]) -> dict[str, str]:
    """Headers with their secrets read, at the last moment; raises ActionError where one cannot be."""
    try:
        return {
            name.lower(): value.reveal(os.environ) if isinstance(value, Secret) else str(value)
            for name, value in headers.items()
        }
    except HealerError as exc:
        raise ActionError(exc.message, hint=exc.hint, transient=False) from exc
