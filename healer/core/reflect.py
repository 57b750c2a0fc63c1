"""Reflection: what the agent makes of the host and of itself, each claim with the figures it rests on."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from healer.model.organism import HarmonyView, Health
from healer.model.target import EMPTY

Figures = Mapping[str, float | str]

TREND_SECONDS = 600.0
_STEADY_POINTS = 2.0  # harmony moving less than this within the window is noise
_SPREAD = 40.0
_LITTLE_ENERGY = 20.0
_FEW_ACTIONS = 3
_GOOD_SHARE = 0.8
_LAG = 0.25
_OWN_CPU = 0.25
_OWN_MEMORY = 150 << 20
_NAMED = 5
_NOT_DONE = frozenset({"stale", "cancelled", "refused", "skipped"})
"""Results of effects that never began: they say nothing about whether cures work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """One thing noticed."""

    about: str
    """``harmony``, ``trend``, ``energy``, ``cures`` ... : fixed words, for programs."""
    says: str
    figures: Figures
    advice: str = ""
    """What a person could do about it; empty where there is nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What a person could do, and the insight it follows from."""

    about: str
    says: str
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Where harmony is going."""

    word: str
    """``rising``, ``falling``, ``steady`` or ``unknown``."""
    points_per_hour: float | None
    """Slope of the least-squares line; None when fewer than three points are known."""
    over: float
    """Seconds the line was drawn over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflection:
    """One self-assessment."""

    at: float
    score: float | None
    """Harmony now, the agent's own vitals included; None when nothing is known."""
    trend: Trend
    insights: tuple[Insight, ...]
    recommendations: tuple[Recommendation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What the agent did and cost since ``since`` (boot-clock second), as its owner counted it. None is unknown."""

    since: float
    actions: int = 0
    outcomes: Mapping[str, int] = field(default_factory=lambda: EMPTY)
    """Effects by `healer.model.decision.Result` value."""
    verdicts: Mapping[str, int] = field(default_factory=lambda: EMPTY)
    """Verifications by `healer.model.decision.Result` value."""
    withheld: Mapping[str, int] = field(default_factory=lambda: EMPTY)
    """By gate."""
    blind: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Sensors that cannot look now -> because."""
    loop_lag: float | None = None
    """Seconds."""
    cpu: float | None = None
    """Of one core."""
    memory: float | None = None
    """Bytes resident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    at: float
    harmony: float | None


class Mirror:
    """Remembers how harmony went, in bounded space, and reflects on it. Pure: no clock, no I/O."""

    def __init__(self, remembered: int = 240) -> None:
        self._moments: deque[_Moment] = deque(maxlen=remembered)
        self._view: HarmonyView | None = None

    def remember(self, view: HarmonyView, at: float) -> None:
        """Take a view as it was at boot-clock second ``at``."""
        self._moments.append(_Moment(at=at, harmony=view.harmony))
        self._view = view

    def reflect(self, counters: Counters, now: float) -> Reflection:
        """Assess the last view, the way to it, and what the agent did."""
        way = trend([(one.at, one.harmony) for one in self._moments if one.harmony is not None], now)
        view = self._view
        insights = (
            *(() if view is None else _of_view(view)),
            *_of_trend(way),
            *(one for look in _OF_AGENT if (one := look(counters, now)) is not None),
        )
        return Reflection(
            at=now,
            score=None if view is None else view.harmony,
            trend=way,
            insights=insights,
            recommendations=tuple(
                Recommendation(about=one.about, says=one.advice, figures=one.figures) for one in insights if one.advice
            ),
        )


def trend(points: Sequence[tuple[float, float]], now: float) -> Trend:
    """Draw the least-squares line through the (second, harmony) points of the last ten minutes."""
    recent = [(at - now, harmony) for at, harmony in points if 0 <= now - at <= TREND_SECONDS]
    span = recent[-1][0] - recent[0][0] if recent else 0.0
    if len(recent) < 3 or span < 1:
        return Trend(word="unknown", points_per_hour=None, over=max(0.0, span))
    middle = sum(at for at, _ in recent) / len(recent)
    mean = sum(harmony for _, harmony in recent) / len(recent)
    slope = sum((at - middle) * (harmony - mean) for at, harmony in recent) / sum(
        (at - middle) ** 2 for at, _ in recent
    )
    moved = slope * span
    word = "steady" if abs(moved) < _STEADY_POINTS else "rising" if moved > 0 else "falling"
    return Trend(word=word, points_per_hour=slope * 3600, over=span)


def _of_view(view: HarmonyView) -> Iterator[Insight]:
    for one in view.deductions:
        if one.points >= 1:
            yield Insight(
                about="harmony",
                says=f"{one.vital} takes {one.points:.1f} points: {one.because}",
                figures={"vital": one.vital, "points": round(one.points, 2)},
                advice=f"look at {one.vital} first: cured, harmony would be {(view.harmony or 0) + one.points:.0f}",
            )
    blind = [organ.name for organ in view.organs if organ.health is Health.UNKNOWN]
    if blind:
        yield Insight(
            about="unknown",
            says=f"nothing is known now of {', '.join(blind)}",
            figures={"organs": float(len(blind))},
            advice="declare targets or vitals for them, or find out why their sensors cannot look (healer doctor)",
        )
    if view.balance is not None and view.balance >= _SPREAD:
        points, name = min((organ.score, organ.name) for organ in view.organs if organ.score is not None)
        yield Insight(
            about="balance",
            says=f"{name} is at {points:.0f} while the best organ is {view.balance:.0f} points above",
            figures={"organ": name, "score": round(points, 2), "balance": round(view.balance, 2)},
        )
    if view.energy is not None and view.energy < _LITTLE_ENERGY:
        yield Insight(
            about="energy",
            says=f"only {view.energy:.0f} % of headroom is left",
            figures={"energy": round(view.energy, 2)},
            advice="move or stop work: restarting what is starved does not feed it",
        )


def _of_trend(way: Trend) -> Iterator[Insight]:
    if way.word in {"rising", "falling"} and way.points_per_hour is not None:
        yield Insight(
            about="trend",
            says=f"harmony is {way.word} by {abs(way.points_per_hour):.0f} points an hour, over {way.over:.0f} s",
            figures={"points_per_hour": round(way.points_per_hour, 2), "seconds": round(way.over, 1)},
        )


def _cures(counters: Counters, now: float) -> Insight | None:
    judged = {word: times for word, times in counters.verdicts.items() if word not in _NOT_DONE and times > 0}
    total, good = sum(judged.values()), judged.get("verified", 0)
    if total == 0:
        return None
    works = good / total >= _GOOD_SHARE or total < _FEW_ACTIONS
    return Insight(
        about="cures",
        says=f"{good} of {total} cures were seen to work in {_span(counters, now)}",
        figures={"verified": float(good), "judged": float(total), "share": round(good / total, 4)},
        advice="" if works else "the cures chosen rarely work: see healer healings, and treat the cause instead",
    )


def _ambiguous(counters: Counters, now: float) -> Insight | None:
    lost = counters.outcomes.get("ambiguous", 0)
    if not lost:
        return None
    return Insight(
        about="ambiguous",
        says=f"of {lost} of {counters.actions} actions in {_span(counters, now)} nobody can tell whether they happened",
        figures={"ambiguous": float(lost), "actions": float(counters.actions)},
        advice="check their targets by hand: such actions are never tried again",
    )


def _withheld(counters: Counters, now: float) -> Insight | None:
    total = sum(counters.withheld.values())
    if not total:
        return None
    times, gate = max((times, gate) for gate, times in counters.withheld.items())
    often = total >= _FEW_ACTIONS and total > counters.actions
    return Insight(
        about="withheld",
        says=f"{total} actions were withheld in {_span(counters, now)}, most often by {gate} ({times})",
        figures={"withheld": float(total), "gate": gate, "times": float(times), "actions": float(counters.actions)},
        advice=f"more is withheld than done: healer explain shows what {gate} waits for" if often else "",
    )


def _blind(counters: Counters, _now: float) -> Insight | None:
    if not counters.blind:
        return None
    named = sorted(counters.blind.items())[:_NAMED]
    return Insight(
        about="sensors",
        says=f"{len(counters.blind)} sensors cannot look: {', '.join(name for name, _ in named)}",
        figures={"sensors": float(len(counters.blind)), **dict(named)},
        advice="what they look at is unknown, and nothing is done about it until they see again (healer doctor)",
    )


def _late(counters: Counters, _now: float) -> Insight | None:
    if counters.loop_lag is None or counters.loop_lag < _LAG:
        return None
    return Insight(
        about="lag",
        says=f"the agent's loop woke {counters.loop_lag:.2f} s late",
        figures={"seconds": round(counters.loop_lag, 4)},
        advice="the host is overloaded, or a plug-in blocks the loop",
    )


def _cost(counters: Counters, _now: float) -> Insight | None:
    cpu, memory = counters.cpu, counters.memory
    dear = (cpu is not None and cpu > _OWN_CPU) or (memory is not None and memory > _OWN_MEMORY)
    if not dear:
        return None
    figures = {"cpu": cpu, "memory": memory}
    parts = [f"{cpu:.0%} of a core"] if cpu is not None else []
    parts += [f"{memory / (1 << 20):.0f} MiB"] if memory is not None else []
    return Insight(
        about="cost",
        says=f"the agent itself uses {' and '.join(parts)}",
        figures={name: value for name, value in figures.items() if value is not None},
        advice="look less often, or at less: see `every` of the sensors",
    )


_OF_AGENT: tuple[Callable[[Counters, float], Insight | None], ...] = (
    _cures,
    _ambiguous,
    _withheld,
    _blind,
    _late,
    _cost,
)


def _span(counters: Counters, now: float) -> str:
    return f"{max(0.0, now - counters.since):.0f} s"
