"""What can be read: each handler gathers one view and sends it."""

import contextlib
import math
import re
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from healer import blocking
from healer.api import health
from healer.api.exposition import healings_text
from healer.api.healings import BY, Healings, summary
from healer.api.openapi import document
from healer.api.port import Port
from healer.api.problem import Json, ProblemError
from healer.core import explain, report
from healer.errors import HealerError
from healer.store.asked import AUTO, MOST, RAW, Asked
from healer.yamldoc.shape import suggestion

MOST_ROWS = 1000
_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(s|m|h|d|w)?")
_SECONDS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Readers:
    """The GET side: reads the agent, changes nothing."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._healings = Healings(port.state_dir)

    @property
    def _now(self) -> float:
        return self._port.clock.now()

    async def status(self, _: Request) -> Response:
        """Everything a person asks first."""
        return Json(self._port.status())

    async def health(self, request: Request) -> Response:
        """Pass, warn or fail, with reasons; 503 when it fails."""
        part = request.path_params.get("part", "")
        if part and part not in health.PARTS:
            raise ProblemError(404, f"there is no health of {part!r}; one of: {', '.join(health.PARTS)}")
        found = health.of(self._port.status(), part)
        return Json(found, status_code=503 if found["status"] == "fail" else 200)

    async def organs(self, _: Request) -> Response:
        """The seven organs, harmony and its deductions."""
        core = self._port.core
        return Json(report.harmony(core.organs.view) | {"organs": report.organs(core)})

    async def targets(self, _: Request) -> Response:
        """What is looked after."""
        return Json({"targets": report.targets(self._port.core, self._now)})

    async def approvals(self, _: Request) -> Response:
        """What waits for a person's answer."""
        return Json({"approvals": report.approvals(self._port.core, self._now)})

    async def maintenance(self, _: Request) -> Response:
        """Windows in which nothing is done, open or to come."""
        return Json({"maintenance": report.maintenance(self._port.core)})

    async def target(self, request: Request) -> Response:
        """One target, and the rules that judge it."""
        wanted = request.path_params["target"]
        for one in report.targets(self._port.core, self._now):
            if one["id"] == wanted:
                return Json(one | {"rules": report.rules_of(self._port.core, wanted, self._now)})
        raise ProblemError(404, f"there is no target {wanted!r}", known=self._ids())

    def _ids(self) -> list[str]:
        return [one["id"] for one in report.targets(self._port.core)][:100]

    async def incidents(self, request: Request) -> Response:
        """Open incidents; with ``since``, also closed ones from the store's index."""
        found: dict[str, Any] = {"incidents": report.incidents(self._port.core, self._now)}
        if "since" in request.query_params and self._port.history is not None:
            since = self._port.clock.wall() - _seconds(request, "since", 86400.0)
            records = await self._port.history.incidents(since, limit=_count(request, "limit", 100))
            found["past"] = [{name: getattr(one, name) for name in one.__slots__} for one in records]
        return Json(found)

    async def healings(self, request: Request) -> Response:
        """What was done, from the sealed log, newest first."""
        asked = request.query_params
        await blocking.call(self._healings.update)
        if by := asked.get("by"):
            if by not in BY:
                raise ProblemError(400, f"by is one of: {', '.join(BY)}")
            return Json({"by": by, "summary": summary(self._healings.ended, by)})
        found = self._healings.last(
            _count(request, "limit", 20),
            rule=asked.get("rule", "*"),
            target=asked.get("target", "*"),
            quiet=asked.get("all", "") in {"1", "true"},
        )
        if (history := self._port.history) is not None:
            with contextlib.suppress(HealerError):  # without history, only what was sealed is told
                await history.add_after(found)
        return Json({"healings": found})

    async def rules(self, _: Request) -> Response:
        """Every rule with its state, its runs and how they went."""
        try:
            await blocking.call(self._healings.update)
            trouble = ""
        except HealerError as exc:
            trouble = exc.message  # the rules can be told without their past
        found = report.rules(self._port.core, self._now)
        for rule in found:
            rule["verdicts"] = None if trouble else dict(self._healings.by_rule.get(rule["id"], {}))
        return Json({"rules": found, "hash": self._port.core.setup.rules.hash, "trouble": trouble})

    async def explain(self, request: Request) -> Response:
        """Why a rule does, or does not do, something about a target."""
        rule, target = request.path_params["rule"], request.query_params.get("target", "")
        found = explain.explain(self._port.core, rule, target, self._now)
        if not found:
            about = f" with target {target!r}" if target else " with a target"
            raise ProblemError(404, f"there is no rule {rule!r}{about}", hint=self._near(rule, target))
        return Json({"explanations": found})

    def _near(self, rule: str, target: str) -> str:
        """A hint for a rule, or a target of a rule, that there is not."""
        bound = [one for one in self._port.core.instances.values() if one.rule.id == rule]
        known = [one.target.id for one in bound] or [one.id for one in self._port.core.setup.rules.rules]
        said = suggestion(target if bound else rule, known)
        return said if said.startswith("did") or (bound and len(bound) <= 10) else "healer rules list"

    async def metrics(self, request: Request) -> Response:
        """The latest of every series, or of one metric."""
        found = report.metrics(self._port.core, self._now)
        if wanted := request.query_params.get("metric"):
            found = [one for one in found if one["metric"] == wanted]
        return Json({"metrics": found})

    async def history(self, request: Request) -> Response:
        """What one metric was: its samples as they were kept, or buckets of them."""
        history = self._port.history
        if history is None:
            raise ProblemError(404, "this agent keeps no history (profile)")
        asked = request.query_params
        end = _wall(request, "end", self._port.clock.wall())
        question = Asked(
            metric=request.path_params["metric"],
            labels=_labels(asked.getlist("label")),
            start=_wall(request, "start", end - _seconds(request, "since", 3600.0)),
            end=end,
            step=_step(request),
            limit=_count(request, "limit", MOST, most=MOST),
        )
        said = await history.answer(question)
        # Thousands of rows: the standard encoder would hold the loop for tens of milliseconds.
        return Response(orjson.dumps(said), media_type=Json.media_type)

    async def reflect(self, _: Request) -> Response:
        """Assess the host and the agent now."""
        return Json(await self._port.reflect())

    async def events(self, request: Request) -> Response:
        """What went over the bus, after an event's number."""
        after = _count(request, "after", 0, most=2**53)
        limit = _count(request, "limit", 100)
        heard = [one for one in self._port.bus.ring if one.number > after][:limit]
        now = self._now
        said = [
            {"number": one.number, "topic": one.topic, "age": round(now - one.at, 3), "data": dict(one.data)}
            for one in heard
        ]
        return Json({"events": said, "next": heard[-1].number if heard else after})

    async def openapi(self, _: Request) -> Response:
        """This interface, described."""
        return Json(document(self._port.version))

    async def prometheus(self, _: Request) -> Response:
        """The latest numbers for a scraper."""
        with contextlib.suppress(HealerError):  # a log that cannot be read is told by other metrics
            await blocking.call(self._healings.update)
        text = self._port.metrics_text() + healings_text(self._healings)
        return PlainTextResponse(text, media_type=PROMETHEUS)


def _count(request: Request, name: str, default: int, *, most: int = MOST_ROWS) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > most:
        raise ProblemError(400, f"{name} is a number from 0 to {most}")
    return int(text)


def _seconds(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    match = _TIME.fullmatch(text)
    if match is None:
        raise ProblemError(400, f"{name} is a time such as 90s, 15m, 2h or 7d")
    seconds = float(match[1]) * _SECONDS[match[2]]
    return seconds if math.isfinite(seconds) else default


def _wall(request: Request, name: str, default: float) -> float:
    """A moment: wall seconds since 1970."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if re.fullmatch(r"\d{1,12}(\.\d{1,17})?", text, re.ASCII) is None:
        raise ProblemError(400, f"{name} is a moment in seconds since 1970")
    return float(text)


def _step(request: Request) -> float:
    words = {"auto": AUTO, "raw": RAW}
    text = request.query_params.get("step", "auto")
    return words[text] if text in words else max(1.0, _seconds(request, "step", AUTO))


def _labels(pairs: list[str]) -> dict[str, str]:
    """Labels given as ``name=value``."""
    if any("=" not in one for one in pairs):
        raise ProblemError(400, "label is given as name=value")
    return {name: value for name, _, value in (one.partition("=") for one in pairs)}
