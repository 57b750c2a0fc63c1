"""The law of bounds: what `healer check` prints of the rules of a story is not exceeded in any hour, nor in any day."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from healer.model.limit import Brakes
from healer.model.mode import Mode
from healer.model.target import Target
from healer.rules.bounds import ALL, DAY, HOUR, Rate, worst_case
from healer.rules.rule import RuleSet
from healer.simulation.oracle import Evidence
from healer.simulation.rulebooks import RELOADS, rules

SLACK = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class _Default:
    default_mode: Mode = Mode.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """As free as can be: no mode holds anything back."""

    targets: Sequence[Target]
    limits: Brakes
    mode: Mode = Mode.AUTO
    rules: _Default = field(default_factory=_Default)
    organs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    notify: Mapping[str, object] = field(default_factory=dict)


def bounds(book: str, targets: Sequence[Target], brakes: Brakes) -> dict[tuple[str, str], Rate]:
    """What may happen while a book and what a reload turns it into take turns."""
    own = rules(book).rules
    other = rules(RELOADS[book]).rules if book in RELOADS else ()
    both = RuleSet(rules=(*own, *(replace(rule, id=f"{rule.id}'") for rule in other)), hash="", files=())
    rates = worst_case(both, _Settings(targets=targets, limits=brakes))  # type: ignore[arg-type]  # there are no organs
    return {(rate.target, rate.action): rate for rate in rates}


def bounds_hold(evidence: Evidence) -> None:
    """S11: rules do no more to a target by themselves than was printed before they ran."""
    house = evidence.house
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for deed, effect in evidence.acts():
        if effect.rule and not (deed.without_effect or deed.undoes):
            taken[effect.target, effect.verb].append(deed.intent.at)
            taken[effect.target, ALL].append(deed.intent.at)
    printed = bounds(house.book, house.targets, house.brakes) if taken else {}
    for key, times in taken.items():
        rate = printed.get(key)
        if rate is None and key[1] != ALL:
            evidence.blame("bounds", f"{key[1]} of {key[0]} was not to happen at all")
        for per, most in ((HOUR, rate.per_hour), (DAY, rate.per_day)) if rate else ():
            busiest = max(sum(at - per + SLACK < one <= at for one in times) for at in times)
            if busiest > most:
                evidence.blame("bounds", f"{key[1]} of {key[0]}: {busiest} in {per:g} s, and {most} were printed")


BOUND_LAWS = (bounds_hold,)
