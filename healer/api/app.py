"""The REST interface: its paths, and what answers at each."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from healer.api.port import Port
from healer.api.post import Posters
from healer.api.problem import ProblemError, on_bug, on_healer, on_http, on_problem
from healer.api.read import Readers
from healer.errors import HealerError

BASE = "/api/v1"


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


def build(port: Port) -> Starlette:
    """The application over one agent."""
    return Starlette(
        routes=routes(port),
        exception_handlers={
            HTTPException: on_http,
            ProblemError: on_problem,
            HealerError: on_healer,
            Exception: on_bug,
        },
    )
