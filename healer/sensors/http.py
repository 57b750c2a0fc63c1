"""Ask a web server: whether it answers in time and as expected, how fast, and what it says of itself."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from healer.drivers.http import Http, HttpError, Reply
from healer.errors import HealerError, SensorError
from healer.model.observation import Reading
from healer.model.target import EMPTY, Target
from healer.sensors import reply as replies
from healer.sensors.interface import Push, TargetSensor
from healer.sensors.sane import Sieve

_MARGIN = 0.5
"""Seconds beyond the target's timeout: that a server hangs is our finding, not a failed look."""

_AGAIN = 0.5
"""Share of the target's time after which it is asked a second time."""
_SUCCESS = frozenset(range(200, 300))
"""What is well where nothing else is asked for: one set for all, for it is 9 KB."""


class HttpSensor(TargetSensor):
    """One address.

    Keys of the target: ``url``, ``expect`` (``status``: those that are fine, else 2xx; ``body``: text it must hold),
    ``headers``, ``json`` (paths: ``state``, ``error``, ``message``, ``value``, ``metrics``), ``verify_tls``.
    A refused connection, a timeout, a bad certificate are facts about the server (``http.ok`` 0, with the reason in
    ``http.message``). A name that cannot be looked up, or a network of ours that is down, makes all unknown.

    A server that is silent for half of its time is asked once more, on a connection of its own, while the first
    question still stands: what is told as hung has left two of them without an answer, and one that was lost on its
    way, or fell to the one worker that hangs, is no failure. This costs no time, where a second look would cost its
    interval.
    """

    def __init__(self, target: Target, http: Http) -> None:
        super().__init__(target, margin=_MARGIN)
        spec = target.spec
        expect: Mapping[str, Any] = spec.get("expect") or EMPTY
        self._http = http
        self._url = str(spec["url"])
        self._headers: Mapping[str, Any] = spec.get("headers") or EMPTY
        self._statuses = frozenset(expect["status"]) if expect.get("status") else _SUCCESS
        self._body = str(expect.get("body") or "").encode()
        self._json: Mapping[str, Any] = spec.get("json") or EMPTY
        self._verify = bool(spec.get("verify_tls", True))

    async def open(self, push: Push) -> None:  # noqa: ARG002 - it pushes nothing
        """Load what it needs, off the loop."""
        await self._http.open()

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask once."""
        sieve = Sieve(now, self.marks)
        answer = await self._ask(revealed(self._headers))
        if isinstance(answer, Reply):
            self._judge(sieve, answer)
        elif answer.fact:
            sieve.number("http.ok", 0)
            sieve.word("http.message", answer.message)
            sieve.all_unknown(("http.latency", "http.status"), answer.message)
        else:
            raise SensorError(answer.message, hint=answer.hint) from answer
        self.garbage += sieve.garbage
        return sieve.readings

    async def _ask(self, headers: Mapping[str, str]) -> Reply | HttpError:
        """The first answer of two questions, the second of which is asked only where the first one waits long."""
        patience = self.patience * _AGAIN
        async with asyncio.TaskGroup() as group:
            first = group.create_task(self._once(headers, self.patience))
            await asyncio.wait({first}, timeout=patience)
            if first.done():
                return first.result()
            second = group.create_task(self._once(headers, self.patience - patience))
            await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
            if not first.done() and isinstance(again := second.result(), Reply):
                first.cancel()
                return replace(again, took=again.took + patience)
            answer = await first
            second.cancel()
        return answer

    async def _once(self, headers: Mapping[str, str], timeout: float) -> Reply | HttpError:
        try:
            return await self._http.ask(self._url, headers=headers, timeout=timeout, verify=self._verify)
        except HttpError as exc:
            return exc

    def _judge(self, sieve: Sieve, answer: Reply) -> None:
        sieve.number("http.latency", answer.took)
        sieve.number("http.status", answer.status)
        because = self._objection(answer)
        wrong = self._read_json(sieve, answer)
        if wrong and not because:
            because = "its reply says there is an error"
        sieve.number("http.ok", not because)
        if not self._json.get("message"):
            sieve.word("http.message", because)

    def _objection(self, answer: Reply) -> str:
        if answer.status not in self._statuses:
            return f"status {answer.status}"
        if self._body and self._body not in answer.body:
            where = "the answer" if answer.complete else f"the first {len(answer.body)} bytes of the answer"
            return f"the expected text is not in {where}"
        return ""

    def _read_json(self, sieve: Sieve, answer: Reply) -> bool | None:
        if not self._json:
            return None
        try:
            document = replies.parse(answer.body)
        except SensorError as exc:
            named = [f"http.{key}" for key in ("state", "error", "message") if self._json.get(key)]
            sieve.all_unknown(named, exc.message)
            return None
        replies.tell_numbers(sieve, "http", self.target, replies.numbers(document, self._json))
        return replies.tell(sieve, "http", document, self._json)


def revealed(headers: Mapping[str, Any]) -> dict[str, str]:
    """Headers with their secrets read now: never kept, and never in a message. Raises SensorError."""
    shown: dict[str, str] = {}
    for name, value in headers.items():
        reveal = getattr(value, "reveal", None)
        try:
            shown[name] = str(reveal(os.environ)) if reveal is not None else str(value)
        except HealerError as exc:
            raise SensorError(exc.message, hint=exc.hint) from exc
    return shown
