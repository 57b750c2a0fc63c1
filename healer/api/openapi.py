"""The description of the interface (OpenAPI 3.1), kept by hand; a test holds it to the routes."""

from typing import Any

from healer.model.request import VERBS

Doc = dict[str, Any]


def _query(name: str, doc: str, kind: str = "string") -> Doc:
    return {"name": name, "in": "query", "required": False, "description": doc, "schema": {"type": kind}}


def _path(name: str, doc: str) -> Doc:
    return {"name": name, "in": "path", "required": True, "description": doc, "schema": {"type": "string"}}


_LIMIT = _query("limit", "at most so many", "integer")
_READS: dict[str, tuple[str, tuple[Doc, ...]]] = {
    "/api/v1/status": ("Everything a person asks first.", ()),
    "/api/v1/health": ("Pass, warn or fail, with reasons; 503 when it fails.", ()),
    "/api/v1/health/{part}": ("The same for one part.", (_path("part", "agent, rules or audit"),)),
    "/api/v1/organs": ("Seven organs, harmony and its deductions.", ()),
    "/api/v1/targets": ("What is looked after.", ()),
    "/api/v1/targets/{target}": ("One target.", (_path("target", "kind:name"),)),
    "/api/v1/incidents": ("Open incidents.", (_query("since", "also closed ones: 90s, 15m, 2h, 7d"), _LIMIT)),
    "/api/v1/approvals": ("What waits for a person's answer (requests approve and deny).", ()),
    "/api/v1/maintenance": ("Windows in which nothing is done, open or to come.", ()),
    "/api/v1/healings": (
        "What was done, from the sealed log, newest first.",
        (
            _LIMIT,
            _query("rule", "glob"),
            _query("target", "glob"),
            _query("all", "1: notes and waits too"),
            _query("by", "rule, action or target: how often it helped, instead"),
        ),
    ),
    "/api/v1/rules": ("Every rule, most urgent first.", ()),
    "/api/v1/rules/{rule}/explain": (
        "Why a rule does, or does not do, something.",
        (_path("rule", "id"), _query("target", "kind:name; all of its targets without it")),
    ),
    "/api/v1/metrics": ("The latest of every series.", (_query("metric", "only this one"),)),
    "/api/v1/history/{metric}": (
        "What a metric was: samples as they were kept, or buckets with min, max, mean, last and count.",
        (
            _path("metric", "name"),
            _query("since", "90s, 15m, 2h, 7d (1h)"),
            _query("start", "seconds since 1970, in place of since", "number"),
            _query("end", "seconds since 1970 (now)", "number"),
            _query("step", "raw, auto (raw for three hours, longer for more), or a time such as 5m"),
            _query("label", "name=value; may be given more than once"),
            _LIMIT,
        ),
    ),
    "/api/v1/events": ("What went over the bus.", (_query("after", "number of an event", "integer"), _LIMIT)),
    "/api/v1/reflect": ("Assess the host and the agent.", ()),
    "/api/v1/requests/{request}": (
        "The answer to a request.",
        (_path("request", "id"), _query("wait", "seconds to wait for it, at most 60", "number")),
    ),
    "/api/v1/openapi.json": ("This document.", ()),
}
_POSTS: dict[str, str] = {
    "/api/v1/requests": "Ask for something: gated and sealed like anything the agent thinks of itself.",
    "/api/v1/reload": "Read configuration and rules again, all or nothing.",
    "/api/v1/reflect": "Assess the host and the agent.",
    "/api/v1/rebalance": "Check harmony now, and judge the balancing rules.",
    "/api/v1/verify": "Verify the log now.",
}
_REQUEST: Doc = {
    "type": "object",
    "required": ["verb"],
    "additionalProperties": False,
    "properties": {
        "verb": {"enum": list(VERBS)},
        "subject": {"type": "string", "default": "agent", "description": "a target id, a rule id, or agent"},
        "args": {"type": "object"},
    },
}
_PROBLEM: Doc = {
    "description": "A problem (RFC 9457).",
    "content": {"application/problem+json": {"schema": {"type": "object"}}},
}


def _ok(doc: str) -> Doc:
    return {"description": doc, "content": {"application/json": {"schema": {"type": "object"}}}}


def document(version: str) -> Doc:
    """The whole document."""
    paths: dict[str, Doc] = {}
    for path, (doc, parameters) in _READS.items():
        responses = {"200": _ok(doc), "default": _PROBLEM}
        paths[path] = {"get": {"summary": doc, "parameters": list(parameters), "responses": responses}}
    paths["/metrics"] = {
        "get": {
            "summary": "The latest numbers, for Prometheus.",
            "responses": {"200": {"description": "text", "content": {"text/plain": {"schema": {"type": "string"}}}}},
        }
    }
    for path, doc in _POSTS.items():
        responses = {"202" if path.endswith("/requests") else "200": _ok(doc), "default": _PROBLEM}
        post: Doc = {"summary": doc, "responses": responses}
        if path.endswith("/requests"):
            post["requestBody"] = {"required": True, "content": {"application/json": {"schema": _REQUEST}}}
        paths.setdefault(path, {})["post"] = post
    return {
        "openapi": "3.1.0",
        "info": {"title": "Healer", "version": version, "summary": "A self-healing supervisor for Linux hosts."},
        "paths": paths,
    }
