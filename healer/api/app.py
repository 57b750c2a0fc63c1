"""The REST interface: its paths, and what answers at each."""

import re

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from healer.api.port import Port
from healer.api.post import Posters
from healer.api.problem import ProblemError, on_bug, on_healer, on_http, on_problem, problem
from healer.api.read import Readers
from healer.errors import HealerError

BASE = "/api/v1"
_OWN_NAMES = frozenset({"127.0.0.1", "[::1]", "localhost"})
_NO_PORT = re.compile(r":\d+$")


def routes(port: Port) -> list[Route]:
    """Every path there is."""
    read, post = Readers(port), Posters(port)
    reads = (
        ("/status", read.status),
        ("/health", read.health),
        ("/health/{part}", read.health),
        ("/organs", read.organs),
        ("/targets", read.targets),
        ("/targets/{target:path}", read.target),
        ("/incidents", read.incidents),
        ("/approvals", read.approvals),
        ("/maintenance", read.maintenance),
        ("/healings", read.healings),
        ("/rules", read.rules),
        ("/rules/{rule}/explain", read.explain),
        ("/metrics", read.metrics),
        ("/history/{metric}", read.history),
        ("/events", read.events),
        ("/requests/{request}", post.answer),
        ("/openapi.json", read.openapi),
    )
    posts = (
        ("/requests", post.request),
        ("/reload", post.reload),
        ("/rebalance", post.rebalance),
        ("/verify", post.verify),
    )
    return [
        *(Route(BASE + path, handler, methods=["GET"]) for path, handler in reads),
        *(Route(BASE + path, handler, methods=["POST"]) for path, handler in posts),
        Route(BASE + "/reflect", read.reflect, methods=["GET", "POST"]),
        Route("/metrics", read.prometheus, methods=["GET"]),
    ]


class Guard:
    """Refuses readers of the TCP port who were led there under another name (DNS rebinding)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 421."""
        client = scope.get("client")
        if scope["type"] == "http" and client and not client[0].startswith(("uid:", "socket")):
            host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            if _NO_PORT.sub("", host) not in _OWN_NAMES:
                await problem(421, "this host name is not ours")(scope, receive, send)
                return
        await self._app(scope, receive, send)


def build(port: Port) -> Starlette:
    """The application over one agent."""
    return Starlette(
        routes=routes(port),
        middleware=[Middleware(Guard)],
        exception_handlers={
            HTTPException: on_http,
            ProblemError: on_problem,
            HealerError: on_healer,
            Exception: on_bug,
        },
    )
