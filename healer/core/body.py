"""The body: what the vitals are worth, organ by organ, and as a whole."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from healer.errors import HealerError
from healer.model.anatomy import ENERGY
from healer.model.observation import Observation, Reading, Unknown, labels
from healer.model.organism import ORGANS, Deduction, HarmonyView, Health, OrganView, Vital, VitalView
from healer.model.unit import Unit

FLOOR = 1.0
"""No score falls below it: a zero would hold a harmonic mean at zero, and hide every other change."""
HEALTHY_FROM = 70.0
DEGRADED_FROM = 30.0
SHOWN_DEDUCTIONS = 3
_DIGITS = 9  # of a mean: hides the last bit of binary fractions (all at 100 is 100), keeps what a person could see
_NOTICEABLE = 0.01
_HEAVIEST = 1e6


def score(vital: Vital, value: float) -> float:
    """Place a finite value between the vital's bounds: 100 at healthy or better, 1 at critical or worse."""
    low, high = sorted((vital.healthy, vital.critical))
    inside = min(max(value, low), high)
    return FLOOR + (100.0 - FLOOR) * ((inside - vital.critical) / (vital.healthy - vital.critical))


def health(points: float) -> Health:
    """Say a score in one word: healthy from 70, degraded from 30, else failed."""
    if points >= HEALTHY_FROM:
        return Health.HEALTHY
    return Health.DEGRADED if points >= DEGRADED_FROM else Health.FAILED


def weighted(parts: Iterable[tuple[float, float]]) -> float | None:
    """Weighted harmonic mean of (weight, score) pairs, 1-100; None when there is none.

    Harmonic, so that one dying part cannot hide behind six fine ones. Every operation in it rounds monotonically, so
    a better part never lowers the mean, not even in the last bit.
    """
    pairs = list(parts)
    if not pairs:
        return None
    mean = math.fsum(weight for weight, _ in pairs) / math.fsum(weight / points for weight, points in pairs)
    return min(100.0, max(FLOOR, round(mean, _DIGITS)))


@dataclass(slots=True)
class _Pulse:
    """What is remembered of one vital."""

    vital: Vital
    value: float | None = None
    score: float | None = None
    known_at: float = 0.0


class Body:
    """Keeps the last of every vital and judges the whole. Pure: no clock, no I/O.

    ``organ_weights`` are those of organs in harmony (1 unless given). Raises HealerError on vitals that could not be
    judged: equal or endless bounds, a weight that is not positive, two vitals of one id, an organ there is not.
    """

    def __init__(self, vitals: Iterable[Vital], organ_weights: Mapping[str, float] | None = None) -> None:
        self._pulses: dict[str, _Pulse] = {}
        for vital in vitals:
            _check(vital)
            if vital.id in self._pulses:
                raise HealerError(f"vital {vital.id} is declared twice")
            self._pulses[vital.id] = _Pulse(vital)
        self._organs = {
            name: [pulse for pulse in self._pulses.values() if pulse.vital.organ == name] for name in ORGANS
        }
        self._weights = dict.fromkeys(ORGANS, 1.0)
        for organ, weight in (organ_weights or {}).items():
            _check_organ(organ)
            _check_weight(f"organ {organ}", weight)
            self._weights[organ] = weight
        self._pressures: Mapping[str, float | None] = {}

    @property
    def vitals(self) -> tuple[Vital, ...]:
        """What it was made of, in the order given."""
        return tuple(pulse.vital for pulse in self._pulses.values())

    def update(
        self, values: Mapping[str, float | None], at: float, *, pressures: Mapping[str, float | None] | None = None
    ) -> None:
        """Take the current values by vital id; None, NaN and infinities are unknown; ids left out keep what they had.

        ``pressures`` (metric name -> ratio, see `healer.model.anatomy.ENERGY`) replaces the former ones when given.
        Raises HealerError on an id that is no vital of this body.
        """
        for name, value in values.items():
            pulse = self._pulses.get(name)
            if pulse is None:
                raise HealerError(f"{name} is no vital of this organism")
            _feel(pulse, value, at)
        if pressures is not None:
            self._pressures = dict(pressures)

    def view(self, now: float) -> HarmonyView:
        """See the whole as it is at boot-clock second ``now``."""
        organs = tuple(self._organ(name, now) for name in ORGANS)
        scored = [(self._weights[organ.name], organ.score) for organ in organs if organ.score is not None]
        points = [one for _, one in scored]
        harmony = weighted(scored)
        return HarmonyView(
            harmony=harmony,
            balance=max(points) - min(points) if points else None,
            energy=energy(self._pressures),
            organs=organs,
            deductions=() if harmony is None else self._deductions(organs, now),
        )

    def _organ(self, name: str, now: float) -> OrganView:
        vitals = tuple([_see(pulse, now) for pulse in self._organs[name]])
        points = weighted((vital.weight, vital.score) for vital in vitals if vital.score is not None)
        known = any(vital.health is not Health.UNKNOWN for vital in vitals)
        if points is None or not known:
            because = f"none of its {len(vitals)} vitals is known" if vitals else "it has no vitals"
            return OrganView(name=name, score=points, health=Health.UNKNOWN, vitals=vitals, because=because)
        lowest = min((one.score, one.id) for one in vitals if one.score is not None)
        because = f"{lowest[1]} is at {lowest[0]:.0f}" if lowest[0] < HEALTHY_FROM else ""
        return OrganView(name=name, score=points, health=health(points), vitals=vitals, because=because)

    def _deductions(self, organs: tuple[OrganView, ...], now: float) -> tuple[Deduction, ...]:
        """Find the vitals whose return to 100 would raise harmony most, the largest first.

        A harmonic mean of harmonic means is one harmonic mean over all vitals with the product of the shares, so that
        each what-if is one subtraction instead of a second view.
        """
        shares = list(self._shares(organs))
        burden = math.fsum(share / points for _, share, points in shares)
        gains = [
            (1 / (burden - share * (1 / points - 0.01)) - 1 / burden, vital)
            for vital, share, points in shares
            if points < 100
        ]
        gains.sort(key=lambda gain: (-gain[0], gain[1].id))
        return tuple(
            Deduction(vital=vital.id, points=gain, because=_because(self._pulses[vital.id], now))
            for gain, vital in gains[:SHOWN_DEDUCTIONS]
            if gain >= _NOTICEABLE
        )

    def _shares(self, organs: tuple[OrganView, ...]) -> Iterable[tuple[VitalView, float, float]]:
        whole = math.fsum(self._weights[organ.name] for organ in organs if organ.score is not None)
        for organ in organs:
            scored = [(vital, vital.score) for vital in organ.vitals if vital.score is not None]
            inside = math.fsum(vital.weight for vital, _ in scored)
            for vital, points in scored:
                yield vital, self._weights[organ.name] / whole * vital.weight / inside, points


def energy(pressures: Mapping[str, float | None]) -> float | None:
    """Headroom left, 0-100: 100 minus the worst of CPU, memory and I/O pressure; None when none of them is known."""
    worst = [pressure for names in ENERGY.values() if (pressure := _first_known(pressures, names)) is not None]
    return 100.0 * (1.0 - min(1.0, max(0.0, *worst))) if worst else None


def readings(view: HarmonyView, at: float) -> tuple[Reading, ...]:
    """Say the view as series, for rules: harmony, balance, energy, organ.score, organ.health and every ``organ.vital``.

    What is unknown now is `Unknown` here, also where the view goes on showing the last score: law 2, a rule must not
    fire on what nobody sees any more.
    """
    said: list[Reading] = []
    seen = any(organ.health is not Health.UNKNOWN for organ in view.organs)
    _say(said, "harmony", view.harmony if seen else None, Unit.SCORE, at)
    _say(said, "balance", view.balance if seen else None, Unit.SCORE, at)
    _say(said, "energy", view.energy, Unit.SCORE, at)
    for organ in view.organs:
        known = organ.health is not Health.UNKNOWN
        mark = labels(organ=organ.name)
        for metric, value, unit in (
            ("organ.score", organ.score if known else None, Unit.SCORE),
            ("organ.health", organ.health.value if known else None, Unit.WORD),
        ):
            if value is None:
                said.append(Unknown(metric=metric, labels=mark, because=organ.because, at=at))
            else:
                said.append(Observation(metric=metric, labels=mark, value=value, unit=unit, at=at))
        for vital in organ.vitals:
            _say(said, vital.id, vital.value, Unit.NUMBER, at)
    return tuple(said)


def _say(said: list[Reading], metric: str, value: float | None, unit: Unit, at: float) -> None:
    if value is None:
        said.append(Unknown(metric=metric, because="not known now", at=at))
    else:
        said.append(Observation(metric=metric, value=value, unit=unit, at=at))


def _feel(pulse: _Pulse, value: float | None, at: float) -> None:
    pulse.value = _finite(value)
    if pulse.value is not None:
        pulse.score = score(pulse.vital, pulse.value)
        pulse.known_at = at


def _finite(value: float | None) -> float | None:
    try:
        return float(value) if value is not None and math.isfinite(value) else None
    except OverflowError:
        return None  # an integer that no float can hold


def _see(pulse: _Pulse, now: float) -> VitalView:
    known = pulse.value is not None and pulse.score is not None
    return VitalView(
        id=pulse.vital.id,
        value=pulse.value,
        score=pulse.score,
        health=health(pulse.score) if known and pulse.score is not None else Health.UNKNOWN,
        age=None if pulse.score is None else max(0.0, now - pulse.known_at),
        weight=pulse.vital.weight,
    )


def _because(pulse: _Pulse, now: float) -> str:
    bounds = f"healthy at {pulse.vital.healthy:g}, critical at {pulse.vital.critical:g}"
    if pulse.value is None:
        return f"unknown for {max(0.0, now - pulse.known_at):.0f} s, last score {pulse.score:.0f} ({bounds})"
    return f"{pulse.value:.4g} ({bounds})"


def _first_known(pressures: Mapping[str, float | None], names: Iterable[str]) -> float | None:
    for name in names:
        value = _finite(pressures.get(name))
        if value is not None:
            return value
    return None


def _check(vital: Vital) -> None:
    _check_organ(vital.organ)
    _check_weight(f"vital {vital.id}", vital.weight)
    span = vital.healthy - vital.critical
    if span == 0 or not math.isfinite(span):
        raise HealerError(
            f"vital {vital.id} has no room between healthy ({vital.healthy:g}) and critical ({vital.critical:g})",
            hint="give two finite bounds that differ",
        )


def _check_organ(organ: str) -> None:
    if organ not in ORGANS:
        raise HealerError(f"there is no organ {organ}", hint=f"one of: {', '.join(ORGANS)}")


def _check_weight(what: str, weight: float) -> None:
    # A huge weight would drown the others in rounding; NaN fails both comparisons.
    if not 0 < weight <= _HEAVIEST:
        raise HealerError(f"{what} has the weight {weight:g}", hint="weights are above 0 and at most a million")
