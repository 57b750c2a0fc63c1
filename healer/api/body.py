"""The body of a POST: JSON from a stranger, bounded in size and depth."""

import json
from typing import Any, NoReturn

from starlette.requests import Request

from healer.api.problem import ProblemError

MOST_OCTETS = 64 * 1024
MOST_DEPTH = 16


async def read(request: Request) -> dict[str, Any]:
    """The JSON object in the body, none being an empty one; raises ProblemError (400, 413, 415)."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        # Also what a web page can send without asking first (CORS): text/plain and forms end here.
        raise ProblemError(415, "send application/json")
    octets = await _octets(request)
    return parse(octets) if octets.strip() else {}


async def _octets(request: Request) -> bytes:
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length[:12]) > MOST_OCTETS:
        raise ProblemError(413, f"the body may have at most {MOST_OCTETS} octets")
    octets = bytearray()
    async for chunk in request.stream():
        octets += chunk
        if len(octets) > MOST_OCTETS:
            raise ProblemError(413, f"the body may have at most {MOST_OCTETS} octets")
    return bytes(octets)


def parse(octets: bytes) -> dict[str, Any]:
    """One JSON object; raises ProblemError for anything else, numbers and names that no log can hold included."""
    try:
        value = json.loads(octets.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair passes the parser and nothing after it
    except RecursionError:
        raise ProblemError(400, f"the body is nested deeper than {MOST_DEPTH}") from None
    except ValueError as exc:  # UnicodeError and JSONDecodeError are ValueErrors
        raise ProblemError(400, f"the body is no JSON that can be used: {exc}"[:300]) from None
    if not isinstance(value, dict):
        raise ProblemError(400, "the body is no JSON object")
    if _depth(value) > MOST_DEPTH:
        raise ProblemError(400, f"the body is nested deeper than {MOST_DEPTH}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return made


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _depth(value: object) -> int:
    """How many objects and lists lie in one another."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else None
        if inner is not None:
            deepest = max(deepest, depth)
            waiting += [(each, depth + 1) for each in inner]
    return deepest
