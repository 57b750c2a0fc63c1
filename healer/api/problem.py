"""Errors as problem+json (RFC 9457): what happened and what to do, never where in the code."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from healer.errors import ConfigError, HealerError


class Json(Response):
    """A JSON answer; NaN and infinities in it are a bug of ours and raise."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - JSON of any shape
        """UTF-8, no spaces to spare."""
        return json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:  # noqa: ANN401 - JSON values
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:  # noqa: ANN401 - JSON values
    """The document of one problem."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    made = Json(body, status_code=status, headers=dict(headers or {}))
    made.headers["content-type"] = "application/problem+json"
    return made


async def on_http(_: Request, exc: Exception) -> Response:
    """Answer what the router itself refuses: no such path, no such method."""
    if not isinstance(exc, HTTPException):
        return await on_bug(_, exc)
    said = {
        404: "there is nothing at this path; see /api/v1/openapi.json",
        405: "this path does not take that method",
    }
    return problem(exc.status_code, said.get(exc.status_code, exc.detail), exc.headers)


async def on_problem(_: Request, exc: Exception) -> Response:
    """Answer what a handler found wrong with the request."""
    if not isinstance(exc, ProblemError):
        return await on_bug(_, exc)
    return problem(exc.status, exc.detail, **exc.more)


async def on_healer(_: Request, exc: Exception) -> Response:
    """Answer what the agent could not do."""
    if isinstance(exc, ConfigError):
        return problem(422, exc.message, hint=exc.hint, problems=list(exc.problems))
    if isinstance(exc, HealerError):
        return problem(503, exc.message, hint=exc.hint)
    return await on_bug(_, exc)


async def on_bug(_: Request, exc: Exception) -> Response:
    """Say that it is our fault and nothing else: the traceback belongs in the agent's own log."""
    del exc
    return problem(500, "the agent could not answer this; its own log says why")
