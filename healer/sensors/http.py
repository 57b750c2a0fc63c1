"""Ask a web server: whether it answers in time and as expected, how fast, and what it says of itself."""

import os
from collections.abc import Mapping, Sequence
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


class HttpSensor(TargetSensor):
    """One address.

    Keys of the target: ``url``, ``expect`` (``status``: those that are fine, else 2xx; ``body``: text it must hold),
    ``headers``, ``json`` (paths: ``state``, ``error``, ``message``, ``value``, ``metrics``), ``verify_tls``.
    A refused connection, a timeout, a bad certificate are facts about the server (``http.ok`` 0, with the reason in
    ``http.message``). A name that cannot be looked up, or a network of ours that is down, makes all unknown.
    """

    def __init__(self, target: Target, http: Http) -> None:
        super().__init__(target, margin=_MARGIN)
        spec = target.spec
        expect: Mapping[str, Any] = spec.get("expect") or EMPTY
        self._http = http
        self._url = str(spec["url"])
        self._headers: Mapping[str, Any] = spec.get("headers") or EMPTY
        self._statuses = frozenset(expect.get("status") or range(200, 300))
        self._body = str(expect.get("body") or "").encode()
        self._json: Mapping[str, Any] = spec.get("json") or EMPTY
        self._verify = bool(spec.get("verify_tls", True))

    async def open(self, push: Push) -> None:  # noqa: ARG002 - it pushes nothing
        """Load what it needs, off the loop."""
        await self._http.open()

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask once."""
        sieve = Sieve(now, self.marks)
        try:
            answer = await self._http.ask(
                self._url, headers=revealed(self._headers), timeout=self.patience, verify=self._verify
            )
        except HttpError as exc:
            if not exc.fact:
                raise SensorError(exc.message, hint=exc.hint) from exc
            sieve.number("http.ok", 0)
            sieve.word("http.message", exc.message)
            sieve.all_unknown(("http.latency", "http.status"), exc.message)
        else:
            self._judge(sieve, answer)
        self.garbage += sieve.garbage
        return sieve.readings

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
