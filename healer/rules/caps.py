"""How many actions fit into a window of time under one brake: the arithmetic behind the bounds of `healer check`.

Windows are half open, as those of the limit gate: two actions an hour apart are not in one hour. All times are whole
microseconds inside, so that nothing is lost or won by rounding; what is rounded is rounded towards more actions.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from healer.model.limit import Backoff, Limit

FEW = 2000
"""Resets tried one by one; more often than that in a day is no pause worth the name."""


def room(limits: Iterable[Limit], window: float) -> float:
    """Actions in any ``window`` seconds under all these limits together; infinity where there is none.

    A window is cut into whole stretches of a limit's length and a rest; every way to cut it is a bound of its own.
    """
    sizes = tuple(sorted({(_us(limit.per), limit.max) for limit in limits if limit.per > 0}))
    if any(limit.max <= 0 for limit in limits):
        return 0
    return _room(sizes, _us(window))


@lru_cache(maxsize=4096)
def _room(sizes: tuple[tuple[int, int], ...], window: int) -> float:
    if window <= 0:
        return 0
    # A limit that looks at least as far back bounds the window by itself; a shorter one leaves a rest for all of them.
    return min(
        (most if per >= window else window // per * most + _room(sizes, window % per) for per, most in sizes),
        default=math.inf,
    )


def incidents(cooldown: float, window: float) -> float:
    """Incidents of one rule on one target that can act within ``window`` seconds: a cooldown lies between any two."""
    return math.ceil(_us(window) / _us(cooldown)) if _us(cooldown) > 0 else math.inf


def paused(backoff: Backoff, window: float) -> float:
    """Actions in a row that fit between pauses at their shortest; the count may begin anew after a healthy time."""
    return _paused(backoff, _us(window))


@lru_cache(maxsize=4096)
def _paused(backoff: Backoff, window: int) -> float:
    gaps = _gaps(backoff)
    reset = _us(backoff.reset_after)
    shortest = min(reset, gaps[0])
    if shortest <= 0:
        return math.inf
    if window // reset > FEW:
        return math.ceil(window / shortest)
    return _most(lambda n: _span(gaps, reset, n, window), math.ceil(window / shortest))


def _gaps(backoff: Backoff) -> list[int]:
    """The shortest pause after 1, 2, 3 ... actions in a row, until it grows no more."""
    gaps: list[int] = []
    for number in range(64):
        plain = min(backoff.max, backoff.initial * backoff.factor**number)
        gaps.append(math.floor(plain * max(0.0, 1 - backoff.jitter) * 1e6))
        if plain >= backoff.max:
            break
    return gaps


def _most(span: Callable[[int], int], top: int) -> float:
    """The most actions whose span is shorter than the window: ``span`` is negative while they fit, and grows."""
    low, high = 1, max(1, top)
    while low < high:
        middle = (low + high + 1) // 2
        if span(middle) < 0:
            low = middle
        else:
            high = middle - 1
    return low


def _span(gaps: Sequence[int], reset: int, actions: int, window: int) -> int:
    """The least time from the first of so many actions to the last, less the window."""
    best = _run(gaps, actions)
    for resets in range(1, min(actions - 1, window // reset if reset else 0) + 1):
        size, longer = divmod(actions, resets + 1)
        # Pauses only grow: runs of equal length are the quickest.
        runs = longer * _run(gaps, size + 1) + (resets + 1 - longer) * _run(gaps, size)
        best = min(best, resets * reset + runs)
    return best - window


def _run(gaps: Sequence[int], actions: int) -> int:
    """The least time that so many actions in a row take."""
    inner = max(0, actions - 1)
    return sum(gaps[:inner]) + max(0, inner - len(gaps)) * gaps[-1]


def _us(seconds: float) -> int:
    return round(min(seconds, 1e12) * 1e6)
