"""What can be asked for: a POST becomes a request in the inbox, and nothing else."""

import asyncio
import math
from collections import OrderedDict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from healer import blocking
from healer.api import body
from healer.api.healings import sealed_event, top
from healer.api.port import Port
from healer.api.problem import Json, ProblemError
from healer.model.request import VERBS

REMEMBERED = 1000
LONGEST_WAIT = 60.0
SEALING = 2.0
"""Seconds an event may take to become durable before its place is not waited for any more."""
_LOOK_AGAIN = 0.02


class Posters:
    """The POST side."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._posted: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def request(self, request: Request) -> Response:
        """Put a request into the inbox: 202 with its id and where its answer will be."""
        who = asker(request)
        verb, subject, args = _asked(await body.read(request))
        height = await blocking.call(lambda: top(self._port.state_dir)) if verb == "log-event" else 0
        found = self._port.ask(verb, subject, args, who=who)
        self._posted[found] = {"id": found, "verb": verb, "subject": subject, "height": height}
        if len(self._posted) > REMEMBERED:
            self._posted.popitem(last=False)
        return Json({"id": found}, status_code=202, headers={"location": f"/api/v1/requests/{found}"})

    async def answer(self, request: Request) -> Response:
        """The answer to a request posted here; ``wait=N`` waits for it, at most a minute."""
        posted = self._posted.get(request.path_params["request"])
        if posted is None:
            raise ProblemError(404, "no such request was posted here (or too long ago)")
        wait = _wait(request)
        try:
            said = await self._port.answered(posted["id"], wait)
        except TimeoutError:
            return Json({"id": posted["id"], "verb": posted["verb"], "answer": "pending", "because": ""})
        found = {"id": posted["id"], "verb": posted["verb"], "subject": posted["subject"]}
        found |= {"answer": said.get("answer"), "because": said.get("because")}
        if posted["verb"] == "log-event" and said.get("answer") == "accepted":
            found["entry"] = await self._place(posted)
        return Json(found)

    async def _place(self, posted: dict[str, Any]) -> dict[str, Any] | None:
        """Where an event lies in the log, once it is durable."""
        until = self._port.clock.now() + SEALING
        while True:
            place = await blocking.call(
                lambda: sealed_event(self._port.state_dir, posted["id"], since=int(posted["height"]))
            )
            if place is not None:
                return dict(place)
            if self._port.clock.now() >= until:
                return None
            await asyncio.sleep(_LOOK_AGAIN)

    async def reload(self, request: Request) -> Response:
        """Read configuration and rules again, all or nothing."""
        asker(request)
        await body.read(request)
        return Json(await self._port.reload())

    async def rebalance(self, request: Request) -> Response:
        """Check harmony now."""
        asker(request)
        await body.read(request)
        return Json(await self._port.rebalance())

    async def verify(self, request: Request) -> Response:
        """Verify the log now."""
        asker(request)
        await body.read(request)
        return Json(await self._port.verify())


def asker(request: Request) -> str:
    """Who asks; raises ProblemError (403) for a stranger.

    Over the Unix socket the kernel says who it is, and its folder says who may. Over TCP nobody does: that port is for
    reading (a web page may reach a loopback port too).
    """
    if request.client is None or request.client.host == "socket":
        return "socket"
    if request.client.host.startswith("uid:"):
        return request.client.host
    raise ProblemError(403, "requests are taken on the Unix socket only", hint="the TCP port is for reading")


def _asked(said: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    verb, subject, args = said.get("verb"), said.get("subject", "agent"), said.get("args", {})
    if verb not in VERBS:
        raise ProblemError(400, "verb is missing or unknown", verbs=list(VERBS))
    if not isinstance(subject, str) or not 0 < len(subject) <= 256:
        raise ProblemError(400, "subject is the id of a target or a rule, or agent")
    if not isinstance(args, dict):
        raise ProblemError(400, "args is an object")
    if unknown := sorted(set(said) - {"verb", "subject", "args"}):
        raise ProblemError(400, f"unknown keys: {', '.join(unknown)[:200]}")
    return str(verb), subject, args


def _wait(request: Request) -> float:
    text = request.query_params.get("wait", "0")
    try:
        wait = float(text[:16])
    except ValueError:
        wait = math.nan
    if not 0 <= wait <= LONGEST_WAIT:
        raise ProblemError(400, f"wait is a number of seconds from 0 to {LONGEST_WAIT:g}")
    return wait
