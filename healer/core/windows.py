"""Maintenance: windows in which nothing is done. They live in the log, so that no change of configuration ends one."""

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

from healer.core.hearing import check_data
from healer.errors import RefusedError
from healer.gates.maintenance import CRITERIA, is_open, selects
from healer.model.effect import Look
from healer.model.memory import Maintenance
from healer.model.recurrence import to_json
from healer.model.request import Request
from healer.rules import calendars
from healer.yamldoc.shape import Mistake, suggestion

if TYPE_CHECKING:
    from healer.core.core import Core

FOREVER = 7 * 86400.0
"""Seconds: the longest single window; one that does not expire is a way to forget a host."""
YEAR = 366 * 86400.0
"""Seconds: how far ahead a window may begin, and for how long one that comes again may go on doing so."""


class Windows:
    """The part of the core that opens and closes maintenance windows."""

    def __init__(self, core: "Core") -> None:
        self._core = core

    # Requests -------------------------------------------------------------------------------------------------

    def add(self, request: Request) -> str:
        """Take a window up, open now or to come; returns its id; raises RefusedError."""
        desk = self._core.desk
        recurrence = _recurrence(request.args.get("repeat"))
        begins, ends = _span(request.args, desk.wall_us / 1e6, longest=YEAR if recurrence else FOREVER)
        key = f"m-{request.id}"
        later = {} if begins is None else {"from_us": round(begins * 1e6)}
        desk.note(
            "maintenance",
            "maintenance.added" if later or recurrence else "maintenance.started",
            id=key,
            op="add",
            selector=self._selector(request),
            owner=str(request.args.get("owner") or request.who),
            reason=str(request.args.get("reason") or "no reason given"),
            until_us=round(ends * 1e6),
            **later,
            **({"recurrence": recurrence} if recurrence else {}),
        )
        self.follow()
        return key

    def _selector(self, request: Request) -> dict[str, Any]:
        """What a window covers; raises RefusedError where that is nothing, or cannot be known."""
        given = request.args.get("selector") or ({"target": request.subject} if request.subject != "agent" else {})
        selector = check_data(given)
        if unknown := sorted(set(selector) - set(CRITERIA)):
            raise RefusedError(f"a selector has no {', '.join(unknown)[:200]}", hint=f"one of: {', '.join(CRITERIA)}")
        if not any(selects(selector, target) for target in self._core.world.targets.values()):
            wanted, known = str(selector.get("target", "")), self._core.world.targets
            if set(selector) == {"target"} and wanted not in known:
                raise RefusedError(
                    f"a maintenance window over nothing: there is no target {wanted!r}"[:200],
                    hint=suggestion(wanted, known)[:300],
                )
            raise RefusedError("a maintenance window over nothing", hint="a target, a selector, or all: true")
        return selector

    def end(self, request: Request) -> str:
        """End a window before its time; raises RefusedError."""
        key = str(request.args.get("id", ""))
        if key not in self._core.desk.memory.maintenance:
            raise RefusedError(f"no maintenance {key!r}", hint="healer maintenance list")
        self._end(key, request.who, str(request.args.get("because") or "ended by hand"))
        return f"{key} ended"

    # Time -----------------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Open and close what the clock says, each sealed, and forget what is over."""
        desk = self._core.desk
        for key, window in list(desk.memory.maintenance.items()):
            if desk.wall_us >= window.until_us:
                self._end(key, "agent", "its time is over")
            elif (now_open := _is_open(window, desk.wall_us)) != window.opened:
                self._turn(key, window, now_open=now_open)

    def _turn(self, key: str, window: Maintenance, *, now_open: bool) -> None:
        old, new = ("closed", "open") if now_open else ("open", "closed")
        topic = "maintenance.started" if now_open else "maintenance.paused"
        self._core.desk.move(f"maintenance:{key}", old, new, window.reason, topic=topic)
        if not now_open:
            self._evaluate_anew(window)

    def _end(self, key: str, who: str, because: str) -> None:
        window = self._core.desk.memory.maintenance[key]
        self._core.desk.note(
            "maintenance",
            "maintenance.ended",
            id=key,
            op="end",
            selector=window.selector,
            owner=who,
            reason=because,
            until_us=window.until_us,
        )
        if window.opened:
            self._evaluate_anew(window)

    def _evaluate_anew(self, window: Maintenance) -> None:
        """What happened inside is judged again, on fresh evidence; it is never replayed."""
        core = self._core
        for target in core.world.targets.values():
            if _selects(window, target):
                core.incidents.rearm(target.id, core.desk.now)
                core.desk.out.append(Look(target=target.id, because="maintenance of it ended"))
        core.incidents.ask_again("maintenance")


def _is_open(window: Maintenance, wall_us: int) -> bool:
    """Whether it is open; one whose hours nobody can read is, as the gate sees it."""
    try:
        return is_open(window, wall_us)
    except (LookupError, TypeError, ValueError):
        return True


def _selects(window: Maintenance, target: Any) -> bool:  # noqa: ANN401 - a Target
    try:
        return selects(window.selector, target)
    except ValueError:
        return True


def _recurrence(repeat: object) -> dict[str, Any]:
    """The hours of a window that comes again, as they are sealed; raises RefusedError."""
    if repeat is None or repeat == {}:
        return {}
    if not isinstance(repeat, dict) or not all(isinstance(value, str) for value in repeat.values()):
        raise RefusedError("repeat is no set of hours and days", hint='{"hours": "22:00-06:00", "days": "sat-sun"}')
    try:
        return to_json(calendars.window(repeat))
    except Mistake as exc:
        raise RefusedError(str(exc)) from None


def _span(args: Any, now: float, *, longest: float) -> tuple[float | None, float]:  # noqa: ANN401 - arguments as they came
    """When a window begins (None: now) and ends, in seconds since 1970; raises RefusedError."""
    begins = _moment(args.get("from"), "from")
    begins = None if begins is None or begins <= now else begins
    seconds, until = args.get("for"), _moment(args.get("until"), "until")
    if (seconds is None) == (until is None):
        raise RefusedError("a maintenance window must expire", hint="for: how long, or until: when; one of them")
    if until is None:
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= longest:
            raise RefusedError("a maintenance window must expire", hint=f"for: between 0 and {longest:g} seconds")
        until = (now if begins is None else begins) + seconds
    begun = now if begins is None else begins
    if not begun < until <= begun + longest:
        raise RefusedError(
            "a maintenance window must expire", hint=f"until: after it began, at most {longest:g} seconds later"
        )
    if begun > now + YEAR:
        raise RefusedError("a maintenance window that begins in more than a year", hint="a date nearer by")
    return begins, until


def _moment(value: object, name: str) -> float | None:
    """Seconds since 1970, from a number or from an ISO date with its zone; raises RefusedError."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment.timestamp()
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise RefusedError(
        f"{name} is no moment: {str(value)[:60]!r}", hint="2026-12-24T22:00+01:00, or seconds since 1970"
    )
